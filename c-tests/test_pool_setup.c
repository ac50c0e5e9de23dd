/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: what workers are given beside their task: CPUs. */
#include "test_pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- CPUs ---- */

typedef struct seen {
    pid_t pid;
    int cpus, first;
} seen;

static void tells_its_cpus(mp_task *task, void *user)
{
    seen s = {getpid(), 0, 0};
    cpu_set_t set;

    (void)user;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    s.cpus = CPU_COUNT(&set);
    while (!CPU_ISSET(s.first, &set))
        s.first++;
    CHECK_OK(mp_task_return(task, &s, sizeof s));
}

/* Each worker runs where the list says, in turn. */
static void are_bound(mp_pool *pool, size_t workers, const size_t *cpus, size_t count)
{
    mp_map_options o = MP_MAP_OPTIONS;
    size_t i, w;
    seen all[24];

    o.chunk = 1;
    CHECK_OK(mp_pool_map_array(pool, tells_its_cpus, NULL, NULL, 0, COUNT(all), all, sizeof *all, &o));
    for (i = 0; i < COUNT(all); i++) {
        mp_worker_stats s = MP_WORKER_STATS;

        for (w = 0; w < workers && s.pid != all[i].pid; w++)
            CHECK_OK(mp_pool_worker_stats(pool, w, &s));
        CHECK_INT(s.pid, all[i].pid);
        CHECK_INT(all[i].cpus, 1);
        CHECK_INT(all[i].first, cpus[(w - 1) % count]);
    }
}

TEST(pool, cpus_of_workers)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    size_t cpus[2], n = 0, cpu, i;
    cpu_set_t mine;
    mp_pool *pool;
    pid_t pids[3];

    CHECK(sched_getaffinity(0, sizeof mine, &mine) == 0);
    for (cpu = 0; n < COUNT(cpus) && cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &mine))
            cpus[n++] = cpu;
    o.workers = 3;
    o.cpus = cpus;
    o.cpu_count = n;
    CHECK_OK(mp_pool_new(&pool, &o));
    are_bound(pool, 3, cpus, n);
    /* So do those that come in their place. */
    pool_pids(pids, 3);
    for (i = 0; i < 3; i++) {
        CHECK(signal_child(pids[i], SIGKILL));
        CHECK(wait_until(gone, &pids[i]));
    }
    are_bound(pool, 3, cpus, n);
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, cpus_that_are_not_to_be_had)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    size_t cpu = 60000;
    int before = open_descriptors();
    mp_pool *pool;

    o.workers = 2;
    o.cpus = &cpu;
    o.cpu_count = 1;
    CHECK_SENTENCE(mp_pool_new(&pool, &o), MP_ERR_OS, "its CPUs");
    CHECK_INT(mp_last_errno(), EINVAL);
    CHECK_INT(children_of(getpid(), &(pid_t){0}, 1), 0);
    cpu = 65536;
    CHECK_SENTENCE(mp_pool_new(&pool, &o), MP_ERR_INVALID, "65536");
    o.cpus = NULL;
    CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_INVALID);
    o.cpu_count = SIZE_MAX;
    o.cpus = &cpu;
    CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_INVALID);
    if (strcmp(test_start_method(), "forkserver") != 0)
        CHECK_INT(open_descriptors(), before);
}
