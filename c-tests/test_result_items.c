/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Asynchronous maps: what each item came to, and how far the call is. */
#include "test_result.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS = 24, FAILS = 5, DIES = 11 };

static void some_fail(mp_task *task, void *user)
{
    if (mp_task_index(task) == FAILS)
        CHECK_OK(mp_task_fail(task, "this one shall fail"));
    else if (mp_task_index(task) == DIES)
        raise(SIGKILL);
    else
        square(task, user);
}

static mp_status expected(size_t index)
{
    return index == FAILS ? MP_ERR_TASK_FAILED : index == DIES ? MP_ERR_WORKER_DIED : MP_OK;
}

TEST(result_items, each_has_a_status)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_status statuses[ITEMS + 1];
    mp_pool *pool = pool_new(2);
    mp_bytes items[ITEMS];
    int64_t in[ITEMS];
    mp_result *result;
    size_t i;
    int form;

    for (i = 0; i < ITEMS; i++) {
        in[i] = (int64_t)i;
        items[i].data = &in[i];
        items[i].len = 8;
    }
    o.run_all = true;
    for (form = 0; form < 2; form++) {
        if (form == 0)
            CHECK_OK(mp_pool_map_array_async(pool, some_fail, NULL, in, 8, ITEMS, 8, &o, NULL, &result));
        else
            CHECK_OK(mp_pool_map_async(pool, some_fail, NULL, items, ITEMS, &o, NULL, &result));
        memset(statuses, 0x55, sizeof statuses);
        CHECK_STATUS(mp_result_statuses(result, MP_FOREVER, statuses, ITEMS + 1), MP_ERR_INVALID);
        CHECK_STATUS(mp_result_statuses(result, MP_FOREVER, NULL, ITEMS), MP_ERR_INVALID);
        /* They are told whatever they are. */
        CHECK_OK(mp_result_statuses(result, MP_FOREVER, statuses, ITEMS));
        for (i = 0; i < ITEMS; i++)
            CHECK_INT(statuses[i], expected(i));
        CHECK_INT(statuses[ITEMS], 0x55555555);
        CHECK_OK(mp_result_free(result));
    }
    CHECK_OK(mp_pool_map_async(pool, square, NULL, NULL, 0, NULL, NULL, &result));
    CHECK_OK(mp_result_statuses(result, MP_FOREVER, NULL, 0));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

/* What a failure kept from being done is neither well nor failed. One worker does them in their order, and there are
 * more than a pool hands out at a time. */
TEST(result_items, after_the_first_failure_the_rest_is_cancelled)
{
    enum { MANY = 40000 };
    static mp_status statuses[MANY];
    static int64_t in[MANY];
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *result;
    size_t i, undone = 0;

    o.chunk = 1;
    CHECK_OK(mp_pool_map_array_async(pool, some_fail, NULL, in, 8, MANY, 8, &o, NULL, &result));
    CHECK_OK(mp_result_statuses(result, MP_FOREVER, statuses, MANY));
    CHECK_STATUS(mp_result_get(result, MP_NO_WAIT, NULL), MP_ERR_TASK_FAILED);
    for (i = 0; i < MANY; i++) {
        CHECK(statuses[i] == MP_ERR_CANCELLED || statuses[i] == expected(i));
        undone += statuses[i] == MP_ERR_CANCELLED;
    }
    CHECK_INT(statuses[FAILS], MP_ERR_TASK_FAILED);
    CHECK(undone > 0);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

TEST(result_items, of_a_call_that_is_not_over)
{
    mp_pool *pool = pool_new(1);
    mp_result *result = result_begin(pool, result_sleeps, 100000);
    mp_status status = MP_OK;

    CHECK_STATUS(mp_result_statuses(result, MP_MS(1), &status, 1), MP_ERR_TIMEOUT);
    CHECK_OK(mp_result_cancel(result, 0));
    CHECK_OK(mp_result_statuses(result, MP_FOREVER, &status, 1));
    CHECK_INT(status, MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

/* ---- progress ---- */

typedef struct watch {
    size_t calls, last, total, enough;
    pthread_t main;
    mp_pool *pool;
} watch;

/* It runs in the pool's thread and may use the library. */
static int progress(size_t done, size_t total, void *user)
{
    mp_pool_stats stats = MP_POOL_STATS;
    watch *w = user;

    CHECK_INT(total, w->total);
    CHECK(done <= total && done >= w->last);
    CHECK(!pthread_equal(pthread_self(), w->main));
    CHECK_OK(mp_pool_stats_get(w->pool, &stats));
    w->last = done;
    w->calls++;
    return done >= w->enough;
}

static void begins_and_ends(watch *w, int64_t ms, int status)
{
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[ITEMS], i;
    mp_result *result;
    size_t done, total;

    w->calls = w->last = 0;
    w->total = ITEMS;
    w->main = pthread_self();
    for (i = 0; i < ITEMS; i++)
        in[i] = ms;
    o.chunk = 1;
    o.progress = progress;
    o.progress_user = w;
    CHECK_OK(mp_pool_map_array_async(w->pool, result_sleeps, NULL, in, 8, ITEMS, 8, &o, NULL, &result));
    /* And at any moment, for whoever asks. */
    CHECK_OK(mp_result_progress(result, &done, &total));
    CHECK(done <= ITEMS && total == ITEMS);
    CHECK_STATUS(mp_result_get(result, MP_FOREVER, NULL), status);
    CHECK_OK(mp_result_progress(result, &done, NULL));
    CHECK(status == MP_OK ? done == ITEMS : done < ITEMS);
    CHECK_OK(mp_result_free(result));
}

TEST(result_items, progress_is_told)
{
    watch w = {.enough = SIZE_MAX};

    w.pool = pool_new(2);
    begins_and_ends(&w, 20, MP_OK);
    /* 240 ms or more, and a call at least every 100 ms. */
    CHECK(w.calls >= 2);
    CHECK_INT(w.last, ITEMS);
    /* However short: at the end. */
    begins_and_ends(&w, 0, MP_OK);
    CHECK(w.calls >= 1);
    CHECK_INT(w.last, ITEMS);
    CHECK_OK(mp_pool_free(w.pool));
}

TEST(result_items, progress_cancels)
{
    watch w = {.enough = 2};

    w.pool = pool_new(2);
    begins_and_ends(&w, 50, MP_ERR_CANCELLED);
    CHECK(w.last >= 2 && w.last < ITEMS);
    check_squares(w.pool, 100, NULL);
    CHECK_OK(mp_pool_free(w.pool));
}
