/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections: messages that are written and read in place, through pipes and over sockets. */
#include "test_connection.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ON_THE_WAY = 16 };

/* What is filled in place is more than what is sent. */
static void send_in_place(mp_connection *c, size_t len, unsigned n)
{
    unsigned char *data;
    void *place;
    size_t i;

    CHECK_OK(mp_connection_reserve(c, len + 3, &place));
    CHECK((uintptr_t)place % 64 == 0);
    data = place;
    for (i = 0; i < len + 3; i++)
        data[i] = pattern_at(i, n);
    CHECK_OK(mp_connection_commit(c, place, len, MP_FOREVER));
}

static const void *peek(mp_connection *c, size_t len, unsigned n)
{
    const void *data = NULL;
    size_t got = 1;

    CHECK_OK(mp_connection_peek(c, &data, &got, MP_SEC(30)));
    CHECK_INT(got, len);
    CHECK(data != NULL && (uintptr_t)data % (len < 16 ? 1 : 16) == 0);
    pattern_same(data, len, n);
    return data;
}

static void recv_pattern(mp_connection *c, size_t len, unsigned n)
{
    unsigned char *room = malloc(len + 1);
    size_t got;

    CHECK(room != NULL);
    CHECK_OK(mp_connection_recv(c, room, len, &got, MP_SEC(30)));
    CHECK_INT(got, len);
    pattern_same(room, len, n);
    free(room);
}

static void send_pattern(mp_connection *c, size_t len, unsigned n)
{
    void *data = pattern_new(len, n);

    CHECK_OK(mp_connection_send(c, data, len, MP_FOREVER));
    free(data);
}

/* A pair of sockets' connections. */
static void sockets(mp_connection **a, mp_connection **b)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_OK(mp_connection_from_fd(a, ends[0], NULL));
    CHECK_OK(mp_connection_from_fd(b, ends[1], NULL));
}

static void lend_arguments(mp_connection *a, mp_connection *b)
{
    const void *seen;
    void *data, *more;
    size_t len;
    mp_buffer *m;

    CHECK_STATUS(mp_connection_reserve(a, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_reserve(a, SIZE_MAX, &data), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_connection_reserve(a, (size_t)1 << 60, &data), MP_ERR_NO_MEMORY);
    CHECK_OK(mp_connection_reserve(a, 100, &data));
    CHECK_SENTENCE(mp_connection_commit(a, data, 101, MP_NO_WAIT), MP_ERR_INVALID, "100 were reserved");
    CHECK_STATUS(mp_connection_commit(a, (char *)data + 1, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_commit(a, NULL, 0, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_commit(b, data, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_cancel(b, data), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_release(a, data), MP_ERR_INVALID);
    CHECK_OK(mp_connection_reserve(a, 100, &more));
    CHECK(more != data);
    CHECK_OK(mp_connection_cancel(a, data));
    CHECK_SENTENCE(mp_connection_cancel(a, data), MP_ERR_INVALID, "nothing is reserved");
    CHECK_STATUS(mp_connection_commit(a, data, 1, MP_NO_WAIT), MP_ERR_INVALID);
    memcpy(more, "abc", 3);
    CHECK_OK(mp_connection_commit(a, more, 3, MP_NO_WAIT));
    CHECK_STATUS(mp_connection_commit(a, more, 3, MP_NO_WAIT), MP_ERR_INVALID);

    CHECK_STATUS(mp_connection_peek(b, NULL, &len, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_peek(b, &seen, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_OK(mp_connection_peek(b, &seen, &len, MP_NO_WAIT));
    CHECK(len == 3 && memcmp(seen, "abc", 3) == 0);
    CHECK_STATUS(mp_connection_peek(b, &seen, &len, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_release(a, seen), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_release(b, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_release(b, (const char *)seen + 1), MP_ERR_INVALID);
    CHECK_OK(mp_connection_release(b, seen));
    CHECK_SENTENCE(mp_connection_release(b, seen), MP_ERR_INVALID, "no message was peeked");

    /* What was reserved is still the caller's when nobody receives, and after the end. */
    send_in_place(b, 10, 1);
    peek(a, 10, 1);
    send_in_place(b, 10, 2);
    CHECK_OK(mp_connection_recv_buffer(a, &m, 10, &len, MP_SEC(30)));
    pattern_same(mp_buffer_data(m, NULL), 10, 2);
    CHECK_OK(mp_buffer_free(m));
    CHECK_OK(mp_connection_reserve(a, 100, &data));
    CHECK_OK(mp_connection_reserve(a, 100, &more));
    send_in_place(b, 10, 3);
    CHECK_OK(mp_connection_free(b));
    CHECK_STATUS(mp_connection_commit(a, data, 1, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_cancel(a, data));
    seen = peek(a, 10, 3);
    CHECK_STATUS(mp_connection_peek(a, &seen, &len, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_close(a));
    CHECK_STATUS(mp_connection_reserve(a, 1, &data), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_commit(a, more, 1, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_peek(a, &seen, &len, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_connection_cancel(a, more));
    pattern_same(seen, 10, 3);
    CHECK_OK(mp_connection_release(a, seen));
    CHECK_OK(mp_connection_free(a));
    CHECK_STATUS(mp_connection_cancel(a, more), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_release(a, seen), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_reserve(a, 1, &data), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_commit(a, more, 1, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_peek(a, &seen, &len, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
}

TEST(connection, lend_through_a_pipe)
{
    mp_connection *a, *b;
    uint64_t blocks = stats_now().blocks;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    lend_arguments(a, b);
    CHECK_INT(stats_now().blocks, blocks);
}

TEST(connection, lend_over_a_socket)
{
    mp_connection *a, *b;
    uint64_t blocks = stats_now().blocks;

    sockets(&a, &b);
    lend_arguments(a, b);
    CHECK_INT(stats_now().blocks, blocks);
}

TEST(connection, lend_one_way)
{
    mp_pipe_options one_way = MP_PIPE_OPTIONS;
    mp_connection *receives, *sends;
    const void *seen;
    size_t len;
    void *data;

    one_way.duplex = false;
    CHECK_OK(mp_pipe_new(&receives, &sends, &one_way));
    CHECK_STATUS(mp_connection_reserve(receives, 1, &data), MP_ERR_STATE);
    CHECK_STATUS(mp_connection_peek(sends, &seen, &len, MP_NO_WAIT), MP_ERR_STATE);
    send_in_place(sends, 5000, 4);
    CHECK_OK(mp_connection_release(receives, peek(receives, 5000, 4)));
    CHECK_OK(mp_connection_free(receives));
    CHECK_OK(mp_connection_free(sends));
}

TEST(connection, lending_keeps_the_limit)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_connection *client, *server;
    mp_listener *l;
    void *data;

    o.max_message = 100;
    CHECK_OK(mp_listener_new(&l, NULL, &o));
    client = client_new(address_of(l).text, NULL);
    CHECK_OK(mp_listener_accept(l, &server, MP_FOREVER));
    CHECK_SENTENCE(mp_connection_reserve(server, 101, &data), MP_ERR_INVALID, "100 are allowed");
    CHECK_OK(mp_connection_reserve(server, 100, &data));
    memset(data, 'x', 100);
    CHECK_OK(mp_connection_commit(server, data, 100, MP_FOREVER));
    CHECK_OK(mp_connection_reserve(client, 101, &data));
    CHECK_OK(mp_connection_free(client));
    CHECK_OK(mp_connection_free(server));
    CHECK_OK(mp_listener_free(l));
}

/* Each way of sending with each way of receiving, of all sizes, in turn and one behind the other. */
static void all_sizes(mp_connection *a, mp_connection *b, size_t largest)
{
    static const size_t sizes[] = {0, 1, 8, 500, 4096, 16384, 20000, 40000, 100000, 3 << 20};
    size_t i;
    int round;

    for (round = 0; round < 12; round++) {
        for (i = 0; i < COUNT(sizes) && sizes[i] <= largest; i++) {
            unsigned n = (unsigned)(i + (size_t)round);
            const void *first, *second;

            send_in_place(a, sizes[i], n);
            recv_pattern(b, sizes[i], n);
            send_in_place(a, sizes[i], n + 1);
            CHECK_OK(mp_connection_release(b, peek(b, sizes[i], n + 1)));
            if (sizes[i] <= 20000) {
                send_pattern(a, sizes[i], n + 2);
                send_in_place(a, sizes[i], n + 3);
                first = peek(b, sizes[i], n + 2);
                second = peek(b, sizes[i], n + 3);
                send_in_place(b, sizes[i], n + 4);
                CHECK_OK(mp_connection_release(b, first));
                pattern_same(second, sizes[i], n + 3);
                CHECK_OK(mp_connection_release(b, second));
                recv_pattern(a, sizes[i], n + 4);
            }
        }
    }
}

TEST(connection, lent_messages_of_all_sizes_through_a_pipe)
{
    uint64_t blocks = stats_now().blocks, used = stats_now().bytes_used;
    mp_connection *a, *b;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    all_sizes(a, b, 3 << 20);
    /* What is kept for the next ones is less than this. */
    CHECK(stats_now().bytes_used <= used + (20 << 20));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_INT(stats_now().blocks, blocks);
    CHECK(stats_now().bytes_used <= used + (1 << 20));
}

TEST(connection, lent_messages_of_all_sizes_over_a_socket)
{
    mp_connection *a, *b;

    sockets(&a, &b);
    all_sizes(a, b, 40000);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* No more than so many are on the way; what is refused is still there, and goes later. */
TEST(connection, lending_waits_for_who_receives)
{
    mp_connection *a, *b;
    unsigned i;
    void *data;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    for (i = 0; i < ON_THE_WAY; i++)
        send_in_place(a, 1000, i);
    CHECK_OK(mp_connection_reserve(a, 1000, &data));
    for (i = 0; i < 1000; i++)
        ((unsigned char *)data)[i] = pattern_at(i, ON_THE_WAY);
    CHECK_STATUS(mp_connection_commit(a, data, 1000, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_commit(a, data, 999, MP_MS(5)), MP_ERR_TIMEOUT);
    /* What is sent otherwise does not wait for it. */
    send_pattern(a, 7, ON_THE_WAY + 1);
    CHECK_OK(mp_connection_release(b, peek(b, 1000, 0)));
    CHECK_OK(mp_connection_commit(a, data, 1000, MP_NO_WAIT));
    for (i = 1; i < ON_THE_WAY; i++)
        recv_pattern(b, 1000, i);
    recv_pattern(b, 7, ON_THE_WAY + 1);
    recv_pattern(b, 1000, ON_THE_WAY);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* Nor more than a MiB of them, but a longer one by itself. */
TEST(connection, lending_waits_for_bytes)
{
    mp_connection *a, *b;
    const void *seen;
    size_t len;
    void *data;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    send_in_place(a, 700000, 1);
    CHECK_OK(mp_connection_reserve(a, 400000, &data));
    CHECK_STATUS(mp_connection_commit(a, data, 400000, MP_MS(1)), MP_ERR_TIMEOUT);
    send_in_place(a, 300000, 2);
    recv_pattern(b, 700000, 1);
    CHECK_OK(mp_connection_commit(a, data, 400000, MP_NO_WAIT));
    recv_pattern(b, 300000, 2);
    CHECK_OK(mp_connection_peek(b, &seen, &len, MP_NO_WAIT));
    CHECK_INT(len, 400000);
    CHECK_OK(mp_connection_release(b, seen));
    send_in_place(a, 5 << 20, 3);
    CHECK_OK(mp_connection_reserve(a, 1, &data));
    CHECK_STATUS(mp_connection_commit(a, data, 1, MP_MS(1)), MP_ERR_TIMEOUT);
    recv_pattern(b, 5 << 20, 3);
    CHECK_OK(mp_connection_commit(a, data, 0, MP_NO_WAIT));
    recv_pattern(b, 0, 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* The socket takes a part, and the rest with the next call. */
TEST(connection, lent_over_a_socket_that_is_full)
{
    enum { LONG = 4 << 20 };
    mp_connection *a, *b;
    const void *seen;
    unsigned char *data;
    void *place;
    size_t i, len;
    int s;

    sockets(&a, &b);
    CHECK_OK(mp_connection_reserve(a, LONG, &place));
    data = place;
    for (i = 0; i < LONG; i++)
        data[i] = pattern_at(i, 6);
    while ((s = mp_connection_commit(a, place, LONG, MP_MS(1))) == MP_ERR_TIMEOUT)
        CHECK_STATUS(mp_connection_peek(b, &seen, &len, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_OK(s);
    CHECK_OK(mp_connection_release(b, peek(b, LONG, 6)));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* A message with handles, and a descriptor, are not peeked. */
TEST(connection, what_is_no_message_in_place)
{
    mp_value *v = flag_new();
    const void *handles[] = {v}, *seen;
    mp_connection *a, *b;
    mp_buffer *m;
    size_t len;
    int fd;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_send_handles(a, "laden", 5, handles, 1, MP_NO_WAIT));
    CHECK_OK(mp_connection_send_fd(a, 0, MP_NO_WAIT));
    send_in_place(a, 9, 1);
    CHECK_SENTENCE(mp_connection_peek(b, &seen, &len, MP_NO_WAIT), MP_ERR_UNSUPPORTED, "1 handles");
    CHECK_OK(mp_connection_recv_buffer(b, &m, 5, NULL, MP_NO_WAIT));
    CHECK_INT(mp_buffer_handles(m), 1);
    CHECK_OK(mp_buffer_free(m));
    CHECK_STATUS(mp_connection_peek(b, &seen, &len, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_connection_recv_fd(b, &fd, MP_NO_WAIT));
    CHECK(close(fd) == 0);
    CHECK_STATUS(mp_connection_recv_fd(b, &fd, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_connection_recv_buffer(b, &m, 9, NULL, MP_NO_WAIT));
    pattern_same(mp_buffer_data(m, NULL), 9, 1);
    CHECK_INT(mp_buffer_handles(m), 0);
    CHECK_OK(mp_buffer_free(m));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_value_free(v));
}

/* ---- who had it is gone ---- */

static int lends_and_dies(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    void *data;

    CHECK(user == NULL);
    CHECK_OK(mp_connection_reserve(c, 100000, &data));
    CHECK_OK(mp_connection_reserve(c, 100, &data));
    peek(c, 3000, 0);
    peek(c, 300000, 1);
    send_in_place(c, 70000, 2);
    kill(getpid(), SIGKILL);
    return 0;
}

static int lends_and_ends(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    void *data;

    CHECK(user == NULL);
    CHECK_OK(mp_connection_reserve(c, 100000, &data));
    peek(c, 3000, 0);
    peek(c, 300000, 1);
    send_in_place(c, 70000, 2);
    CHECK_OK(mp_connection_free(c));
    return 0;
}

/* What it had sent is whole; what it had reserved or peeked is freed. */
TEST(connection, what_is_lent_goes_with_its_process)
{
    uint64_t blocks = stats_now().blocks;
    int killed;

    for (killed = 0; killed < 2; killed++) {
        mp_connection *mine, *childs;
        const void *seen;
        mp_process *p;
        size_t len;

        CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
        send_in_place(mine, 3000, 0);
        send_in_place(mine, 300000, 1);
        p = CHILD_START(killed ? lends_and_dies : lends_and_ends, childs);
        CHECK_OK(mp_connection_free(childs));
        CHECK_INT(child_end(p), killed ? -SIGKILL : 0);
        CHECK_OK(mp_connection_release(mine, peek(mine, 70000, 2)));
        CHECK_STATUS(mp_connection_peek(mine, &seen, &len, MP_FOREVER), MP_ERR_EOF);
        CHECK_OK(mp_connection_free(mine));
        CHECK_INT(stats_now().blocks, blocks);
    }
}

typedef struct loans {
    mp_connection *c;
    const void *seen;
    void *data;
} loans;

static int uses_its_parents(void *arg)
{
    loans *l = arg;
    void *own;

    CHECK_STATUS(mp_connection_commit(l->c, l->data, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_cancel(l->c, l->data), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_release(l->c, l->seen), MP_ERR_INVALID);
    CHECK_OK(mp_connection_release(l->c, peek(l->c, 6000, 2)));
    CHECK_OK(mp_connection_reserve(l->c, 6, &own));
    CHECK(own != l->data);
    memcpy(own, "a fork", 6);
    CHECK_OK(mp_connection_commit(l->c, own, 6, MP_NO_WAIT));
    return 5;
}

TEST(connection, a_fork_has_no_part_in_what_is_lent)
{
    mp_connection *a;
    loans l;

    CHECK_OK(mp_pipe_new(&a, &l.c, NULL));
    send_in_place(a, 5000, 1);
    send_in_place(a, 6000, 2);
    l.seen = peek(l.c, 5000, 1);
    CHECK_OK(mp_connection_reserve(l.c, 10, &l.data));
    memcpy(l.data, "still", 5);
    CHECK_INT(in_fork(uses_its_parents, &l), 5);
    pattern_same(l.seen, 5000, 1);
    CHECK_OK(mp_connection_release(l.c, l.seen));
    CHECK_OK(mp_connection_commit(l.c, l.data, 5, MP_NO_WAIT));
    recv_text(a, "a fork");
    recv_text(a, "still");
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(l.c));
}

/* ---- all at once ---- */

enum { MANY = 2000, THREADS = 3 };

/* Of no two the same. */
static size_t length_of(unsigned n)
{
    return n % 7 == 0 ? 60000 + n : 64 + n;
}

typedef struct sender {
    mp_connection *c;
    unsigned first;
} sender;

static void *sends_its_share(void *arg)
{
    sender *me = arg;
    unsigned n;

    for (n = me->first; n < MANY; n += THREADS)
        (n % 5 == 0 ? send_pattern : send_in_place)(me->c, length_of(n), n);
    return NULL;
}

static int sends_all(mp_child *self, void *user)
{
    pthread_t thread[THREADS];
    sender all[THREADS];
    unsigned i;

    CHECK(user == NULL);
    for (i = 0; i < THREADS; i++) {
        all[i].c = mp_child_connection(self, 0);
        all[i].first = i;
        CHECK(pthread_create(&thread[i], NULL, sends_its_share, &all[i]) == 0);
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    return 0;
}

/* Threads that send in place and otherwise, one that peeks; of each thread the messages come in order. */
TEST(connection, many_in_place_at_once)
{
    uint64_t blocks = stats_now().blocks;
    unsigned next[THREADS], i, came;
    mp_connection *mine, *childs;
    mp_process *p;

    CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
    p = CHILD_START(sends_all, childs);
    CHECK_OK(mp_connection_free(childs));
    for (i = 0; i < THREADS; i++)
        next[i] = i;
    for (came = 0; came < MANY; came++) {
        const void *place;
        size_t len;

        CHECK_OK(mp_connection_peek(mine, &place, &len, MP_FOREVER));
        for (i = 0; i < THREADS; i++)
            if (next[i] < MANY && len == length_of(next[i]))
                break;
        CHECK(i < THREADS);
        pattern_same(place, len, next[i]);
        next[i] += THREADS;
        CHECK_OK(mp_connection_release(mine, place));
    }
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(mine));
    CHECK_INT(stats_now().blocks, blocks);
}
