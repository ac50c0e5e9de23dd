/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Asynchronous calls: callbacks, what ends them early, workers that come and go meanwhile. */
#include "test_result.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- callbacks ---- */

typedef struct told {
    mp_pool *pool;
    mp_result *more;
    int done, failed, status;
    int64_t value;
    pthread_t thread;
} told;

static void on_done(mp_result *result, void *user)
{
    told *t = user;
    mp_buffer *value;
    bool ready;

    /* Here it is ready, for others it is not yet. */
    CHECK_OK(mp_result_ready(result, &ready));
    CHECK(ready);
    CHECK_OK(mp_result_get(result, MP_NO_WAIT, &value));
    t->value += result_number(value);
    t->thread = pthread_self();
    t->done++;
}

static void on_failure(mp_result *result, void *user)
{
    told *t = user;

    t->status = mp_result_get(result, MP_NO_WAIT, NULL);
    t->failed++;
    /* The handle is the callback's own: freeing it harms nobody. */
    CHECK_OK(mp_result_free(result));
}

TEST(result, callbacks)
{
    mp_async_options o = MP_ASYNC_OPTIONS;
    told t;
    mp_pool *pool = pool_new(2);
    mp_result *result;
    int64_t x = 7;

    memset(&t, 0, sizeof t);
    o.done = on_done;
    o.failed = on_failure;
    o.user = &t;
    CHECK_OK(mp_pool_apply_async(pool, square, NULL, &x, 8, NULL, &o, &result));
    CHECK_INT(result_get(result), 49);
    /* It was told before. */
    CHECK(t.done == 1 && t.failed == 0 && t.value == 49);
    CHECK(!pthread_equal(t.thread, pthread_self()));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_apply_async(pool, result_fails, NULL, &x, 8, NULL, &o, &result));
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_TASK_FAILED, "always");
    CHECK(t.done == 1 && t.failed == 1 && t.status == MP_ERR_TASK_FAILED);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

static void on_all_done(mp_result *result, void *user)
{
    mp_buffer *values[20];
    told *t = user;
    size_t i;

    CHECK_OK(mp_result_get_each(result, MP_NO_WAIT, values, COUNT(values)));
    for (i = 0; i < COUNT(values); i++)
        t->value += result_number(values[i]);
    t->done++;
}

/* A map's gets all of its results, once. */
TEST(result, callback_of_a_map)
{
    mp_async_options o = MP_ASYNC_OPTIONS;
    mp_map_options map = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    int64_t numbers[20], i;
    mp_bytes items[20];
    mp_result *result;
    told t;

    memset(&t, 0, sizeof t);
    for (i = 0; i < 20; i++) {
        numbers[i] = i;
        items[i].data = &numbers[i];
        items[i].len = sizeof numbers[i];
    }
    map.chunk = 1;
    o.done = on_all_done;
    o.user = &t;
    CHECK_OK(mp_pool_map_async(pool, square, NULL, items, 20, &map, &o, &result));
    CHECK_OK(mp_result_wait(result, MP_FOREVER));
    CHECK_INT(t.done, 1);
    CHECK_INT(t.value, 2470);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

/* Nobody has a handle, and the callbacks come all the same. */
TEST(result, callbacks_without_a_handle)
{
    mp_async_options o = MP_ASYNC_OPTIONS;
    told t;
    mp_pool *pool = pool_new(2);
    int64_t x;

    memset(&t, 0, sizeof t);
    o.done = on_done;
    o.failed = on_failure;
    o.user = &t;
    for (x = 0; x < 100; x++)
        CHECK_OK(mp_pool_apply_async(pool, x % 10 == 0 ? result_fails : square, NULL, &x, 8, NULL, &o, NULL));
    CHECK_OK(mp_pool_close(pool));
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    CHECK_OK(mp_pool_free(pool));
    CHECK(t.done == 90 && t.failed == 10);
}

static void begins_more(mp_result *result, void *user)
{
    told *t = user;
    int64_t x = 9;

    (void)result;
    CHECK_OK(mp_pool_apply_async(t->pool, square, NULL, &x, 8, NULL, NULL, &t->more));
    CHECK_STATUS(mp_result_get(t->more, MP_NO_WAIT, NULL), MP_ERR_TIMEOUT);
    CHECK_OK(mp_result_cancel(t->more, 0));
    CHECK_OK(mp_result_free(t->more));
    CHECK_OK(mp_pool_apply_async(t->pool, square, NULL, &x, 8, NULL, NULL, &t->more));
}

TEST(result, callback_that_begins_more)
{
    mp_async_options o = MP_ASYNC_OPTIONS;
    told t;
    mp_result *result;
    int64_t x = 7;

    memset(&t, 0, sizeof t);
    t.pool = pool_new(1);
    o.done = begins_more;
    o.user = &t;
    CHECK_OK(mp_pool_apply_async(t.pool, square, NULL, &x, 8, NULL, &o, &result));
    CHECK_INT(result_get(result), 49);
    CHECK_INT(result_get(t.more), 81);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_result_free(t.more));
    CHECK_OK(mp_pool_free(t.pool));
}

static void frees_the_pool(mp_result *result, void *user)
{
    told *t = user;

    (void)result;
    CHECK_OK(mp_pool_free(t->pool));
    t->done++;
}

TEST(result, callback_that_frees_the_pool)
{
    mp_async_options o = MP_ASYNC_OPTIONS;
    told t;
    mp_result *result, *other;
    int64_t x = 7;

    memset(&t, 0, sizeof t);
    t.pool = pool_new(1);
    o.done = frees_the_pool;
    o.user = &t;
    CHECK_OK(mp_pool_apply_async(t.pool, square, NULL, &x, 8, NULL, &o, &result));
    other = result_begin(t.pool, result_sleeps, 60000);
    CHECK_OK(mp_result_wait(result, MP_FOREVER));
    CHECK_INT(t.done, 1);
    CHECK_STATUS(mp_result_get(other, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_result_free(other));
}

/* ---- the end of a pool ---- */

TEST(result, pool_closed_and_joined)
{
    mp_pool *pool = pool_new(2);
    mp_result *results[20], *none;
    int64_t i;

    for (i = 0; i < 20; i++)
        results[i] = result_begin(pool, result_sleeps, i);
    CHECK_OK(mp_pool_close(pool));
    CHECK_STATUS(mp_pool_apply_async(pool, square, NULL, &i, 8, NULL, NULL, &none), MP_ERR_STATE);
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    for (i = 0; i < 20; i++) {
        CHECK_INT(result_get(results[i]), i * i);
        CHECK_OK(mp_result_free(results[i]));
    }
    CHECK_OK(mp_pool_free(pool));
}

/* A worker is killed while the pool closes: what it ran result_fails, and the rest is done. */
TEST(result, death_during_join)
{
    mp_pool *pool = pool_new(2);
    mp_result *results[40];
    int64_t i, died = 0;
    pid_t pids[2];

    check_squares(pool, 10, NULL);
    pool_pids(pids, 2);
    for (i = 0; i < 40; i++)
        results[i] = result_begin(pool, result_sleeps, 20);
    CHECK_OK(mp_pool_close(pool));
    CHECK(signal_child(pids[0], SIGKILL));
    CHECK(signal_child(pids[1], SIGKILL));
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    for (i = 0; i < 40; i++) {
        int s = mp_result_get(results[i], MP_NO_WAIT, NULL);

        CHECK(s == MP_OK || s == MP_ERR_WORKER_DIED);
        died += s != MP_OK;
        CHECK_OK(mp_result_free(results[i]));
    }
    CHECK(died <= 2);
    CHECK_OK(mp_pool_free(pool));
}

static void is_stubborn(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    signal(SIGTERM, SIG_IGN);
    for (;;)
        sleep_ms(1000);
}

TEST(result, pool_terminated)
{
    mp_pool *pool = pool_new(2);
    mp_result *results[10];
    pid_t pids[2];
    int i;

    check_squares(pool, 10, NULL);
    pool_pids(pids, 2);
    for (i = 0; i < 10; i++)
        results[i] = result_begin(pool, is_stubborn, 0);
    sleep_ms(50);
    CHECK_OK(mp_pool_terminate(pool));
    CHECK(process_gone(pids[0]) && process_gone(pids[1]));
    for (i = 0; i < 10; i++) {
        CHECK_SENTENCE(mp_result_get(results[i], MP_FOREVER, NULL), MP_ERR_CANCELLED, "ended");
        CHECK_OK(mp_result_free(results[i]));
    }
    CHECK_OK(mp_pool_free(pool));
}

/* ---- workers that come and go ---- */

static bool is_whole(void *pids)
{
    pid_t *list = pids, now[3];
    size_t i;

    if (children_of(getpid(), now, 3) != 2)
        return false;
    for (i = 0; i < 2; i++)
        if (now[i] == list[0] || now[i] == list[1])
            return false;
    return true;
}

static void tells_what_is_blocked(mp_task *task, void *user)
{
    int64_t blocked = 0;
    sigset_t set;

    (void)user;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
    if (sigismember(&set, SIGUSR1))
        blocked |= 1;
    if (sigismember(&set, SIGUSR2))
        blocked |= 2;
    if (sigismember(&set, SIGTERM) || sigismember(&set, SIGINT))
        blocked |= 4;
    CHECK_OK(mp_task_return(task, &blocked, sizeof blocked));
}

/* A watched pool has all its workers again, though nobody calls; those that the library's thread has
 * started are like the first ones. */
TEST(result, idle_pool_replaces_its_dead)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_result *result;
    sigset_t set;
    mp_pool *pool;
    pid_t pids[2];
    int i;

    if (strcmp(test_start_method(), "forkserver") == 0)
        SKIP("the server is a child, too");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    o.workers = 2;
    o.watch = true;
    CHECK_OK(mp_pool_new(&pool, &o));
    for (i = 0; i < 3; i++) {
        pool_pids(pids, 2);
        CHECK(signal_child(pids[0], SIGKILL));
        CHECK(signal_child(pids[1], SIGKILL));
        CHECK(wait_until(is_whole, pids));
        result = result_begin(pool, tells_what_is_blocked, 0);
        CHECK_INT(result_get(result), 1);
        CHECK_OK(mp_result_free(result));
        check_squares(pool, 10, NULL);
    }
    CHECK_OK(mp_pool_free(pool));
}

/* Many at once, while workers are killed: each result comes. */
TEST_T(result, kills, 90)
{
    enum { N = 300 };
    rng r = rng_new();
    mp_pool *pool = pool_new(3);
    int round;

    for (round = 0; round < 5; round++) {
        mp_result *results[N];
        int64_t i;

        for (i = 0; i < N; i++) {
            results[i] = result_begin(pool, square, i);
            if (rng_below(&r, 20) == 0) {
                pid_t pids[4];
                size_t n = children_of(getpid(), pids, 3);

                if (n > 0)
                    signal_child(pids[rng_below(&r, n)], SIGKILL);
            }
        }
        for (i = 0; i < N; i++) {
            mp_buffer *value;
            int s = mp_result_get(results[i], MP_FOREVER, &value);

            if (s == MP_OK)
                CHECK_INT(result_number(value), i * i);
            else
                CHECK_STATUS(s, MP_ERR_WORKER_DIED);
            CHECK_OK(mp_result_free(results[i]));
        }
    }
    CHECK_OK(mp_pool_free(pool));
}

static void *submits(void *arg)
{
    mp_pool *pool = arg;
    int64_t i;

    for (i = 0; i < 300; i++) {
        mp_result *result = result_begin(pool, square, i);

        if (i % 3 == 0)
            CHECK_INT(result_get(result), i * i);
        CHECK_OK(mp_result_free(result));
        if (i % 50 == 0)
            check_squares(pool, 30, NULL);
    }
    return NULL;
}

TEST(result, from_many_threads)
{
    mp_pool *pool = pool_new(2);
    pthread_t threads[4];
    int i;

    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, submits, pool) == 0);
    for (i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(mp_pool_close(pool));
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    CHECK_OK(mp_pool_free(pool));
}

static int threads_now(void)
{
    proc_info info;
    char path[64], line[256];
    int count = 0;
    FILE *f;

    CHECK(proc_read(getpid(), &info));
    snprintf(path, sizeof path, "/proc/%d/status", (int)getpid());
    f = fopen(path, "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Threads: %d", &count) == 1)
            break;
    fclose(f);
    return count;
}

/* There is a thread only where something asynchronous was asked for, and it is gone with the pool. */
TEST(result, thread_of_the_pool)
{
    int before = threads_now();
    mp_pool *pool = pool_new(2);
    mp_result *result;

    check_squares(pool, 100, NULL);
    CHECK_INT(threads_now(), before);
    result = result_begin(pool, square, 3);
    CHECK_INT(result_get(result), 9);
    CHECK_INT(threads_now(), before + 1);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
    CHECK_INT(threads_now(), before);
}

static void never_ends(mp_task *task, void *user)
{
    CHECK(task != NULL && user == NULL);
    for (;;)
        pause();
}

/* What lies ahead of workers that never come to it is done by the one that is free. */
TEST_T(result, all_workers_but_one_busy_for_ever, 120)
{
    enum { CALLS = 12, WORKERS = 4 };
    int64_t round, i;

    for (round = 0; round < 12; round++) {
        mp_pool *pool = pool_new(WORKERS);
        mp_result *results[CALLS];
        int endless = 0;

        for (i = 0; i < CALLS; i++) {
            /* All at the beginning, or among the others. */
            bool is_endless = endless < WORKERS - 1 && i >= endless * (round % 4);

            endless += is_endless;
            results[i] = result_begin(pool, is_endless ? never_ends : square, i);
            if (is_endless) {
                CHECK_OK(mp_result_free(results[i]));
                results[i] = NULL;
            }
        }
        CHECK_INT(endless, WORKERS - 1);
        for (i = 0; i < CALLS; i++) {
            if (results[i] != NULL) {
                CHECK_INT(result_get(results[i]), i * i);
                CHECK_OK(mp_result_free(results[i]));
            }
        }
        check_squares(pool, 30, NULL);
        CHECK_OK(mp_pool_terminate(pool));
        CHECK_OK(mp_pool_free(pool));
    }
}
