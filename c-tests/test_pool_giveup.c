/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: maps that are given up: by timeout, by the progress function, by freeing the pool. */
#include "test_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void sleeps(mp_task *task, void *user)
{
    sleep_ms(*(const int64_t *)mp_task_input(task, NULL));
    square(task, user);
}

TEST(pool, timeout)
{
    static const mp_timeout waits[] = {MP_NO_WAIT, -1, INT64_MIN, MP_MS(100)};
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[40], out[40], before;
    mp_pool *pool = pool_new(2);
    size_t i;

    for (i = 0; i < COUNT(in); i++)
        in[i] = 50;
    o.chunk = 1;
    for (i = 0; i < COUNT(waits); i++) {
        o.timeout = waits[i];
        before = now_ns();
        CHECK_STATUS(mp_pool_map_array(pool, sleeps, NULL, in, 8, COUNT(in), out, 8, &o),
                     MP_ERR_TIMEOUT);
        CHECK(now_ns() - before >= waits[i]);
        check_squares(pool, 20, NULL);
    }
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, signals_do_not_disturb_a_map)
{
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[10], out[10], before;
    mp_pool *pool = pool_new(2);
    size_t i;

    for (i = 0; i < COUNT(in); i++)
        in[i] = 30;
    alarms_start();
    CHECK_OK(mp_pool_map_array(pool, sleeps, NULL, in, 8, COUNT(in), out, 8, NULL));
    for (i = 0; i < COUNT(in); i++)
        CHECK_INT(out[i], 900);
    o.timeout = MP_MS(200);
    for (i = 0; i < COUNT(in); i++)
        in[i] = 300;
    before = now_ns();
    CHECK_STATUS(mp_pool_map_array(pool, sleeps, NULL, in, 8, COUNT(in), out, 8, &o), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(200));
    CHECK(alarms_stop() > 1);
    CHECK_OK(mp_pool_free(pool));
}

typedef struct watch {
    size_t calls, last, total, cancel_at;
    pthread_t thread;
    mp_pool *pool;
} watch;

/* It runs in the caller's thread and may use the library. */
static int progress(size_t done, size_t total, void *user)
{
    watch *w = user;
    size_t workers = 0;

    CHECK_INT(total, w->total);
    CHECK(done <= total && done >= w->last);
    CHECK(pthread_equal(pthread_self(), w->thread));
    CHECK_OK(mp_pool_workers(w->pool, &workers));
    CHECK_INT(workers, 2);
    w->last = done;
    w->calls++;
    return w->calls >= w->cancel_at;
}

TEST(pool, progress)
{
    watch w = {0, 0, 30, SIZE_MAX, pthread_self(), NULL};
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[30], out[30];
    mp_pool *pool = pool_new(2);
    size_t i;

    w.pool = pool;
    o.chunk = 1;
    o.progress = progress;
    o.progress_user = &w;
    for (i = 0; i < COUNT(in); i++)
        in[i] = 20;
    CHECK_OK(mp_pool_map_array(pool, sleeps, NULL, in, 8, COUNT(in), out, 8, &o));
    /* 300 ms or more, and a call at least every 100 ms. */
    CHECK(w.calls >= 2);
    CHECK_INT(w.last, COUNT(in));
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, progress_cancels)
{
    enum { ITEMS = 300 };
    watch w = {0, 0, ITEMS, 2, pthread_self(), NULL};
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[ITEMS], out[ITEMS];
    mp_pool *pool = pool_new(2);
    size_t i, untouched = 0;

    w.pool = pool;
    o.chunk = 1;
    o.progress = progress;
    o.progress_user = &w;
    for (i = 0; i < ITEMS; i++) {
        in[i] = 2;
        out[i] = -7;
    }
    CHECK_STATUS(mp_pool_map_array(pool, sleeps, NULL, in, 8, ITEMS, out, 8, &o), MP_ERR_CANCELLED);
    CHECK_INT(w.calls, 2);
    for (i = 0; i < ITEMS; i++) {
        CHECK(out[i] == 4 || out[i] == -7);
        untouched += out[i] == -7;
    }
    CHECK(untouched > 0);
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, cancelled_map_gives_no_buffers_for_the_rest)
{
    enum { MANY = 40 };
    watch w = {0, 0, MANY, 1, pthread_self(), NULL};
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t number = 20;
    mp_bytes in[MANY];
    mp_buffer *out[MANY];
    mp_pool *pool = pool_new(2);
    size_t i, missing = 0;

    w.pool = pool;
    o.chunk = 1;
    o.progress = progress;
    o.progress_user = &w;
    for (i = 0; i < MANY; i++) {
        in[i].data = &number;
        in[i].len = sizeof number;
    }
    memset(out, 0xAA, sizeof out);
    CHECK_STATUS(mp_pool_map(pool, sleeps, NULL, in, MANY, out, &o), MP_ERR_CANCELLED);
    for (i = 0; i < MANY; i++) {
        missing += out[i] == NULL;
        CHECK_OK(mp_buffer_free(out[i]));
    }
    CHECK(missing > 0);
    CHECK_OK(mp_pool_free(pool));
}

static void *maps_until_cancelled(void *pool)
{
    int64_t *in = calloc(1000, sizeof *in), *out = calloc(1000, sizeof *out);
    size_t i;

    CHECK(in != NULL && out != NULL);
    for (i = 0; i < 1000; i++)
        in[i] = 100;
    CHECK_STATUS(mp_pool_map_array(pool, sleeps, NULL, in, 8, 1000, out, 8, NULL), MP_ERR_CANCELLED);
    free(in);
    free(out);
    return NULL;
}

TEST(pool, free_cancels_a_running_map)
{
    int64_t in = 1, out;
    mp_pool *pool = pool_new(2);
    pthread_t thread;

    check_squares(pool, 10, NULL);
    CHECK(pthread_create(&thread, NULL, maps_until_cancelled, pool) == 0);
    sleep_ms(150);
    CHECK_OK(mp_pool_free(pool));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_pool_map_array(pool, square, NULL, &in, 8, 1, &out, 8, NULL), MP_ERR_BAD_HANDLE);
}
