/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managed conditions. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>

enum { SLEEPERS = 3 };

static mp_status wait_for(const mp_proxy *c, mp_timeout timeout)
{
    return mp_proxy_call(c, "wait", NULL, 0, NULL, timeout);
}

/* Argument 0: a condition; 1: a dict, where "ready" says what is there, and "taken" who took it. */
static int takes_one(mp_child *self, void *user)
{
    mp_proxy *c = mp_child_proxy(self, 0), *d = mp_child_proxy(self, 1);
    int64_t ready;

    CHECK(user == NULL);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    for (;;) {
        CHECK_OK(mp_proxy_get_int(d, TEXT("ready"), &ready));
        if (ready > 0)
            break;
        CHECK_OK(wait_for(c, MP_FOREVER));
    }
    CHECK_OK(mp_proxy_set(d, TEXT("ready"), INT(ready - 1)));
    CHECK_OK(mp_proxy_fetch_add(d, TEXT("taken"), 1, NULL));
    CHECK_OK(mp_proxy_release(c));
    return 0;
}

/* Without a lock, with one, and with an RLock. */
static mp_proxy *condition_new(mp_manager *m, const char *lock)
{
    mp_proxy *l = NULL, *c;
    mp_item item;

    if (lock == NULL)
        return object_new(m, "Condition");
    l = object_new(m, lock);
    item = mp_item_proxy(l);
    CHECK_OK(mp_manager_create(m, &c, "Condition", &item, 1));
    CHECK_OK(mp_proxy_free(l));
    return c;
}

static void notifies(const char *lock)
{
    mp_manager *m = manager_new();
    mp_proxy *c = condition_new(m, lock), *d = object_new(m, "dict");
    mp_process *children[SLEEPERS];
    int64_t taken;
    int i;

    CHECK_STATUS(wait_for(c, MP_FOREVER), MP_ERR_NOT_OWNER);
    CHECK_INT(CALL(c, "notify", MP_NO_WAIT, INT(1)), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_proxy_call(c, "notify_all", NULL, 0, NULL, 0), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_proxy_set(d, TEXT("ready"), INT(0)));
    for (i = 0; i < SLEEPERS; i++)
        children[i] = CHILD_START(takes_one, c, d);
    wait_for_waiting(m, SLEEPERS);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_OK(mp_proxy_set(d, TEXT("ready"), INT(1)));
    CHECK_CALL0(c, "", "notify");
    check_str(c, "<Condition, 2 waiting>");
    /* It cannot go on before the lock is free. */
    CHECK(mp_proxy_get_int(d, TEXT("taken"), &taken) == MP_ERR_NOT_FOUND);
    CHECK_CALL0(c, "true", "locked");
    CHECK_OK(mp_proxy_release(c));
    wait_for_waiting(m, SLEEPERS - 1);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_OK(mp_proxy_get_int(d, TEXT("taken"), &taken));
    CHECK_INT(taken, 1);
    CHECK_OK(mp_proxy_set(d, TEXT("ready"), INT(SLEEPERS - 1)));
    CHECK_CALL0(c, "", "notify_all");
    check_str(c, "<Condition, 0 waiting>");
    CHECK_OK(mp_proxy_release(c));
    for (i = 0; i < SLEEPERS; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_proxy_free(d));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, condition)
{
    notifies(NULL);
    notifies("Lock");
    notifies("RLock");
}

static void *has_it_a_while(void *c)
{
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_OK(mp_proxy_release(c));
    return NULL;
}

/* Whoever waits in vain has the lock again, as often as before, and nobody had it meanwhile but who was let. */
TEST(manager, condition_too_late)
{
    mp_manager *m = manager_new();
    mp_proxy *c = object_new(m, "Condition"), *wrong;
    mp_item item;
    pthread_t thread;
    int i;

    item = mp_item_proxy(c);
    CHECK_STATUS(mp_manager_create(m, &wrong, "Condition", &item, 1), MP_ERR_INVALID);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_proxy_acquire(c, MP_NO_WAIT));
    CHECK_STATUS(wait_for(c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK(pthread_create(&thread, NULL, has_it_a_while, c) == 0);
    wait_for_waiting(m, 1);
    CHECK_SENTENCE(wait_for(c, MP_MS(30)), MP_ERR_TIMEOUT, "not notified");
    CHECK(pthread_join(thread, NULL) == 0);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_proxy_release(c));
    CHECK_STATUS(mp_proxy_release(c), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_proxy_free(c));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

/* Argument 0: a condition; 1: a flag. It has to be killed, with the lock. */
static int waits_and_keeps(mp_child *self, void *user)
{
    mp_proxy *c = mp_child_proxy(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_OK(wait_for(c, MP_FOREVER));
    flag_set(mp_child_value(self, 1), 1);
    flag_wait(mp_child_value(self, 1), 2);
    return 0;
}

static void holder_killed(const char *lock)
{
    mp_manager *m = manager_new();
    mp_proxy *c = condition_new(m, lock);
    mp_value *flag = flag_new();
    mp_process *child = CHILD_START(waits_and_keeps, c, flag);

    wait_for_waiting(m, 1);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_CALL0(c, "", "notify");
    /* The lock goes to the child, which dies with it. */
    CHECK_OK(mp_proxy_release(c));
    flag_wait(flag, 1);
    CHECK_STATUS(mp_proxy_acquire(c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(mp_proxy_acquire(c, MP_FOREVER), MP_OWNER_DIED);
    CHECK_INT(child_end(child), -SIGKILL);
    CHECK_OK(mp_proxy_release(c));
    CHECK_OK(mp_proxy_acquire(c, MP_NO_WAIT));
    CHECK_OK(mp_proxy_release(c));
    CHECK_OK(mp_proxy_free(c));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, condition_holder_killed)
{
    holder_killed(NULL);
    holder_killed("Lock");
    holder_killed("RLock");
}

/* A dead one that sleeps counts for nobody; one that was notified passes it on. */
static void waiter_killed(const char *lock)
{
    mp_manager *m = manager_new();
    mp_proxy *c = condition_new(m, lock), *d = object_new(m, "dict");
    mp_value *flag = flag_new();
    mp_process *asleep, *notified, *last;

    CHECK_OK(mp_proxy_set(d, TEXT("ready"), INT(0)));
    asleep = CHILD_START(waits_and_keeps, c, flag);
    wait_for_waiting(m, 1);
    notified = CHILD_START(waits_and_keeps, c, flag);
    wait_for_waiting(m, 2);
    last = CHILD_START(takes_one, c, d);
    wait_for_waiting(m, 3);
    CHECK_OK(mp_process_kill(asleep));
    CHECK_INT(child_end(asleep), -SIGKILL);
    wait_for_waiting(m, 2);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_OK(mp_proxy_set(d, TEXT("ready"), INT(1)));
    CHECK_CALL(c, "", "notify", INT(1));
    check_str(c, "<Condition, 1 waiting>");
    CHECK_OK(mp_process_kill(notified));
    CHECK_INT(child_end(notified), -SIGKILL);
    wait_for_waiting(m, 1);
    check_str(c, "<Condition, 0 waiting>");
    CHECK_OK(mp_proxy_release(c));
    CHECK_INT(child_end(last), 0);
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, condition_waiter_killed)
{
    waiter_killed(NULL);
    waiter_killed("Lock");
    waiter_killed("RLock");
}
