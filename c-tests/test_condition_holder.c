/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Conditions whose lock somebody else holds: who may wait and notify. */
#include "test_condition.h"

#include <pthread.h>

/* For calls that must not come so far as to ask. */
static bool is_not_asked(mp_condition *c, void *user)
{
    (void)c;
    (void)user;
    check_failed(__FILE__, __LINE__, "is_not_asked", "the predicate was asked");
    return true;
}

static void may_do_nothing(mp_condition *c)
{
    CHECK_STATUS(mp_condition_wait(c, MP_NO_WAIT), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_wait(c, MP_MS(20)), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_wait(c, MP_FOREVER), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_wait_for(c, is_not_asked, NULL, MP_NO_WAIT), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_wait_for(c, is_not_asked, NULL, MP_FOREVER), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_notify(c, 0), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_notify(c, 1), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_notify_all(c), MP_ERR_NOT_OWNER);
}

static mp_condition *condition_over(mp_lock *l)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    mp_condition *c;

    o.lock = l;
    CHECK_OK(mp_condition_new(&c, &o));
    return c;
}

static void *notifies_as_another_thread(void *c)
{
    CHECK_OK(mp_condition_notify(c, 1));
    return NULL;
}

enum { HOLDS = 1, GO_ON };

/* Holds the lock of condition 0 until value 1 says so; another thread notifies meanwhile. */
static int holds_and_notifies(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);
    mp_value *step = mp_child_value(self, 1);
    pthread_t thread;

    CHECK(c != NULL && user == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    flag_set(step, HOLDS);
    flag_wait(step, GO_ON);
    CHECK(pthread_create(&thread, NULL, notifies_as_another_thread, c) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_condition_release(c));
    return 0;
}

/* A lock is its process's: its other threads may notify, and other processes may not. */
TEST(condition, lock_of_another_process)
{
    mp_lock *l = lock_new();
    mp_condition *c = condition_over(l);
    mp_value *notified = flag_new(), *step = flag_new();
    mp_process *waiter = CHILD_START(condition_waits, c, notified), *holder;

    condition_await(c, 1);
    holder = CHILD_START(holds_and_notifies, c, step);
    flag_wait(step, HOLDS);
    may_do_nothing(c);
    CHECK_INT(flag_get(notified), 0);
    flag_set(step, GO_ON);
    CHECK_INT(child_end(waiter), 0);
    CHECK_INT(flag_get(notified), 1);
    CHECK_INT(child_end(holder), 0);
    CHECK_OK(mp_value_free(step));
    CHECK_OK(mp_value_free(notified));
    CHECK_OK(mp_condition_free(c));
    CHECK_OK(mp_lock_free(l));
}

static void *may_do_nothing_as_a_thread(void *c)
{
    may_do_nothing(c);
    return NULL;
}

/* An RLock is its thread's. */
TEST(condition, rlock_of_another_thread)
{
    mp_condition *c = condition_new();
    mp_value *notified = flag_new();
    mp_process *waiter = CHILD_START(condition_waits, c, notified);
    pthread_t thread;

    condition_await(c, 1);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK(pthread_create(&thread, NULL, may_do_nothing_as_a_thread, c) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(flag_get(notified), 0);
    CHECK_OK(mp_condition_notify(c, 1));
    CHECK_OK(mp_condition_release(c));
    CHECK_INT(child_end(waiter), 0);
    CHECK_OK(mp_value_free(notified));
    CHECK_OK(mp_condition_free(c));
}

/* ---- limits below zero try once ---- */

static const int64_t NEGATIVE[] = {-1, INT64_MIN};

static void *gets_nothing(void *c)
{
    size_t i;

    for (i = 0; i < COUNT(NEGATIVE); i++)
        CHECK_STATUS(mp_condition_acquire(c, NEGATIVE[i]), MP_ERR_TIMEOUT);
    return NULL;
}

static bool is_answered(mp_condition *c, void *answer)
{
    CHECK(c != NULL);
    return *(bool *)answer;
}

static void tries_once(mp_condition *c)
{
    bool yes = true, no = false;
    pthread_t thread;
    size_t i;

    for (i = 0; i < COUNT(NEGATIVE); i++) {
        CHECK_OK(mp_condition_acquire(c, NEGATIVE[i]));
        CHECK_STATUS(mp_condition_wait(c, NEGATIVE[i]), MP_ERR_TIMEOUT);
        CHECK_STATUS(mp_condition_wait_for(c, is_answered, &no, NEGATIVE[i]), MP_ERR_TIMEOUT);
        CHECK_OK(mp_condition_wait_for(c, is_answered, &yes, NEGATIVE[i]));
        CHECK(pthread_create(&thread, NULL, gets_nothing, c) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_OK(mp_condition_release(c));
        CHECK_FAILS(mp_condition_release(c));
    }
}

TEST(condition, negative_limits)
{
    mp_lock *l = lock_new();
    mp_condition *c = condition_new();

    tries_once(c);
    CHECK_OK(mp_condition_free(c));
    c = condition_over(l);
    tries_once(c);
    CHECK_OK(mp_condition_free(c));
    CHECK_OK(mp_lock_free(l));
}
