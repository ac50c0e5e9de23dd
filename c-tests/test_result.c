/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Asynchronous calls: results, callbacks, waiting for several, what ends them early. */
#include "test_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mp_result *begin(mp_pool *pool, mp_task_fn fn, int64_t x)
{
    mp_result *result;

    CHECK_OK(mp_pool_apply_async(pool, fn, NULL, &x, sizeof x, NULL, NULL, &result));
    return result;
}

static int64_t number(mp_buffer *buffer)
{
    int64_t got;
    size_t len;

    CHECK(buffer != NULL);
    memcpy(&got, mp_buffer_data(buffer, &len), sizeof got);
    CHECK_INT(len, sizeof got);
    CHECK_OK(mp_buffer_free(buffer));
    return got;
}

static int64_t get(mp_result *result)
{
    mp_buffer *buffer;

    CHECK_OK(mp_result_get(result, MP_FOREVER, &buffer));
    return number(buffer);
}

/* Input: how many milliseconds. */
static void sleeps(mp_task *task, void *user)
{
    sleep_ms(*(const int64_t *)mp_task_input(task, NULL));
    square(task, user);
}

TEST(result, of_apply)
{
    mp_result *results[50];
    mp_pool *pool = pool_new(2);
    size_t done, total;
    int64_t x;
    bool yes;

    for (x = 0; x < 50; x++)
        results[x] = begin(pool, square, x);
    for (x = 0; x < 50; x++) {
        CHECK_INT(get(results[x]), x * x);
        /* As often as it is asked for. */
        CHECK_INT(get(results[x]), x * x);
        CHECK_OK(mp_result_get(results[x], MP_NO_WAIT, NULL));
        CHECK_OK(mp_result_ready(results[x], &yes));
        CHECK(yes);
        CHECK_OK(mp_result_successful(results[x], &yes));
        CHECK(yes);
        CHECK_OK(mp_result_progress(results[x], &done, &total));
        CHECK(done == 1 && total == 1);
        CHECK_STATUS(mp_result_cancel(results[x], 0), MP_ERR_STATE);
        CHECK_OK(mp_result_free(results[x]));
    }
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST(result, that_is_not_ready)
{
    mp_pool *pool = pool_new(1);
    mp_result *result = begin(pool, sleeps, 300);
    mp_buffer *value;
    bool yes = true;

    CHECK_STATUS(mp_result_get(result, MP_NO_WAIT, &value), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_get(result, MP_MS(20), &value), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_get_each(result, MP_MS(20), &value, 1), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_wait(result, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_successful(result, &yes), MP_ERR_STATE);
    CHECK_OK(mp_result_ready(result, &yes));
    CHECK(!yes);
    /* The pool is as usable as ever. */
    check_squares(pool, 20, NULL);
    CHECK_INT(get(result), 90000);
    CHECK_OK(mp_result_wait(result, MP_NO_WAIT));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

/* ---- maps ---- */

TEST(result, of_map)
{
    mp_pool *pool = pool_new(2);
    int64_t numbers[100], i;
    mp_buffer *out[100];
    mp_result *result;
    mp_bytes in[100];

    for (i = 0; i < 100; i++) {
        numbers[i] = i;
        in[i].data = &numbers[i];
        in[i].len = 8;
    }
    CHECK_OK(mp_pool_map_async(pool, square, NULL, in, 100, NULL, NULL, &result));
    /* They were copied. */
    memset(numbers, 0, sizeof numbers);
    memset(in, 0, sizeof in);
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, out, 99), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, NULL, 100), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_get(result, MP_FOREVER, out), MP_ERR_INVALID);
    CHECK_OK(mp_result_get(result, MP_FOREVER, NULL));
    CHECK_OK(mp_result_get_each(result, MP_FOREVER, out, 100));
    for (i = 0; i < 100; i++)
        CHECK_INT(number(out[i]), i * i);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

TEST(result, of_map_array)
{
    mp_pool *pool = pool_new(2);
    mp_buffer *value, *each[1];
    mp_result *result;
    int64_t in[1000], i;
    const int64_t *out;
    size_t len;

    for (i = 0; i < 1000; i++)
        in[i] = i;
    CHECK_OK(mp_pool_map_array_async(pool, square, NULL, in, 8, 1000, 8, NULL, NULL, &result));
    memset(in, 0, sizeof in);
    CHECK_OK(mp_result_get(result, MP_FOREVER, &value));
    out = mp_buffer_data(value, &len);
    CHECK_INT(len, 8000);
    for (i = 0; i < 1000; i++)
        CHECK_INT(out[i], i * i);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_map_array_async(pool, square, NULL, in, 8, 1, 8, NULL, NULL, &result));
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, each, 1), MP_ERR_INVALID);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

TEST(result, of_empty_maps)
{
    mp_pool *pool = pool_new(1);
    mp_result *one, *two;
    mp_buffer *value;
    size_t len;

    CHECK_OK(mp_pool_map_async(pool, square, NULL, NULL, 0, NULL, NULL, &one));
    CHECK_OK(mp_pool_map_array_async(pool, square, NULL, NULL, 8, 0, 8, NULL, NULL, &two));
    CHECK_OK(mp_result_get_each(one, MP_FOREVER, NULL, 0));
    CHECK_OK(mp_result_get(two, MP_FOREVER, &value));
    mp_buffer_data(value, &len);
    CHECK_INT(len, 0);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(one));
    CHECK_OK(mp_result_free(two));
    CHECK_OK(mp_pool_free(pool));
}

static void fails_on_5(mp_task *task, void *user)
{
    if (mp_task_index(task) == 5)
        CHECK_OK(mp_task_fail(task, "five is right out"));
    else
        square(task, user);
}

TEST(result, of_a_map_that_fails)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    mp_buffer *value, *each[20];
    int64_t in[20], i;
    mp_bytes items[20];
    const int64_t *out;
    mp_result *result;
    bool yes = true;

    for (i = 0; i < 20; i++) {
        in[i] = i;
        items[i].data = &in[i];
        items[i].len = 8;
    }
    CHECK_OK(mp_pool_map_array_async(pool, fails_on_5, NULL, in, 8, 20, 8, &o, NULL, &result));
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, &value), MP_ERR_TASK_FAILED, "five is right out");
    CHECK(value == NULL);
    CHECK_OK(mp_result_successful(result, &yes));
    CHECK(!yes);
    CHECK_OK(mp_result_free(result));
    o.run_all = true;
    CHECK_OK(mp_pool_map_array_async(pool, fails_on_5, NULL, in, 8, 20, 8, &o, NULL, &result));
    CHECK_STATUS(mp_result_get(result, MP_FOREVER, &value), MP_ERR_TASK_FAILED);
    out = mp_buffer_data(value, NULL);
    for (i = 0; i < 20; i++)
        CHECK_INT(out[i], i == 5 ? 0 : i * i);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_map_async(pool, fails_on_5, NULL, items, 20, &o, NULL, &result));
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, each, 20), MP_ERR_TASK_FAILED);
    for (i = 0; i < 20; i++) {
        if (i == 5)
            CHECK(each[i] == NULL);
        else
            CHECK_INT(number(each[i]), i * i);
    }
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}

static int never_called(size_t done, size_t total, void *user)
{
    CHECK(done > total && user == NULL);
    return 1;
}

TEST(result, bad_arguments)
{
    mp_async_options bad = MP_ASYNC_OPTIONS, good = MP_ASYNC_OPTIONS, good2;
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_status status;
    mp_result *result;
    int64_t x = 3;
    size_t index;
    mp_bytes wrong = {NULL, 5};

    memset(&good2, 0xAA, sizeof good2);
    CHECK_OK(mp_async_options_init(&good2));
    CHECK_STATUS(mp_async_options_init(NULL), MP_ERR_INVALID);
    CHECK(good.size == good2.size && good.done == good2.done && good.failed == good2.failed);
    CHECK(good.user == good2.user && good.priority == good2.priority);
    bad.size = 3;
    CHECK_STATUS(mp_pool_apply_async(pool, NULL, NULL, &x, 8, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_apply_async(pool, square, NULL, NULL, 8, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_apply_async(pool, square, NULL, &x, 8, NULL, &bad, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_async(pool, square, NULL, NULL, 3, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_async(pool, square, NULL, &wrong, 1, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_array_async(pool, square, NULL, &x, 8, SIZE_MAX, 8, NULL, NULL, &result),
                 MP_ERR_INVALID);
    o.progress = never_called;
    CHECK_STATUS(mp_pool_map_array_async(pool, square, NULL, &x, 8, 1, 8, &o, NULL, &result),
                 MP_ERR_INVALID);
    o.progress = NULL;
    o.statuses = &status;
    CHECK_STATUS(mp_pool_map_array_async(pool, square, NULL, &x, 8, 1, 8, &o, NULL, &result),
                 MP_ERR_INVALID);
    result = begin(pool, square, 3);
    CHECK_STATUS(mp_result_ready(result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_successful(result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_wait_many(NULL, 1, MP_WAIT_ALL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_wait_many(&result, 1, 3, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_next(&result, 1, MP_NO_WAIT, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_next(NULL, 1, MP_NO_WAIT, &index), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_next((mp_result *[]){result, (mp_result *)pool}, 2, MP_FOREVER, &index),
                 MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_result_wait_many((mp_result *[]){(mp_result *)pool}, 1, MP_WAIT_ALL, MP_FOREVER),
                 MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_result_progress(result, NULL, NULL));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_result_free(NULL));
    if (strcmp(test_start_method(), "fork") != 0)
        CHECK_STATUS(mp_pool_apply_async(pool, square, &x, &x, 8, NULL, NULL, &result),
                     MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- several results ---- */

TEST(result, as_they_come)
{
    enum { N = 20 };
    mp_pool *pool = pool_new(2);
    mp_result *results[N];
    unsigned seen = 0;
    size_t index;
    int64_t i;

    for (i = 0; i < N; i++)
        results[i] = begin(pool, i == 0 ? sleeps : square, i == 0 ? 300 : i);
    for (i = 0; i < N; i++) {
        CHECK_OK(mp_result_next(results, N, MP_FOREVER, &index));
        CHECK(index < N && (seen >> index & 1) == 0);
        seen |= 1u << index;
        /* One that is not ready keeps nobody waiting. */
        CHECK((index == 0) == (i == N - 1));
        CHECK_INT(get(results[index]), index == 0 ? 90000 : (int64_t)(index * index));
        CHECK_OK(mp_result_free(results[index]));
        results[index] = NULL;
    }
    CHECK_STATUS(mp_result_next(results, N, MP_FOREVER, &index), MP_ERR_EOF);
    CHECK_STATUS(mp_result_next(NULL, 0, MP_FOREVER, &index), MP_ERR_EOF);
    results[0] = begin(pool, sleeps, 100);
    CHECK_STATUS(mp_result_next(results, N, MP_MS(5), &index), MP_ERR_TIMEOUT);
    CHECK_OK(mp_result_free(results[0]));
    CHECK_OK(mp_pool_free(pool));
}

static void fails(mp_task *task, void *user)
{
    (void)user;
    CHECK_OK(mp_task_fail(task, "always"));
}

TEST(result, waiting_for_first_all_and_first_error)
{
    mp_pool *pool = pool_new(2);
    mp_result *r[3];
    bool ready;

    r[0] = begin(pool, sleeps, 400);
    r[1] = begin(pool, square, 3);
    r[2] = NULL;
    CHECK_OK(mp_result_wait_many(r, 3, MP_WAIT_FIRST, MP_FOREVER));
    CHECK_STATUS(mp_result_wait_many(r, 3, MP_WAIT_ALL, MP_MS(5)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_wait_many(r, 3, MP_WAIT_FIRST_ERROR, MP_MS(5)), MP_ERR_TIMEOUT);
    r[2] = begin(pool, fails, 0);
    CHECK_OK(mp_result_wait_many(r, 3, MP_WAIT_FIRST_ERROR, MP_FOREVER));
    CHECK_OK(mp_result_ready(r[2], &ready));
    CHECK(ready);
    CHECK_OK(mp_result_wait_many(r, 3, MP_WAIT_ALL, MP_FOREVER));
    CHECK_OK(mp_result_ready(r[0], &ready));
    CHECK(ready);
    CHECK_OK(mp_result_wait_many(r, 2, MP_WAIT_FIRST_ERROR, MP_NO_WAIT));
    CHECK_OK(mp_result_wait_many(NULL, 0, MP_WAIT_ALL, MP_FOREVER));
    CHECK_OK(mp_result_wait_many(NULL, 0, MP_WAIT_FIRST, MP_FOREVER));
    CHECK_OK(mp_result_wait_many(NULL, 0, MP_WAIT_FIRST_ERROR, MP_FOREVER));
    CHECK_OK(mp_result_free(r[0]));
    CHECK_OK(mp_result_free(r[1]));
    CHECK_OK(mp_result_free(r[2]));
    CHECK_OK(mp_pool_free(pool));
}

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
    t->value += number(value);
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
    CHECK_INT(get(result), 49);
    /* It was told before. */
    CHECK(t.done == 1 && t.failed == 0 && t.value == 49);
    CHECK(!pthread_equal(t.thread, pthread_self()));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_apply_async(pool, fails, NULL, &x, 8, NULL, &o, &result));
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_TASK_FAILED, "always");
    CHECK(t.done == 1 && t.failed == 1 && t.status == MP_ERR_TASK_FAILED);
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
        CHECK_OK(mp_pool_apply_async(pool, x % 10 == 0 ? fails : square, NULL, &x, 8, NULL, &o, NULL));
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
    CHECK_INT(get(result), 49);
    CHECK_INT(get(t.more), 81);
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
    other = begin(t.pool, sleeps, 60000);
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
        results[i] = begin(pool, sleeps, i);
    CHECK_OK(mp_pool_close(pool));
    CHECK_STATUS(mp_pool_apply_async(pool, square, NULL, &i, 8, NULL, NULL, &none), MP_ERR_STATE);
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    for (i = 0; i < 20; i++) {
        CHECK_INT(get(results[i]), i * i);
        CHECK_OK(mp_result_free(results[i]));
    }
    CHECK_OK(mp_pool_free(pool));
}

/* A worker is killed while the pool closes: what it ran fails, and the rest is done. */
TEST(result, death_during_join)
{
    mp_pool *pool = pool_new(2);
    mp_result *results[40];
    int64_t i, died = 0;
    pid_t pids[2];

    check_squares(pool, 10, NULL);
    pool_pids(pids, 2);
    for (i = 0; i < 40; i++)
        results[i] = begin(pool, sleeps, 20);
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
        results[i] = begin(pool, is_stubborn, 0);
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
        result = begin(pool, tells_what_is_blocked, 0);
        CHECK_INT(get(result), 1);
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
            results[i] = begin(pool, square, i);
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
                CHECK_INT(number(value), i * i);
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
        mp_result *result = begin(pool, square, i);

        if (i % 3 == 0)
            CHECK_INT(get(result), i * i);
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
    result = begin(pool, square, 3);
    CHECK_INT(get(result), 9);
    CHECK_INT(threads_now(), before + 1);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
    CHECK_INT(threads_now(), before);
}
