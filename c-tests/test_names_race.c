/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Many who open, create, unlink, reap and die at the same time. */
#include "test_names.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RACERS = 8 };

typedef struct course {
    char name[NAME_SIZE];
    int inside, stop;
    long entered, died, created, unlinked, reaped;
} course;

static int run(course *c, void (*racer)(course *, int))
{
    pid_t all[RACERS];
    int i, bad = 0, status;

    for (i = 0; i < RACERS; i++) {
        all[i] = fork();
        CHECK(all[i] >= 0);
        if (all[i] == 0) {
            racer(c, i);
            _exit(0);
        }
    }
    for (i = 0; i < RACERS; i++) {
        CHECK_INT(waitpid(all[i], &status, 0), all[i]);
        if (status != 0)
            bad++;
    }
    return bad;
}

static void add(long *number)
{
    __atomic_add_fetch(number, 1, __ATOMIC_SEQ_CST);
}

/* One visit: whoever has the lock is alone, also with processes that opened the name at another
 * time. It ends in one of three ways. */
static void visit(course *c, uint64_t how)
{
    mp_lock *l = name_lock(c->name, MP_OPEN_OR_CREATE);
    int other;

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    other = __atomic_exchange_n(&c->inside, (int)getpid(), __ATOMIC_SEQ_CST);
    /* Who is about to be killed in here has said so: its lock goes before others see that it is
     * dead. */
    if (other > 0)
        CHECK(!"two are inside");
    add(&c->entered);
    if (how == 0) {
        __atomic_store_n(&c->inside, -(int)getpid(), __ATOMIC_SEQ_CST);
        kill(getpid(), SIGKILL);
    }
    if (how == 1)
        sleep_ms(1);
    __atomic_store_n(&c->inside, 0, __ATOMIC_SEQ_CST);
    CHECK_OK(mp_lock_release(l));
    if (how == 2)
        _exit(0);
    CHECK_OK(mp_lock_free(l));
}

static void visitor_or_reaper(course *c, int number)
{
    rng chance = rng_new();
    int i, status;

    chance.state += (uint64_t)number * 7919;
    for (i = 0; i < 60; i++) {
        pid_t child;

        if (number >= 6) {
            size_t count = 0;

            CHECK_OK(mp_names_reap(&count));
            c->reaped += (long)count;
            continue;
        }
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            visit(c, rng_below(&chance, 6));
            _exit(0);
        }
        (void)rng_next(&chance);
        CHECK_INT(waitpid(child, &status, 0), child);
        CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        if (status != 0)
            add(&c->died);
    }
}

TEST_COLD(names, a_race_of_openers_the_dead_and_reapers)
{
    course *c = shared_new(sizeof *c);

    strcpy(c->name, name_of("race"));
    CHECK_INT(run(c, visitor_or_reaper), 0);
    CHECK_INT(c->entered, 6 * 60);
    CHECK(c->died > 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    if (name_exists(c->name)) {
        CHECK_OK(mp_names_reap(NULL));
        if (name_exists(c->name))
            CHECK_OK(mp_name_unlink(c->name));
    }
    shared_free(c, sizeof *c);
}

/* Each creation that succeeds is undone by one unlink that succeeds, and never by two. */
static void creator_or_unlinker(course *c, int number)
{
    mp_lock *l;
    int i, s;

    for (i = 0; i < 300; i++) {
        if (number < 3) {
            s = CHECK_CLEAN(name_open(&l, c->name, MP_OPEN_CREATE));
            CHECK(s == MP_OK || s == MP_ERR_EXISTS);
            if (s == MP_OK) {
                add(&c->created);
                CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
                CHECK_OK(mp_lock_release(l));
                CHECK_OK(mp_lock_free(l));
            }
        } else if (number < 5) {
            s = CHECK_CLEAN(mp_name_unlink(c->name));
            CHECK(s == MP_OK || s == MP_ERR_NOT_FOUND);
            if (s == MP_OK)
                add(&c->unlinked);
        } else if (number < 7) {
            s = CHECK_CLEAN(name_open(&l, c->name, MP_OPEN_ATTACH));
            CHECK(s == MP_OK || s == MP_ERR_NOT_FOUND);
            if (s == MP_OK) {
                CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
                CHECK_OK(mp_lock_release(l));
                CHECK_OK(mp_lock_free(l));
            }
        } else {
            CHECK_OK(mp_names_reap(NULL));
        }
    }
}

TEST_COLD(names, a_race_of_creators_and_unlinkers)
{
    course *c = shared_new(sizeof *c);
    int left;

    strcpy(c->name, name_of("make"));
    CHECK_INT(run(c, creator_or_unlinker), 0);
    left = name_exists(c->name);
    CHECK(c->created > 0 && c->unlinked > 0);
    /* All of them freed what they had: there was nothing to reap. */
    CHECK_INT(c->created, c->unlinked + left);
    CHECK_OK(mp_bootstrap(0, NULL));
    if (left)
        CHECK_OK(mp_name_unlink(c->name));
    shared_free(c, sizeof *c);
}
