/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What is freed goes back, piece by piece, and what the dead held does too. */
#include "test_util.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static mp_stats stats(void)
{
    mp_stats now = MP_STATS;

    CHECK_OK(mp_stats_get(&now));
    return now;
}

static void make_and_free(mp_lock **all, int count, bool backwards)
{
    int i;

    for (i = 0; i < count; i++)
        CHECK_OK(mp_lock_new(&all[i], NULL));
    for (i = 0; i < count; i++)
        CHECK_OK(mp_lock_free(all[backwards ? count - 1 - i : i]));
}

TEST_COLD(segment, locks_that_are_freed_leave_nothing)
{
    enum { MANY = 100000 };
    static mp_lock *all[MANY];
    mp_stats before, at_most;
    int i;

    CHECK_OK(mp_bootstrap(0, NULL));
    make_and_free(all, 1, false);
    before = stats();
    for (i = 0; i < MANY; i++)
        CHECK_OK(mp_lock_new(&all[i], NULL));
    at_most = stats();
    CHECK_INT(at_most.blocks, before.blocks + MANY);
    CHECK(at_most.bytes_used - before.bytes_used < 16 << 20);
    for (i = 0; i < MANY; i++)
        CHECK_OK(mp_lock_free(all[i]));
    CHECK_INT(stats().bytes_used, before.bytes_used);
    make_and_free(all, MANY, true);
    CHECK_INT(stats().bytes_used, before.bytes_used);
    CHECK_INT(stats().blocks, before.blocks);
}

enum { HELD = 10000, ROUNDS = 6, ALLOCATORS = 2 };

/* Holds very many objects and waits for its death. */
static void hold_many(mp_value *flag)
{
    static mp_lock *all[HELD];
    int i;

    for (i = 0; i < HELD; i++)
        CHECK_OK(mp_lock_new(&all[i], NULL));
    flag_set(flag, 1);
    for (;;)
        pause();
}

/* Makes and frees objects of all sizes until it is told to stop. */
static void allocate(mp_value *stop)
{
    enum { AT_A_TIME = 300 };
    static mp_array *all[AT_A_TIME];
    rng chance = rng_new();
    int64_t x;
    int i;

    while (flag_get(stop) == 0) {
        for (i = 0; i < AT_A_TIME; i++) {
            size_t length = (size_t)rng_below(&chance, 2000) + 1;

            CHECK_OK(mp_array_new(&all[i], MP_INT64, length, NULL, NULL));
            CHECK_OK(mp_array_get_int(all[i], length - 1, &x));
            CHECK_INT(x, 0);
            CHECK_OK(mp_array_set_int(all[i], length - 1, i + 1));
            CHECK_OK(mp_array_set_int(all[i], 0, i + 1));
        }
        for (i = 0; i < AT_A_TIME; i++) {
            CHECK_OK(mp_array_get_int(all[i], 0, &x));
            CHECK_INT(x, i + 1);
            CHECK_OK(mp_array_free(all[i]));
        }
    }
    _exit(0);
}

TEST_T(segment, the_dead_are_swept_while_others_allocate, 90)
{
    mp_value *flag = flag_new(), *stop = flag_new();
    pid_t busy[ALLOCATORS];
    mp_stats before = stats(), after;
    int i, status;

    for (i = 0; i < ALLOCATORS; i++) {
        busy[i] = fork();
        CHECK(busy[i] >= 0);
        if (busy[i] == 0)
            allocate(stop);
    }
    for (i = 0; i < ROUNDS; i++) {
        pid_t child = fork();

        CHECK(child >= 0);
        if (child == 0)
            hold_many(flag);
        flag_wait(flag, 1);
        flag_set(flag, 0);
        CHECK(kill(child, SIGKILL) == 0);
        CHECK_INT(waitpid(child, NULL, 0), child);
        /* Whoever looks sweeps. */
        CHECK(stats().blocks < before.blocks + HELD);
    }
    flag_set(stop, 1);
    for (i = 0; i < ALLOCATORS; i++) {
        CHECK_INT(waitpid(busy[i], &status, 0), busy[i]);
        CHECK_INT(status, 0);
    }
    after = stats();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.processes, before.processes);
    CHECK_INT(after.bytes_used, before.bytes_used);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_value_free(stop));
}
