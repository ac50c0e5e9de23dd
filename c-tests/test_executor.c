/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A pool as an executor, its results as futures. */
#include "test_result.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int state_of(const mp_result *result)
{
    int state = -1;

    CHECK_OK(mp_result_state(result, &state));
    return state;
}

static bool runs(void *result)
{
    return state_of(result) == MP_CALL_RUNNING;
}

static void until_asked(mp_task *task, void *user)
{
    (void)user;
    while (!mp_task_cancelled(task))
        sleep_ms(2);
    CHECK_OK(mp_task_return(task, "", 0));
}

/* One worker, so what comes second waits. */
TEST(executor, states_of_futures)
{
    mp_pool *pool = pool_new(1);
    mp_result *first = result_begin(pool, until_asked, 0), *second, *third, *fourth;

    CHECK(wait_until(runs, first));
    second = result_begin(pool, square, 2);
    third = result_begin(pool, square, 3);
    fourth = result_begin(pool, result_fails, 4);
    CHECK_INT(state_of(second), MP_CALL_PENDING);
    CHECK_INT(state_of(third), MP_CALL_PENDING);
    CHECK_OK(mp_result_cancel(second, 0));
    CHECK_STATUS(mp_result_get(second, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_INT(state_of(second), MP_CALL_CANCELLED);
    CHECK_INT(state_of(first), MP_CALL_RUNNING);
    CHECK_OK(mp_result_cancel(first, MP_SEC(30)));
    CHECK_STATUS(mp_result_get(first, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_INT(state_of(first), MP_CALL_CANCELLED);
    CHECK_INT(result_get(third), 9);
    CHECK_INT(state_of(third), MP_CALL_DONE);
    CHECK_SENTENCE(mp_result_get(fourth, MP_FOREVER, NULL), MP_ERR_TASK_FAILED, "always");
    CHECK_INT(state_of(fourth), MP_CALL_FAILED);
    /* They outlive their executor. */
    CHECK_OK(mp_pool_free(pool));
    CHECK_INT(state_of(first), MP_CALL_CANCELLED);
    CHECK_INT(state_of(fourth), MP_CALL_FAILED);
    CHECK_OK(mp_result_free(first));
    CHECK_OK(mp_result_free(second));
    CHECK_OK(mp_result_free(third));
    CHECK_OK(mp_result_free(fourth));
}

static void in_turn(mp_task *task, void *user)
{
    (void)user;
    sleep_ms(mp_task_index(task) == 0 ? 30 : 1);
    CHECK_OK(mp_task_return(task, "", 0));
}

/* A map runs from its first item to its last, also between two of them. */
TEST(executor, state_of_a_map)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *result;
    bool ran = false;
    int state;

    o.chunk = 1;
    CHECK_OK(mp_pool_map_array_async(pool, in_turn, NULL, NULL, 0, 60, 0, &o, NULL, &result));
    while ((state = state_of(result)) != MP_CALL_DONE) {
        CHECK(state == MP_CALL_RUNNING || (state == MP_CALL_PENDING && !ran));
        ran = ran || state == MP_CALL_RUNNING;
    }
    CHECK(ran);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

/* As with CPython's: what was submitted is done, though nobody waits for it; nothing is taken after that. */
TEST(executor, shutdown_without_a_wait)
{
    enum { N = 20 };
    mp_result *results[N], *more;
    mp_pool *pool = pool_new(2);
    int64_t x;

    for (x = 0; x < N; x++)
        results[x] = result_begin(pool, x % 2 == 0 ? square : result_sleeps, x);
    CHECK_STATUS(mp_pool_shutdown(pool, false, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_SENTENCE(mp_pool_apply_async(pool, square, NULL, &x, 8, NULL, NULL, &more), MP_ERR_STATE,
                   "closed");
    for (x = 0; x < N; x++) {
        CHECK_INT(result_get(results[x]), x * x);
        CHECK_OK(mp_result_free(results[x]));
    }
    CHECK_OK(mp_pool_shutdown(pool, true, MP_FOREVER));
    CHECK_OK(mp_pool_free(pool));
}

static void dies(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    raise(SIGKILL);
}

/* CPython's is broken by this, with all that was submitted: here one future of many fails. */
TEST(executor, a_death_fails_one_future)
{
    enum { N = 30 };
    mp_result *results[N];
    mp_pool *pool = pool_new(2);
    int64_t x;

    for (x = 0; x < N; x++)
        results[x] = result_begin(pool, x == 7 ? dies : square, x);
    for (x = 0; x < N; x++) {
        if (x == 7)
            CHECK_SENTENCE(mp_result_get(results[x], MP_FOREVER, NULL), MP_ERR_WORKER_DIED, "SIGKILL");
        else
            CHECK_INT(result_get(results[x]), x * x);
        CHECK_OK(mp_result_free(results[x]));
    }
    results[0] = result_begin(pool, square, 5);
    CHECK_INT(result_get(results[0]), 25);
    CHECK_OK(mp_result_free(results[0]));
    CHECK_OK(mp_pool_free(pool));
}
