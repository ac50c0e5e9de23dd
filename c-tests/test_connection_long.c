/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A great many messages of random lengths, both ways at once: each comes once, whole and in its order, and nobody
 * waits for ever. MP_MESSAGES=n sends n of them in each test; give that time by --timeout-scale. */
#include "test_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below 2 to this; as many messages have so many bits as so many others. */
enum { MESSAGES = 10000, BITS = 19, PLACES = 1 << 12 };

/* One end, and how many messages go each way. */
typedef struct traffic {
    mp_connection *c;
    long count;
    rng there, back;
} traffic;

/* What all messages are parts of. */
static unsigned char *book(void)
{
    size_t i, size = (1 << BITS) + PLACES;
    unsigned char *bytes = malloc(size);
    rng r = {7};

    CHECK(bytes != NULL);
    for (i = 0; i < size; i++)
        bytes[i] = (unsigned char)rng_next(&r);
    return bytes;
}

static size_t next_length(rng *r)
{
    return (size_t)rng_below(r, 1u << rng_below(r, BITS + 1));
}

static void *sends_all(void *arg)
{
    traffic *t = arg;
    unsigned char *bytes = book();
    long i;

    for (i = 0; i < t->count; i++) {
        size_t len = next_length(&t->there);

        CHECK_OK(mp_connection_send(t->c, bytes + rng_below(&t->there, PLACES), len, MP_FOREVER));
    }
    free(bytes);
    return NULL;
}

/* Every third into memory of its own. */
static void *receives_all(void *arg)
{
    traffic *t = arg;
    unsigned char *bytes = book(), *room = malloc(1 << BITS);
    long i;

    CHECK(room != NULL);
    for (i = 0; i < t->count; i++) {
        size_t want = next_length(&t->back), len;
        const unsigned char *at = bytes + rng_below(&t->back, PLACES);
        mp_buffer *b = NULL;

        if (i % 3 == 0)
            CHECK_OK(mp_connection_recv_buffer(t->c, &b, SIZE_MAX, &len, MP_FOREVER));
        else
            CHECK_OK(mp_connection_recv(t->c, room, 1 << BITS, &len, MP_FOREVER));
        CHECK_INT(len, want);
        CHECK(memcmp(b == NULL ? room : mp_buffer_data(b, NULL), at, len) == 0);
        CHECK_OK(mp_buffer_free(b));
    }
    free(bytes);
    free(room);
    return NULL;
}

static void both_ways(traffic *t)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, sends_all, t) == 0);
    receives_all(t);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void *both_ways_too(void *arg)
{
    both_ways(arg);
    return NULL;
}

/* The first or the second end; both know the seed. */
static traffic traffic_at(mp_connection *c, long count, int seed, bool first)
{
    rng one = {(uint64_t)seed * 2 + 1}, other = {(uint64_t)seed * 2 + 2};
    traffic t = {c, count / 2, first ? one : other, first ? other : one};

    return t;
}

static long messages_wanted(void)
{
    const char *wanted = getenv("MP_MESSAGES");
    long count = wanted == NULL ? MESSAGES : atol(wanted);

    CHECK(count > 0);
    return count;
}

static int new_seed(void)
{
    rng r = rng_new();

    return (int)rng_below(&r, 1 << 30);
}

static void report(long count, int64_t began)
{
    printf("%ld messages in %.1f s\n", count, (double)(now_ns() - began) / 1e9);
}

static void by_four_threads(mp_connection *a, mp_connection *b)
{
    long count = messages_wanted();
    int seed = new_seed();
    traffic first = traffic_at(a, count, seed, true), second = traffic_at(b, count, seed, false);
    int64_t began = now_ns();
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, both_ways_too, &second) == 0);
    both_ways(&first);
    CHECK(pthread_join(thread, NULL) == 0);
    report(count, began);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

static int has_the_second_end(mp_child *self, void *user)
{
    traffic t = traffic_at(mp_child_connection(self, 0), child_number(self, 1), child_number(self, 2), false);

    (void)user;
    both_ways(&t);
    return 0;
}

static void by_two_processes(mp_connection *a, mp_connection *b)
{
    long count = messages_wanted();
    int seed = new_seed();
    traffic first = traffic_at(a, count, seed, true);
    mp_process *p = child_new(has_the_second_end, NULL);
    int64_t began = now_ns();

    CHECK_OK(mp_process_add_handle(p, b));
    child_add_number(p, (int)count);
    child_add_number(p, seed);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_connection_free(b));
    both_ways(&first);
    CHECK_INT(child_end(p), 0);
    report(count, began);
    CHECK_OK(mp_connection_free(a));
}

static void over_a_pipe(void (*by)(mp_connection *a, mp_connection *b))
{
    mp_connection *a, *b;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    by(a, b);
}

static void over(const char *at, void (*by)(mp_connection *a, mp_connection *b))
{
    mp_listener *l = listener_new(at, NULL);
    mp_connection *a = client_new(address_of(l).text, NULL), *b;

    CHECK_OK(mp_listener_accept(l, &b, MP_FOREVER));
    CHECK_OK(mp_listener_free(l));
    by(a, b);
}

TEST_T(connection_long, pipe_by_threads, 60)
{
    over_a_pipe(by_four_threads);
}

TEST_T(connection_long, pipe_by_processes, 60)
{
    over_a_pipe(by_two_processes);
}

TEST_T(connection_long, unix_by_threads, 60)
{
    over(NULL, by_four_threads);
}

TEST_T(connection_long, unix_by_processes, 60)
{
    over(NULL, by_two_processes);
}

TEST_T(connection_long, tcp_by_threads, 60)
{
    over("127.0.0.1:0", by_four_threads);
}

TEST_T(connection_long, tcp_by_processes, 60)
{
    over("127.0.0.1:0", by_two_processes);
}
