/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Four processes hammer one lock, and one after the other is killed at a random moment.
 *
 * Under the lock each does FIRST + 1, then its own count + 1, then SECOND + 1. So a holder that
 * was not told of a death must find FIRST = sum of the counts = SECOND, and one that was told may
 * find the dead one's half-finished step, repairs it, and goes on. */
#include "test_util.h"

#include <signal.h>
#include <stdio.h>

enum { HAMMERS = 4, KILLS = 200 };
enum { FIRST, SECOND, OWNER, VIOLATIONS, RECOVERIES, STOP, COUNTS, CELLS = COUNTS + HAMMERS };

static void violation(volatile int64_t *cell, const char *what)
{
    fprintf(stderr, "%s: first %lld, second %lld, owner %lld\n", what, (long long)cell[FIRST],
            (long long)cell[SECOND], (long long)cell[OWNER]);
    cell[VIOLATIONS]++;
}

static int64_t sum_of(volatile int64_t *cell)
{
    int64_t sum = 0;
    int i;

    for (i = 0; i < HAMMERS; i++)
        sum += cell[COUNTS + i];
    return sum;
}

static void enter(mp_lock *l, volatile int64_t *cell, int me)
{
    int64_t sum = sum_of(cell);
    bool told;

    CHECK_OK(mp_lock_recovered(l, &told));
    if (told) {
        if (cell[FIRST] < sum || cell[FIRST] > sum + 1 || cell[SECOND] > sum ||
            cell[SECOND] < sum - 1 || cell[FIRST] > cell[SECOND] + 1)
            violation(cell, "a death explains less than this");
        cell[FIRST] = cell[SECOND] = sum;
        cell[RECOVERIES]++;
    } else if (cell[OWNER] != 0 || cell[FIRST] != sum || cell[SECOND] != sum) {
        violation(cell, "torn without a death");
    }
    cell[OWNER] = me + 1;
}

static void step(mp_lock *l, volatile int64_t *cell, int me)
{
    volatile int spin;

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    enter(l, cell, me);
    cell[FIRST]++;
    for (spin = 0; spin < 50; spin++)
        continue;
    cell[COUNTS + me]++;
    if (cell[OWNER] != me + 1)
        violation(cell, "two holders");
    cell[SECOND]++;
    cell[OWNER] = 0;
    CHECK_OK(mp_lock_release(l));
}

static int hammer(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);
    mp_array *a = mp_child_array(self, 1);
    int me = child_number(self, 2);
    volatile int64_t *cell;
    int64_t before, mine = 0;
    size_t bytes;
    void *data;

    CHECK(l != NULL && a != NULL && user == NULL);
    CHECK_OK(mp_array_data(a, &data, &bytes));
    cell = data;
    before = cell[COUNTS + me];
    while (cell[STOP] == 0) {
        step(l, cell, me);
        mine++;
    }
    /* Nobody else writes this count, so a survivor knows it exactly. */
    CHECK_INT(cell[COUNTS + me], before + mine);
    return 0;
}

static mp_process *start_hammer(mp_lock *l, mp_array *a, int me)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, hammer, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, l));
    CHECK_OK(mp_process_add_handle(p, a));
    child_add_number(p, me);
    CHECK_OK(mp_process_start(p));
    return p;
}

static bool stopped(void *pid)
{
    proc_info info;

    return proc_read(*(pid_t *)pid, &info) && info.state == 'T';
}

/* Stops whoever seems to hold the lock until it is one that does; the usual victim if none is. */
static int stopped_holder(mp_process **children, volatile int64_t *cell, int victim)
{
    int i;

    for (i = 0; i < 200; i++) {
        int holder = (int)cell[OWNER] - 1;
        pid_t pid;

        if (holder < 0) {
            sleep_ms(1);
            continue;
        }
        pid = child_pid(children[holder]);
        CHECK(kill(pid, SIGSTOP) == 0);
        CHECK(wait_until(stopped, &pid));
        if (cell[OWNER] == holder + 1)
            return holder;
        CHECK(kill(pid, SIGCONT) == 0);
    }
    return victim;
}

typedef struct progress {
    volatile int64_t *cell;
    int64_t from;
} progress;

static bool went_on(void *arg)
{
    progress *p = arg;

    return p->cell[FIRST] > p->from + 10;
}

TEST_T(lock, kill_200, 120)
{
    mp_process *children[HAMMERS];
    volatile int64_t *cell;
    rng r = rng_new();
    size_t bytes;
    mp_array *a;
    mp_lock *l = lock_new();
    void *data;
    int i;

    CHECK_OK(mp_array_new(&a, MP_INT64, CELLS, NULL, NULL));
    CHECK_OK(mp_array_data(a, &data, &bytes));
    CHECK_INT(bytes, CELLS * 8);
    cell = data;
    for (i = 0; i < HAMMERS; i++)
        children[i] = start_hammer(l, a, i);
    for (i = 0; i < KILLS; i++) {
        int victim = (int)rng_below(&r, HAMMERS);

        if (rng_below(&r, 4) != 0)
            sleep_ms((int64_t)rng_below(&r, 4));
        if (i % 2 == 0)
            victim = stopped_holder(children, cell, victim);
        CHECK(kill(child_pid(children[victim]), SIGKILL) == 0);
        /* The join would tell of the death; here the waiters have to find the corpse themselves. */
        if (i % 2 == 0) {
            progress p = {cell, cell[FIRST]};

            CHECK(wait_until(went_on, &p));
        }
        CHECK_INT(child_end(children[victim]), -SIGKILL);
        children[victim] = start_hammer(l, a, victim);
    }
    sleep_ms(100);
    cell[STOP] = 1;
    for (i = 0; i < HAMMERS; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    printf("%lld steps, %lld recoveries\n", (long long)cell[FIRST], (long long)cell[RECOVERIES]);
    CHECK_INT(cell[VIOLATIONS], 0);
    CHECK_INT(cell[FIRST], sum_of(cell));
    CHECK_INT(cell[SECOND], sum_of(cell));
    CHECK(cell[FIRST] > 0);
    CHECK(cell[RECOVERIES] > 0);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_lock_free(l));
}
