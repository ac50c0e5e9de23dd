/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Maps of many small tasks run on while workers are killed at random moments. */
#include "test_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KILLS = 200, WORKERS = 3, ITEMS = 600 };

static volatile int killed;

static void *killer(void *seed)
{
    rng *r = seed;

    while (killed < KILLS) {
        pid_t list[WORKERS];
        size_t n;

        if (rng_below(r, 3) != 0)
            sleep_ms((int64_t)rng_below(r, 6));
        n = children_of(getpid(), list, WORKERS);
        if (n > 0 && signal_child(list[rng_below(r, n)], SIGKILL))
            killed++;
    }
    return NULL;
}

static void one_array(mp_pool *pool, const mp_map_options *o, int *deaths)
{
    int64_t in[ITEMS], out[ITEMS];
    int i, s;

    for (i = 0; i < ITEMS; i++)
        in[i] = i + *deaths;
    memset(out, 0xFF, sizeof out);
    s = mp_pool_map_array(pool, square, NULL, in, 8, ITEMS, out, 8, o);
    if (s < 0) {
        CHECK_STATUS(s, MP_ERR_WORKER_DIED);
        CHECK_CONTAINS(mp_last_error(), "SIGKILL");
        ++*deaths;
        return;
    }
    for (i = 0; i < ITEMS; i++)
        CHECK_INT(out[i], in[i] * in[i]);
}

/* With run_all every result that is there is right, even when a worker died. */
static void one_map(mp_pool *pool, const mp_map_options *o, int *deaths)
{
    int64_t numbers[ITEMS], got;
    mp_buffer *out[ITEMS];
    mp_bytes in[ITEMS];
    int i, s, missing = 0;

    for (i = 0; i < ITEMS; i++) {
        numbers[i] = i - 2 * *deaths;
        in[i].data = &numbers[i];
        in[i].len = sizeof numbers[i];
    }
    memset(out, 0, sizeof out);
    s = mp_pool_map(pool, square, NULL, in, ITEMS, out, o);
    if (s < 0)
        CHECK_STATUS(s, MP_ERR_WORKER_DIED);
    for (i = 0; i < ITEMS; i++) {
        if (out[i] == NULL) {
            missing++;
            continue;
        }
        memcpy(&got, mp_buffer_data(out[i], NULL), sizeof got);
        CHECK_INT(got, numbers[i] * numbers[i]);
        CHECK_OK(mp_buffer_free(out[i]));
    }
    CHECK((s < 0) == (missing > 0));
    *deaths += s < 0;
}

TEST_T(pool, kill_200, 120)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(WORKERS);
    rng r = rng_new(), other = {rng_next(&r)};
    int maps = 0, deaths = 0;
    pthread_t thread;

    check_squares(pool, 100, NULL);
    CHECK(pthread_create(&thread, NULL, killer, &other) == 0);
    while (killed < KILLS) {
        o.chunk = rng_below(&r, 3) == 0 ? 1 + rng_below(&r, 20) : 0;
        o.run_all = rng_below(&r, 2) == 0;
        one_array(pool, &o, &deaths);
        o.run_all = true;
        one_map(pool, &o, &deaths);
        maps += 2;
    }
    CHECK(pthread_join(thread, NULL) == 0);
    printf("%d maps, %d of them met a death\n", maps, deaths);
    check_squares(pool, 1000, NULL);
    CHECK_OK(mp_pool_free(pool));
}

static volatile int enough;

static void *kills_all(void *nothing)
{
    while (!enough) {
        pid_t list[WORKERS];
        size_t n = children_of(getpid(), list, WORKERS);

        while (n-- > 0)
            signal_child(list[n], SIGKILL);
    }
    return nothing;
}

/* Whether they had begun, were about to, or did not yet know what they are: their deaths are what is told. */
TEST_T(pool, killed_before_they_begin, 90)
{
    mp_pool *pool = pool_new(WORKERS);
    int64_t in[20] = {0}, out[20];
    pthread_t thread;
    int round;

    check_squares(pool, 20, NULL);
    CHECK(pthread_create(&thread, NULL, kills_all, NULL) == 0);
    for (round = 0; round < 4; round++) {
        int s = mp_pool_map_array(pool, square, NULL, in, 8, 20, out, 8, NULL);

        if (s != MP_OK)
            CHECK_STATUS(s, MP_ERR_WORKER_DIED);
    }
    enough = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}

TEST_T(pool, killed_while_it_is_made, 60)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    pthread_t thread;
    mp_pool *pool;
    int s;

    if (strcmp(test_start_method(), "fork") == 0)
        SKIP("a forked worker has nothing to say, and is not waited for");
    o.workers = WORKERS;
    CHECK_OK(mp_pool_free(pool_new(1)));
    CHECK(pthread_create(&thread, NULL, kills_all, NULL) == 0);
    do {
        s = CHECK_CLEAN(mp_pool_new(&pool, &o));
        if (s == MP_OK)
            CHECK_OK(mp_pool_free(pool));
    } while (s != MP_ERR_WORKER_DIED);
    enough = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}
