/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: semaphores, events, conditions and barriers. See step.h. */
#include "step.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Somebody else of the survivor's, who waits while the victim acts. */
static pthread_t waiter;

static void start_waiter(void *(*body)(void *))
{
    CHECK(pthread_create(&waiter, NULL, body, NULL) == 0);
}

static void end_waiter(void)
{
    CHECK(pthread_join(waiter, NULL) == 0);
}

static void settled(outcome_of how)
{
    (void)how;
}

static void warm_up(void)
{
    mp_value_free(flag_new());
}

/* ---- semaphores ---- */

static mp_semaphore *semaphore;

static size_t slots(void)
{
    size_t value;

    CHECK_OK(mp_semaphore_value(semaphore, &value));
    return value;
}

static void look_at_slots(void)
{
    slots();
}

static void make_plain(void)
{
    CHECK_OK(mp_semaphore_new(&semaphore, 1, NULL));
}

static int take_slot(void)
{
    return CHECK_CLEAN(mp_semaphore_acquire(semaphore, MP_SEC(20)));
}

/* A plain one does not know who has its slots. */
static void slot_is_taken(outcome_of how)
{
    size_t value = slots();

    CHECK(how == DONE ? value == 0 : how == NOT_DONE ? value == 1 : value <= 1);
    CHECK_OK(mp_semaphore_release(semaphore, 1));
    CHECK_INT(slots(), value + 1);
    CHECK_OK(mp_semaphore_free(semaphore));
}

OPERATION(semaphore_acquire, make_plain, look_at_slots, take_slot, slot_is_taken)

static int give_three(void)
{
    return CHECK_CLEAN(mp_semaphore_release(semaphore, 3));
}

static void three_were_given(outcome_of how)
{
    size_t value = slots();

    CHECK(how == DONE ? value == 4 : how == NOT_DONE ? value == 1 : value == 1 || value == 4);
    CHECK_OK(mp_semaphore_free(semaphore));
}

OPERATION(semaphore_release, make_plain, look_at_slots, give_three, three_were_given)

static void make_giving_back(void)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;

    o.give_back = true;
    CHECK_OK(mp_semaphore_new(&semaphore, 2, &o));
}

static void take_both(void)
{
    CHECK_OK(mp_semaphore_acquire(semaphore, MP_NO_WAIT));
    CHECK_OK(mp_semaphore_acquire(semaphore, MP_NO_WAIT));
}

static int give_one(void)
{
    return CHECK_CLEAN(mp_semaphore_release(semaphore, 1));
}

/* Whatever it had, it is dead. */
static void both_are_there(outcome_of how)
{
    (void)how;
    CHECK_OK(mp_semaphore_acquire(semaphore, MP_SEC(20)));
    CHECK_OK(mp_semaphore_acquire(semaphore, MP_SEC(20)));
    CHECK_STATUS(mp_semaphore_acquire(semaphore, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_release(semaphore, 2));
    CHECK_OK(mp_semaphore_free(semaphore));
}

OPERATION(semaphore_acquire_counted, make_giving_back, look_at_slots, take_slot, both_are_there)
OPERATION(semaphore_release_counted, make_giving_back, take_both, give_one, both_are_there)

/* ---- events ---- */

static mp_event *event;

static bool is_set(void)
{
    bool set;

    CHECK_OK(mp_event_is_set(event, &set));
    return set;
}

static void look_at_event(void)
{
    is_set();
}

/* Ends also where the victim's wake is lost, or where it sets nothing and the check does. */
static void *waits_for_event(void *arg)
{
    CHECK_OK(mp_event_wait(event, MP_FOREVER));
    return arg;
}

static void make_event_and_waiter(void)
{
    CHECK_OK(mp_event_new(&event, NULL));
    start_waiter(waits_for_event);
}

static void let_it_sleep(void)
{
    look_at_event();
    sleep_ms(2);
}

static int set_event(void)
{
    return CHECK_CLEAN(mp_event_set(event));
}

static void event_was_set(outcome_of how)
{
    bool set = is_set();

    CHECK(how == DONE ? set : how == NOT_DONE ? !set : true);
    if (!set)
        CHECK_OK(mp_event_set(event));
    end_waiter();
    CHECK_OK(mp_event_free(event));
}

OPERATION(event_set, make_event_and_waiter, let_it_sleep, set_event, event_was_set)

static void make_event(void)
{
    CHECK_OK(mp_event_new(&event, NULL));
}

static int wait_in_vain(void)
{
    /* Under ptrace it is slow to get to sleep. */
    return CHECK_CLEAN(mp_event_wait(event, MP_MS(50)));
}

static void event_goes_on(outcome_of how)
{
    CHECK(how != DONE && !is_set());
    CHECK_OK(mp_event_set(event));
    CHECK_OK(mp_event_wait(event, MP_NO_WAIT));
    CHECK_OK(mp_event_free(event));
}

OPERATION_WITH(event_wait_in_vain, make_event, look_at_event, wait_in_vain, event_goes_on,
               .want = MP_ERR_TIMEOUT)

/* ---- conditions ---- */

static mp_condition *condition;
static volatile bool waits, was_notified;

static void *waits_for_notification(void *arg)
{
    CHECK_OK(mp_condition_acquire(condition, MP_FOREVER));
    waits = true;
    CHECK_OK(mp_condition_wait(condition, MP_FOREVER));
    was_notified = true;
    CHECK_OK(mp_condition_release(condition));
    return arg;
}

static void make_condition(void)
{
    CHECK_OK(mp_condition_new(&condition, NULL));
}

/* The victim is forked with the lock free and the waiter in its place. */
static void make_condition_and_waiter(void)
{
    make_condition();
    waits = was_notified = false;
    start_waiter(waits_for_notification);
    while (!waits)
        sleep_ms(1);
    CHECK_OK(mp_condition_acquire(condition, MP_FOREVER));
    CHECK_OK(mp_condition_release(condition));
}

static void take_condition(void)
{
    CHECK_OK(mp_condition_acquire(condition, MP_SEC(20)));
}

static int notify_one(void)
{
    int s = CHECK_CLEAN(mp_condition_notify(condition, 1));

    if (s == MP_OK)
        s = CHECK_CLEAN(mp_condition_release(condition));
    return s;
}

static void waiter_came_back(outcome_of how)
{
    CHECK_OK(mp_condition_acquire(condition, MP_SEC(20)));
    CHECK(how != NOT_DONE || !was_notified);
    /* One who was notified already is not notified again. */
    if (how != DONE)
        CHECK_OK(mp_condition_notify(condition, 1));
    CHECK_OK(mp_condition_release(condition));
    end_waiter();
    CHECK(was_notified);
    CHECK_OK(mp_condition_free(condition));
}

OPERATION(condition_notify, make_condition_and_waiter, take_condition, notify_one, waiter_came_back)

static int wait_briefly(void)
{
    return CHECK_CLEAN(mp_condition_wait(condition, MP_MS(1)));
}

/* The dead one does not count among those who wait. */
static void nobody_waits(outcome_of how)
{
    CHECK(how != DONE);
    CHECK_OK(mp_condition_acquire(condition, MP_SEC(20)));
    CHECK_OK(mp_condition_notify(condition, 1));
    CHECK_OK(mp_condition_release(condition));
    CHECK_OK(mp_condition_free(condition));
}

OPERATION_WITH(condition_wait_in_vain, make_condition, take_condition, wait_briefly, nobody_waits,
               .want = MP_ERR_TIMEOUT)

/* ---- barriers ---- */

static mp_barrier *barrier;
static int waited;

static void *other_party(void *arg)
{
    waited = mp_barrier_wait(barrier, MP_FOREVER, NULL);
    return arg;
}

static void make_barrier(void)
{
    CHECK_OK(mp_barrier_new(&barrier, 2, NULL));
    start_waiter(other_party);
}

static void look_at_barrier(void)
{
    bool broken;

    CHECK_OK(mp_barrier_broken(barrier, &broken));
    sleep_ms(2);
}

static int take_part(void)
{
    return CHECK_CLEAN(mp_barrier_wait(barrier, MP_SEC(20), NULL));
}

/* The other party passes, or finds it broken, and where the dead one had not come yet it goes on waiting. */
static void other_party_came_back(outcome_of how)
{
    if (how != DONE)
        mp_barrier_wait(barrier, MP_SEC(20), NULL);
    end_waiter();
    CHECK(waited == MP_OK || (how != DONE && waited == MP_ERR_BROKEN_BARRIER));
    CHECK_OK(mp_barrier_reset(barrier));
    CHECK_OK(mp_barrier_free(barrier));
}

OPERATION(barrier_wait, make_barrier, look_at_barrier, take_part, other_party_came_back)

/* ---- objects ---- */

static int make_and_free(void)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_semaphore *s = NULL, *counted = NULL;
    mp_condition *c = NULL;
    mp_barrier *b = NULL;
    mp_rlock *r = NULL;
    mp_event *e = NULL;
    int status;

    o.give_back = true;
    if ((status = CHECK_CLEAN(mp_rlock_new(&r, NULL))) == MP_OK &&
        (status = CHECK_CLEAN(mp_semaphore_new(&s, 5, NULL))) == MP_OK &&
        (status = CHECK_CLEAN(mp_semaphore_new(&counted, 5, &o))) == MP_OK &&
        (status = CHECK_CLEAN(mp_condition_new(&c, NULL))) == MP_OK &&
        (status = CHECK_CLEAN(mp_event_new(&e, NULL))) == MP_OK)
        status = CHECK_CLEAN(mp_barrier_new(&b, 5, NULL));
    CHECK_OK(mp_barrier_free(b));
    CHECK_OK(mp_event_free(e));
    CHECK_OK(mp_condition_free(c));
    CHECK_OK(mp_semaphore_free(counted));
    CHECK_OK(mp_semaphore_free(s));
    CHECK_OK(mp_rlock_free(r));
    return status;
}

OPERATION(sync_objects_made_and_freed, nothing, warm_up, make_and_free, settled)
