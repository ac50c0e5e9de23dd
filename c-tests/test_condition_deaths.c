/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Conditions whose waiters, notifiers and holders are killed. */
#include "test_condition.h"

#include <signal.h>
#include <unistd.h>

static mp_process *start_waiter(mp_condition *c, mp_value *count, int n)
{
    mp_process *p = CHILD_START(condition_waits, c, count);

    condition_await(c, n);
    return p;
}

/* Killed before anybody notified: it does not count, also where nobody has noticed the death yet. */
TEST(condition, killed_waiter_does_not_count)
{
    int joined;

    for (joined = 0; joined < 2; joined++) {
        mp_condition *c = condition_new();
        mp_value *count = flag_new();
        mp_process *dies = start_waiter(c, count, 1), *first = start_waiter(c, count, 2);
        mp_process *second = start_waiter(c, count, 3);
        pid_t pid = child_pid(dies);

        CHECK(kill(pid, SIGKILL) == 0);
        CHECK(wait_until(gone, &pid));
        if (joined) {
            CHECK_INT(child_end(dies), -SIGKILL);
            condition_await(c, 2);
        }
        condition_notify(c, 1);
        CHECK_INT(child_end(first), 0);
        CHECK_INT(flag_get(count), 1);
        condition_await(c, 1);
        condition_notify(c, 1);
        CHECK_INT(child_end(second), 0);
        CHECK_INT(flag_get(count), 2);
        if (!joined)
            CHECK_INT(child_end(dies), -SIGKILL);
        CHECK_OK(mp_value_free(count));
        CHECK_OK(mp_condition_free(c));
    }
}

/* Notified, and killed before it has the lock again: the next who waited then gets it, and nobody else. */
static void grant_to_a_dead_one(size_t n, bool joined)
{
    mp_condition *c = condition_new();
    mp_value *count = flag_new();
    mp_process *dies = start_waiter(c, count, 1), *next = start_waiter(c, count, 2), *later;
    pid_t pid = child_pid(dies);

    /* The lock is held until it is dead, so it cannot have come back. */
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_notify(c, n));
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(wait_until(gone, &pid));
    CHECK_OK(mp_condition_release(c));
    if (n > 1)
        CHECK_INT(child_end(next), 0);
    /* Without the join it is the sleeper itself that finds the corpse. */
    if (joined)
        CHECK_INT(child_end(dies), -SIGKILL);
    if (n == 1)
        CHECK_INT(child_end(next), 0);
    CHECK_INT(flag_get(count), 1);
    later = start_waiter(c, count, 1);
    if (!joined)
        CHECK_INT(child_end(dies), -SIGKILL);
    sleep_ms(150);
    condition_await(c, 1);
    CHECK_INT(flag_get(count), 1);
    condition_notify(c, 1);
    CHECK_INT(child_end(later), 0);
    CHECK_INT(flag_get(count), 2);
    CHECK_OK(mp_value_free(count));
    CHECK_OK(mp_condition_free(c));
}

TEST(condition, killed_after_the_notification)
{
    grant_to_a_dead_one(1, false);
    grant_to_a_dead_one(1, true);
}

/* All who waited were released: what the dead one does not need is nobody's. */
TEST(condition, killed_after_notify_all)
{
    grant_to_a_dead_one(2, false);
    grant_to_a_dead_one(2, true);
}

static int holds(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    flag_set(mp_child_value(self, 1), 1);
    for (;;)
        pause();
    return 0;
}

static int notifies_and_holds(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_notify(c, 1));
    flag_set(mp_child_value(self, 1), 1);
    for (;;)
        pause();
    return 0;
}

static bool recovered(mp_condition *c)
{
    bool yes;

    CHECK_OK(mp_condition_recovered(c, &yes));
    return yes;
}

TEST(condition, holder_killed)
{
    int report;

    for (report = 0; report < 2; report++) {
        mp_condition_options o = MP_CONDITION_OPTIONS;
        mp_value *flag = flag_new();
        mp_condition *c;
        mp_process *p;

        o.report_owner_death = report == 1;
        CHECK_OK(mp_condition_new(&c, &o));
        p = CHILD_START(holds, c, flag);
        flag_wait(flag, 1);
        CHECK(kill(child_pid(p), SIGKILL) == 0);
        CHECK_STATUS(mp_condition_acquire(c, MP_FOREVER), report ? MP_OWNER_DIED : MP_OK);
        CHECK(recovered(c));
        /* Once, not as often as the dead one had it. */
        CHECK_OK(mp_condition_release(c));
        CHECK_STATUS(mp_condition_release(c), MP_ERR_NOT_OWNER);
        CHECK(!recovered(c));
        CHECK_INT(child_end(p), -SIGKILL);
        CHECK_OK(mp_value_free(flag));
        CHECK_OK(mp_condition_free(c));
    }
}

/* Waits with the lock held as deep as this, and is told about a notifier that dies holding the lock. */
static int waits_for_the_dead(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_STATUS(mp_condition_wait(c, MP_FOREVER), child_number(self, 1));
    CHECK(recovered(c));
    CHECK_OK(mp_condition_release(c));
    CHECK(recovered(c));
    CHECK_OK(mp_condition_release(c));
    CHECK(!recovered(c));
    return 0;
}

TEST(condition, notifier_killed_holding_the_lock)
{
    int report;

    for (report = 0; report < 2; report++) {
        mp_condition_options o = MP_CONDITION_OPTIONS;
        mp_value *flag = flag_new();
        mp_process *waits, *dies;
        mp_condition *c;

        o.report_owner_death = report == 1;
        CHECK_OK(mp_condition_new(&c, &o));
        CHECK_OK(mp_process_new(&waits, waits_for_the_dead, NULL, NULL));
        CHECK_OK(mp_process_add_handle(waits, c));
        child_add_number(waits, report ? MP_OWNER_DIED : MP_OK);
        CHECK_OK(mp_process_start(waits));
        condition_await(c, 1);
        dies = CHILD_START(notifies_and_holds, c, flag);
        flag_wait(flag, 1);
        CHECK(kill(child_pid(dies), SIGKILL) == 0);
        CHECK_INT(child_end(waits), 0);
        CHECK_INT(child_end(dies), -SIGKILL);
        CHECK_OK(mp_value_free(flag));
        CHECK_OK(mp_condition_free(c));
    }
}

/* The holder dies while others wait to be notified: they go on waiting. */
TEST(condition, holder_killed_while_others_wait)
{
    mp_condition *c = condition_new();
    mp_value *flag = flag_new(), *count = flag_new();
    mp_process *waits = start_waiter(c, count, 1), *dies = CHILD_START(holds, c, flag);

    flag_wait(flag, 1);
    CHECK(kill(child_pid(dies), SIGKILL) == 0);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_INT(flag_get(count), 0);
    CHECK_OK(mp_condition_notify(c, 1));
    CHECK_OK(mp_condition_release(c));
    CHECK_INT(child_end(waits), 0);
    CHECK_INT(child_end(dies), -SIGKILL);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_value_free(count));
    CHECK_OK(mp_condition_free(c));
}

static bool held_ok(mp_condition *c, void *user)
{
    (void)c;
    return *(volatile int64_t *)user != 0;
}

/* A wait_for that meets a death on the way tells of it at its end. */
static int waits_for_word(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);
    void *data;

    CHECK(user == NULL);
    CHECK_OK(mp_array_data(mp_child_array(self, 1), &data, NULL));
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_STATUS(mp_condition_wait_for(c, held_ok, data, MP_FOREVER), MP_OWNER_DIED);
    CHECK_OK(mp_condition_release(c));
    return 0;
}

TEST(condition, wait_for_tells_of_a_death)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    mp_value *flag = flag_new();
    mp_process *waits, *dies;
    mp_condition *c;
    mp_array *word;

    o.report_owner_death = true;
    CHECK_OK(mp_condition_new(&c, &o));
    CHECK_OK(mp_array_new(&word, MP_INT64, 1, NULL, NULL));
    waits = CHILD_START(waits_for_word, c, word);
    condition_await(c, 1);
    dies = CHILD_START(notifies_and_holds, c, flag);
    flag_wait(flag, 1);
    CHECK(kill(child_pid(dies), SIGKILL) == 0);
    CHECK_INT(child_end(dies), -SIGKILL);
    condition_await(c, 1);
    CHECK_OK(mp_array_set_int(word, 0, 1));
    condition_notify(c, 1);
    CHECK_INT(child_end(waits), 0);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_array_free(word));
    CHECK_OK(mp_condition_free(c));
}

/* ---- killed anywhere ---- */

enum { HAMMERS = 4, KILLS = 60 };

static int hammers(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);
    mp_value *stop = mp_child_value(self, 1);

    CHECK(user == NULL);
    while (flag_get(stop) == 0) {
        CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
        CHECK_OK(mp_condition_notify(c, 2));
        CHECK_CLEAN(mp_condition_wait(c, MP_MS(3)));
        CHECK_OK(mp_condition_release(c));
    }
    return 0;
}

/* Whoever is killed wherever: the others go on, nobody holds the lock at the end, and nobody is left in the table. */
TEST_T(condition, killed_at_random, 120)
{
    mp_condition *c = condition_new();
    mp_value *stop = flag_new(), *count = flag_new();
    mp_process *children[HAMMERS];
    rng r = rng_new();
    int i;

    for (i = 0; i < HAMMERS; i++)
        children[i] = CHILD_START(hammers, c, stop);
    for (i = 0; i < KILLS; i++) {
        int victim = (int)rng_below(&r, HAMMERS);

        sleep_ms((int64_t)rng_below(&r, 4));
        CHECK(kill(child_pid(children[victim]), SIGKILL) == 0);
        CHECK_INT(child_end(children[victim]), -SIGKILL);
        children[victim] = CHILD_START(hammers, c, stop);
    }
    flag_set(stop, 1);
    for (i = 0; i < HAMMERS; i++)
        CHECK_INT(child_end(children[i]), 0);
    condition_await(c, 0);
    for (i = 0; i < 3; i++)
        children[i] = start_waiter(c, count, i + 1);
    condition_notify(c, 2);
    flag_wait(count, 2);
    condition_await(c, 1);
    CHECK_INT(flag_get(count), 2);
    condition_notify(c, 5);
    for (i = 0; i < 3; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_value_free(stop));
    CHECK_OK(mp_value_free(count));
    CHECK_OK(mp_condition_free(c));
}
