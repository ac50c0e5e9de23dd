/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every kind of call at once, while workers are killed at random moments: each call comes to its end, each result
 * that is there is right, and nothing is left. MP_POOL_STORM=n does it for n seconds instead of a few kills; give
 * that time by --timeout-scale. */
#include "test_result.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 4, KILLS = 60, ITEMS = 300, THREADS = 5 };

static mp_pool *pool;
static volatile bool over;

typedef struct caller {
    pthread_t thread;
    void (*call)(struct caller *c);
    rng random;
    /* Calls, items that came back well, and items that did not. */
    long calls, good, dead;
} caller;

/* Between nothing and some hundreds of microseconds. */
static void squares(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    volatile int64_t spin;

    for (spin = 0; spin < (*x & 63) * 1000; spin++)
        continue;
    square(task, user);
}

static void count(caller *c, int status, mp_buffer *result, int64_t x)
{
    int64_t got;

    if (status == MP_OK) {
        memcpy(&got, mp_buffer_data(result, NULL), sizeof got);
        CHECK_INT(got, x * x);
        c->good++;
    } else {
        CHECK_STATUS(status, MP_ERR_WORKER_DIED);
        CHECK(result == NULL);
        c->dead++;
    }
    CHECK_OK(mp_buffer_free(result));
}

static void by_apply(caller *c)
{
    mp_apply_options o = MP_APPLY_OPTIONS;
    int64_t x = (int64_t)rng_below(&c->random, 1000);
    mp_buffer *result = NULL;
    int s;

    o.retries = (unsigned)rng_below(&c->random, 3);
    s = mp_pool_apply(pool, squares, NULL, &x, sizeof x, &result, &o);
    count(c, s, result, x);
}

static void by_map_array(caller *c)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_status statuses[ITEMS];
    int64_t in[ITEMS], out[ITEMS];
    int i, dead = 0, s;

    for (i = 0; i < ITEMS; i++)
        in[i] = (int64_t)rng_below(&c->random, 1000);
    o.run_all = true;
    o.chunk = 1 + rng_below(&c->random, 40);
    o.retries = (unsigned)rng_below(&c->random, 3);
    o.statuses = statuses;
    s = mp_pool_map_array(pool, squares, NULL, in, 8, ITEMS, out, 8, &o);
    for (i = 0; i < ITEMS; i++) {
        CHECK(statuses[i] == MP_OK || statuses[i] == MP_ERR_WORKER_DIED);
        if (statuses[i] == MP_OK)
            CHECK_INT(out[i], in[i] * in[i]);
        else
            dead++;
    }
    CHECK_INT(s, dead > 0 ? MP_ERR_WORKER_DIED : MP_OK);
    c->good += ITEMS - dead;
    c->dead += dead;
}

/* Fills items with numbers. */
static void random_items(caller *c, int64_t *numbers, mp_bytes *items)
{
    int i;

    for (i = 0; i < ITEMS; i++) {
        numbers[i] = (int64_t)rng_below(&c->random, 1000);
        items[i].data = &numbers[i];
        items[i].len = sizeof numbers[i];
    }
}

static void by_map_async(caller *c)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_status statuses[ITEMS];
    int64_t numbers[ITEMS];
    mp_buffer *out[ITEMS];
    mp_bytes in[ITEMS];
    mp_result *result;
    int i;

    random_items(c, numbers, in);
    o.run_all = true;
    o.chunk = 1 + rng_below(&c->random, 40);
    CHECK_OK(mp_pool_map_async(pool, squares, NULL, in, ITEMS, &o, NULL, &result));
    mp_result_get_each(result, MP_FOREVER, out, ITEMS);
    CHECK_OK(mp_result_statuses(result, MP_FOREVER, statuses, ITEMS));
    for (i = 0; i < ITEMS; i++)
        count(c, statuses[i], out[i], numbers[i]);
    CHECK_OK(mp_result_free(result));
}

typedef struct supply {
    const mp_bytes *items;
    int next;
} supply;

static int supplies(mp_bytes *item, void *user)
{
    supply *s = user;

    if (s->next == ITEMS)
        return 0;
    *item = s->items[s->next++];
    return 1;
}

static void by_imap(caller *c)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    int64_t numbers[ITEMS];
    mp_bytes items[ITEMS];
    supply source = {items, 0};
    mp_imap *imap;
    int i;

    random_items(c, numbers, items);
    o.unordered = rng_below(&c->random, 2) == 0;
    o.chunk = 1 + rng_below(&c->random, 10);
    o.retries = (unsigned)rng_below(&c->random, 3);
    CHECK_OK(mp_pool_imap(pool, squares, NULL, supplies, &source, &o, &imap));
    for (i = 0; i < ITEMS; i++) {
        mp_buffer *result = NULL;
        size_t index = ITEMS;
        int s = mp_imap_next(imap, MP_FOREVER, &result, &index);

        CHECK(index < ITEMS);
        count(c, s, result, numbers[index]);
    }
    CHECK_OK(mp_imap_free(imap));
}

static void by_apply_async(caller *c)
{
    enum { MANY = 100 };
    mp_result *results[MANY];
    int64_t x[MANY];
    int i;

    for (i = 0; i < MANY; i++) {
        x[i] = (int64_t)rng_below(&c->random, 1000);
        CHECK_OK(mp_pool_apply_async(pool, squares, NULL, &x[i], 8, NULL, NULL, &results[i]));
    }
    for (i = 0; i < MANY; i++) {
        mp_buffer *value = NULL;
        int s = mp_result_get(results[i], MP_FOREVER, &value);

        count(c, s, value, x[i]);
        CHECK_OK(mp_result_free(results[i]));
    }
}

static void *calls(void *arg)
{
    caller *c = arg;

    while (!over) {
        c->call(c);
        c->calls++;
    }
    return NULL;
}

static int64_t seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

TEST_T(pool_storm, kills, 90)
{
    static const int ways[] = {SIGKILL, SIGKILL, SIGSEGV, SIGABRT, SIGTERM};
    static void (*const kinds[THREADS])(caller *) = {by_apply, by_map_array, by_map_async, by_imap,
                                                     by_apply_async};
    const char *wanted = getenv("MP_POOL_STORM");
    mp_stats before = stats_now();
    mp_pool_stats stats = MP_POOL_STATS;
    caller callers[THREADS];
    int64_t until = seconds_now() + (wanted != NULL ? atoi(wanted) : 0);
    rng r = rng_new();
    long kills = 0, calls_made = 0, good = 0, dead = 0;
    int i;

    pool = pool_new(WORKERS);
    for (i = 0; i < THREADS; i++) {
        memset(&callers[i], 0, sizeof callers[i]);
        callers[i].call = kinds[i];
        callers[i].random.state = rng_next(&r);
        CHECK(pthread_create(&callers[i].thread, NULL, calls, &callers[i]) == 0);
    }
    while (wanted != NULL ? seconds_now() < until : kills < KILLS) {
        mp_worker_stats worker = MP_WORKER_STATS;

        if (rng_below(&r, 4) != 0)
            sleep_ms((int64_t)rng_below(&r, 30));
        CHECK_OK(mp_pool_worker_stats(pool, rng_below(&r, WORKERS), &worker));
        if (worker.pid != 0 && signal_child(worker.pid, ways[rng_below(&r, 5)]))
            kills++;
    }
    over = true;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(callers[i].thread, NULL) == 0);
        CHECK(callers[i].good > 0);
        calls_made += callers[i].calls;
        good += callers[i].good;
        dead += callers[i].dead;
    }
    CHECK_OK(mp_pool_stats_get(pool, &stats));
    fprintf(stderr, "%ld kills, %ld calls, %ld items well, %ld met a death; %llu workers replaced\n", kills,
            calls_made, good, dead, (unsigned long long)stats.replaced);
    CHECK(stats.replaced > 0);
    CHECK_INT(stats.queued + stats.running, 0);
    check_squares(pool, 1000, NULL);
    CHECK_OK(mp_pool_free(pool));
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_INT(stats_now().processes, before.processes);
}
