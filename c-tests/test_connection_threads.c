/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Several threads at one end, and both ends sending at once. */
#include "test_connection.h"

#include <stdlib.h>
#include <string.h>

/* ---- threads ---- */

enum { THREADS = 4, EACH = 300 };

static void *sends_numbered(void *arg)
{
    mp_connection *c = arg;
    static int next;
    int me = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    rng r = rng_new();
    int i;

    r.state += (uint64_t)me;
    for (i = 0; i < EACH; i++) {
        size_t len = 8 + rng_below(&r, i % 10 == 0 ? 400000 : 2000);
        char *data = pattern_new(len, (unsigned)me);

        memcpy(data, &me, sizeof me);
        memcpy(data + 4, &i, sizeof i);
        CHECK_OK(mp_connection_send(c, data, len, MP_FOREVER));
        free(data);
    }
    return NULL;
}

TEST(connection, messages_of_several_threads_do_not_mix)
{
    pthread_t thread[THREADS];
    int next[THREADS] = {0};
    mp_connection *a, *b;
    mp_buffer *buffer;
    size_t len, k;
    int i, who, number;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&thread[i], NULL, sends_numbered, b) == 0);
    for (i = 0; i < THREADS * EACH; i++) {
        const unsigned char *data;

        CHECK_OK(mp_connection_recv_buffer(a, &buffer, SIZE_MAX, &len, MP_FOREVER));
        data = mp_buffer_data(buffer, NULL);
        memcpy(&who, data, sizeof who);
        memcpy(&number, data + 4, sizeof number);
        CHECK(who >= 0 && who < THREADS);
        CHECK_INT(number, next[who]++);
        for (k = 8; k < len; k++)
            CHECK(data[k] == pattern_at(k, (unsigned)who));
        CHECK_OK(mp_buffer_free(buffer));
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* A thread that waits for ever does not hold up one that does not. */
static void *receives_one(void *arg)
{
    recv_text(arg, "at last");
    return NULL;
}

TEST(connection, each_thread_has_its_own_timeout)
{
    mp_connection *a, *b;
    pthread_t thread;
    char c;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK(pthread_create(&thread, NULL, receives_one, a) == 0);
    sleep_ms(20);
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_poll(a, MP_MS(1)), MP_ERR_TIMEOUT);
    send_text(b, "at last");
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* ---- both ways ---- */

typedef struct way {
    mp_connection *c;
    int count;
    uint64_t seed;
} way;

/* Mostly small, sometimes more than a socket takes at once. */
static size_t some_length(rng *r)
{
    return rng_below(r, rng_below(r, 1000) == 0 ? 500000 : 200);
}

static void *sends_many(void *arg)
{
    way *w = arg;
    rng r = {w->seed};
    unsigned char *data = pattern_new(500000, 9);
    int i;

    for (i = 0; i < w->count; i++)
        CHECK_OK(mp_connection_send(w->c, data, some_length(&r), MP_FOREVER));
    free(data);
    return NULL;
}

static void *receives_many(void *arg)
{
    way *w = arg;
    rng r = {w->seed};
    unsigned char *data = pattern_new(500000, 9), *room = malloc(500000);
    size_t len;
    int i;

    CHECK(room != NULL);
    for (i = 0; i < w->count; i++) {
        CHECK_OK(mp_connection_recv(w->c, room, 500000, &len, MP_FOREVER));
        CHECK_INT(len, some_length(&r));
        CHECK(memcmp(room, data, len) == 0);
    }
    free(data);
    free(room);
    return NULL;
}

/* This end sends what the seed says, and receives what the seed beside it says. */
static void both_ways(mp_connection *c, int count, uint64_t seed)
{
    way out = {c, count, seed}, in = {c, count, seed ^ 1};
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, sends_many, &out) == 0);
    receives_many(&in);
    CHECK(pthread_join(thread, NULL) == 0);
}

static int other_side(mp_child *self, void *user)
{
    uint64_t seed;

    (void)user;
    memcpy(&seed, mp_child_bytes(self, 2, NULL), sizeof seed);
    both_ways(mp_child_connection(self, 0), child_number(self, 1), seed);
    return 0;
}

/* MP_MESSAGES is how many, of both ways together. */
TEST_T(connection, both_ways_at_once, 60)
{
    const char *text = getenv("MP_MESSAGES");
    int count = (text == NULL ? 20000 : atoi(text)) / 2;
    rng r = rng_new();
    uint64_t seed = rng_next(&r) & ~(uint64_t)1, other = seed | 1;
    mp_connection *a, *b;
    mp_process *p;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_process_new(&p, other_side, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, b));
    child_add_number(p, count);
    CHECK_OK(mp_process_add_bytes(p, &other, sizeof other));
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_connection_free(b));
    both_ways(a, count, seed);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(a));
}
