/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * MP_WITH_LOCK and its kin: held inside the braces, free behind them, whatever leads there. */
#include "test_util.h"

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
