/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Conditions while everybody lives. */
#include "test_condition.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

mp_condition *condition_new(void)
{
    mp_condition *c;

    CHECK_OK(mp_condition_new(&c, NULL));
    return c;
}

typedef struct crowd {
    mp_condition *c;
    int n;
} crowd;

/* The number of those who wait is the last one of the text. */
static bool so_many_wait(void *arg)
{
    crowd *w = arg;
    char text[96], want[32];

    snprintf(want, sizeof want, ", %d)>", w->n);
    CHECK_OK(mp_condition_describe(w->c, text, sizeof text, NULL));
    return strlen(text) > strlen(want) && strcmp(text + strlen(text) - strlen(want), want) == 0;
}

void condition_await(mp_condition *c, int n)
{
    crowd w = {c, n};

    CHECK(wait_until(so_many_wait, &w));
}

void condition_notify(mp_condition *c, size_t n)
{
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_notify(c, n));
    CHECK_OK(mp_condition_release(c));
}

int condition_waits(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);

    CHECK(c != NULL && user == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_wait(c, MP_FOREVER));
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, NULL));
    CHECK_OK(mp_condition_release(c));
    return 0;
}

static void check_text(mp_condition *c, const char *want)
{
    char text[96];

    CHECK_OK(mp_condition_describe(c, text, sizeof text, NULL));
    if (strcmp(text, want) != 0)
        check_failed(__FILE__, __LINE__, want, text);
}

static void *tries_in_a_thread(void *c)
{
    bool yes = false;

    CHECK_STATUS(mp_condition_acquire(c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_wait(c, MP_FOREVER), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_notify(c, 1), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_notify_all(c), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_condition_locked(c, &yes));
    CHECK(yes);
    check_text(c, "<Condition(<RLock(SomeOtherThread, nonzero)>, 0)>");
    return NULL;
}

TEST(condition, lock_of_its_own)
{
    mp_condition *c = condition_new();
    pthread_t thread;
    bool yes = true;
    size_t needed = 0;
    char text[8] = "xxxxxxx";

    CHECK_OK(mp_condition_locked(c, &yes));
    CHECK(!yes);
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_wait(c, MP_NO_WAIT), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_notify(c, 0), MP_ERR_NOT_OWNER);
    check_text(c, "<Condition(<RLock(None, 0)>, 0)>");
    CHECK_OK(mp_condition_acquire(c, MP_NO_WAIT));
    check_text(c, "<Condition(<RLock(MainProcess, 1)>, 0)>");
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    check_text(c, "<Condition(<RLock(MainProcess, 2)>, 0)>");
    CHECK(pthread_create(&thread, NULL, tries_in_a_thread, c) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_condition_recovered(c, &yes));
    CHECK(!yes);
    CHECK_OK(mp_condition_release(c));
    CHECK_OK(mp_condition_release(c));
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_describe(c, text, sizeof text, &needed), MP_ERR_TOO_SMALL);
    CHECK_INT(needed, strlen("<Condition(<RLock(None, 0)>, 0)>") + 1);
    CHECK(text[0] == 'x');
    CHECK_OK(mp_condition_free(c));
}

/* Nobody is there: nothing happens, and nothing is remembered. */
TEST(condition, notification_without_a_waiter_is_lost)
{
    mp_condition *c = condition_new();

    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_notify(c, 3));
    CHECK_OK(mp_condition_notify_all(c));
    CHECK_STATUS(mp_condition_wait(c, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_condition_wait(c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_condition_release(c));
    CHECK_OK(mp_condition_free(c));
}

TEST(condition, timeout_waits_its_time)
{
    static const int64_t waits[] = {1, 1000000, 20000000, 130000000, 250000001};
    mp_condition *c = condition_new();
    size_t i;

    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    alarms_start();
    for (i = 0; i < COUNT(waits); i++) {
        int64_t before = now_ns();

        CHECK_STATUS(mp_condition_wait(c, waits[i]), MP_ERR_TIMEOUT);
        CHECK(now_ns() - before >= waits[i]);
        check_text(c, "<Condition(<RLock(MainProcess, 1)>, 0)>");
    }
    CHECK(alarms_stop() > 1);
    CHECK_OK(mp_condition_release(c));
    CHECK_OK(mp_condition_free(c));
}

static void *notifies_when_it_can(void *c)
{
    condition_await(c, 1);
    condition_notify(c, 1);
    return NULL;
}

/* An RLock held three times is free meanwhile, and held three times again. */
TEST(condition, any_depth)
{
    mp_condition *c = condition_new();
    pthread_t thread;
    int i;

    for (i = 0; i < 3; i++)
        CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK(pthread_create(&thread, NULL, notifies_when_it_can, c) == 0);
    CHECK_OK(mp_condition_wait(c, MP_FOREVER));
    CHECK(pthread_join(thread, NULL) == 0);
    check_text(c, "<Condition(<RLock(MainProcess, 3)>, 0)>");
    CHECK_STATUS(mp_condition_wait(c, MP_MS(1)), MP_ERR_TIMEOUT);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_condition_release(c));
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_condition_free(c));
}

TEST(condition, over_a_lock)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    uint64_t blocks = stats_now().blocks;
    mp_lock *l = lock_new();
    mp_condition *c;
    pthread_t thread;

    o.lock = l;
    CHECK_OK(mp_condition_new(&c, &o));
    check_text(c, "<Condition(<Lock(owner=None)>, 0)>");
    CHECK_STATUS(mp_condition_wait(c, MP_NO_WAIT), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_notify(c, 1), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_release(c), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    check_text(c, "<Condition(<Lock(owner=MainProcess)>, 0)>");
    CHECK_STATUS(mp_condition_acquire(c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK(pthread_create(&thread, NULL, notifies_when_it_can, c) == 0);
    CHECK_OK(mp_condition_wait(c, MP_FOREVER));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_condition_release(c));
    /* The condition keeps its lock. */
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_condition_acquire(c, MP_NO_WAIT));
    CHECK_STATUS(mp_condition_wait(c, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_condition_release(c));
    CHECK_OK(mp_condition_free(c));
    CHECK_INT(stats_now().blocks, blocks);
}

TEST(condition, over_an_rlock)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    mp_condition *c, *other;
    mp_rlock *l;

    CHECK_OK(mp_rlock_new(&l, NULL));
    o.rlock = l;
    CHECK_OK(mp_condition_new(&c, &o));
    /* Two conditions, one lock. */
    CHECK_OK(mp_condition_new(&other, &o));
    CHECK_OK(mp_rlock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_condition_notify(c, 1));
    CHECK_OK(mp_condition_acquire(other, MP_NO_WAIT));
    CHECK_STATUS(mp_condition_wait(other, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_condition_release(c));
    CHECK_OK(mp_condition_release(other));
    CHECK_STATUS(mp_rlock_release(l), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_condition_free(c));
    CHECK_OK(mp_condition_free(other));
    CHECK_OK(mp_rlock_free(l));
}

TEST(condition, both_locks_given)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    mp_condition *c;

    o.lock = lock_new();
    CHECK_OK(mp_rlock_new(&o.rlock, NULL));
    CHECK_STATUS(mp_condition_new(&c, &o), MP_ERR_INVALID);
    CHECK_OK(mp_lock_free(o.lock));
    CHECK_OK(mp_rlock_free(o.rlock));
    o.lock = NULL;
    CHECK_STATUS(mp_condition_new(&c, &o), MP_ERR_BAD_HANDLE);
}

/* ---- wait_for ---- */

static int asked;

static bool third_time(mp_condition *c, void *user)
{
    bool yes = false;

    CHECK_OK(mp_condition_locked(c, &yes));
    CHECK(yes);
    return ++asked == *(int *)user;
}

static void *notifies_twice(void *c)
{
    notifies_when_it_can(c);
    notifies_when_it_can(c);
    return NULL;
}

TEST(condition, wait_for)
{
    mp_condition *c = condition_new();
    pthread_t thread;
    int third = 3, never = 0, first = 1, second = 2;
    int64_t before;

    CHECK_STATUS(mp_condition_wait_for(c, third_time, &first, MP_NO_WAIT), MP_ERR_NOT_OWNER);
    CHECK_INT(asked, 0);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_STATUS(mp_condition_wait_for(c, NULL, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_OK(mp_condition_wait_for(c, third_time, &first, MP_NO_WAIT));
    asked = 0;
    CHECK(pthread_create(&thread, NULL, notifies_twice, c) == 0);
    CHECK_OK(mp_condition_wait_for(c, third_time, &third, MP_FOREVER));
    CHECK_INT(asked, 3);
    CHECK(pthread_join(thread, NULL) == 0);
    /* Asked a last time when the time is over. */
    asked = 0;
    CHECK_OK(mp_condition_wait_for(c, third_time, &second, MP_MS(5)));
    asked = 0;
    before = now_ns();
    CHECK_STATUS(mp_condition_wait_for(c, third_time, &never, MP_MS(80)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(80));
    CHECK_INT(asked, 2);
    CHECK_OK(mp_condition_release(c));
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_condition_free(c));
}

/* ---- handing it on ---- */

static int notifies_parent(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);

    CHECK(c != NULL && user == NULL && mp_child_condition(self, 1) == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_notify_all(c));
    CHECK_OK(mp_condition_release(c));
    return 0;
}

/* The parent's lock is free only when it waits, so the child cannot be too early. */
TEST(condition, argument_of_a_child)
{
    mp_condition *c = condition_new();
    mp_value *v = flag_new();
    mp_process *p;

    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    p = CHILD_START(notifies_parent, c, v);
    CHECK_OK(mp_condition_wait(c, MP_FOREVER));
    CHECK_OK(mp_condition_release(c));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_condition_free(c));
}

static int is_not_the_holder(void *c)
{
    CHECK_STATUS(mp_condition_notify(c, 1), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_condition_acquire(c, MP_MS(20)), MP_ERR_TIMEOUT);
    check_text(c, "<Condition(<RLock(SomeOtherProcess, nonzero)>, 0)>");
    return 0;
}

TEST(condition, inherited_through_plain_fork)
{
    mp_condition *c = condition_new();

    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_INT(in_fork(is_not_the_holder, c), 0);
    CHECK_OK(mp_condition_release(c));
    CHECK_OK(mp_condition_free(c));
}

#ifdef MP_WITH_CONDITION
static int leaves_early(mp_condition *c)
{
    MP_WITH_CONDITION(c) {
        MP_WITH_CONDITION(c)
            return 7;
    }
    return 8;
}

TEST(condition, scope)
{
    mp_condition *c = condition_new();
    bool yes = true;

    CHECK_INT(leaves_early(c), 7);
    CHECK_OK(mp_condition_locked(c, &yes));
    CHECK(!yes);
    MP_WITH_CONDITION(c)
        CHECK_OK(mp_condition_notify(c, 1));
    CHECK_INT(leaves_early(NULL), 8);
    CHECK_OK(mp_condition_free(c));
}
#endif
