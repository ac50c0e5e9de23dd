/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * MP_WITH_LOCK and its kin: held inside the braces, free behind them, whatever leads there. */
#include "test_util.h"

#include <signal.h>
#include <string.h>

static bool held(const mp_lock *l)
{
    bool yes;

    CHECK_OK(mp_lock_locked(l, &yes));
    return yes;
}

static int by_return(mp_lock *l)
{
    MP_WITH_LOCK(l) {
        CHECK(held(l));
        return 7;
    }
    return 0;
}

static int by_goto(mp_lock *l)
{
    MP_WITH_LOCK(l) {
        goto out;
    }
    return 0;
out:
    CHECK(!held(l));
    return 8;
}

TEST(scope, every_way_out)
{
    mp_lock *l = lock_new();
    int i, rounds = 0;

    for (i = 0; i < 5; i++) {
        MP_WITH_LOCK(l) {
            CHECK(held(l));
            if (i == 2)
                break;
            if (i == 3)
                continue;
            rounds++;
        }
        CHECK(!held(l));
    }
    CHECK_INT(i, 5);
    CHECK_INT(rounds, 3);
    CHECK_INT(by_return(l), 7);
    CHECK(!held(l));
    CHECK_INT(by_goto(l), 8);
    MP_WITH_LOCK(l)
        CHECK(held(l));
    CHECK(!held(l));
    CHECK_OK(mp_lock_free(l));
}

TEST(scope, one_in_another)
{
    mp_lock *l = lock_new();
    mp_semaphore *s;
    mp_rlock *r;
    size_t value;
    bool yes;

    CHECK_OK(mp_rlock_new(&r, NULL));
    CHECK_OK(mp_semaphore_new(&s, 1, NULL));
    MP_WITH_RLOCK(r) {
        MP_WITH_RLOCK(r) {
            MP_WITH_SEMAPHORE(s) {
                MP_WITH_LOCK(l) {
                    CHECK_OK(mp_semaphore_value(s, &value));
                    CHECK_INT(value, 0);
                    CHECK(held(l));
                }
            }
        }
        CHECK_OK(mp_semaphore_value(s, &value));
        CHECK_INT(value, 1);
        CHECK_OK(mp_rlock_locked(r, &yes));
        CHECK(yes);
    }
    CHECK_OK(mp_rlock_locked(r, &yes));
    CHECK(!yes);
    CHECK_OK(mp_semaphore_free(s));
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_lock_free(l));
}

TEST(scope, what_cannot_be_acquired_is_passed_over)
{
    mp_lock *l = lock_new(), *none = NULL;
    int inside = 0;

    CHECK_OK(mp_lock_free(l));
    MP_WITH_LOCK(l)
        inside++;
    CHECK_INT(inside, 0);
    CHECK_CONTAINS(mp_last_error(), "freed");
    MP_WITH_LOCK(NULL)
        inside++;
    CHECK_INT(inside, 0);
    mp_lock_leave(NULL);
    mp_lock_leave(&none);
    CHECK(none == NULL);

    /* What the macros are made of. */
    l = lock_new();
    none = mp_lock_enter(l);
    CHECK(none == l && held(l));
    mp_lock_leave(&none);
    CHECK(none == NULL && !held(l));
    mp_lock_leave(&none);
    CHECK(!held(l));
    CHECK_OK(mp_lock_free(l));
}

static int by_return_from_both(mp_rlock *r, mp_semaphore *s)
{
    MP_WITH_RLOCK(r)
        MP_WITH_SEMAPHORE(s)
            return 9;
    return 0;
}

static int sees_both_free(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_rlock_acquire(mp_child_rlock(self, 0), MP_NO_WAIT));
    CHECK_OK(mp_semaphore_acquire(mp_child_semaphore(self, 1), MP_NO_WAIT));
    CHECK_OK(mp_semaphore_release(mp_child_semaphore(self, 1), 1));
    CHECK_OK(mp_rlock_release(mp_child_rlock(self, 0)));
    return 0;
}

TEST(scope, of_rlocks_and_semaphores)
{
    mp_semaphore *s, *no_s = NULL;
    mp_rlock *r, *no_r = NULL;
    int i, inside = 0;

    CHECK_OK(mp_rlock_new(&r, NULL));
    CHECK_OK(mp_semaphore_new(&s, 1, NULL));
    CHECK_INT(by_return_from_both(r, s), 9);
    for (i = 0; i < 4; i++) {
        MP_WITH_RLOCK(r)
            MP_WITH_SEMAPHORE(s) {
                if (i == 1)
                    continue;
                if (i == 2)
                    goto out;
                inside++;
            }
    }
out:
    CHECK_INT(i, 2);
    CHECK_INT(inside, 1);
    CHECK_INT(child_end(CHILD_START(sees_both_free, r, s)), 0);
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_semaphore_free(s));
    MP_WITH_RLOCK(r)
        inside++;
    CHECK_CONTAINS(mp_last_error(), "freed");
    MP_WITH_SEMAPHORE(s)
        inside++;
    CHECK_CONTAINS(mp_last_error(), "freed");
    CHECK_INT(inside, 1);
    CHECK(mp_rlock_enter(NULL) == NULL && mp_semaphore_enter(NULL) == NULL);
    mp_rlock_leave(NULL);
    mp_rlock_leave(&no_r);
    mp_semaphore_leave(NULL);
    mp_semaphore_leave(&no_s);
}

static int dies_inside(mp_child *self, void *user)
{
    CHECK(user == NULL);
    MP_WITH_LOCK(mp_child_lock(self, 0))
        MP_WITH_RLOCK(mp_child_rlock(self, 1))
            raise(SIGKILL);
    return 0;
}

/* Told of a death is told, and not refused. */
TEST(scope, after_a_holders_death)
{
    mp_lock_options lock = MP_LOCK_OPTIONS;
    mp_rlock_options rlock = MP_RLOCK_OPTIONS;
    bool l_told = false, r_told = false;
    mp_rlock *r;
    mp_lock *l;

    lock.report_owner_death = rlock.report_owner_death = true;
    CHECK_OK(mp_lock_new(&l, &lock));
    CHECK_OK(mp_rlock_new(&r, &rlock));
    CHECK_INT(child_end(CHILD_START(dies_inside, l, r)), -SIGKILL);
    MP_WITH_LOCK(l)
        MP_WITH_RLOCK(r) {
            CHECK_OK(mp_lock_recovered(l, &l_told));
            CHECK_OK(mp_rlock_recovered(r, &r_told));
        }
    CHECK(l_told && r_told);
    CHECK(!held(l));
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_lock_free(l));
}
