/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Spawn: many at once, one inside the other, and processes that are killed in the middle of it. */
#include "test_pool.h"
#include "test_spawn.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- at once ---- */

enum { THREADS = 8, EACH = 12 };

static void *starts_some(void *unused)
{
    int i;

    for (i = 0; i < EACH; i++)
        CHECK_INT(spawn_run(spawn_returns_5), 5);
    return unused;
}

TEST_T(spawn, eight_threads_start_children, 60)
{
    int before = open_descriptors(), i;
    pthread_t threads[THREADS];

    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, starts_some, NULL) == 0);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_INT(open_descriptors(), before);
}

/* ---- one inside the other ---- */

static void maps_in_a_pool_of_its_own(mp_task *task, void *user)
{
    const int64_t *n = mp_task_input(task, NULL);
    int64_t in[20], out[20], sum = 0, i;
    mp_pool *pool = spawn_pool(2);

    (void)user;
    for (i = 0; i < *n; i++)
        in[i] = i + 1;
    CHECK_OK(mp_pool_map_array(pool, square, NULL, in, sizeof *in, (size_t)*n, out, sizeof *out, NULL));
    for (i = 0; i < *n; i++)
        sum += out[i];
    CHECK_OK(mp_pool_free(pool));
    CHECK_OK(mp_task_return(task, &sum, sizeof sum));
}

TEST(spawn, pools_in_pools)
{
    static const int64_t in[4] = {1, 2, 3, 20}, want[4] = {1, 5, 14, 2870};
    mp_pool *pool = spawn_pool(2);
    int64_t out[4];

    CHECK_OK(mp_pool_map_array(pool, maps_in_a_pool_of_its_own, NULL, in, sizeof *in, 4, out,
                               sizeof *out, NULL));
    CHECK(memcmp(out, want, sizeof want) == 0);
    CHECK_OK(mp_pool_free(pool));
}

/* The workers of a worker that is killed go as well. */
static void tells_its_workers(mp_task *task, void *user)
{
    pid_t workers[2];

    (void)user;
    CHECK(spawn_pool(2) != NULL);
    pool_pids(workers, 2);
    CHECK_OK(mp_task_return(task, workers, sizeof workers));
    /* The pool is not freed: its owner is killed later. */
}

TEST(spawn, pool_in_a_worker_that_is_killed)
{
    mp_pool *pool = spawn_pool(1);
    pid_t inner[2], outer, i;
    char in = 0;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    CHECK_OK(mp_pool_map_array(pool, tells_its_workers, NULL, &in, 1, 1, inner, sizeof inner, NULL));
    pool_pids(&outer, 1);
    CHECK(!process_gone(inner[0]) && !process_gone(inner[1]));
    CHECK(signal_child(outer, SIGKILL));
    for (i = 0; i < 2; i++)
        CHECK(wait_until(gone, &inner[i]));
    CHECK_OK(mp_pool_free(pool));
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

/* ---- killed in the middle ---- */

static int sleeps(mp_child *self, void *user)
{
    CHECK(user == NULL && mp_child_count(self) == 0);
    sleep_ms(600000);
    return 0;
}

typedef struct hunt {
    volatile bool over;
    rng r;
} hunt;

/* Kills whatever child it sees, after a moment that may end before, in or after mp_bootstrap. */
static void *hunts(void *arg)
{
    hunt *h = arg;

    while (!h->over) {
        pid_t child;

        if (children_of(getpid(), &child, 1) == 0)
            continue;
        usleep((useconds_t)rng_below(&h->r, rng_below(&h->r, 2) == 0 ? 400 : 4000));
        signal_child(child, SIGKILL);
    }
    return NULL;
}

TEST_T(spawn, child_killed_while_it_comes_up, 120)
{
    hunt h = {false, rng_new()};
    int i, born = 0, unborn = 0;
    pthread_t hunter;

    CHECK(pthread_create(&hunter, NULL, hunts, &h) == 0);
    /* On until there were some of both. */
    for (i = 0; i < 150 || ((unborn == 0 || born == 0) && i < 10000); i++) {
        mp_process *p = spawn_new(sleeps);
        int s = mp_process_start(p);

        if (s == MP_OK) {
            CHECK_INT(child_end(p), -SIGKILL);
            born++;
            continue;
        }
        CHECK_STATUS(s, MP_ERR_NOT_INITIALIZED);
        CHECK_CONTAINS(mp_last_error(), "was killed by SIGKILL before it called mp_bootstrap");
        CHECK_OK(mp_process_free(p));
        unborn++;
    }
    h.over = true;
    CHECK(pthread_join(hunter, NULL) == 0);
    printf("%d were killed before mp_bootstrap, %d after\n", unborn, born);
    CHECK(unborn > 0 && born > 0);
    CHECK_INT(spawn_run(spawn_returns_5), 5);
}

static void starts_for_ever(void)
{
    char bytes[5000] = "";

    for (;;) {
        mp_process *p = spawn_new(spawn_returns_5);

        CHECK_OK(mp_process_add_bytes(p, bytes, sizeof bytes));
        CHECK_OK(mp_process_start(p));
        CHECK_INT(child_end(p), 6);
    }
}

/* The orphan runs, or finds out that it need not; nobody stays, and what was under way is taken back. */
TEST_T(spawn, parent_killed_while_it_starts, 120)
{
    mp_stats before, now;
    rng r = rng_new();
    int i, status;
    pid_t child;

    before = stats_now();
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (i = 0; i < 100; i++) {
        pid_t parent = fork();

        CHECK(parent >= 0);
        if (parent == 0)
            starts_for_ever();
        usleep((useconds_t)(2000 + rng_below(&r, 6000)));
        CHECK(kill(parent, SIGKILL) == 0);
        while ((child = waitpid(-1, &status, 0)) > 0)
            if (child != parent) {
                /* Told that it has been given up, or done with its work. */
                CHECK(WIFEXITED(status));
                CHECK(WEXITSTATUS(status) == 6 || WEXITSTATUS(status) == 253 ||
                      WEXITSTATUS(status) == 255);
            }
    }
    /* Two starts look over the slots of those that died. */
    for (i = 0; i < 400; i++) {
        CHECK_INT(spawn_run(spawn_returns_5), 5);
        now = stats_now();
        if (now.blocks == before.blocks && now.processes == before.processes)
            break;
    }
    CHECK_INT(now.blocks, before.blocks);
    CHECK_INT(now.processes, before.processes);
}

/* ---- a pool whose workers can no longer be replaced ---- */

/* The map ends after a number of tries, and says why; the pool works again once workers can be had. */
TEST(spawn, pool_that_cannot_replace_its_worker)
{
    int64_t in[4] = {1, 2, 3, 4}, out[4];
    mp_pool *pool = spawn_pool(1);
    pid_t worker;

    check_squares(pool, 10, NULL);
    pool_pids(&worker, 1);
    CHECK_OK(mp_set_executable("/bin/true", NULL));
    CHECK(signal_child(worker, SIGKILL));
    CHECK(wait_until(gone, &worker));
    CHECK_SENTENCE(mp_pool_map_array(pool, square, NULL, in, sizeof *in, 4, out, sizeof *out, NULL),
                   MP_ERR_NOT_INITIALIZED, "exited with code 0 before it called mp_bootstrap");
    CHECK_OK(mp_set_executable(NULL, NULL));
    check_squares(pool, 10, NULL);
    CHECK_OK(mp_pool_free(pool));
}
