/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * RLocks: held by a thread, as often as it likes. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static mp_rlock *rlock_new(void)
{
    mp_rlock *r;

    CHECK_OK(mp_rlock_new(&r, NULL));
    return r;
}

static bool locked(const mp_rlock *r)
{
    bool yes;

    CHECK_OK(mp_rlock_locked(r, &yes));
    return yes;
}

static bool recovered(const mp_rlock *r)
{
    bool yes;

    CHECK_OK(mp_rlock_recovered(r, &yes));
    return yes;
}

TEST(rlock, as_often_as_it_was_acquired)
{
    mp_rlock *r = rlock_new();
    int i;

    CHECK(!locked(r));
    for (i = 0; i < 100; i++)
        CHECK_OK(mp_rlock_acquire(r, i % 2 ? MP_NO_WAIT : MP_FOREVER));
    for (i = 0; i < 100; i++) {
        CHECK(locked(r));
        CHECK_OK(mp_rlock_release(r));
    }
    CHECK(!locked(r) && !recovered(r));
    CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_rlock_free(r));
}

static void *another_thread(void *arg)
{
    mp_rlock *r = arg;

    CHECK(locked(r));
    CHECK_STATUS(mp_rlock_acquire(r, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_rlock_acquire(r, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
    return NULL;
}

static int another_process(void *arg)
{
    another_thread(arg);
    return 0;
}

TEST(rlock, is_a_threads)
{
    mp_rlock *r = rlock_new();
    pthread_t t;
    int depth;

    for (depth = 1; depth <= 3; depth++)
        CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    for (; depth > 1; depth--) {
        CHECK_INT(pthread_create(&t, NULL, another_thread, r), 0);
        CHECK_INT(pthread_join(t, NULL), 0);
        /* A child's only thread is the one that forked, and does not hold it either. */
        CHECK_INT(in_fork(another_process, r), 0);
        CHECK_OK(mp_rlock_release(r));
    }
    CHECK(!locked(r));
    CHECK_OK(mp_rlock_free(r));
}

typedef struct two {
    mp_rlock *rlock;
    mp_value *count;
} two;

static void hammer(mp_rlock *r, mp_value *count)
{
    int i;

    for (i = 0; i < 2000; i++) {
        int64_t n;
        int depth = 1 + i % 3, k;

        for (k = 0; k < depth; k++)
            CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
        CHECK_OK(mp_value_get_int(count, &n));
        CHECK_OK(mp_value_set_int(count, n + 1));
        for (k = 0; k < depth; k++)
            CHECK_OK(mp_rlock_release(r));
    }
}

static void *hammer_thread(void *arg)
{
    two *t = arg;

    hammer(t->rlock, t->count);
    return NULL;
}

static int hammer_child(mp_child *child, void *user)
{
    CHECK(user == NULL);
    hammer(mp_child_rlock(child, 0), mp_child_value(child, 1));
    return 0;
}

TEST(rlock, threads_and_processes_take_turns)
{
    mp_process *p[3];
    pthread_t t[2];
    two arg;
    int64_t n;
    size_t i;

    arg.rlock = rlock_new();
    CHECK_OK(mp_value_new(&arg.count, MP_INT64, NULL, NULL));
    for (i = 0; i < COUNT(p); i++)
        p[i] = CHILD_START(hammer_child, arg.rlock, arg.count);
    for (i = 0; i < COUNT(t); i++)
        CHECK_INT(pthread_create(&t[i], NULL, hammer_thread, &arg), 0);
    for (i = 0; i < COUNT(t); i++)
        CHECK_INT(pthread_join(t[i], NULL), 0);
    for (i = 0; i < COUNT(p); i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_OK(mp_value_get_int(arg.count, &n));
    CHECK_INT(n, 2000 * (COUNT(p) + COUNT(t)));
    CHECK_OK(mp_value_free(arg.count));
    CHECK_OK(mp_rlock_free(arg.rlock));
}

static int die_deep(mp_child *child, void *user)
{
    mp_rlock *r = mp_child_rlock(child, 0);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < 5; i++)
        CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    raise(SIGKILL);
    return 0;
}

static void take_over(bool report)
{
    mp_rlock_options o = MP_RLOCK_OPTIONS;
    mp_process *p;
    mp_rlock *r;

    o.report_owner_death = report;
    CHECK_OK(mp_rlock_new(&r, &o));
    p = CHILD_START(die_deep, r);
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK(locked(r));
    CHECK_INT(mp_rlock_acquire(r, MP_NO_WAIT), report ? MP_OWNER_DIED : MP_OK);
    CHECK(recovered(r));
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(r));
    CHECK(recovered(r));
    /* Once: the dead one's depth went with it. */
    CHECK_OK(mp_rlock_release(r));
    CHECK(!locked(r) && !recovered(r));
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK(!recovered(r));
    CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_rlock_free(r));
}

TEST(rlock, goes_on_after_its_holders_death)
{
    take_over(false);
    take_over(true);
}
