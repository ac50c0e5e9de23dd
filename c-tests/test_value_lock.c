/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The lock of a value: which it is, who holds it, and what its holder's death leaves. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool locked(const mp_value *v)
{
    bool yes;

    CHECK_OK(mp_value_locked(v, &yes));
    return yes;
}

static bool recovered(const mp_value *v)
{
    bool yes;

    CHECK_OK(mp_value_recovered(v, &yes));
    return yes;
}

static void *another_thread(void *arg)
{
    mp_value *v = arg;

    CHECK_STATUS(mp_value_acquire(v, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_value_acquire(v, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_value_release(v), MP_ERR_NOT_OWNER);
    CHECK(!recovered(v));
    return NULL;
}

TEST(value, has_an_rlock)
{
    int64_t in[2] = {1, 2}, out[2];
    pthread_t t;
    mp_value *v;
    int i;

    CHECK_OK(mp_value_new_struct(&v, sizeof in, NULL, NULL));
    CHECK(!locked(v) && !recovered(v));
    CHECK_STATUS(mp_value_release(v), MP_ERR_NOT_OWNER);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_value_acquire(v, i == 0 ? MP_FOREVER : MP_NO_WAIT));
    /* Who holds it is not kept waiting. */
    CHECK_OK(mp_value_set(v, in, sizeof in));
    CHECK_OK(mp_value_get(v, out, sizeof out));
    CHECK(out[0] == 1 && out[1] == 2);
    for (i = 0; i < 3; i++) {
        CHECK(locked(v));
        CHECK_INT(pthread_create(&t, NULL, another_thread, v), 0);
        CHECK_INT(pthread_join(t, NULL), 0);
        CHECK_OK(mp_value_release(v));
    }
    CHECK(!locked(v));
    CHECK_OK(mp_value_free(v));
}

TEST(value, raw_has_none)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    int64_t in[2] = {1, 2}, out[2];
    mp_stats before = stats_now();
    mp_rlock *r = NULL;
    mp_lock *l = NULL;
    mp_value *v;
    bool yes;

    o.raw = true;
    CHECK_OK(mp_value_new_struct(&v, sizeof in, in, &o));
    CHECK_INT(stats_now().blocks, before.blocks + 1);
    CHECK_OK(mp_value_get(v, out, sizeof out));
    CHECK(out[0] == 1 && out[1] == 2);
    CHECK_OK(mp_value_set(v, in, sizeof in));
    CHECK_SENTENCE(mp_value_acquire(v, MP_FOREVER), MP_ERR_STATE, "without a lock");
    CHECK_STATUS(mp_value_release(v), MP_ERR_STATE);
    CHECK_STATUS(mp_value_locked(v, &yes), MP_ERR_STATE);
    CHECK_STATUS(mp_value_recovered(v, &yes), MP_ERR_STATE);
    CHECK_STATUS(mp_value_get_lock(v, &l), MP_ERR_STATE);
    CHECK_STATUS(mp_value_get_rlock(v, &r), MP_ERR_STATE);
    CHECK(r == NULL && l == NULL);
    CHECK_OK(mp_value_free(v));
}

TEST(value, has_the_lock_that_it_was_given)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_stats before = stats_now();
    mp_rlock *r = NULL;
    mp_lock *l = lock_new(), *same;
    mp_value *v, *w;
    int64_t x = 0;
    bool yes;

    o.lock = l;
    CHECK_OK(mp_value_new(&v, MP_INT64, NULL, &o));
    CHECK_OK(mp_value_new_struct(&w, 16, NULL, &o));
    CHECK_INT(stats_now().blocks, before.blocks + 3);
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK(locked(v) && locked(w));
    CHECK_STATUS(mp_value_acquire(v, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_value_acquire(w, MP_MS(10)), MP_ERR_TIMEOUT);
    /* The lock does not stand in the way of what is atomic. */
    CHECK_OK(mp_value_fetch_add(v, 4, NULL));
    CHECK_OK(mp_value_get_int(v, &x));
    CHECK_INT(x, 4);
    CHECK_OK(mp_value_release(v));
    CHECK_STATUS(mp_value_release(v), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_value_acquire(w, MP_NO_WAIT));
    CHECK_OK(mp_lock_locked(l, &yes));
    CHECK(yes);
    CHECK_STATUS(mp_value_get_rlock(v, &r), MP_ERR_STATE);
    /* It lives on with what it guards. */
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_value_release(w));
    CHECK_OK(mp_value_get_lock(w, &same));
    CHECK_OK(mp_value_free(w));
    CHECK_OK(mp_value_acquire(v, MP_NO_WAIT));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_lock_release(same));
    CHECK_OK(mp_lock_free(same));
    CHECK_INT(stats_now().blocks, before.blocks);
}

TEST(value, has_the_rlock_that_it_was_given)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_rlock *r, *same;
    mp_lock *l = NULL;
    mp_value *v;
    bool yes;

    CHECK_OK(mp_rlock_new(&r, NULL));
    o.rlock = r;
    CHECK_OK(mp_value_new(&v, MP_INT64, NULL, &o));
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK_OK(mp_value_acquire(v, MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(r));
    CHECK(locked(v));
    CHECK_OK(mp_value_release(v));
    CHECK(!locked(v));
    CHECK_STATUS(mp_value_get_lock(v, &l), MP_ERR_STATE);
    CHECK_OK(mp_value_get_rlock(v, &same));
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_rlock_acquire(same, MP_NO_WAIT));
    CHECK(locked(v));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_rlock_locked(same, &yes));
    CHECK(yes);
    CHECK_OK(mp_rlock_release(same));
    CHECK_OK(mp_rlock_free(same));
}

TEST(value, of_more_than_one_lock)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_array_options p = MP_ARRAY_OPTIONS;
    mp_stats before;
    mp_value *v = NULL;
    mp_array *a = NULL;
    mp_lock *l = lock_new();
    mp_rlock *r;
    int i;

    CHECK_OK(mp_rlock_new(&r, NULL));
    before = stats_now();
    for (i = 0; i < 8; i++) {
        if ((i & 1) + (i >> 1 & 1) + (i >> 2) < 2)
            continue;
        o.lock = p.lock = i & 1 ? l : NULL;
        o.rlock = p.rlock = i & 2 ? r : NULL;
        o.raw = p.raw = (i & 4) != 0;
        CHECK_SENTENCE(mp_value_new(&v, 'i', NULL, &o), MP_ERR_INVALID, "more than one");
        CHECK_STATUS(mp_value_new_struct(&v, 8, NULL, &o), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_new(&a, 'i', 2, NULL, &p), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_new_struct(&a, 8, 2, NULL, &p), MP_ERR_INVALID);
    }
    o = (mp_value_options)MP_VALUE_OPTIONS;
    p = (mp_array_options)MP_ARRAY_OPTIONS;
    o.lock = p.lock = (mp_lock *)(void *)r;
    CHECK_STATUS(mp_value_new(&v, 'i', NULL, &o), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_array_new(&a, 'i', 1, NULL, &p), MP_ERR_BAD_HANDLE);
    CHECK(v == NULL && a == NULL);
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_rlock_free(r));
}

TEST(value, copies)
{
    double half = 0.5, d;
    mp_stats before = stats_now();
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_value *v, *w, *raw;
    int64_t x;
    bool yes;

    CHECK_OK(mp_value_new(&v, 'h', NULL, NULL));
    CHECK_OK(mp_value_set_int(v, -5));
    CHECK_OK(mp_value_copy(&w, v, NULL));
    CHECK_OK(mp_value_set_int(v, 6));
    CHECK_OK(mp_value_get_int(w, &x));
    CHECK_INT(x, -5);
    CHECK_OK(mp_value_acquire(v, MP_NO_WAIT));
    CHECK(!locked(w));
    o.raw = true;
    CHECK_OK(mp_value_copy(&raw, v, &o));
    CHECK_STATUS(mp_value_locked(raw, &yes), MP_ERR_STATE);
    CHECK_OK(mp_value_get_int(raw, &x));
    CHECK_INT(x, 6);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(w));
    /* A raw one gets a lock by being copied. */
    CHECK_OK(mp_value_copy(&w, raw, NULL));
    CHECK_OK(mp_value_acquire(w, MP_NO_WAIT));
    CHECK_OK(mp_value_free(w));
    CHECK_OK(mp_value_free(raw));
    CHECK_OK(mp_value_new(&v, MP_DOUBLE, &half, NULL));
    CHECK_OK(mp_value_copy(&w, v, NULL));
    CHECK_OK(mp_value_get_double(w, &d));
    CHECK(d == 0.5);
    o.lock = (mp_lock *)(void *)v;
    o.raw = false;
    CHECK_STATUS(mp_value_copy(&raw, v, &o), MP_ERR_BAD_HANDLE);
    o.raw = true;
    CHECK_STATUS(mp_value_copy(&raw, v, &o), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_copy(&raw, NULL, NULL), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_value_copy(NULL, v, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(w));
    CHECK_INT(stats_now().blocks, before.blocks);
}

/* ---- across processes ---- */

enum { CHILDREN = 4, ROUNDS = 1000 };

/* Counts in a plain way, with the lock held. */
static int counter(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    int64_t x;
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++)
        MP_WITH_VALUE(v) {
            CHECK_OK(mp_value_get_int(v, &x));
            CHECK_OK(mp_value_set_int(v, x + 1));
        }
    return 0;
}

static void counted(const mp_value_options *options)
{
    mp_process *p[CHILDREN];
    mp_value *v;
    int64_t x;
    int i;

    CHECK_OK(mp_value_new(&v, 'i', NULL, options));
    for (i = 0; i < CHILDREN; i++)
        p[i] = CHILD_START(counter, v);
    for (i = 0; i < CHILDREN; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_OK(mp_value_get_int(v, &x));
    CHECK_INT(x, CHILDREN * ROUNDS);
    CHECK(!locked(v));
    CHECK_OK(mp_value_free(v));
}

TEST(value, its_lock_makes_several_steps_one)
{
    mp_value_options o = MP_VALUE_OPTIONS;

    counted(NULL);
    o.lock = lock_new();
    counted(&o);
    CHECK_OK(mp_lock_free(o.lock));
    CHECK_INT(stats_now().rescued, 0);
}

TEST(value, braces_are_passed_over)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_value *v;

    o.raw = true;
    CHECK_OK(mp_value_new(&v, 'i', NULL, &o));
    MP_WITH_VALUE(v)
        CHECK(false);
    CHECK(mp_value_enter(NULL) == NULL);
    CHECK_CONTAINS(mp_last_error(), "NULL was passed");
    CHECK_OK(mp_value_free(v));
}

/* A struct whose parts all have the same number: whoever sees two numbers has seen half a store. */
enum { PARTS = 1000 };
typedef struct many {
    int64_t part[PARTS];
} many;

static int64_t the_one_number(const many *m)
{
    size_t i;

    for (i = 1; i < PARTS; i++)
        CHECK_INT(m->part[i], m->part[0]);
    return m->part[0];
}

static int storer(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0), *stop = mp_child_value(self, 1);
    int64_t n = 0;
    static many m;
    size_t i;

    CHECK(user == NULL);
    while (flag_get(stop) == 0) {
        CHECK_OK(mp_value_get(v, &m, sizeof m));
        n = the_one_number(&m) + 1;
        for (i = 0; i < PARTS; i++)
            m.part[i] = n;
        CHECK_OK(mp_value_set(v, &m, sizeof m));
    }
    return 0;
}

TEST(value, structs_are_never_seen_half_stored)
{
    mp_value *v, *stop = flag_new();
    mp_process *p[3];
    static many m;
    size_t i;

    CHECK_OK(mp_value_new_struct(&v, sizeof m, NULL, NULL));
    for (i = 0; i < COUNT(p); i++)
        p[i] = CHILD_START(storer, v, stop);
    do
        CHECK_OK(mp_value_get(v, &m, sizeof m));
    while (the_one_number(&m) < 20000);
    flag_set(stop, 1);
    for (i = 0; i < COUNT(p); i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(stop));
}

/* Killed anywhere in mp_value_set. */
TEST_T(value, structs_are_stored_or_not_when_their_storer_is_killed, 120)
{
    mp_value *v, *stop = flag_new();
    rng chance = rng_new();
    static many m;
    int64_t last = 0;
    int round;

    CHECK_OK(mp_value_new_struct(&v, sizeof m, NULL, NULL));
    for (round = 0; round < 60; round++) {
        mp_process *p = CHILD_START(storer, v, stop);
        int64_t now = last;

        while (now == last) {
            CHECK_OK(mp_value_get(v, &m, sizeof m));
            now = the_one_number(&m);
        }
        usleep((useconds_t)rng_below(&chance, 300));
        CHECK(signal_child(child_pid(p), SIGKILL));
        CHECK_INT(child_end(p), -SIGKILL);
        CHECK_OK(mp_value_get(v, &m, sizeof m));
        last = the_one_number(&m);
        CHECK(last >= now);
    }
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(stop));
}

/* Dies in the middle of a change through the pointer. */
static int half(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    many *m;
    void *data;

    CHECK(user == NULL);
    CHECK_OK(mp_value_data(v, &data, NULL));
    m = data;
    CHECK_OK(mp_value_acquire(v, MP_FOREVER));
    m->part[0] = 1;
    raise(SIGKILL);
    return 0;
}

static void is_told(bool report)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    static many m;
    mp_value *v;

    o.report_owner_death = report;
    CHECK_OK(mp_value_new_struct(&v, sizeof m, NULL, &o));
    CHECK_INT(child_end(CHILD_START(half, v)), -SIGKILL);
    CHECK(locked(v));
    CHECK_INT(mp_value_acquire(v, MP_FOREVER), report ? MP_OWNER_DIED : MP_OK);
    CHECK(recovered(v));
    CHECK_OK(mp_value_get(v, &m, sizeof m));
    CHECK(m.part[0] == 1 && m.part[1] == 0);
    CHECK(recovered(v));
    CHECK_OK(mp_value_release(v));
    CHECK(!recovered(v) && !locked(v));
    /* And by the calls that acquire it themselves. */
    CHECK_INT(child_end(CHILD_START(half, v)), -SIGKILL);
    CHECK_INT(mp_value_get(v, &m, sizeof m), report ? MP_OWNER_DIED : MP_OK);
    CHECK_OK(mp_value_get(v, &m, sizeof m));
    CHECK_INT(child_end(CHILD_START(half, v)), -SIGKILL);
    CHECK_INT(mp_value_set(v, &m, sizeof m), report ? MP_OWNER_DIED : MP_OK);
    CHECK_INT(child_end(CHILD_START(half, v)), -SIGKILL);
    CHECK(locked(v));
    {
        mp_value *w;

        CHECK_INT(mp_value_copy(&w, v, NULL), report ? MP_OWNER_DIED : MP_OK);
        CHECK_OK(mp_value_get(w, &m, sizeof m));
        CHECK_INT(m.part[0], 1);
        CHECK_OK(mp_value_free(w));
    }
    CHECK_OK(mp_value_free(v));
}

TEST(value, its_next_holder_is_told_of_a_death)
{
    is_told(false);
    is_told(true);
}

/* A condition over a value's lock. */
static int waits(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);
    mp_value *v = mp_child_value(self, 1);
    int64_t x;

    CHECK(user == NULL);
    CHECK_OK(mp_value_acquire(v, MP_FOREVER));
    for (;;) {
        CHECK_OK(mp_value_get_int(v, &x));
        if (x == 5)
            break;
        CHECK_OK(mp_condition_wait(c, MP_FOREVER));
    }
    CHECK_OK(mp_value_set_int(v, 6));
    CHECK_OK(mp_condition_notify_all(c));
    CHECK_OK(mp_value_release(v));
    return 0;
}

TEST(value, a_condition_over_its_lock)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    mp_condition *c;
    mp_process *p;
    mp_value *v;
    int64_t x = 0;

    CHECK_OK(mp_value_new(&v, 'i', NULL, NULL));
    CHECK_OK(mp_value_get_rlock(v, &o.rlock));
    CHECK_OK(mp_condition_new(&c, &o));
    p = CHILD_START(waits, c, v);
    CHECK_OK(mp_value_acquire(v, MP_FOREVER));
    CHECK_OK(mp_value_set_int(v, 5));
    CHECK_OK(mp_condition_notify(c, 1));
    while (x != 6) {
        CHECK_OK(mp_condition_wait(c, MP_FOREVER));
        CHECK_OK(mp_value_get_int(v, &x));
    }
    CHECK_OK(mp_value_release(v));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_rlock_free(o.rlock));
    CHECK_OK(mp_condition_free(c));
    CHECK_OK(mp_value_free(v));
}
