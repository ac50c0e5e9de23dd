/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: threads that a task's function hands its task to, and those that go on when it has returned. */
#include "test_pool.h"

#include <pthread.h>
#include <string.h>

static void *gives_2(void *task)
{
    int64_t two = 2;

    CHECK_OK(mp_task_return(task, &two, sizeof two));
    return NULL;
}

static void *fails(void *task)
{
    CHECK_OK(mp_task_fail(task, "said by a thread"));
    return NULL;
}

static void lets(void *(*thread_does)(void *), mp_task *task)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, thread_does, task) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* Item 0 gives nothing itself, 1 before its thread, 2 after it; 3 fails. */
static void with_a_thread(mp_task *task, void *user)
{
    int64_t one = 1;
    size_t index = mp_task_index(task);

    (void)user;
    if (index == 1)
        CHECK_OK(mp_task_return(task, &one, sizeof one));
    lets(index == 3 ? fails : gives_2, task);
    if (index == 2)
        CHECK_OK(mp_task_return(task, &one, sizeof one));
}

TEST(pool, results_by_threads_of_a_task)
{
    int64_t in[4] = {0}, out[4] = {0};
    mp_bytes items[4] = {{in, 8}, {in, 8}, {in, 8}, {in, 8}};
    mp_buffer *results[4];
    mp_pool *pool = pool_new(1);
    size_t i, len;

    CHECK_OK(mp_pool_map_array(pool, with_a_thread, NULL, in, 8, 3, out, 8, NULL));
    CHECK_INT(out[0], 2);
    CHECK_INT(out[1], 2);
    CHECK_INT(out[2], 1);
    CHECK_OK(mp_pool_map(pool, with_a_thread, NULL, items, 3, results, NULL));
    for (i = 0; i < 3; i++) {
        const int64_t *result = mp_buffer_data(results[i], &len);

        CHECK_INT(len, 8);
        CHECK_INT(*result, out[i]);
        CHECK_OK(mp_buffer_free(results[i]));
    }
    CHECK_SENTENCE(mp_pool_map_array(pool, with_a_thread, NULL, in, 8, 4, out, 8, NULL), MP_ERR_TASK_FAILED,
                   "said by a thread");
    CHECK_OK(mp_pool_free(pool));
}

/* ---- the handle of an item that is over, while the next one runs ---- */

static mp_task *earlier;

static void *uses_the_earlier(void *unused)
{
    int64_t wrong = 99;
    size_t len;

    (void)unused;
    CHECK_STATUS(mp_task_return(earlier, &wrong, sizeof wrong), MP_ERR_STATE);
    CHECK_STATUS(mp_task_fail(earlier, "wrong"), MP_ERR_STATE);
    CHECK_NULL(mp_task_input(earlier, &len));
    CHECK_INT(mp_task_index(earlier), 0);
    CHECK_CONTAINS(mp_last_error(), "mp_task_index: the task is over");
    CHECK(!mp_task_cancelled(earlier));
    CHECK_CONTAINS(mp_last_error(), "mp_task_cancelled: the task is over");
    return NULL;
}

static void keeps_its_handle(mp_task *task, void *user)
{
    int64_t y = *(const int64_t *)mp_task_input(task, NULL);

    (void)user;
    if (earlier != NULL)
        lets(uses_the_earlier, NULL);
    else
        CHECK_OK(mp_task_return(task, &y, sizeof y));
    earlier = task;
}

TEST(pool, handle_of_an_earlier_item)
{
    int64_t in[3] = {10, 20, 30}, out[3] = {1, 1, 1};
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(1);
    int each;

    /* In one task, and in a task each. */
    for (each = 0; each < 2; each++) {
        o.chunk = each ? 1 : 3;
        CHECK_OK(mp_pool_map_array(pool, keeps_its_handle, NULL, in, 8, 3, out, 8, &o));
        CHECK_INT(out[0], each ? 0 : 10);
        CHECK_INT(out[1], 0);
        CHECK_INT(out[2], 0);
    }
    CHECK_OK(mp_pool_free(pool));
}

/* ---- a thread that never stops ---- */

enum { WIDE = 64 };

static mp_task *current;
static bool over;
static pthread_t stray;

static void *returns_all_the_time(void *unused)
{
    unsigned char wrong[WIDE];

    (void)unused;
    memset(wrong, 0xEE, sizeof wrong);
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        mp_status s = mp_task_return(__atomic_load_n(&current, __ATOMIC_RELAXED), wrong, sizeof wrong);

        CHECK(s == MP_OK || s == MP_ERR_STATE || s == MP_ERR_INVALID);
    }
    return NULL;
}

/* Items are wide where results are narrow, and the other way round: what comes too late for one would be in another's. */
static void checks_its_input(mp_task *task, void *user)
{
    static bool begun;
    size_t len, i;
    const unsigned char *input = mp_task_input(task, &len);
    unsigned char result[WIDE];

    (void)user;
    __atomic_store_n(&current, task, __ATOMIC_RELAXED);
    if (!begun)
        CHECK(pthread_create(&stray, NULL, returns_all_the_time, NULL) == 0);
    begun = true;
    for (i = 0; i < len; i++)
        CHECK_INT(input[i], len);
    memset(result, 1, sizeof result);
    CHECK_OK(mp_task_return(task, result, len == WIDE ? 8 : WIDE));
}

static void ends_the_stray(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    CHECK(pthread_join(stray, NULL) == 0);
}

TEST(pool, thread_that_goes_on)
{
    enum { ITEMS = 200, ROUNDS = 50 };
    static unsigned char narrow[ITEMS * 8], wide[ITEMS * WIDE], results[ITEMS * WIDE];
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(1);
    int round, i;

    memset(narrow, 8, sizeof narrow);
    memset(wide, WIDE, sizeof wide);
    o.chunk = 1;
    for (round = 0; round < ROUNDS; round++) {
        CHECK_OK(mp_pool_map_array(pool, checks_its_input, NULL, narrow, 8, ITEMS, results, WIDE, &o));
        /* Each is its function's or the stray's, and whole. */
        for (i = 0; i < ITEMS * WIDE; i++)
            CHECK(results[i] == results[i / WIDE * WIDE] && (results[i] == 1 || results[i] == 0xEE));
        CHECK_OK(mp_pool_map_array(pool, checks_its_input, NULL, wide, WIDE, ITEMS, results, 8, &o));
        for (i = 0; i < ITEMS * 8; i++)
            CHECK_INT(results[i], 1);
    }
    CHECK_OK(mp_pool_map_array(pool, ends_the_stray, NULL, narrow, 8, 1, results, 0, NULL));
    CHECK_OK(mp_pool_free(pool));
}
