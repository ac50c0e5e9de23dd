/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a manager's server does with those who do not keep to its protocol. */
#include "test_manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char key[] = "a key";

static mp_manager *with_key(size_t max_message, size_t max_stored)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;

    o.key = key;
    o.key_size = strlen(key);
    o.max_message = max_message;
    o.max_stored = max_stored;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    return m;
}

/* A connection that has proved the key, and has said nothing yet. */
static mp_connection *connection_to(mp_manager *m)
{
    mp_client_options o = MP_CLIENT_OPTIONS;
    char address[128];
    mp_connection *c;

    o.key = key;
    o.key_size = strlen(key);
    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    CHECK_OK(mp_client_connect(&c, address, &o, MP_FOREVER));
    return c;
}

static const unsigned char hello[] = {2, 0, 0, 0, 1, 1, 0,   0,   0,   0,   0,   0,   0, 5, 16, 0, 0,
                                      0, 's', 'o', 'm', 'e', '-', 's', 'e', 's', 's', 'i', 'o', 'n',
                                      '-', '1', '2', '3'};

/* The status of the answer; 1000 for an end. */
static int32_t ask(mp_connection *c, const void *bytes, size_t len)
{
    unsigned char answer[512];
    int32_t status;
    mp_status received;

    CHECK_OK(mp_connection_send(c, bytes, len, MP_FOREVER));
    received = mp_connection_recv(c, answer, sizeof answer, &len, MP_FOREVER);
    if (received == MP_ERR_EOF)
        return 1000;
    CHECK(received == MP_OK && len >= sizeof status);
    memcpy(&status, answer, sizeof status);
    return status;
}

static mp_connection *session_with(mp_manager *m)
{
    mp_connection *c = connection_to(m);
    unsigned char bytes[128];

    CHECK_INT(ask(c, bytes, raw_request(bytes, 1, 0, "", hello, sizeof hello)), MP_OK);
    return c;
}

static bool is_empty(void *m)
{
    return objects(m) == 0;
}

TEST(manager, garbage)
{
    mp_manager *m = with_key(0, 0);
    mp_proxy *d = object_new(m, "dict");
    unsigned char bytes[256], other[sizeof hello];
    mp_connection *c;
    rng r = rng_new();
    size_t i, k, len;

    /* Before the greeting anything else is the end. */
    memset(bytes, 0xff, sizeof bytes);
    c = connection_to(m);
    CHECK_INT(ask(c, bytes, sizeof bytes), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_connection_recv(c, bytes, sizeof bytes, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(c));
    c = connection_to(m);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 8, 0, "number_of_objects", "\0\0\0\0", 4)),
              MP_ERR_INVALID);
    CHECK_OK(mp_connection_free(c));
    /* Another version. */
    memcpy(other, hello, sizeof hello);
    other[5] = 2;
    c = connection_to(m);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 1, 0, "", other, sizeof other)), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_connection_recv(c, bytes, sizeof bytes, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(c));
    /* After it each bad request costs one answer. */
    c = session_with(m);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 1, 0, "", hello, sizeof hello)), MP_ERR_INVALID);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 9, 0, "", "\0\0\0\0", 4)), MP_ERR_UNSUPPORTED);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 2, 99, "get", "\0\0\0\0", 4)), MP_ERR_CLOSED);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 2, 1, "nothing", "\0\0\0\0", 4)), MP_ERR_UNSUPPORTED);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 2, 1, "len", "\1\0\0\0", 4)), MP_ERR_INVALID);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 2, 1, "len", "\0\0\0\0x", 5)), MP_ERR_INVALID);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 2, 1, "len", "\xff\xff\xff\xff", 4)), MP_ERR_INVALID);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 2, 1, "len", "\1\0\0\0\4\xff\xff\xff\xff", 9)),
              MP_ERR_INVALID);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 2, 1, "get", "\1\0\0\0\4\1\0\0\0\xff", 10)),
              MP_ERR_INVALID);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 4, 0, "", "\1\0\0\0\5\1\0\0\0x", 10)), MP_ERR_CLOSED);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 7, 0, "", "\1\0\0\0\0", 5)), MP_ERR_INVALID);
    CHECK_INT(ask(c, bytes, raw_request(bytes, 8, 0, "the weather", "\0\0\0\0", 4)),
              MP_ERR_UNSUPPORTED);
    /* To give back what one does not have changes nothing. */
    CHECK_INT(ask(c, bytes, raw_request(bytes, 5, 0, "", "\1\0\0\0\6\1\0\0\0\0\0\0\0", 13)), MP_OK);
    CHECK_OK(mp_connection_free(c));
    /* And what is damaged at random is answered, or taken for something. */
    c = session_with(m);
    for (i = 0; i < 3000; i++) {
        len = raw_request(bytes, 2, 1, "get", "\2\0\0\0\1\1\0\0\0\0\0\0\0\5\2\0\0\0xy", 20);
        for (k = rng_below(&r, 4) + 1; k > 0; k--)
            bytes[rng_below(&r, len)] = (unsigned char)rng_next(&r);
        memset(bytes + 8, 0, 8); /* it is not to wait */
        if (bytes[0] == 6)
            bytes[0] = 2; /* a ticket would hold the object for a minute */
        ask(c, bytes, len - rng_below(&r, 3));
    }
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_proxy_set(d, INT(1), INT(1)));
    CHECK_OK(mp_proxy_free(d));
    /* What a client took by chance goes when the server sees its end. */
    CHECK(wait_until(is_empty, m));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, half_a_message_and_silence)
{
    mp_manager *m = with_key(0, 0);
    mp_proxy *d = object_new(m, "dict");
    mp_connection *clients[20];
    size_t i;

    for (i = 0; i < COUNT(clients); i++) {
        int fd;

        clients[i] = i % 2 == 0 ? session_with(m) : connection_to(m);
        CHECK_OK(mp_connection_fileno(clients[i], &fd));
        CHECK(write(fd, "\0\0\0\40half of it", 14) == 14);
    }
    for (i = 0; i < 100; i++)
        CHECK_OK(mp_proxy_set(d, INT((int64_t)i), INT(1)));
    for (i = 0; i < COUNT(clients); i++)
        CHECK_OK(mp_connection_free(clients[i]));
    CHECK_CALL0(d, "100", "len");
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, limits)
{
    mp_manager *m = with_key(100000, 300000);
    mp_proxy *d = object_new(m, "dict"), *p;
    char *large = calloc(1, 200000);
    size_t i;
    int s = MP_OK;

    CHECK(large != NULL);
    CHECK_SENTENCE(mp_proxy_set(d, INT(1), mp_item_bytes(large, 200000)), MP_ERR_TOO_SMALL,
                   "at most 100000");
    for (i = 0; i < 10 && s == MP_OK; i++)
        s = mp_proxy_set(d, INT((int64_t)i), mp_item_bytes(large, 90000));
    CHECK_INT(s, MP_ERR_NO_MEMORY);
    CHECK_CALL0(d, "3", "len");
    /* What is there can be replaced and removed, and then there is room again. */
    CHECK_OK(mp_proxy_set(d, INT(0), INT(0)));
    CHECK_OK(mp_proxy_set(d, INT(9), mp_item_bytes(large, 90000)));
    /* It is used up by what is small, too. */
    for (i = 0; i < 10000 && s != MP_ERR_FULL; i++)
        if (mp_proxy_set(d, INT(100 + (int64_t)i), INT(0)) < 0)
            s = MP_ERR_FULL;
    CHECK_INT(s, MP_ERR_FULL);
    CHECK_STATUS(mp_manager_create(m, &p, "list", NULL, 0), MP_ERR_NO_MEMORY);
    CHECK_CALL0(d, "", "clear");
    CHECK_OK(mp_manager_create(m, &p, "list", NULL, 0));
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
    free(large);
}

TEST(manager, wrong_key)
{
    mp_manager *m = with_key(0, 0), *other;
    mp_manager_options o = MP_MANAGER_OPTIONS;
    char address[128];
    int i;

    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    o.address = address;
    o.key = "another";
    o.key_size = 7;
    for (i = 0; i < 5; i++) {
        CHECK_OK(mp_manager_new(&other, &o));
        CHECK_STATUS(mp_manager_connect(other, MP_FOREVER), MP_ERR_AUTH);
        CHECK_OK(mp_manager_free(other));
        CHECK_INT(objects(m), 0);
    }
    /* The process's own key is another one, too. */
    o.key = NULL;
    o.key_size = 0;
    CHECK_OK(mp_manager_new(&other, &o));
    CHECK_STATUS(mp_manager_connect(other, MP_FOREVER), MP_ERR_AUTH);
    CHECK_OK(mp_manager_free(other));
    o.address = "@nobody-is-here";
    CHECK_OK(mp_manager_new(&other, &o));
    CHECK_STATUS(mp_manager_connect(other, MP_FOREVER), MP_ERR_NOT_FOUND);
    CHECK_OK(mp_manager_free(other));
    CHECK_OK(mp_manager_free(m));
}

/* As many as are wanted and as the system allows; gives how many, and the status of the next one. */
static size_t connect_many(mp_manager *m, mp_connection **clients, size_t wanted, int *status)
{
    mp_client_options o = MP_CLIENT_OPTIONS;
    char address[128];
    size_t count = 0;

    o.key = key;
    o.key_size = strlen(key);
    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    for (*status = MP_OK; count < wanted; count++)
        if ((*status = mp_client_connect(&clients[count], address, &o, MP_SEC(1))) < 0)
            break;
    return count;
}

static void allow_descriptors(void)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* Clients that are let in and then say nothing hold up nobody: 2,000, or as many as MP_IDLE says and
 * the system allows. */
TEST_T(manager, idle_clients, 120)
{
    enum { MOST = 100000 };
    static mp_connection *clients[MOST];
    const char *asked = getenv("MP_IDLE");
    size_t wanted = asked == NULL ? 2000 : strtoul(asked, NULL, 10), count, i;
    mp_manager *m;
    mp_proxy *d;
    int status;

    CHECK(wanted > 0 && wanted <= MOST);
    allow_descriptors();
    m = with_key(0, 0);
    d = object_new(m, "dict");
    count = connect_many(m, clients, wanted, &status);
    printf("# %zu idle clients\n", count);
    CHECK(count >= 100);
    CHECK_OK(mp_proxy_set(d, INT(1), INT(1)));
    for (i = 0; i < count; i++)
        CHECK_OK(mp_connection_free(clients[i]));
    CHECK_CALL0(d, "1", "len");
    CHECK_OK(mp_proxy_free(d));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

static bool lets_in(void *m)
{
    mp_connection *client;
    int status;

    if (connect_many(m, &client, 1, &status) == 0)
        return false;
    CHECK_OK(mp_connection_free(client));
    return true;
}

/* A server that has no descriptor for more clients serves those that it has, and lets others in when there is
 * one again. Each descriptor is one client more: whoever believes to be in, is. */
TEST(manager, server_without_descriptors)
{
    enum { MOST = 64 };
    static const int turned_away[] = {MP_ERR_TIMEOUT, MP_ERR_EOF};
    mp_manager *m = with_key(0, 0);
    mp_proxy *d = object_new(m, "dict");
    size_t before = 0;
    rlim_t most;
    int pid;

    CHECK_OK(mp_manager_pid(m, &pid));
    for (most = MOST - 3; most <= MOST; most++) {
        const struct rlimit limit = {most, MOST};
        mp_connection *clients[MOST];
        size_t count, i;
        int status;

        CHECK(prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == 0);
        count = connect_many(m, clients, MOST, &status);
        printf("# %zu clients of a server with %lu descriptors\n", count, (unsigned long)most);
        CHECK(count > 10 && count < MOST);
        CHECK(before == 0 || count == before + 1);
        before = count;
        check_one_of(status, turned_away, COUNT(turned_away));
        CHECK_OK(mp_proxy_set(d, INT(1), INT(1)));
        for (i = 0; i < count; i++)
            CHECK_OK(mp_connection_free(clients[i]));
        CHECK(wait_until(lets_in, m));
    }
    CHECK_CALL0(d, "1", "len");
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}
