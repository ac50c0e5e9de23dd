/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The hammer's workers, and who kills them. */
#include "hammer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 150, ROUNDS = 2000 };

board *b;

void violation(const char *what)
{
    fprintf(stderr, "%s: first %lld, second %lld, holder %lld, inside %x\n", what, (long long)b->first,
            (long long)b->second, (long long)b->holder, (unsigned)b->inside);
    __atomic_fetch_add(&b->violations, 1, __ATOMIC_SEQ_CST);
}

bool stopping(void)
{
    return __atomic_load_n(&b->stop, __ATOMIC_SEQ_CST) != 0;
}

int64_t sum(const volatile int64_t *list)
{
    int64_t total = 0;
    int i;

    for (i = 0; i < WORKERS; i++)
        total += list[i];
    return total;
}

/* ---- the workers ---- */

static pid_t start_worker(const primitive *p, int me)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        int64_t i;

        for (i = 0; i < b->rounds && !stopping(); i++)
            p->round(me);
        fflush(stdout);
        _exit(0);
    }
    return pid;
}

static int reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The workers are forks under any start method. */
static int some(int number)
{
    return strcmp(test_start_method(), "fork") == 0 ? number : number / 10;
}

static void kill_one(const primitive *p, pid_t *workers, int victim)
{
    uint32_t bits = UINT32_C(0x10001) << victim;

    __atomic_fetch_or(&b->inside, UINT32_C(0x10000) << victim, __ATOMIC_SEQ_CST);
    CHECK(kill(workers[victim], SIGKILL) == 0);
    CHECK_INT(reap(workers[victim]), -SIGKILL);
    __atomic_fetch_and(&b->inside, ~bits, __ATOMIC_SEQ_CST);
    if (p->killed != NULL)
        p->killed(victim);
    workers[victim] = start_worker(p, victim);
    if (p->mend != NULL)
        p->mend();
}

static bool went_on(void *before)
{
    return sum(b->count) > *(int64_t *)before + 4;
}

void hammer_with_kills(const primitive *p)
{
    int kills = kills_wanted(some(KILLS)), i;
    pid_t workers[WORKERS];
    rng r = rng_new();

    b = shared_new(sizeof *b);
    b->rounds = INT64_MAX;
    p->make();
    for (i = 0; i < WORKERS; i++)
        workers[i] = start_worker(p, i);
    for (i = 0; i < kills; i++) {
        if (rng_below(&r, 4) != 0)
            usleep((useconds_t)rng_below(&r, 1500));
        kill_one(p, workers, (int)rng_below(&r, WORKERS));
        /* The others go on, without anybody's help but the mend's. */
        if (i % 32 == 0) {
            int64_t before = sum(b->count);
            int64_t guard = now_ns() + INT64_C(30000000000);

            while (!went_on(&before)) {
                CHECK(now_ns() < guard);
                if (p->mend != NULL)
                    p->mend();
                usleep(200);
            }
        }
    }
    __atomic_store_n(&b->stop, 1, __ATOMIC_SEQ_CST);
    if (p->stop != NULL)
        p->stop();
    for (i = 0; i < WORKERS; i++)
        CHECK_INT(reap(workers[i]), 0);
    printf("%d kills, %lld rounds, %lld recoveries\n", kills, (long long)sum(b->count),
           (long long)b->recoveries);
    CHECK_INT(b->violations, 0);
    CHECK(sum(b->count) > 0);
    p->check(kills);
    p->end();
    shared_free(b, sizeof *b);
}

void hammer_without_kills(const primitive *p)
{
    pid_t workers[WORKERS];
    int i;

    b = shared_new(sizeof *b);
    b->rounds = some(ROUNDS);
    p->make();
    for (i = 0; i < WORKERS; i++)
        workers[i] = start_worker(p, i);
    for (i = 0; i < WORKERS; i++)
        CHECK_INT(reap(workers[i]), 0);
    CHECK_INT(b->violations, 0);
    CHECK_INT(sum(b->count), WORKERS * b->rounds);
    p->check(0);
    CHECK_INT(stats_now().rescued, 0);
    p->end();
    shared_free(b, sizeof *b);
}
