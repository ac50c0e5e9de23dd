/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Conditions and time: notified before the deadline, the lock held beyond it, and limits of every kind. */
#include "test_condition.h"

#include <pthread.h>

/* ---- a deadline while somebody else holds the lock ---- */

/* The longest of the times that are tried. */
static const int64_t LONGEST = MP_MS(50 << 6);

static void sleep_until(int64_t when)
{
    while (now_ns() < when)
        sleep_ms(5);
}

/* Waits for condition 0 for the time in value 1, with the time when it began in value 2. 0: it was notified; 5: the
 * time was over. */
static int waits_its_time(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);
    int64_t timeout = flag_get(mp_child_value(self, 1));
    int status;

    CHECK(c != NULL && user == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    flag_set(mp_child_value(self, 2), now_ns());
    flag_set(mp_child_value(self, 3), 1);
    status = CHECK_CLEAN(mp_condition_wait(c, timeout));
    CHECK(status == MP_OK || status == MP_ERR_TIMEOUT);
    CHECK_OK(mp_condition_release(c));
    return status == MP_OK ? 0 : 5;
}

/* Whether the notification was in time; one that was must be what the wait came to. */
static bool notified_in_time(mp_condition *c, int64_t timeout)
{
    mp_value *limit = flag_new(), *began = flag_new(), *there = flag_new();
    mp_process *p;
    int64_t deadline;
    int code;
    bool in_time;

    flag_set(limit, timeout);
    p = CHILD_START(waits_its_time, c, limit, began, there);
    flag_wait(there, 1);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_notify(c, 1));
    deadline = flag_get(began) + timeout;
    in_time = now_ns() < deadline;
    sleep_until(deadline + MP_MS(30));
    CHECK_OK(mp_condition_release(c));
    code = child_end(p);
    CHECK(code == 0 || code == 5);
    if (in_time)
        CHECK_INT(code, 0);
    CHECK_OK(mp_value_free(limit));
    CHECK_OK(mp_value_free(began));
    CHECK_OK(mp_value_free(there));
    return in_time;
}

/* Where the machine was too slow to notify in time it is tried again with more time. */
static void is_notified_in_time(mp_condition *c)
{
    int64_t timeout = MP_MS(50);

    while (!notified_in_time(c, timeout))
        if ((timeout *= 2) > LONGEST)
            SKIP("the machine is too slow");
}

TEST(condition, notified_in_time_and_the_lock_came_late)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    mp_condition *c = condition_new();

    is_notified_in_time(c);
    CHECK_OK(mp_condition_free(c));
    o.lock = lock_new();
    CHECK_OK(mp_condition_new(&c, &o));
    is_notified_in_time(c);
    CHECK_OK(mp_condition_free(c));
    CHECK_OK(mp_lock_free(o.lock));
}

/* Who notifies and then waits itself does not take the notification from the other. */
TEST(condition, notifier_waits_at_once)
{
    mp_condition *c = condition_new();
    mp_value *notified = flag_new();
    int round;

    for (round = 1; round <= 5; round++) {
        mp_process *p = CHILD_START(condition_waits, c, notified);

        condition_await(c, 1);
        CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
        CHECK_OK(mp_condition_notify(c, 1));
        CHECK_STATUS(mp_condition_wait(c, MP_MS(50)), MP_ERR_TIMEOUT);
        CHECK_OK(mp_condition_release(c));
        CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
        CHECK_INT(child_end(p), 0);
        CHECK_INT(flag_get(notified), round);
    }
    CHECK_OK(mp_value_free(notified));
    CHECK_OK(mp_condition_free(c));
}

enum { NOT_YET, HOLDS, RELEASED };

/* What the lock guards. */
typedef struct late {
    mp_condition *c;
    int state;
    int64_t began, got;
} late;

static void *holds_on(void *arg)
{
    late *l = arg;

    CHECK_OK(mp_condition_acquire(l->c, MP_FOREVER));
    l->got = now_ns();
    l->state = HOLDS;
    sleep_until(l->got + MP_MS(200));
    l->state = RELEASED;
    CHECK_OK(mp_condition_release(l->c));
    return NULL;
}

/* Whether the other thread had the lock before the time was over. */
static bool held_past_the_end(mp_condition *c, int64_t timeout)
{
    late l = {c, NOT_YET, 0, 0};
    pthread_t thread;
    char text[96];
    bool in_time;
    int i;

    for (i = 0; i < 3; i++)
        CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK(pthread_create(&thread, NULL, holds_on, &l) == 0);
    l.began = now_ns();
    CHECK_STATUS(mp_condition_wait(c, timeout), MP_ERR_TIMEOUT);
    CHECK(now_ns() - l.began >= timeout);
    CHECK(l.state != HOLDS);
    in_time = l.state == RELEASED && l.got < l.began + timeout;
    if (in_time)
        CHECK(now_ns() - l.got >= MP_MS(200));
    CHECK_OK(mp_condition_describe(c, text, sizeof text, NULL));
    CHECK_CONTAINS(text, "(MainProcess, 3)>, 0)>");
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_condition_release(c));
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK(pthread_join(thread, NULL) == 0);
    return in_time;
}

TEST(condition, timeout_while_the_lock_is_held)
{
    mp_condition *c = condition_new();
    int64_t timeout = MP_MS(50);

    /* The thread must have the lock in time, or there is nothing to see. */
    while (!held_past_the_end(c, timeout))
        if ((timeout *= 2) > LONGEST)
            SKIP("the machine is too slow");
    CHECK_OK(mp_condition_free(c));
}

/* ---- wait_for ---- */

static bool is_set(mp_condition *c, void *flag)
{
    CHECK(c != NULL);
    return flag_get(flag) == 1;
}

static bool is_never(mp_condition *c, void *asked)
{
    CHECK(c != NULL);
    ++*(int *)asked;
    return false;
}

static int makes_it_true(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);

    CHECK(user == NULL);
    condition_await(c, 1);
    /* The first one changes nothing. */
    condition_notify(c, 1);
    condition_await(c, 1);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    flag_set(mp_child_value(self, 1), 1);
    CHECK_OK(mp_condition_notify(c, 1));
    CHECK_OK(mp_condition_release(c));
    return 0;
}

TEST(condition, wait_for_with_a_limit)
{
    mp_condition *c = condition_new();
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(makes_it_true, c, flag);

    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_wait_for(c, is_set, flag, MP_SEC(20)));
    CHECK_INT(flag_get(flag), 1);
    CHECK_OK(mp_condition_release(c));
    CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_condition_free(c));
}

typedef struct bell {
    mp_condition *c;
    mp_value *over;
} bell;

static void *notifies_until_it_is_over(void *arg)
{
    bell *b = arg;

    while (flag_get(b->over) == 0) {
        condition_notify(b->c, 1);
        sleep_ms(10);
    }
    return NULL;
}

/* The time is for all waits together: were it each one's, this would never end. */
TEST(condition, notifications_do_not_lengthen_wait_for)
{
    bell b = {condition_new(), flag_new()};
    pthread_t thread;
    int64_t before;
    int asked = 0;

    CHECK(pthread_create(&thread, NULL, notifies_until_it_is_over, &b) == 0);
    CHECK_OK(mp_condition_acquire(b.c, MP_FOREVER));
    before = now_ns();
    CHECK_STATUS(mp_condition_wait_for(b.c, is_never, &asked, MP_MS(150)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(150));
    CHECK(asked >= 2);
    CHECK_OK(mp_condition_release(b.c));
    flag_set(b.over, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_value_free(b.over));
    CHECK_OK(mp_condition_free(b.c));
}
