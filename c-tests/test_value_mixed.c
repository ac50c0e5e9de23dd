/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Values and arrays used in every way at once, raw ones in children, and RLocks that were given. */
#include "test_util.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { CHILDREN = 3, THREADS = 3, ROUNDS = 2000, USERS = (CHILDREN + 1) * THREADS };

/* Between two steps: lets others run every now and then, also on a machine of few processors. */
static void pause_at(int64_t x)
{
    if (x % 16 == 0)
        sched_yield();
}

/* ---- what is atomic beside what takes two steps ---- */

typedef struct pair {
    int64_t up, down;
} pair;

/* v counts by what is atomic; its lock guards item 2 of a. The lock of a guards item 1, and item 0
 * counts by what is atomic. w is a struct under its own lock. */
typedef struct all {
    mp_value *v, *w;
    mp_array *a;
} all;

static void *mixes(void *arg)
{
    const all *m = arg;
    int64_t x;
    pair p;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        CHECK_OK(mp_value_fetch_add(m->v, 3, NULL));
        CHECK_OK(mp_array_fetch_add(m->a, 0, 2, NULL));
        MP_WITH_ARRAY(m->a) {
            CHECK_OK(mp_array_get_int(m->a, 1, &x));
            pause_at(x);
            CHECK_OK(mp_array_set_int(m->a, 1, x + 1));
        }
        MP_WITH_VALUE(m->v) {
            CHECK_OK(mp_array_get_int(m->a, 2, &x));
            CHECK_OK(mp_array_fetch_add(m->a, 0, -1, NULL));
            pause_at(x);
            CHECK_OK(mp_array_set_int(m->a, 2, x + 5));
        }
        MP_WITH_VALUE(m->w) {
            CHECK_OK(mp_value_get(m->w, &p, sizeof p));
            CHECK_INT(p.up, -p.down);
            pause_at(p.up);
            p.up++;
            p.down--;
            CHECK_OK(mp_value_set(m->w, &p, sizeof p));
        }
    }
    return NULL;
}

static void mix_in_threads(all *m)
{
    pthread_t t[THREADS];
    int i;

    for (i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&t[i], NULL, mixes, m), 0);
    for (i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(t[i], NULL), 0);
}

static int mixer(mp_child *self, void *user)
{
    all m;

    CHECK(user == NULL);
    m.v = mp_child_value(self, 0);
    m.w = mp_child_value(self, 1);
    m.a = mp_child_array(self, 2);
    mix_in_threads(&m);
    return 0;
}

TEST_T(value, atomic_and_locked_changes_at_once, 120)
{
    static const int64_t want[4] = {USERS * ROUNDS, USERS * ROUNDS, USERS * ROUNDS * 5, 0};
    mp_process *p[CHILDREN];
    int64_t got[4];
    bool yes;
    pair sums;
    all m;
    int i;

    m.v = flag_new();
    CHECK_OK(mp_value_new_struct(&m.w, sizeof(pair), NULL, NULL));
    CHECK_OK(mp_array_new(&m.a, MP_INT64, 4, NULL, NULL));
    for (i = 0; i < CHILDREN; i++)
        p[i] = CHILD_START(mixer, m.v, m.w, m.a);
    mix_in_threads(&m);
    for (i = 0; i < CHILDREN; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(flag_get(m.v), USERS * ROUNDS * 3);
    CHECK_OK(mp_array_read(m.a, 0, 4, got, sizeof got));
    for (i = 0; i < 4; i++)
        CHECK_INT(got[i], want[i]);
    CHECK_OK(mp_value_get(m.w, &sums, sizeof sums));
    CHECK_INT(sums.up, USERS * ROUNDS);
    CHECK_INT(sums.down, -USERS * ROUNDS);
    CHECK_OK(mp_value_locked(m.v, &yes));
    CHECK(!yes);
    CHECK_OK(mp_array_locked(m.a, &yes));
    CHECK(!yes);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(m.v));
    CHECK_OK(mp_value_free(m.w));
    CHECK_OK(mp_array_free(m.a));
}

/* ---- raw ones ---- */

static mp_value *raw_value(int type, const void *initial)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_value *v;

    o.raw = true;
    CHECK_OK(mp_value_new(&v, type, initial, &o));
    return v;
}

static mp_array *raw_array(int type, size_t length, const void *initial)
{
    mp_array_options o = MP_ARRAY_OPTIONS;
    mp_array *a;

    o.raw = true;
    CHECK_OK(mp_array_new(&a, type, length, initial, &o));
    return a;
}

static int changes(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    mp_array *a = mp_child_array(self, 1);
    int16_t got[5], two[2] = {-7, -8};
    double d;
    void *data;

    CHECK(user == NULL);
    CHECK_OK(mp_value_get_double(v, &d));
    CHECK(d == 2.5);
    CHECK_OK(mp_value_set_double(v, -d));
    CHECK_STATUS(mp_value_acquire(v, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_array_read(a, 0, 5, got, sizeof got));
    CHECK(got[0] == 1 && got[4] == 5);
    CHECK_OK(mp_array_write(a, 1, 2, two, sizeof two));
    CHECK_OK(mp_array_set_int(a, 0, 100));
    CHECK_STATUS(mp_array_acquire(a, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_array_data(a, &data, NULL));
    ((int16_t *)data)[4] = 55;
    return 0;
}

TEST(value, raw_ones_are_changed_by_a_child)
{
    int16_t begin[5] = {1, 2, 3, 4, 5}, want[5] = {100, -7, -8, 4, 55}, got[5];
    double half = 2.5, d;
    mp_value *v = raw_value(MP_DOUBLE, &half);
    mp_array *a = raw_array(MP_INT16, 5, begin);

    CHECK_INT(child_end(CHILD_START(changes, v, a)), 0);
    CHECK_OK(mp_value_get_double(v, &d));
    CHECK(d == -2.5);
    CHECK_OK(mp_array_read(a, 0, 5, got, sizeof got));
    CHECK(memcmp(got, want, sizeof got) == 0);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

enum { PROCESSES = 4 };

/* Adds 1 to what it sees, until nobody was in between. */
static void step_value(mp_value *v)
{
    int64_t seen = flag_get(v);
    bool done = false;

    pause_at(seen);
    while (!done)
        CHECK_OK(mp_value_compare_exchange(v, &seen, seen + 1, &done));
}

static void step_item(mp_array *a, size_t index)
{
    bool done = false;
    int64_t seen;

    CHECK_OK(mp_array_get_int(a, index, &seen));
    pause_at(seen);
    while (!done)
        CHECK_OK(mp_array_compare_exchange(a, index, &seen, seen + 1, &done));
}

static int adds_and_steps(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    mp_array *a = mp_child_array(self, 1);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++) {
        CHECK_OK(mp_value_fetch_add(v, 2, NULL));
        step_value(v);
        CHECK_OK(mp_array_fetch_add(a, 0, 3, NULL));
        step_item(a, 0);
        step_item(a, 1);
        CHECK_OK(mp_array_fetch_add(a, 2, -1, NULL));
    }
    return 0;
}

TEST_T(value, raw_ones_lose_nothing, 120)
{
    mp_value *v = raw_value(MP_INT64, NULL);
    mp_array *a = raw_array(MP_INT32, 3, NULL);
    mp_process *p[PROCESSES];
    int32_t got[3];
    int i;

    for (i = 0; i < PROCESSES; i++)
        p[i] = CHILD_START(adds_and_steps, v, a);
    for (i = 0; i < PROCESSES; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(flag_get(v), PROCESSES * ROUNDS * 3);
    CHECK_OK(mp_array_read(a, 0, 3, got, sizeof got));
    CHECK_INT(got[0], PROCESSES * ROUNDS * 4);
    CHECK_INT(got[1], PROCESSES * ROUNDS);
    CHECK_INT(got[2], -PROCESSES * ROUNDS);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

/* ---- an RLock that was given ---- */

/* Held through one of them it is held for all, by the thread and not by the handle. */
static void are_one(mp_rlock *r, mp_value *v, mp_array *a)
{
    mp_rlock *of_v, *of_a;
    bool yes;

    CHECK_OK(mp_value_get_rlock(v, &of_v));
    CHECK_OK(mp_array_get_rlock(a, &of_a));
    CHECK_OK(mp_rlock_acquire(of_v, MP_NO_WAIT));
    CHECK_OK(mp_rlock_locked(r, &yes));
    CHECK(yes);
    CHECK_OK(mp_rlock_locked(of_a, &yes));
    CHECK(yes);
    CHECK_OK(mp_value_locked(v, &yes));
    CHECK(yes);
    CHECK_OK(mp_array_locked(a, &yes));
    CHECK(yes);
    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_rlock_release(of_a));
    CHECK_STATUS(mp_value_release(v), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_array_release(a), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_rlock_locked(of_v, &yes));
    CHECK(!yes);
    CHECK_OK(mp_rlock_free(of_v));
    CHECK_OK(mp_rlock_free(of_a));
}

static void both_by_one(mp_value *v, mp_array *a)
{
    int64_t x;

    CHECK_OK(mp_value_get_int(v, &x));
    pause_at(x);
    CHECK_OK(mp_value_set_int(v, x + 1));
    CHECK_OK(mp_array_get_int(a, 1, &x));
    pause_at(x);
    CHECK_OK(mp_array_set_int(a, 1, x + 1));
}

static int counts_under_it(mp_child *self, void *user)
{
    mp_rlock *r = mp_child_rlock(self, 0), *same;
    mp_value *v = mp_child_value(self, 1);
    mp_array *a = mp_child_array(self, 2);
    int i;

    CHECK(user == NULL);
    CHECK_OK(mp_array_get_rlock(a, &same));
    for (i = 0; i < ROUNDS; i++) {
        MP_WITH_RLOCK(r)
            both_by_one(v, a);
        MP_WITH_VALUE(v)
            both_by_one(v, a);
        MP_WITH_ARRAY(a)
            both_by_one(v, a);
        MP_WITH_RLOCK(same)
            MP_WITH_VALUE(v)
                both_by_one(v, a);
    }
    CHECK_OK(mp_rlock_free(same));
    return 0;
}

TEST_T(value, and_an_array_with_an_rlock_that_they_were_given, 120)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_array_options q = MP_ARRAY_OPTIONS;
    mp_stats before = stats_now();
    mp_process *p[PROCESSES];
    int64_t x;
    mp_lock *l = NULL;
    mp_rlock *r;
    mp_value *v;
    mp_array *a;
    int i;

    CHECK_OK(mp_rlock_new(&r, NULL));
    o.rlock = q.rlock = r;
    CHECK_OK(mp_value_new(&v, MP_INT64, NULL, &o));
    CHECK_OK(mp_array_new(&a, MP_INT32, 2, NULL, &q));
    CHECK_STATUS(mp_value_get_lock(v, &l), MP_ERR_STATE);
    CHECK_STATUS(mp_array_get_lock(a, &l), MP_ERR_STATE);
    CHECK(l == NULL);
    are_one(r, v, a);
    for (i = 0; i < PROCESSES; i++)
        p[i] = CHILD_START(counts_under_it, r, v, a);
    for (i = 0; i < PROCESSES; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(flag_get(v), PROCESSES * ROUNDS * 4);
    CHECK_OK(mp_array_get_int(a, 1, &x));
    CHECK_INT(x, PROCESSES * ROUNDS * 4);
    are_one(r, v, a);
    /* It goes with the last of the three. */
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_array_release(a));
    CHECK_OK(mp_array_free(a));
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_INT(stats_now().rescued, 0);
}
