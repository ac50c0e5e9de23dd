/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere. */
#include "step_victim.h"

#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <signal.h>

#ifdef STEP_WORKS

enum { SHORT_KILLS = 8, SHORT_STEPS = 24000 };

/* Kills a victim at this moment; false when there is no such moment. */
static bool kill_at(const operation *op, baseline *b, long moment, bool every, length *l)
{
    pid_t pid = victim_begin(op, NULL);
    bool came = run_to_moment(pid, moment, every, l);

    if (!came) {
        int status;

        CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
        CHECK_INT(next_stop(pid, &status), SIGTRAP);
        CHECK_INT(board->status, op->want);
    }
    victim_kill(pid);
    op->check(board->acted ? (board->status == MP_OK ? DONE : NOT_DONE) : PERHAPS);
    check_baseline(op, b);
    return came;
}

/* The short form takes a few moments, and fewer where the way to them is long. */
static long stride_of(const length *l)
{
    long kills = SHORT_STEPS / l->steps;

    kills = kills > SHORT_KILLS ? SHORT_KILLS : kills < 2 ? 2 : kills;
    /* The start method matters for processes only. */
    if (strcmp(test_start_method(), "spawn") == 0)
        kills = 2;
    return (l->moments + kills - 1) / kills;
}

void kill_everywhere(const operation *op)
{
    bool all = strcmp(form("MP_KILL"), "all") == 0, every = strcmp(form("MP_KILL"), "every") == 0;
    bool spawn = strcmp(test_start_method(), "spawn") == 0;
    long stride = 1, kills = 0, at;
    length l = {0, 0};
    baseline b = step_begin();

    if (op->moments > 0 && !all && !every) {
        rng r = rng_new();

        for (at = 0; at < 2; at++)
            kills += kill_at(op, &b, (long)rng_below(&r, (uint64_t)op->moments), false, &l);
    } else {
        CHECK(!kill_at(op, &b, -1, every, &l));
        CHECK(l.moments > 0);
        if (!all && !every)
            stride = stride_of(&l);
        /* Of the short form each start method takes its own moments. */
        for (at = spawn ? stride / 2 : 0; kill_at(op, &b, at, every, &l); at += stride)
            kills++;
    }
    printf("killed at %ld of %ld moments\n", kills, l.moments);
    step_end();
}

#else

void kill_everywhere(const operation *op)
{
    (void)op;
    SKIP("the tracer knows x86-64 only");
}

#endif
