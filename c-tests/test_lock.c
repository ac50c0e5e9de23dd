/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Locks while everybody lives. */
#include "test_util.h"

#include <pthread.h>
#include <stdlib.h>

static bool locked(const mp_lock *l)
{
    bool yes;

    CHECK_OK(mp_lock_locked(l, &yes));
    return yes;
}

TEST(lock, uncontended)
{
    mp_lock *l = lock_new();
    bool recovered = true;
    int i;

    CHECK(!locked(l));
    for (i = 0; i < 1000; i++) {
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        CHECK(locked(l));
        CHECK_OK(mp_lock_release(l));
        CHECK(!locked(l));
    }
    CHECK_OK(mp_lock_recovered(l, &recovered));
    CHECK(!recovered);
    CHECK_OK(mp_lock_free(l));
}

TEST(lock, try)
{
    mp_lock *l = lock_new();

    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

TEST(lock, over_release)
{
    mp_lock *l = lock_new();

    CHECK_STATUS(mp_lock_release(l), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_lock_release(l));
    CHECK_STATUS(mp_lock_release(l), MP_ERR_OVER_RELEASE);
    CHECK(!locked(l));
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

TEST(lock, timeout_waits_its_time)
{
    static const int64_t waits[] = {1, 1000000, 20000000, 130000000, 250000001};
    mp_lock *l = lock_new();
    size_t i;

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    for (i = 0; i < COUNT(waits); i++) {
        int64_t before = now_ns();

        CHECK_STATUS(mp_lock_acquire(l, waits[i]), MP_ERR_TIMEOUT);
        CHECK(now_ns() - before >= waits[i]);
    }
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

TEST(lock, signals_do_not_shorten_the_wait)
{
    mp_lock *l = lock_new();
    int64_t before;

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    alarms_start();
    before = now_ns();
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(300)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(300));
    CHECK(alarms_stop() > 1);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

static void *release_soon(void *l)
{
    sleep_ms(100);
    CHECK_OK(mp_lock_release(l));
    return NULL;
}

TEST(lock, release_by_another_thread)
{
    mp_lock *l = lock_new();
    pthread_t thread;

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(pthread_create(&thread, NULL, release_soon, l) == 0);
    alarms_start();
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(alarms_stop() > 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

static int child_releases(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);

    CHECK(l != NULL && user == NULL);
    CHECK(locked(l));
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    sleep_ms(50);
    CHECK_OK(mp_lock_release(l));
    return 0;
}

TEST(lock, release_by_another_process)
{
    mp_lock *l = lock_new();
    bool recovered = true;
    mp_process *p;

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    p = CHILD_START(child_releases, l);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_lock_recovered(l, &recovered));
    CHECK(!recovered);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

static int finds_it_held(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);

    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 1), 1);
    CHECK(locked(l));
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(150)), MP_ERR_TIMEOUT);
    return 0;
}

TEST(lock, freed_handle_does_not_release)
{
    mp_lock *l = lock_new();
    mp_value *flag = flag_new();
    mp_process *p;

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    p = CHILD_START(finds_it_held, l, flag);
    CHECK_OK(mp_lock_free(l));
    flag_set(flag, 1);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(flag));
}

static void *takes_and_ends(void *l)
{
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    return NULL;
}

/* The process owns the lock, not the thread. */
TEST(lock, thread_that_ended_still_holds)
{
    mp_lock *l = lock_new();
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, takes_and_ends, l) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(200)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

static int uses_lock(void *l)
{
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_lock_release(l));
    CHECK_STATUS(mp_lock_release(l), MP_ERR_OVER_RELEASE);
    return 0;
}

TEST(lock, inherited_through_plain_fork)
{
    mp_lock *l = lock_new();
    int i;

    for (i = 0; i < 10; i++) {
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        CHECK_INT(in_fork(uses_lock, l), 0);
        CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
        CHECK_OK(mp_lock_release(l));
    }
    CHECK_OK(mp_lock_free(l));
}

TEST(lock, many)
{
    enum { MANY = 20000 };
    mp_lock **all = malloc(MANY * sizeof *all);
    int descriptors = open_descriptors(), i, round;

    CHECK(all != NULL);
    for (round = 0; round < 2; round++) {
        for (i = 0; i < MANY; i++)
            all[i] = lock_new();
        CHECK_INT(open_descriptors(), descriptors);
        for (i = 0; i < MANY; i++)
            CHECK_OK(mp_lock_acquire(all[i], MP_NO_WAIT));
        for (i = 0; i < MANY; i++)
            CHECK_OK(mp_lock_release(all[i]));
        for (i = 0; i < MANY; i++)
            CHECK_OK(mp_lock_free(all[i]));
    }
    free(all);
}

TEST(lock, made_and_freed_in_a_loop)
{
    uint64_t blocks = stats_now().blocks;
    int i;

    for (i = 0; i < 100; i++) {
        mp_lock *l = lock_new();

        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        CHECK_OK(mp_lock_release(l));
        CHECK_OK(mp_lock_free(l));
    }
    CHECK_INT(stats_now().blocks, blocks);
}
