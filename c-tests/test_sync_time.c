/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Waits that a living process ends: with a limit, and without one under signals. */
#include "test_condition.h"

enum { WAITS = 1, HOLDS, ENDS };

/* ---- a limit that is not reached ---- */

static int wants_lock(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);

    CHECK(l != NULL && user == NULL);
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    flag_set(mp_child_value(self, 1), WAITS);
    CHECK_OK(mp_lock_acquire(l, MP_SEC(20)));
    CHECK_INT(flag_get(mp_child_value(self, 1)), ENDS);
    CHECK_OK(mp_lock_release(l));
    return 0;
}

static int wants_rlock(mp_child *self, void *user)
{
    mp_rlock *r = mp_child_rlock(self, 0);

    CHECK(r != NULL && user == NULL);
    CHECK_STATUS(mp_rlock_acquire(r, MP_NO_WAIT), MP_ERR_TIMEOUT);
    flag_set(mp_child_value(self, 1), WAITS);
    CHECK_OK(mp_rlock_acquire(r, MP_SEC(20)));
    CHECK_INT(flag_get(mp_child_value(self, 1)), ENDS);
    CHECK_OK(mp_rlock_release(r));
    return 0;
}

static int wants_slot(mp_child *self, void *user)
{
    mp_semaphore *s = mp_child_semaphore(self, 0);

    CHECK(s != NULL && user == NULL);
    CHECK_STATUS(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    flag_set(mp_child_value(self, 1), WAITS);
    CHECK_OK(mp_semaphore_acquire(s, MP_SEC(20)));
    CHECK_INT(flag_get(mp_child_value(self, 1)), ENDS);
    CHECK_OK(mp_semaphore_release(s, 1));
    return 0;
}

/* Until the child waits, and probably sleeps. The flag then says that it may end. */
static void let_it_wait(mp_value *flag)
{
    flag_wait(flag, WAITS);
    sleep_ms(20);
    flag_set(flag, ENDS);
}

TEST(lock, released_within_the_limit)
{
    mp_lock *l = lock_new();
    mp_value *flag = flag_new();
    mp_process *p;
    int i;

    for (i = 0; i < 5; i++) {
        CHECK_OK(mp_lock_acquire(l, MP_SEC(20)));
        p = CHILD_START(wants_lock, l, flag);
        let_it_wait(flag);
        CHECK_OK(mp_lock_release(l));
        CHECK_INT(child_end(p), 0);
    }
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_lock_free(l));
}

TEST(rlock, released_within_the_limit)
{
    mp_value *flag = flag_new();
    mp_process *p;
    mp_rlock *r;
    int i;

    CHECK_OK(mp_rlock_new(&r, NULL));
    for (i = 0; i < 5; i++) {
        CHECK_OK(mp_rlock_acquire(r, MP_SEC(20)));
        CHECK_OK(mp_rlock_acquire(r, MP_SEC(20)));
        p = CHILD_START(wants_rlock, r, flag);
        flag_wait(flag, WAITS);
        /* Once is not enough. */
        CHECK_OK(mp_rlock_release(r));
        let_it_wait(flag);
        CHECK_OK(mp_rlock_release(r));
        CHECK_INT(child_end(p), 0);
    }
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_rlock_free(r));
}

/* With and without a list of who has the slots. */
static void slot_comes_back(bool give_back)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_value *flag = flag_new();
    mp_semaphore *s;
    mp_process *p;
    int i;

    o.give_back = give_back;
    CHECK_OK(mp_semaphore_new(&s, 1, &o));
    for (i = 0; i < 5; i++) {
        CHECK_OK(mp_semaphore_acquire(s, MP_SEC(20)));
        p = CHILD_START(wants_slot, s, flag);
        let_it_wait(flag);
        CHECK_OK(mp_semaphore_release(s, 1));
        CHECK_INT(child_end(p), 0);
    }
    CHECK_OK(mp_semaphore_free(s));
    CHECK_OK(mp_value_free(flag));
}

TEST(semaphore, released_within_the_limit)
{
    slot_comes_back(false);
    slot_comes_back(true);
}

/* ---- no limit, and a signal every few milliseconds ---- */

/* What this process waits for comes only after it has waited some time; the flag then says so. */
static void lets_the_alarms_ring(mp_value *flag)
{
    flag_wait(flag, WAITS);
    sleep_ms(100);
    flag_set(flag, ENDS);
}

static void wait_begins(mp_value *flag)
{
    alarms_start();
    flag_set(flag, WAITS);
}

static void wait_ended(mp_value *flag)
{
    CHECK_INT(flag_get(flag), ENDS);
    CHECK(alarms_stop() > 0);
}

static int releases_late(mp_child *self, void *user)
{
    mp_rlock *r = mp_child_rlock(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    flag_set(mp_child_value(self, 1), HOLDS);
    lets_the_alarms_ring(mp_child_value(self, 1));
    CHECK_OK(mp_rlock_release(r));
    return 0;
}

TEST(rlock, signals_do_not_end_a_wait)
{
    mp_value *flag = flag_new();
    mp_process *p;
    mp_rlock *r;

    CHECK_OK(mp_rlock_new(&r, NULL));
    p = CHILD_START(releases_late, r, flag);
    flag_wait(flag, HOLDS);
    wait_begins(flag);
    CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    wait_ended(flag);
    CHECK_OK(mp_rlock_release(r));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_value_free(flag));
}

static int sets_late(mp_child *self, void *user)
{
    CHECK(user == NULL);
    lets_the_alarms_ring(mp_child_value(self, 1));
    CHECK_OK(mp_event_set(mp_child_event(self, 0)));
    return 0;
}

TEST(event, signals_do_not_end_a_wait)
{
    mp_value *flag = flag_new();
    mp_process *p;
    mp_event *e;

    CHECK_OK(mp_event_new(&e, NULL));
    p = CHILD_START(sets_late, e, flag);
    wait_begins(flag);
    CHECK_OK(mp_event_wait(e, MP_FOREVER));
    wait_ended(flag);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_event_free(e));
    CHECK_OK(mp_value_free(flag));
}

static int notifies_late(mp_child *self, void *user)
{
    CHECK(user == NULL);
    lets_the_alarms_ring(mp_child_value(self, 1));
    condition_notify(mp_child_condition(self, 0), 1);
    return 0;
}

TEST(condition, signals_do_not_end_a_wait)
{
    mp_condition *c = condition_new();
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(notifies_late, c, flag);

    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    wait_begins(flag);
    CHECK_OK(mp_condition_wait(c, MP_FOREVER));
    wait_ended(flag);
    CHECK_OK(mp_condition_release(c));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_condition_free(c));
    CHECK_OK(mp_value_free(flag));
}

static int comes_late(mp_child *self, void *user)
{
    CHECK(user == NULL);
    lets_the_alarms_ring(mp_child_value(self, 1));
    CHECK_OK(mp_barrier_wait(mp_child_barrier(self, 0), MP_FOREVER, NULL));
    return 0;
}

TEST(barrier, signals_do_not_end_a_wait)
{
    mp_value *flag = flag_new();
    mp_process *p;
    mp_barrier *b;

    CHECK_OK(mp_barrier_new(&b, 2, NULL));
    p = CHILD_START(comes_late, b, flag);
    wait_begins(flag);
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    wait_ended(flag);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_barrier_free(b));
    CHECK_OK(mp_value_free(flag));
}
