/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: semaphores, those that count and those that keep accounts.
 * See step.h. */
#include "step.h"

#include <pthread.h>
#include <unistd.h>

static mp_semaphore *semaphore;

static void make(int64_t value, bool give_back)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;

    o.give_back = give_back;
    CHECK_OK(mp_semaphore_new(&semaphore, value, &o));
}

static size_t value_now(void)
{
    size_t value;

    CHECK_OK(mp_semaphore_value(semaphore, &value));
    return value;
}

static void look(void)
{
    value_now();
}

static void take(void)
{
    CHECK_OK(mp_semaphore_acquire(semaphore, MP_NO_WAIT));
}

static void take_two(void)
{
    take();
    take();
}

static int acquire(void)
{
    return CHECK_CLEAN(mp_semaphore_acquire(semaphore, MP_SEC(20)));
}

static int release_one(void)
{
    return CHECK_CLEAN(mp_semaphore_release(semaphore, 1));
}

static int release_two(void)
{
    return CHECK_CLEAN(mp_semaphore_release(semaphore, 2));
}

/* As many as before, or as many as after, and nothing between. */
static void is(outcome_of how, size_t before, size_t after)
{
    size_t value = value_now(), i;

    CHECK(how == DONE       ? value == after
          : how == NOT_DONE ? value == before
                            : value == before || value == after);
    for (i = 0; i < value; i++)
        take();
    CHECK_STATUS(mp_semaphore_acquire(semaphore, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_free(semaphore));
}

/* ---- those that count ---- */

static void make_three(void)
{
    make(3, false);
}

static void three_or_two(outcome_of how)
{
    is(how, 3, 2);
}

OPERATION(semaphore_acquire, make_three, look, acquire, three_or_two)

static void make_one(void)
{
    make(1, false);
}

static void one_or_three(outcome_of how)
{
    is(how, 1, 3);
}

OPERATION(semaphore_release, make_one, look, release_two, one_or_three)

/* A thread of the survivor sleeps for the slot. */
static pthread_t sleeper;

static void *sleeps(void *arg)
{
    CHECK_OK(mp_semaphore_acquire(semaphore, MP_FOREVER));
    return arg;
}

static void make_none_and_sleeper(void)
{
    make(0, false);
    CHECK(pthread_create(&sleeper, NULL, sleeps, NULL) == 0);
}

static void look_and_let_it_sleep(void)
{
    look();
    sleep_ms(2);
}

static void sleeper_has_one(outcome_of how)
{
    /* A slot that is there reaches the sleeper, also where nobody lived to wake it. */
    bool ours = how != DONE && value_now() == 0;

    if (ours)
        release_one();
    CHECK(pthread_join(sleeper, NULL) == 0);
    CHECK(value_now() == 0 || (ours && how == PERHAPS));
    is(PERHAPS, 0, 1);
}

OPERATION(semaphore_release_to_a_sleeper, make_none_and_sleeper, look_and_let_it_sleep, release_one,
          sleeper_has_one)

/* ---- those that keep accounts ---- */

static void make_accounts(void)
{
    make(2, true);
}

/* The victim is dead, and had at most what there is. */
static void all_can_be_taken(outcome_of how)
{
    (void)how;
    CHECK_INT(acquire(), MP_OK);
    take();
    CHECK_STATUS(mp_semaphore_acquire(semaphore, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_semaphore_release(semaphore, 3), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_semaphore_release(semaphore, 2));
    CHECK_INT(value_now(), 2);
    CHECK_OK(mp_semaphore_free(semaphore));
}

OPERATION(accounts_acquire, make_accounts, look, acquire, all_can_be_taken)
OPERATION(accounts_acquire_again, make_accounts, take, acquire, all_can_be_taken)
OPERATION(accounts_release, make_accounts, take, release_one, all_can_be_taken)
OPERATION(accounts_release_of_some, make_accounts, take_two, release_one, all_can_be_taken)

static int takes_two_and_dies(void *arg)
{
    (void)arg;
    take_two();
    return 0;
}

static void make_accounts_of_a_corpse(void)
{
    make_accounts();
    CHECK_INT(in_fork(takes_two_and_dies, NULL), 0);
    CHECK_INT(value_now(), 0);
}

OPERATION(accounts_acquire_from_the_dead, make_accounts_of_a_corpse, look, acquire,
          all_can_be_taken)

/* In memory that the victim shares. */
static volatile int *none_was_free;

/* It may come late, when there is a slot again: then it takes that one. */
static void *sleeps_once_none_is_free(void *arg)
{
    while (!*none_was_free)
        usleep(100);
    CHECK_OK(mp_semaphore_acquire(semaphore, MP_FOREVER));
    CHECK_OK(mp_semaphore_release(semaphore, 1));
    return arg;
}

static void make_accounts_and_sleeper(void)
{
    make_accounts();
    none_was_free = shared_new(sizeof *none_was_free);
    CHECK(pthread_create(&sleeper, NULL, sleeps_once_none_is_free, NULL) == 0);
}

static void take_two_and_let_it_sleep(void)
{
    take_two();
    *none_was_free = 1;
    sleep_ms(2);
}

static void sleeper_had_one(outcome_of how)
{
    /* The victim may not have come so far. */
    *none_was_free = 1;
    CHECK(pthread_join(sleeper, NULL) == 0);
    shared_free((void *)none_was_free, sizeof *none_was_free);
    all_can_be_taken(how);
}

OPERATION(accounts_release_to_a_sleeper, make_accounts_and_sleeper, take_two_and_let_it_sleep,
          release_two, sleeper_had_one)
