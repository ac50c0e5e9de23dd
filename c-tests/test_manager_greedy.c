/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Clients of a manager's server that know the key and want too much, or break off. They speak for
 * themselves, without a proxy. */
#include "test_manager.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALL = 2, GREEDY = 24, LARGE = 400000 };

static mp_manager *limited(size_t max_message, size_t max_stored)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;

    o.max_message = max_message;
    o.max_stored = max_stored;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    return m;
}

/* Room for 800,000 bytes. */
static bool has_room(void *dict)
{
    static const char bytes[800000];
    mp_status s = mp_proxy_set(dict, INT(0), mp_item_bytes(bytes, sizeof bytes));

    if (s != MP_OK)
        CHECK_STATUS(s, MP_ERR_NO_MEMORY);
    else
        CHECK_OK(mp_proxy_del(dict, INT(0)));
    return s == MP_OK;
}

/* Counts as long as there is a proxy. */
static void counts(mp_proxy *dict, mp_proxy *p)
{
    CHECK(!has_room(dict));
    CHECK_OK(mp_proxy_free(p));
    CHECK(wait_until(has_room, dict));
}

/* What objects have that the server's functions made is stored, too. */
TEST(manager_greedy, objects_of_functions)
{
    static const char bytes[300000];
    const char *methods[] = {"apply_async", "map_async", "imap", "imap_unordered"};
    const mp_item items[] = {TEXT("manager_pool.square"), mp_item_bytes(bytes, sizeof bytes)};
    mp_item size = INT(1000001);
    mp_manager *m = limited(1000000, 1000000);
    mp_proxy *dict = object_new(m, "dict"), *p, *pool;
    mp_answer *a;
    size_t i;

    CHECK(has_room(dict));
    CHECK_SENTENCE(mp_manager_create(m, &p, "SharedMemory", &size, 1), MP_ERR_NO_MEMORY,
                   "the manager has");
    size = INT(sizeof bytes);
    CHECK_OK(mp_manager_create(m, &p, "SharedMemory", &size, 1));
    counts(dict, p);
    CHECK_OK(mp_manager_create(m, &p, "ShareableList", &items[1], 1));
    counts(dict, p);
    pool = object_new(m, "Pool");
    for (i = 0; i < COUNT(methods); i++) {
        CHECK_OK(mp_proxy_call(pool, methods[i], items, 2, &a, MP_FOREVER));
        CHECK_OK(mp_answer_proxy(a, 0, &p));
        CHECK_OK(mp_answer_free(a));
        counts(dict, p);
    }
    CHECK_OK(mp_proxy_free(pool));
    CHECK_OK(mp_proxy_free(dict));
    CHECK_OK(mp_manager_free(m));
}

static size_t put(unsigned char *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return len;
}

size_t raw_request(unsigned char *to, int what, uint64_t object, const char *name,
                   const void *values, size_t len)
{
    size_t at = 24;

    memset(to, 0, at);
    to[0] = (unsigned char)what;
    to[2] = (unsigned char)strlen(name);
    memcpy(to + 16, &object, sizeof object);
    at += put(to + at, name, strlen(name));
    return at + put(to + at, values, len);
}

void raw_say(mp_connection *c, int what, uint64_t object, const char *name, const void *values,
             size_t len)
{
    unsigned char bytes[256];

    CHECK_OK(mp_connection_send(c, bytes, raw_request(bytes, what, object, name, values, len),
                                MP_FOREVER));
}

int32_t raw_answer(mp_connection *c)
{
    unsigned char bytes[512];
    int32_t status;

    CHECK_OK(mp_connection_recv(c, bytes, sizeof bytes, NULL, MP_FOREVER));
    memcpy(&status, bytes, sizeof status);
    return status;
}

int32_t raw_ask(mp_connection *c, int what, uint64_t object, const char *name)
{
    raw_say(c, what, object, name, "\0\0\0\0", 4);
    return raw_answer(c);
}

mp_connection *raw_session(mp_manager *m, int number)
{
    static unsigned char hello[] = {2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 5, 16, 0, 0,
                                    0, 's', 'e', 's', 's', 'i', 'o', 'n', ' ', 'n', 'u', 'm', 'b',
                                    'e', 'r', ' ', 0};
    mp_client_options o = MP_CLIENT_OPTIONS;
    char address[128];
    unsigned char key[256];
    mp_connection *c;
    size_t len;

    CHECK_OK(mp_get_authkey(key, sizeof key, &len));
    o.key = key;
    o.key_size = len;
    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    CHECK_OK(mp_client_connect(&c, address, &o, MP_FOREVER));
    hello[sizeof hello - 1] = (unsigned char)number;
    raw_say(c, 1, 0, "", hello, sizeof hello);
    CHECK_INT(raw_answer(c), MP_OK);
    return c;
}

/* A list with an item of so many bytes, which is object 1. */
static mp_proxy *with_large(mp_manager *m, size_t bytes, size_t count)
{
    mp_proxy *l = object_new(m, "list");
    char *large = calloc(1, bytes);
    size_t i;

    CHECK(large != NULL);
    for (i = 0; i < count; i++)
        CHECK_OK(mp_proxy_append(l, mp_item_bytes(large, bytes)));
    free(large);
    return l;
}

/* What would not fit into one answer is refused before it is copied, and comes in parts. */
TEST(manager, answers_have_a_limit)
{
    mp_manager *m = limited(1000000, 4000000);
    mp_proxy *l = with_large(m, LARGE, 4), *d = object_new(m, "dict");
    mp_proxy_step steps[20];
    mp_item first = INT(0);
    mp_answer *a;
    mp_buffer *text;
    int64_t position = 0;
    size_t i;

    CHECK_SENTENCE(mp_proxy_call(l, "items", NULL, 0, &a, MP_NO_WAIT), MP_ERR_TOO_SMALL,
                   "some at a time");
    CHECK_STATUS(mp_proxy_str(l, &text), MP_ERR_TOO_SMALL);
    for (i = 0; i < 2; i++) {
        CHECK_OK(mp_proxy_next(l, &position, 100, &a));
        CHECK_INT(mp_answer_count(a), 2);
        CHECK_INT(position, 2 * (int64_t)(i + 1));
        CHECK_OK(mp_answer_free(a));
    }
    CHECK_OK(mp_proxy_next(l, &position, 100, &a));
    CHECK_INT(mp_answer_count(a), 0);
    CHECK_OK(mp_answer_free(a));
    memset(steps, 0, sizeof steps);
    for (i = 0; i < COUNT(steps); i++) {
        steps[i].proxy = l;
        steps[i].method = "get";
        steps[i].items = &first;
        steps[i].count = 1;
    }
    CHECK_SENTENCE(mp_proxy_batch(steps, COUNT(steps), &a), MP_ERR_TOO_SMALL, "call 2 of");
    CHECK_OK(mp_proxy_batch(steps, 2, &a));
    CHECK_INT(mp_answer_count(a), 4);
    CHECK_OK(mp_answer_free(a));
    /* A repetition that does not fit leaves the list as it was. */
    CHECK_INT(CALL(l, "repeat", MP_NO_WAIT, INT(100)), MP_ERR_NO_MEMORY);
    CHECK_CALL0(l, "4", "len");
    CHECK_OK(mp_proxy_set(d, INT(1), INT(1)));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
}

/* Some, and not all. */
static bool some_are_cut(void *p)
{
    mp_connection *const *clients = p;
    struct pollfd all[GREEDY];
    size_t i, count = 0;

    for (i = 0; i < GREEDY; i++) {
        CHECK_OK(mp_connection_fileno(clients[i], &all[i].fd));
        all[i].events = POLLRDHUP;
    }
    CHECK(poll(all, GREEDY, 0) >= 0);
    for (i = 0; i < GREEDY; i++)
        count += (all[i].revents & (POLLRDHUP | POLLHUP)) != 0;
    return count > 0 && count < GREEDY;
}

static void free_all(mp_connection **clients)
{
    size_t i;

    for (i = 0; i < GREEDY; i++)
        CHECK_OK(mp_connection_free(clients[i]));
}

/* Answers that nobody reads do not pile up: some of those who do not read are cut off. */
TEST(manager, answers_unread)
{
    mp_manager *m = limited(1000000, 4000000);
    mp_proxy *l = with_large(m, LARGE, 2);
    mp_connection *clients[GREEDY];
    int i;

    for (i = 0; i < GREEDY; i++) {
        clients[i] = raw_session(m, i);
        raw_say(clients[i], CALL, 1, "items", "\0\0\0\0", 4);
    }
    CHECK(wait_until(some_are_cut, clients));
    CHECK_CALL0(l, "2", "len");
    free_all(clients);
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
}

/* Whoever is cut off needs to write no more. */
static void write_unless_cut(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        struct pollfd room = {fd, POLLOUT, 0};
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            CHECK(poll(&room, 1, -1) == 1);
            continue;
        }
        if (n < 0) {
            CHECK(errno == EPIPE || errno == ECONNRESET);
            return;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

/* Nor do messages of which only a part comes. */
TEST(manager, messages_unfinished)
{
    mp_manager *m = limited(1000000, 4000000);
    mp_proxy *l = object_new(m, "list");
    mp_connection *clients[GREEDY];
    char *part = calloc(1, LARGE + 4);
    int i, fd;

    CHECK(part != NULL);
    memcpy(part, "\0\017\0\0", 4);
    for (i = 0; i < GREEDY; i++) {
        clients[i] = raw_session(m, i);
        CHECK_OK(mp_connection_fileno(clients[i], &fd));
        write_unless_cut(fd, part, LARGE + 4);
    }
    free(part);
    CHECK(wait_until(some_are_cut, clients));
    CHECK_CALL0(l, "0", "len");
    free_all(clients);
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
}

/* Whoever breaks off in a request has the answer to the one before, and the lock that it gave. */
TEST(manager, lock_kept_by_half_a_request)
{
    mp_manager *m = manager_new();
    mp_proxy *lock = object_new(m, "Lock");
    mp_connection *a = raw_session(m, 1), *b = raw_session(m, 1);
    int fd;

    CHECK_INT(raw_ask(a, CALL, 1, "acquire"), MP_OK);
    CHECK_OK(mp_connection_fileno(a, &fd));
    CHECK(write(fd, "\0\0\0\40half", 8) == 8);
    CHECK_OK(mp_connection_free(a));
    CHECK_STATUS(mp_proxy_acquire(lock, MP_MS(50)), MP_ERR_TIMEOUT);
    CHECK_INT(raw_ask(b, CALL, 1, "release"), MP_OK);
    /* A lock that was taken once more since, on another connection, is not given back either. */
    a = raw_session(m, 1);
    CHECK_INT(raw_ask(a, CALL, 1, "acquire"), MP_OK);
    CHECK_INT(raw_ask(b, CALL, 1, "release"), MP_OK);
    CHECK_INT(raw_ask(b, CALL, 1, "acquire"), MP_OK);
    CHECK_OK(mp_connection_free(a));
    CHECK_STATUS(mp_proxy_acquire(lock, MP_MS(50)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(b));
    CHECK_INT(mp_proxy_acquire(lock, MP_FOREVER), MP_OWNER_DIED);
    CHECK_OK(mp_proxy_release(lock));
    CHECK_OK(mp_proxy_free(lock));
    CHECK_OK(mp_manager_free(m));
}

/* In a batch, too, the next holder is told of a death. */
TEST(manager, batch_tells_of_a_death)
{
    mp_manager *m = manager_new();
    mp_proxy *lock = object_new(m, "Lock");
    mp_connection *a = raw_session(m, 1);
    mp_proxy_step steps[2];
    mp_status status;

    memset(steps, 0, sizeof steps);
    steps[0].proxy = steps[1].proxy = lock;
    steps[0].method = "acquire";
    steps[1].method = "locked";
    CHECK_INT(raw_ask(a, CALL, 1, "acquire"), MP_OK);
    CHECK_INT(mp_proxy_batch(steps, COUNT(steps), NULL), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(a));
    /* The server sees the end of the connection in its own time. */
    while ((status = mp_proxy_batch(steps, COUNT(steps), NULL)) == MP_ERR_TIMEOUT)
        sleep_ms(1);
    CHECK_INT(status, MP_OWNER_DIED);
    CHECK_OK(mp_proxy_release(lock));
    CHECK_INT(mp_proxy_batch(steps, COUNT(steps), NULL), MP_OK);
    CHECK_OK(mp_proxy_release(lock));
    CHECK_OK(mp_proxy_free(lock));
    CHECK_OK(mp_manager_free(m));
}

static void *puts_large(void *q)
{
    char *large = calloc(1, 90000);

    CHECK(large != NULL);
    CHECK_OK(CALL(q, "put", MP_FOREVER, mp_item_bytes(large, 90000)));
    free(large);
    return NULL;
}

/* What waits to be put is counted once. */
TEST(manager, put_that_waited_has_its_room)
{
    mp_manager *m = limited(100000, 300000);
    mp_proxy *l = with_large(m, 90000, 2), *q;
    mp_item one = INT(1);
    pthread_t thread;

    CHECK_OK(mp_manager_create(m, &q, "Queue", &one, 1));
    CHECK_CALL(q, "", "put", INT(7));
    CHECK(pthread_create(&thread, NULL, puts_large, q) == 0);
    wait_for_waiting(m, 1);
    CHECK_CALL0(q, "7", "get");
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_CALL0(q, "90000 bytes", "get");
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
}

/* A server is not bound to the few descriptors that its owner may have. */
TEST(manager, has_descriptors_for_all)
{
    mp_connection *clients[64];
    struct rlimit before, few;
    mp_manager *m;
    int i;

    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = before;
    few.rlim_cur = 48;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    m = manager_new();
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    for (i = 0; i < (int)COUNT(clients); i++)
        clients[i] = raw_session(m, i);
    for (i = 0; i < (int)COUNT(clients); i++)
        CHECK_OK(mp_connection_free(clients[i]));
    CHECK_OK(mp_manager_free(m));
}
