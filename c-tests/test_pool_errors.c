/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: tasks that fail, and functions that are none. */
#include "test_pool.h"

#include <stdlib.h>
#include <string.h>

/* Copies of this process share it: how many tasks ran. */
static int *ran;

static void counts_and_fails_on_0(mp_task *task, void *user)
{
    int64_t x = *(const int64_t *)mp_task_input(task, NULL);

    __atomic_fetch_add(ran, 1, __ATOMIC_RELAXED);
    sleep_ms(2);
    if (x == 0)
        CHECK_OK(mp_task_fail(task, "zero is not allowed, 100%s sure"));
    else
        square(task, user);
}

static void needs_fork(void)
{
    if (strcmp(test_start_method(), "fork") != 0)
        SKIP("the tasks count in memory that only copies of this process share");
    ran = shared_new(sizeof *ran);
}

enum { ITEMS = 200 };

TEST(pool, failed_task)
{
    int64_t in[2] = {0, 5}, out[2];
    mp_pool *pool;

    needs_fork();
    pool = pool_new(2);
    CHECK_SENTENCE(mp_pool_map_array(pool, counts_and_fails_on_0, NULL, in, 8, 2, out, 8, NULL),
                   MP_ERR_TASK_FAILED, "zero is not allowed, 100%s sure");
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
    shared_free(ran, sizeof *ran);
}

TEST(pool, first_error_cancels_the_rest)
{
    int64_t in[ITEMS], out[ITEMS];
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool;
    int i;

    needs_fork();
    pool = pool_new(2);
    o.chunk = 1;
    for (i = 0; i < ITEMS; i++) {
        in[i] = (i + ITEMS - 5) % ITEMS;
        out[i] = -7;
    }
    CHECK_STATUS(mp_pool_map_array(pool, counts_and_fails_on_0, NULL, in, 8, ITEMS, out, 8, &o),
                 MP_ERR_TASK_FAILED);
    CHECK(*ran >= 1 && *ran < ITEMS);
    for (i = 0; i < ITEMS; i++)
        CHECK(out[i] == -7 || (in[i] != 0 && out[i] == in[i] * in[i]));
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
    shared_free(ran, sizeof *ran);
}

TEST(pool, run_all_runs_the_rest)
{
    int64_t in[ITEMS], out[ITEMS];
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool;
    int i;

    needs_fork();
    pool = pool_new(2);
    o.run_all = true;
    for (o.chunk = 0; o.chunk < 10; o.chunk += 3) {
        *ran = 0;
        for (i = 0; i < ITEMS; i++)
            in[i] = i % 50;
        memset(out, 0, sizeof out);
        CHECK_SENTENCE(
            mp_pool_map_array(pool, counts_and_fails_on_0, NULL, in, 8, ITEMS, out, 8, &o),
            MP_ERR_TASK_FAILED, "zero is not allowed");
        CHECK_INT(*ran, ITEMS);
        for (i = 0; i < ITEMS; i++)
            if (in[i] != 0)
                CHECK_INT(out[i], in[i] * in[i]);
    }
    CHECK_OK(mp_pool_free(pool));
    shared_free(ran, sizeof *ran);
}

/* A failed one has no buffer, whatever it returned before. */
static void returns_then_fails_on_odd(mp_task *task, void *user)
{
    echo(task, user);
    if (mp_task_index(task) % 2 == 1)
        CHECK_OK(mp_task_fail(task, "odd"));
}

TEST(pool, map_gives_no_buffer_for_a_failed_task)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_buffer *out[10];
    mp_bytes in[10];
    mp_pool *pool = pool_new(2);
    size_t i;

    o.run_all = true;
    for (i = 0; i < COUNT(in); i++) {
        in[i].data = "abcdefghij";
        in[i].len = i;
    }
    memset(out, 0xAA, sizeof out);
    CHECK_SENTENCE(mp_pool_map(pool, returns_then_fails_on_odd, NULL, in, COUNT(in), out, &o),
                   MP_ERR_TASK_FAILED, "odd");
    for (i = 0; i < COUNT(in); i++) {
        CHECK((out[i] == NULL) == (i % 2 == 1));
        CHECK_OK(mp_buffer_free(out[i]));
    }
    CHECK_OK(mp_pool_free(pool));
}

static void gives_nothing_on_odd(mp_task *task, void *user)
{
    if (mp_task_index(task) % 2 == 0)
        echo(task, user);
}

TEST(pool, task_that_gives_no_result)
{
    int64_t in[10], out[10];
    mp_bytes items[10];
    mp_buffer *results[10];
    mp_pool *pool = pool_new(2);
    size_t i, len;

    for (i = 0; i < 10; i++) {
        in[i] = 5;
        out[i] = -7;
        items[i].data = &in[i];
        items[i].len = sizeof in[i];
    }
    CHECK_OK(mp_pool_map_array(pool, gives_nothing_on_odd, NULL, in, 8, 10, out, 8, NULL));
    CHECK_OK(mp_pool_map(pool, gives_nothing_on_odd, NULL, items, 10, results, NULL));
    for (i = 0; i < 10; i++) {
        CHECK_INT(out[i], i % 2 == 0 ? 5 : 0);
        CHECK(mp_buffer_data(results[i], &len) != NULL);
        CHECK_INT(len, i % 2 == 0 ? sizeof in[i] : 0);
        CHECK_OK(mp_buffer_free(results[i]));
    }
    CHECK_OK(mp_pool_free(pool));
}

static char long_sentence[100001];

static void fails_at_length(mp_task *task, void *user)
{
    (void)user;
    memset(long_sentence, 'w', sizeof long_sentence - 1);
    memcpy(long_sentence, "begins here", 11);
    CHECK_OK(mp_task_fail(task, long_sentence));
}

TEST(pool, long_sentence_of_a_failed_task)
{
    int64_t in = 1, out;
    mp_pool *pool = pool_new(1);

    CHECK_SENTENCE(mp_pool_map_array(pool, fails_at_length, NULL, &in, 8, 1, &out, 8, NULL),
                   MP_ERR_TASK_FAILED, "begins here");
    check_squares(pool, 10, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- functions that are none ---- */

static int64_t data_not_code[16];

static mp_task_fn function_at(void *address)
{
    mp_task_fn fn;

    /* ISO C has no cast from an object to a function. */
    memcpy(&fn, &address, sizeof fn);
    return fn;
}

TEST(pool, function_that_is_no_code)
{
    char stack[64] = "", *heap = malloc(64);
    void *wrong[] = {data_not_code, stack, heap, (void *)1, (void *)(uintptr_t)-16};
    mp_pool *pool = pool_new(2);
    pid_t before[2], after[2];
    int64_t in = 1, out;
    size_t i;

    check_squares(pool, 100, NULL);
    pool_pids(before, 2);
    for (i = 0; i < COUNT(wrong); i++)
        CHECK_STATUS(
            mp_pool_map_array(pool, function_at(wrong[i]), NULL, &in, 8, 1, &out, 8, NULL),
            MP_ERR_UNKNOWN_TARGET);
    check_squares(pool, 100, NULL);
    pool_pids(after, 2);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK_OK(mp_pool_free(pool));
    free(heap);
}
