/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: MP_WITH_POOL, and programs that end without it. */
#include "test_pool.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int leaves_by_return(mp_pool *pool)
{
    MP_WITH_POOL(pool) {
        check_squares(pool, 20, NULL);
        return 7;
    }
    return 0;
}

/* The workers are gone, and so is the handle. */
static void is_over(mp_pool *pool, const pid_t *workers, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        CHECK(process_gone(workers[i]));
    CHECK_STATUS(mp_pool_workers(pool, &i), MP_ERR_BAD_HANDLE);
}

TEST(pool, scope)
{
    mp_pool *pool = pool_new(2);
    pid_t pids[2];
    int inside = 0;

    pool_pids(pids, 2);
    CHECK_INT(leaves_by_return(pool), 7);
    is_over(pool, pids, 2);
    pool = pool_new(2);
    pool_pids(pids, 2);
    MP_WITH_POOL(pool) {
        check_squares(pool, 20, NULL);
        inside++;
        if (inside == 1)
            break;
        inside = 100;
    }
    CHECK_INT(inside, 1);
    is_over(pool, pids, 2);
}

/* One that takes no calls has no scope, and stays. */
TEST(pool, scope_of_a_closed_one)
{
    mp_pool *pool = pool_new(1), *held;
    int inside = 0;

    CHECK_OK(mp_pool_close(pool));
    MP_WITH_POOL(pool)
        inside++;
    CHECK_INT(inside, 0);
    CHECK_CONTAINS(mp_last_error(), "closed");
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    CHECK_OK(mp_pool_free(pool));
    CHECK_NULL(mp_pool_enter(pool));
    CHECK_NULL(mp_pool_enter(NULL));
    mp_pool_leave(NULL);
    held = NULL;
    mp_pool_leave(&held);
    pool = pool_new(1);
    held = mp_pool_enter(pool);
    CHECK(held == pool);
    mp_pool_leave(&held);
    CHECK(held == NULL);
    CHECK_STATUS(mp_pool_free(pool), MP_ERR_BAD_HANDLE);
}

/* ---- chunks ---- */

static void tells_its_pid(mp_task *task, void *user)
{
    pid_t pid = getpid();

    (void)user;
    CHECK_OK(mp_task_return(task, &pid, sizeof pid));
}

/* A worker that leaves after one task shows how many items a task has. */
static void has_chunks_of(size_t items, size_t want)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    pid_t pids[100];
    mp_pool *pool;
    size_t i, run;

    o.workers = 4;
    o.max_tasks = 1;
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_OK(mp_pool_map_array(pool, tells_its_pid, NULL, NULL, 0, items, pids, sizeof *pids, NULL));
    for (i = 0; i < items; i += run) {
        for (run = 1; i + run < items && pids[i + run] == pids[i]; run++)
            ;
        CHECK_INT(run, i + want <= items ? want : items - i);
    }
    CHECK_OK(mp_pool_free(pool));
}

/* As CPython's: so that each worker gets about four. */
TEST(pool, default_chunks_are_four_a_worker)
{
    has_chunks_of(10, 1);
    has_chunks_of(17, 2);
    has_chunks_of(100, 7);
}

/* ---- programs that forget it ---- */

static int forgets_its_pool(mp_child *self, void *user)
{
    mp_pool *pool = pool_new(2);
    pid_t pids[2];
    int i;

    CHECK(user == NULL);
    check_squares(pool, 20, NULL);
    for (i = 0; i < 2; i++) {
        mp_worker_stats s = MP_WORKER_STATS;

        CHECK_OK(mp_pool_worker_stats(pool, (size_t)i, &s));
        pids[i] = s.pid;
    }
    flag_set(mp_child_value(self, 0), pids[0]);
    flag_set(mp_child_value(self, 1), pids[1]);
    return 3;
}

/* A program's end neither hangs nor leaves a worker. */
TEST(pool, never_freed)
{
    mp_value *first = flag_new(), *second = flag_new();
    pid_t pids[2];
    int i;

    CHECK_INT(child_end(CHILD_START(forgets_its_pool, first, second)), 3);
    pids[0] = (pid_t)flag_get(first);
    pids[1] = (pid_t)flag_get(second);
    for (i = 0; i < 2; i++)
        CHECK(wait_until(gone, &pids[i]));
    CHECK_OK(mp_value_free(first));
    CHECK_OK(mp_value_free(second));
}
