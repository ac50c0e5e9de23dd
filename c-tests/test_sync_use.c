/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * RLocks and semaphores that many want at once, that are waited for while signals come, and whose
 * handles come and go. */
#include "test_util.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

static mp_rlock *rlock_new(void)
{
    mp_rlock *r;

    CHECK_OK(mp_rlock_new(&r, NULL));
    return r;
}

static mp_semaphore *semaphore_new(int64_t value, bool bounded, bool give_back)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_semaphore *s;

    o.bounded = bounded;
    o.give_back = give_back;
    CHECK_OK(mp_semaphore_new(&s, value, &o));
    return s;
}

/* ---- eight processes ---- */

enum { PROCESSES = 8, ROUNDS = 1500 };

static int64_t *cells_of(mp_array *a)
{
    size_t bytes;
    void *data;

    CHECK_OK(mp_array_data(a, &data, &bytes));
    return data;
}

/* The increment is torn on purpose: two holders at once would lose one. */
static void count_up(volatile int64_t *counter, int round)
{
    int64_t seen = *counter;

    if (round % 16 == 0)
        sched_yield();
    *counter = seen + 1;
}

static int counts_under_rlock(mp_child *self, void *user)
{
    mp_rlock *r = mp_child_rlock(self, 0);
    int64_t *cell = cells_of(mp_child_array(self, 1));
    int i, k;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++) {
        for (k = 0; k <= i % 3; k++)
            CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
        count_up(cell, i);
        for (k = 0; k <= i % 3; k++)
            CHECK_OK(mp_rlock_release(r));
    }
    return 0;
}

/* With one slot a semaphore is a lock. */
static int counts_under_semaphore(mp_child *self, void *user)
{
    mp_semaphore *s = mp_child_semaphore(self, 0);
    int64_t *cell = cells_of(mp_child_array(self, 1));
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++) {
        /* Some give up soon: what they leave must reach the others. */
        while (mp_semaphore_acquire(s, i % 5 == 0 ? 1000 : MP_FOREVER) == MP_ERR_TIMEOUT)
            continue;
        count_up(cell, i);
        CHECK_OK(mp_semaphore_release(s, 1));
    }
    return 0;
}

static void hammer(mp_process_fn fn, const void *handle)
{
    mp_process *p[PROCESSES];
    mp_array *a;
    size_t i;

    CHECK_OK(mp_array_new(&a, MP_INT64, 1, NULL, NULL));
    for (i = 0; i < COUNT(p); i++)
        p[i] = CHILD_START(fn, handle, a);
    for (i = 0; i < COUNT(p); i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(cells_of(a)[0], PROCESSES * ROUNDS);
    /* Nobody was killed, so every sleeper was woken by somebody and none by its own clock. */
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_array_free(a));
}

TEST_T(rlock, excludes, 120)
{
    mp_rlock *r = rlock_new();

    hammer(counts_under_rlock, r);
    CHECK_OK(mp_rlock_free(r));
}

TEST_T(semaphore, excludes, 120)
{
    int how;

    for (how = 0; how < 3; how++) {
        mp_semaphore *s = semaphore_new(1, how == 1, how == 2);
        size_t value;

        hammer(counts_under_semaphore, s);
        CHECK_OK(mp_semaphore_value(s, &value));
        CHECK_INT(value, 1);
        CHECK_OK(mp_semaphore_free(s));
    }
}

/* ---- kills ---- */

enum { SLOTS = 3, KILLS = 60 };

static int uses_slots(mp_child *self, void *user)
{
    mp_semaphore *s = mp_child_semaphore(self, 0);
    volatile int64_t *inside = cells_of(mp_child_array(self, 1)) + child_number(self, 2);
    mp_value *stop = mp_child_value(self, 3);
    int i;

    CHECK(user == NULL);
    for (i = 0; flag_get(stop) == 0; i++) {
        int slots = 1 + i % 2, k;

        /* The second one only if it is free: two that wait for each other's would wait for ever. */
        CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
        for (k = 1; k < slots && mp_semaphore_acquire(s, MP_NO_WAIT) == MP_OK; k++)
            continue;
        *inside = k;
        if (i % 16 == 0)
            sched_yield();
        *inside = 0;
        CHECK_OK(mp_semaphore_release(s, (size_t)k));
    }
    return 0;
}

static mp_process *start_user(mp_semaphore *s, mp_array *a, mp_value *stop, int me)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, uses_slots, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, s));
    CHECK_OK(mp_process_add_handle(p, a));
    child_add_number(p, me);
    CHECK_OK(mp_process_add_handle(p, stop));
    CHECK_OK(mp_process_start(p));
    return p;
}

/* Whoever is killed wherever: there are as many slots as before, not one more and not one less. */
TEST_T(semaphore, kill_60, 120)
{
    mp_semaphore *s = semaphore_new(SLOTS, false, true);
    mp_process *p[PROCESSES];
    mp_value *stop = flag_new();
    rng r = rng_new();
    mp_array *a;
    int i;

    CHECK_OK(mp_array_new(&a, MP_INT64, PROCESSES, NULL, NULL));
    for (i = 0; i < PROCESSES; i++)
        p[i] = start_user(s, a, stop, i);
    for (i = 0; i < KILLS; i++) {
        int victim = (int)rng_below(&r, PROCESSES);

        sleep_ms((int64_t)rng_below(&r, 4));
        CHECK(signal_child(child_pid(p[victim]), SIGKILL));
        CHECK_INT(child_end(p[victim]), -SIGKILL);
        cells_of(a)[victim] = 0;
        p[victim] = start_user(s, a, stop, victim);
        if (i % 10 == 9) {
            /* All the slots at once: then nobody else is inside. */
            int k;

            for (k = 0; k < SLOTS; k++)
                CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
            CHECK_STATUS(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
            for (k = 0; k < PROCESSES; k++)
                CHECK_INT(cells_of(a)[k], 0);
            CHECK_OK(mp_semaphore_release(s, SLOTS));
        }
    }
    flag_set(stop, 1);
    for (i = 0; i < PROCESSES; i++)
        CHECK_INT(child_end(p[i]), 0);
    for (i = 0; i < SLOTS; i++)
        CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
    CHECK_STATUS(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_release(s, SLOTS));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_value_free(stop));
    CHECK_OK(mp_semaphore_free(s));
}

/* ---- time ---- */

static void *takes_and_keeps(void *arg)
{
    CHECK_OK(mp_rlock_acquire(arg, MP_FOREVER));
    CHECK_OK(mp_rlock_acquire(arg, MP_FOREVER));
    return NULL;
}

/* The thread is gone, and its process keeps what it held: nobody gets it. */
TEST(rlock, a_wait_takes_its_time)
{
    mp_rlock *r = rlock_new();
    int64_t before;
    pthread_t t;

    CHECK_INT(pthread_create(&t, NULL, takes_and_keeps, r), 0);
    CHECK_INT(pthread_join(t, NULL), 0);
    CHECK_STATUS(mp_rlock_acquire(r, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_rlock_acquire(r, -1), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_rlock_acquire(r, INT64_MIN), MP_ERR_TIMEOUT);
    alarms_start();
    before = now_ns();
    CHECK_STATUS(mp_rlock_acquire(r, MP_MS(200)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(200));
    CHECK(alarms_stop() > 0);
    CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_rlock_free(r));
}

TEST(semaphore, a_wait_takes_its_time)
{
    int how;

    for (how = 0; how < 3; how++) {
        mp_semaphore *s = semaphore_new(1, how == 1, how == 2);
        int64_t before;

        CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
        CHECK_STATUS(mp_semaphore_acquire(s, INT64_MIN), MP_ERR_TIMEOUT);
        alarms_start();
        before = now_ns();
        CHECK_STATUS(mp_semaphore_acquire(s, MP_MS(200)), MP_ERR_TIMEOUT);
        CHECK(now_ns() - before >= MP_MS(200));
        CHECK(alarms_stop() > 0);
        CHECK_OK(mp_semaphore_release(s, 1));
        CHECK_OK(mp_semaphore_free(s));
    }
}

static void *lets_go(void *arg)
{
    sleep_ms(50);
    CHECK_OK(mp_semaphore_release(arg, 1));
    return NULL;
}

TEST(semaphore, signals_do_not_end_a_wait)
{
    int how;

    for (how = 0; how < 3; how++) {
        mp_semaphore *s = semaphore_new(1, how == 1, how == 2);
        pthread_t t;

        CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
        alarms_start();
        CHECK_INT(pthread_create(&t, NULL, lets_go, s), 0);
        CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
        CHECK_INT(pthread_join(t, NULL), 0);
        CHECK(alarms_stop() > 0);
        CHECK_OK(mp_semaphore_release(s, 1));
        CHECK_OK(mp_semaphore_free(s));
    }
}

/* ---- handles ---- */

static int finds_it_held(mp_child *self, void *user)
{
    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 2), 1);
    CHECK_STATUS(mp_rlock_acquire(mp_child_rlock(self, 0), MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_semaphore_acquire(mp_child_semaphore(self, 1), MP_NO_WAIT), MP_ERR_TIMEOUT);
    return 0;
}

TEST(semaphore, freed_handles_give_nothing_back)
{
    mp_rlock *r = rlock_new();
    mp_semaphore *s = semaphore_new(1, false, true);
    mp_value *flag = flag_new();
    mp_process *p;

    CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
    p = CHILD_START(finds_it_held, r, s, flag);
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_semaphore_free(s));
    flag_set(flag, 1);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(flag));
}

TEST(semaphore, nothing_is_left_of_many)
{
    enum { MANY = 2000 };
    void **all = malloc(3 * MANY * sizeof *all);
    int descriptors = open_descriptors(), i, round;
    uint64_t blocks = stats_now().blocks;

    CHECK(all != NULL);
    for (round = 0; round < 2; round++) {
        for (i = 0; i < MANY; i++) {
            all[3 * i] = rlock_new();
            all[3 * i + 1] = semaphore_new(i, i % 2 == 0, false);
            all[3 * i + 2] = semaphore_new(i, false, true);
            CHECK_OK(mp_rlock_acquire(all[3 * i], MP_NO_WAIT));
        }
        CHECK_INT(stats_now().blocks, blocks + 3 * MANY);
        CHECK_INT(open_descriptors(), descriptors);
        for (i = 0; i < MANY; i++) {
            CHECK_OK(mp_rlock_free(all[3 * i]));
            CHECK_OK(mp_semaphore_free(all[3 * i + 1]));
            CHECK_OK(mp_semaphore_free(all[3 * i + 2]));
        }
        CHECK_INT(stats_now().blocks, blocks);
    }
    free(all);
}
