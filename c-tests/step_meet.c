/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two threads of one process that meet at every instruction of one of them. */
#include "step_victim.h"

#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef STEP_WORKS

enum { SHORT_MEETINGS = 5, SHORT_STEPS = 10000 };

static const operation *meeting;

static void after_both(void)
{
    other_end();
    if (meeting->after != NULL)
        meeting->after();
}

/* Lets the other thread act before this instruction; false when there is no such one. */
static bool meet_at(const operation *op, baseline *b, long moment, length *l)
{
    bool every = op->moments != 0;
    pid_t pid = victim_begin(op, after_both);
    bool came = run_to_moment(pid, moment, every, l);
    int64_t guard = now_ns() + op->patience * 1000000;
    char text[80];
    int status, stop;

    __atomic_store_n(&board->go, 1, __ATOMIC_RELEASE);
    /* It may have to wait for something that the stopped one has. */
    while (__atomic_load_n(&board->gone, __ATOMIC_ACQUIRE) == 0 && now_ns() < guard)
        usleep(20);
    snprintf(text, sizeof text, "at moment %ld", moment);
    for (stop = SIGTRAP; stop != 0;) {
        CHECK(ptrace(PTRACE_CONT, pid, NULL, stop == SIGTRAP ? 0 : stop) == 0);
        stop = next_stop(pid, &status);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        check_failed(__FILE__, __LINE__, "both threads go on", text);
    check_baseline(op, b);
    return came;
}

void meet_everywhere(const operation *op)
{
    /* The start method matters for processes only. */
    long at, meetings = 0, most = strcmp(test_start_method(), "spawn") == 0 ? 2 : SHORT_MEETINGS;
    length l = {0, 0};
    baseline b = step_begin();

    meeting = op;
    if (op->moments == 0 || strcmp(form("MP_MEET"), "all") == 0) {
        for (at = 0; meet_at(op, &b, at, &l); at++)
            meetings++;
    } else {
        rng r = rng_new();

        for (at = 0; at < most && l.steps < SHORT_STEPS; at++)
            meetings += meet_at(op, &b, (long)rng_below(&r, (uint64_t)op->moments), &l);
    }
    printf("met %ld times\n", meetings);
    step_end();
}

#else

void meet_everywhere(const operation *op)
{
    (void)op;
    SKIP("the tracer knows x86-64 only");
}

#endif
