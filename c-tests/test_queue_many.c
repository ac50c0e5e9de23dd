/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Many producers and consumers, in processes and threads, through one queue: every message arrives
 * once, whole, in its producer's order. */
#include "test_queue.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCERS = 4, CONSUMERS = 3, THREADS = 2, EACH = 20000, LINES = PRODUCERS * THREADS };

typedef struct note {
    uint32_t line, number, len, sum;
} note;

static uint32_t note_sum(const unsigned char *at, size_t len)
{
    uint32_t sum = 17;
    size_t i;

    for (i = 0; i < len; i++)
        sum = sum * 31 + at[i];
    return sum;
}

typedef struct worker {
    mp_queue *q;
    volatile uint32_t *got;
    int line;
} worker;

static void *produce(void *arg)
{
    worker *w = arg;
    unsigned char *bytes = malloc(sizeof(note) + 9000);
    rng r = {(uint64_t)w->line * 2 + 1};
    uint32_t i, k;

    CHECK(bytes != NULL);
    for (i = 0; i < EACH; i++) {
        note n = {(uint32_t)w->line, i, 0, 0};

        n.len = (uint32_t)rng_below(&r, rng_below(&r, 50) == 0 ? 9000 : 60);
        for (k = 0; k < n.len; k++)
            bytes[sizeof n + k] = (unsigned char)(k * 3 + i);
        n.sum = note_sum(bytes + sizeof n, n.len);
        memcpy(bytes, &n, sizeof n);
        CHECK_OK(mp_queue_put(w->q, bytes, sizeof n + n.len, MP_SEC(60)));
    }
    free(bytes);
    return NULL;
}

static void *consume(void *arg)
{
    unsigned char *bytes = malloc(sizeof(note) + 9000);
    int64_t last[LINES];
    worker *w = arg;
    size_t len;
    bool none;
    note n;

    CHECK(bytes != NULL);
    memset(last, -1, sizeof last);
    for (;;) {
        CHECK_OK(mp_queue_get(w->q, bytes, sizeof n + 9000, &len, &none, MP_SEC(60)));
        if (none)
            break;
        memcpy(&n, bytes, sizeof n);
        CHECK_INT(len, sizeof n + n.len);
        CHECK(n.line < LINES && n.number < EACH);
        CHECK_INT(note_sum(bytes + sizeof n, n.len), n.sum);
        CHECK((int64_t)n.number > last[n.line]);
        last[n.line] = n.number;
        CHECK_INT(__atomic_fetch_add(&w->got[n.line * EACH + n.number], 1, __ATOMIC_RELAXED), 0);
    }
    free(bytes);
    return NULL;
}

static int crowd(mp_child *self, void *(*fn)(void *))
{
    mp_array *a = mp_child_array(self, 1);
    pthread_t thread[THREADS];
    worker w[THREADS];
    void *got;
    int i;

    CHECK_OK(mp_array_data(a, &got, NULL));
    for (i = 0; i < THREADS; i++) {
        w[i].q = mp_child_queue(self, 0);
        w[i].got = got;
        w[i].line = child_number(self, 2) * THREADS + i;
        CHECK(pthread_create(&thread[i], NULL, fn, &w[i]) == 0);
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    return 0;
}

static int producers(mp_child *self, void *user)
{
    (void)user;
    return crowd(self, produce);
}

static int consumers(mp_child *self, void *user)
{
    (void)user;
    return crowd(self, consume);
}

static void many_to_many(size_t bytes, size_t maxsize)
{
    mp_queue *q = queue_new(bytes, maxsize);
    uint64_t rescued = stats_now().rescued;
    mp_process *p[PRODUCERS + CONSUMERS];
    volatile uint32_t *got;
    mp_array *a;
    void *data;
    int i;

    CHECK_OK(mp_array_new(&a, MP_UINT32, LINES * EACH, NULL, NULL));
    CHECK_OK(mp_array_data(a, &data, NULL));
    got = data;
    for (i = 0; i < PRODUCERS + CONSUMERS; i++) {
        CHECK_OK(mp_process_new(&p[i], i < PRODUCERS ? producers : consumers, NULL, NULL));
        CHECK_OK(mp_process_add_handle(p[i], q));
        CHECK_OK(mp_process_add_handle(p[i], a));
        child_add_number(p[i], i);
        CHECK_OK(mp_process_start(p[i]));
    }
    for (i = 0; i < PRODUCERS; i++)
        CHECK_INT(child_end(p[i]), 0);
    for (i = 0; i < CONSUMERS * THREADS; i++)
        CHECK_OK(mp_queue_put_none(q, MP_SEC(30)));
    for (; i < CONSUMERS * THREADS + CONSUMERS; i++)
        CHECK_INT(child_end(p[PRODUCERS + i - CONSUMERS * THREADS]), 0);
    for (i = 0; i < LINES * EACH; i++)
        CHECK_INT(got[i], 1);
    CHECK_STATUS(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    printf("rescued %llu\n", (unsigned long long)(stats_now().rescued - rescued));
    CHECK_INT(stats_now().rescued, rescued);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_queue_free(q));
}

TEST_T(queue, many_to_many, 120)
{
    many_to_many(0, 0);
}

TEST_T(queue, many_to_many_through_a_small_ring, 120)
{
    many_to_many(1024, 0);
}

TEST_T(queue, many_to_many_one_at_a_time, 120)
{
    many_to_many(0, 1);
}
