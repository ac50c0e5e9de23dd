/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: the number of workers, who may use a pool, and for how long a task may be used. */
#include "test_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- workers ---- */

TEST(pool, number_of_workers)
{
    size_t n = 0, want;
    mp_pool *pool;

    CHECK(mp_cpu_count() >= 1);
    CHECK_OK(mp_pool_new(&pool, NULL));
    CHECK_OK(mp_pool_workers(pool, &n));
    CHECK_INT(n, mp_cpu_count());
    CHECK_OK(mp_pool_free(pool));
    for (want = 0; want < 9; want += 3) {
        pool = pool_new(want);
        CHECK_OK(mp_pool_workers(pool, &n));
        CHECK_INT(n, want == 0 ? mp_cpu_count() : want);
        check_squares(pool, 50, NULL);
        CHECK_OK(mp_pool_free(pool));
    }
}

TEST_T(pool, absurd_number_of_workers, 60)
{
    static const size_t absurd[] = {100000, (size_t)1 << 40, SIZE_MAX};
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool = NULL;
    size_t i;

    for (i = 0; i < COUNT(absurd); i++) {
        o.workers = absurd[i];
        CHECK_FAILS(mp_pool_new(&pool, &o));
    }
    pool = pool_new(2);
    check_squares(pool, 10, NULL);
    CHECK_OK(mp_pool_free(pool));
}

static int cpu_count_of_environment(void *text)
{
    size_t n = 0;
    mp_pool *pool;

    CHECK(setenv("MP_CPU_COUNT", text, 1) == 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    CHECK_OK(mp_pool_new(&pool, NULL));
    CHECK_OK(mp_pool_workers(pool, &n));
    CHECK_INT(n, mp_cpu_count());
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
    return (int)n;
}

/* The processes are fresh ones: the number may be read once. */
TEST_COLD(pool, cpu_count_in_the_environment)
{
    static char three[] = "3", one[] = "1";
    static char *const garbage[] = {"", "0", "-2", "abc", "2x", "99999999999999999999999"};
    size_t i;

    CHECK_INT(in_fork(cpu_count_of_environment, three), 3);
    CHECK_INT(in_fork(cpu_count_of_environment, one), 1);
    for (i = 0; i < COUNT(garbage); i++)
        CHECK(in_fork(cpu_count_of_environment, garbage[i]) >= 1);
}

static int counts_one_cpu(void *unused)
{
    cpu_set_t all, one;
    int cpu = 0;

    CHECK(unused == NULL && unsetenv("MP_CPU_COUNT") == 0);
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    return (int)mp_cpu_count();
}

TEST_COLD(pool, cpu_count_follows_the_affinity)
{
    CHECK_INT(in_fork(counts_one_cpu, NULL), 1);
}

/* ---- who may use a pool ---- */

static void *maps_a_lot(void *pool)
{
    int i;

    for (i = 0; i < 50; i++)
        check_squares(pool, 300, NULL);
    return NULL;
}

TEST(pool, two_threads_map_at_once)
{
    mp_pool *pool = pool_new(2);
    pthread_t threads[2];
    int i;

    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, maps_a_lot, pool) == 0);
    for (i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, two_pools_at_once)
{
    mp_pool *first = pool_new(2), *second = pool_new(1);
    pthread_t threads[2];

    CHECK(pthread_create(&threads[0], NULL, maps_a_lot, first) == 0);
    CHECK(pthread_create(&threads[1], NULL, maps_a_lot, second) == 0);
    CHECK(pthread_join(threads[0], NULL) == 0);
    CHECK(pthread_join(threads[1], NULL) == 0);
    CHECK_OK(mp_pool_free(second));
    check_squares(first, 100, NULL);
    CHECK_OK(mp_pool_free(first));
}

static int maps_in_fork(void *pool)
{
    int64_t in = 1, out = 0;
    mp_bytes item = {&in, 8};
    mp_buffer *result = NULL;
    size_t n;

    CHECK_STATUS(mp_pool_map_array(pool, square, NULL, &in, 8, 1, &out, 8, NULL), MP_ERR_STATE);
    CHECK_STATUS(mp_pool_map(pool, echo, NULL, &item, 1, &result, NULL), MP_ERR_STATE);
    CHECK_STATUS(mp_pool_workers(pool, &n), MP_ERR_STATE);
    CHECK_STATUS(mp_pool_free(pool), MP_ERR_STATE);
    pool = pool_new(2);
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
    return 0;
}

/* The child may have a pool of its own, but not its parent's. */
TEST(pool, in_a_forked_child)
{
    mp_pool *pool = pool_new(2);

    check_squares(pool, 100, NULL);
    CHECK_INT(in_fork(maps_in_fork, pool), 0);
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

static void maps_itself(mp_task *task, void *user)
{
    int64_t in[10], out[10], sum = 0;
    mp_pool *pool = pool_new(2);
    int i;

    (void)user;
    for (i = 0; i < 10; i++)
        in[i] = i;
    CHECK_OK(mp_pool_map_array(pool, square, NULL, in, 8, 10, out, 8, NULL));
    CHECK_OK(mp_pool_free(pool));
    for (i = 0; i < 10; i++)
        sum += out[i];
    CHECK_OK(mp_task_return(task, &sum, sizeof sum));
}

TEST(pool, inside_a_worker)
{
    int64_t in[4] = {0}, out[4];
    mp_pool *pool = pool_new(2);
    size_t i;

    CHECK_OK(mp_pool_map_array(pool, maps_itself, NULL, in, 8, 4, out, 8, NULL));
    for (i = 0; i < 4; i++)
        CHECK_INT(out[i], 285);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- a task's handle outside of its function ---- */

static int *late;

static void *uses_task_late(void *task)
{
    size_t len;

    sleep_ms(100);
    CHECK_NULL(mp_task_input(task, &len));
    CHECK_INT(mp_task_index(task), 0);
    CHECK_CONTAINS(mp_last_error(), "mp_task_index");
    CHECK_STATUS(mp_task_return(task, "x", 1), MP_ERR_STATE);
    CHECK_STATUS(mp_task_fail(task, "late"), MP_ERR_STATE);
    __atomic_store_n(late, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void leaves_a_thread(mp_task *task, void *user)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, uses_task_late, task) == 0);
    CHECK(pthread_detach(thread) == 0);
    /* No such memory; but a later return counts. */
    CHECK_STATUS(mp_task_return(task, "x", (size_t)1 << 50), MP_ERR_NO_MEMORY);
    echo(task, user);
}

static bool is_late(void *unused)
{
    (void)unused;
    return __atomic_load_n(late, __ATOMIC_ACQUIRE) != 0;
}

TEST(pool, task_used_after_its_end)
{
    mp_bytes item = {"abc", 3};
    mp_buffer *result;
    mp_pool *pool;
    size_t len;

    if (strcmp(test_start_method(), "fork") != 0)
        SKIP("the task reports in memory that only copies of this process share");
    late = shared_new(sizeof *late);
    pool = pool_new(1);
    CHECK_OK(mp_pool_map(pool, leaves_a_thread, NULL, &item, 1, &result, NULL));
    CHECK(mp_buffer_data(result, &len) != NULL);
    CHECK_INT(len, 3);
    CHECK_OK(mp_buffer_free(result));
    CHECK(wait_until(is_late, NULL));
    CHECK_OK(mp_pool_free(pool));
    shared_free(late, sizeof *late);
}

static int64_t factor = 3;

static void multiplies(mp_task *task, void *user)
{
    int64_t y = *(const int64_t *)mp_task_input(task, NULL) * *(int64_t *)user;

    CHECK_OK(mp_task_return(task, &y, sizeof y));
}

TEST(pool, user_pointer)
{
    int64_t in[3] = {1, 2, 3}, out[3];
    mp_pool *pool;

    if (strcmp(test_start_method(), "fork") != 0)
        SKIP("a pointer means the same only in a copy of this process");
    pool = pool_new(2);
    CHECK_OK(mp_pool_map_array(pool, multiplies, &factor, in, 8, 3, out, 8, NULL));
    CHECK(out[0] == 3 && out[1] == 6 && out[2] == 9);
    CHECK_OK(mp_pool_free(pool));
}
