/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tasks that are stopped: by cancel, by a limit, by a timeout. */
#include "test_pool_stop.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

void stop_obeys(mp_task *task, void *user)
{
    const order *o = mp_task_input(task, NULL);
    int64_t result = o->x * o->x;

    (void)user;
    switch (o->what) {
    case STUBBORN: signal(SIGTERM, SIG_IGN); /* fall through */
    case ENDLESS:
        for (;;)
            sleep_ms(1000);
    case ATTENTIVE:
        while (!mp_task_cancelled(task))
            sleep_ms(1);
        break;
    case NAP: sleep_ms(o->x); break;
    default: break;
    }
    CHECK_OK(mp_task_return(task, &result, sizeof result));
}

mp_result *stop_begin(mp_pool *pool, int64_t what, int64_t x, const mp_apply_options *a)
{
    order o;
    mp_result *result;

    o.what = what;
    o.x = x;
    CHECK_OK(mp_pool_apply_async(pool, stop_obeys, NULL, &o, sizeof o, a, NULL, &result));
    return result;
}

bool stop_runs_one(void *pool)
{
    mp_pool_stats s = MP_POOL_STATS;

    CHECK_OK(mp_pool_stats_get(pool, &s));
    return s.running == 1;
}

mp_pool_stats stop_stats(mp_pool *pool)
{
    mp_pool_stats s = MP_POOL_STATS;

    CHECK_OK(mp_pool_stats_get(pool, &s));
    return s;
}

/* ---- cancel ---- */

/* What waits behind an endless task is never begun. */
TEST(stop, cancel_of_what_waits)
{
    mp_pool *pool = pool_new(1);
    mp_result *endless = stop_begin(pool, ENDLESS, 0, NULL), *waiting[50];
    int64_t x = 3;
    size_t i;

    CHECK(wait_until(stop_runs_one, pool));
    for (i = 0; i < COUNT(waiting); i++)
        waiting[i] = stop_begin(pool, QUICK, 1, NULL);
    for (i = 0; i < COUNT(waiting); i++) {
        bool ready;

        CHECK_OK(mp_result_cancel(waiting[i], MP_SEC(60)));
        CHECK_SENTENCE(mp_result_get(waiting[i], MP_FOREVER, NULL), MP_ERR_CANCELLED, "cancelled");
        CHECK_STATUS(mp_result_cancel(waiting[i], 0), MP_ERR_STATE);
        CHECK_OK(mp_result_ready(endless, &ready));
        CHECK(!ready);
        CHECK_OK(mp_result_free(waiting[i]));
    }
    CHECK_INT(stop_stats(pool).done, 0);
    CHECK_INT(stop_stats(pool).died, 0);
    CHECK_OK(mp_result_cancel(endless, MP_MS(1)));
    CHECK_STATUS(mp_result_get(endless, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(endless));
    CHECK_OK(mp_pool_apply(pool, square, NULL, &x, sizeof x, NULL, NULL));
    CHECK_OK(mp_pool_free(pool));
}

/* A function that asks returns, and its worker stays; one that does not ends with its worker. */
static void cancel_of_what_runs(int64_t what, const char *how, bool stays)
{
    mp_pool *pool = pool_new(1);
    mp_result *result;
    int64_t x = 3;
    int i;

    for (i = 0; i < 2; i++) {
        uint64_t hired = stop_stats(pool).replaced;

        result = stop_begin(pool, what, 0, NULL);
        CHECK(wait_until(stop_runs_one, pool));
        CHECK_OK(mp_result_cancel(result, stays ? MP_SEC(60) : MP_MS(20)));
        CHECK_STATUS(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_CANCELLED);
        CHECK_OK(mp_result_free(result));
        CHECK_OK(mp_pool_apply(pool, square, NULL, &x, sizeof x, NULL, NULL));
        CHECK_INT(stop_stats(pool).replaced, hired + (stays ? 0 : 1));
        CHECK_INT(stop_stats(pool).stopped, i + 1);
    }
    (void)how;
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, cancel_of_what_asks)
{
    cancel_of_what_runs(ATTENTIVE, "", true);
}

TEST(stop, cancel_of_what_does_not_ask)
{
    cancel_of_what_runs(ENDLESS, "SIGTERM", false);
}

TEST(stop, cancel_of_what_ignores_the_signal)
{
    cancel_of_what_runs(STUBBORN, "SIGKILL", false);
}

/* Only the worker that runs the cancelled task is replaced. */
TEST(stop, cancel_spares_the_others)
{
    mp_pool *pool = pool_new(3);
    mp_result *naps[4], *endless = stop_begin(pool, ENDLESS, 0, NULL);
    size_t i;

    for (i = 0; i < COUNT(naps); i++)
        naps[i] = stop_begin(pool, NAP, 60, NULL);
    sleep_ms(30);
    CHECK_OK(mp_result_cancel(endless, MP_NO_WAIT));
    CHECK_STATUS(mp_result_get(endless, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(endless));
    for (i = 0; i < COUNT(naps); i++) {
        CHECK_OK(mp_result_get(naps[i], MP_FOREVER, NULL));
        CHECK_OK(mp_result_free(naps[i]));
    }
    CHECK(stop_stats(pool).died <= 1);
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, cancel_of_a_map)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    order in[100];
    mp_result *result;
    size_t i, done, total;

    for (i = 0; i < COUNT(in); i++) {
        in[i].what = i < 4 ? QUICK : ENDLESS;
        in[i].x = 1;
    }
    o.chunk = 1;
    CHECK_OK(mp_pool_map_array_async(pool, stop_obeys, NULL, in, sizeof *in, COUNT(in), 8, &o, NULL, &result));
    do {
        CHECK_OK(mp_result_progress(result, &done, &total));
        CHECK_INT(total, COUNT(in));
        sleep_ms(1);
    } while (done < 4);
    CHECK_INT(done, 4);
    CHECK_OK(mp_result_cancel(result, MP_MS(5)));
    CHECK_STATUS(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* Cancels that race with the end of what they cancel: each result is one or the other. */
TEST_T(stop, cancel_races_with_the_end, 60)
{
    mp_pool *pool = pool_new(2);
    int i, cancelled = 0;

    for (i = 0; i < 500; i++) {
        mp_result *result = stop_begin(pool, QUICK, 7, NULL);
        mp_buffer *value;
        int c, s;

        if (i % 2 == 0)
            usleep((useconds_t)(i % 50));
        c = mp_result_cancel(result, MP_SEC(60));
        s = mp_result_get(result, MP_FOREVER, &value);
        CHECK(c == MP_OK || c == MP_ERR_STATE);
        CHECK_INT(s, c == MP_OK ? MP_ERR_CANCELLED : MP_OK);
        cancelled += c == MP_OK;
        CHECK_OK(mp_buffer_free(value));
        CHECK_OK(mp_result_free(result));
    }
    CHECK_INT(stop_stats(pool).died, 0);
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- limits ---- */

static void limited(int64_t what, const char *how)
{
    static const size_t at = 2;
    mp_apply_options a = MP_APPLY_OPTIONS;
    mp_map_options m = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    mp_status statuses[6];
    mp_result *result;
    int64_t out[6];
    order in[6];
    size_t i;

    a.time_limit = m.time_limit = MP_MS(60);
    a.grace = m.grace = MP_MS(20);
    for (i = 0; i < COUNT(in); i++) {
        in[i].what = i == at ? what : QUICK;
        in[i].x = (int64_t)i;
    }
    CHECK_SENTENCE(mp_pool_apply(pool, stop_obeys, NULL, &in[at], sizeof *in, NULL, &a), MP_ERR_TIMEOUT,
                   "longer than 60ms");
    CHECK_CONTAINS(mp_last_error(), how);
    m.run_all = true;
    m.statuses = statuses;
    CHECK_SENTENCE(mp_pool_map_array(pool, stop_obeys, NULL, in, sizeof *in, 6, out, 8, &m), MP_ERR_TIMEOUT,
                   "item 2");
    CHECK_CONTAINS(mp_last_error(), how);
    for (i = 0; i < COUNT(in); i++) {
        CHECK_INT(statuses[i], i == at ? MP_ERR_TIMEOUT : MP_OK);
        if (i != at)
            CHECK_INT(out[i], i * i);
    }
    result = stop_begin(pool, what, 0, &a);
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_TIMEOUT, how);
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, limit_of_what_asks)
{
    limited(ATTENTIVE, "its function returned");
}

TEST(stop, limit_of_what_does_not_ask)
{
    limited(ENDLESS, "SIGTERM");
}

TEST(stop, limit_of_what_ignores_the_signal)
{
    limited(STUBBORN, "SIGKILL");
}

/* The clock runs while the task does, not while it waits. */
TEST(stop, limit_is_of_the_run)
{
    mp_apply_options a = MP_APPLY_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *first = stop_begin(pool, NAP, 400, NULL), *second;

    a.time_limit = MP_MS(300);
    second = stop_begin(pool, QUICK, 5, &a);
    CHECK_OK(mp_result_get(first, MP_FOREVER, NULL));
    CHECK_OK(mp_result_get(second, MP_FOREVER, NULL));
    CHECK_OK(mp_result_free(first));
    CHECK_OK(mp_result_free(second));
    CHECK_OK(mp_pool_free(pool));
}

/* That of the call runs from its beginning. */
TEST(stop, timeout_of_an_asynchronous_call)
{
    mp_apply_options a = MP_APPLY_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *first, *second, *third;

    a.timeout = MP_MS(50);
    a.grace = MP_MS(5);
    first = stop_begin(pool, ENDLESS, 0, NULL);
    CHECK(wait_until(stop_runs_one, pool));
    second = stop_begin(pool, QUICK, 5, &a);
    CHECK_SENTENCE(mp_result_get(second, MP_FOREVER, NULL), MP_ERR_TIMEOUT, "not done in time");
    CHECK_OK(mp_result_cancel(first, MP_NO_WAIT));
    CHECK_STATUS(mp_result_get(first, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    third = stop_begin(pool, ENDLESS, 0, &a);
    CHECK_SENTENCE(mp_result_get(third, MP_FOREVER, NULL), MP_ERR_TIMEOUT, "not done in time");
    CHECK_OK(mp_result_free(first));
    CHECK_OK(mp_result_free(second));
    CHECK_OK(mp_result_free(third));
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}
