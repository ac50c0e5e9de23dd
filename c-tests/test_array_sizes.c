/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Arrays: sizes that do not match change nothing, and copies under every kind of lock. */
#include "test_util.h"

#include <pthread.h>
#include <string.h>

/* ---- sizes that do not match ---- */

enum { ITEMS = 6, MOST = ITEMS * 24 };

/* Every size but the right one, for stretches from everywhere. */
static void takes_one_size(mp_array *a)
{
    static const size_t large[] = {MOST * 2, SIZE_MAX / 2 + 1, SIZE_MAX - 1, SIZE_MAX};
    unsigned char begin[MOST], now[MOST], buffer[MOST + 32], untouched[MOST + 32];
    size_t item, all, first, count, size, i;

    CHECK_OK(mp_array_item_size(a, &item));
    all = ITEMS * item;
    for (i = 0; i < all; i++)
        begin[i] = (unsigned char)(i + 1);
    CHECK_OK(mp_array_write(a, 0, ITEMS, begin, all));
    memset(untouched, 0xEE, sizeof untouched);
    memset(buffer, 0xEE, sizeof buffer);
    for (first = 0; first < ITEMS; first++)
        for (count = 0; first + count <= ITEMS; count++) {
            for (size = 0; size <= all + 8; size++)
                if (size != count * item) {
                    CHECK_STATUS(mp_array_read(a, first, count, buffer, size), MP_ERR_INVALID);
                    CHECK_STATUS(mp_array_write(a, first, count, buffer, size), MP_ERR_INVALID);
                }
            for (i = 0; i < COUNT(large); i++) {
                CHECK_STATUS(mp_array_read(a, first, count, buffer, large[i]), MP_ERR_INVALID);
                CHECK_STATUS(mp_array_write(a, first, count, buffer, large[i]), MP_ERR_INVALID);
            }
        }
    CHECK(memcmp(buffer, untouched, sizeof buffer) == 0);
    CHECK_OK(mp_array_read(a, 0, ITEMS, now, all));
    CHECK(memcmp(now, begin, all) == 0);
    /* The right one goes on to do. */
    CHECK_OK(mp_array_write(a, 2, 3, buffer, 3 * item));
    CHECK_OK(mp_array_read(a, 0, ITEMS, now, all));
    CHECK(memcmp(now, begin, 2 * item) == 0);
    CHECK(memcmp(now + 2 * item, untouched, 3 * item) == 0);
    CHECK(memcmp(now + 5 * item, begin + 5 * item, item) == 0);
}

static void take_one_size(const mp_array_options *o)
{
    static const int types[] = {MP_INT8, MP_UINT16, MP_INT32, MP_UINT64, MP_FLOAT, MP_DOUBLE};
    static const size_t structs[] = {1, 3, 7, 16, 24};
    mp_array *a;
    size_t i;

    for (i = 0; i < COUNT(types); i++) {
        CHECK_OK(mp_array_new(&a, types[i], ITEMS, NULL, o));
        takes_one_size(a);
        CHECK_OK(mp_array_free(a));
    }
    for (i = 0; i < COUNT(structs); i++) {
        CHECK_OK(mp_array_new_struct(&a, structs[i], ITEMS, NULL, o));
        takes_one_size(a);
        CHECK_OK(mp_array_free(a));
    }
}

TEST_T(array, a_size_that_does_not_match_changes_nothing, 60)
{
    mp_array_options o = MP_ARRAY_OPTIONS;
    bool yes;

    take_one_size(NULL);
    o.raw = true;
    take_one_size(&o);
    o.raw = false;
    o.lock = lock_new();
    take_one_size(&o);
    CHECK_OK(mp_lock_locked(o.lock, &yes));
    CHECK(!yes);
    CHECK_OK(mp_lock_free(o.lock));
}

/* ---- copies ---- */

typedef struct point {
    double x, y;
    char name[9];
} point;

enum { POINTS = 50 };

static mp_array *points_new(const mp_array_options *o)
{
    static point some[POINTS];
    mp_array *a;
    int i;

    memset(some, 0, sizeof some);
    for (i = 0; i < POINTS; i++) {
        some[i].x = i * 0.25;
        some[i].y = -i;
        some[i].name[i % 9] = 'p';
    }
    CHECK_OK(mp_array_new_struct(&a, sizeof *some, POINTS, some, o));
    return a;
}

static mp_array *doubles_new(const mp_array_options *o)
{
    double some[POINTS];
    mp_array *a;
    int i;

    for (i = 0; i < POINTS; i++)
        some[i] = 1.0 / (i + 1);
    CHECK_OK(mp_array_new(&a, MP_DOUBLE, POINTS, some, o));
    return a;
}

static mp_array *either_new(bool structs, const mp_array_options *o)
{
    return structs ? points_new(o) : doubles_new(o);
}

/* The same type and the same items. */
static void are_alike(mp_array *a, mp_array *b)
{
    size_t length, a_size, b_size, bytes;
    unsigned char x[sizeof(point) * POINTS], y[sizeof x];

    CHECK_OK(mp_array_item_size(a, &a_size));
    CHECK_OK(mp_array_item_size(b, &b_size));
    CHECK_INT(a_size, b_size);
    CHECK_OK(mp_array_length(b, &length));
    CHECK_INT(length, POINTS);
    bytes = POINTS * a_size;
    CHECK_OK(mp_array_read(a, 0, POINTS, x, bytes));
    CHECK_OK(mp_array_read(b, 0, POINTS, y, bytes));
    CHECK(memcmp(x, y, bytes) == 0);
}

/* What is stored in one is not stored in the other. */
static void are_two(mp_array *a, mp_array *b)
{
    unsigned char before[sizeof(point)], now[sizeof(point)], other[sizeof(point)];
    size_t size;

    CHECK_OK(mp_array_item_size(a, &size));
    CHECK_OK(mp_array_read(b, 7, 1, before, size));
    memset(other, 0x3F, sizeof other);
    CHECK_OK(mp_array_write(a, 7, 1, other, size));
    CHECK_OK(mp_array_read(b, 7, 1, now, size));
    CHECK(memcmp(before, now, size) == 0);
    CHECK_OK(mp_array_write(a, 7, 1, before, size));
    are_alike(a, b);
}

/* A copy is a number's array as its source is, or a struct's. */
static void has_type(mp_array *a, bool structs)
{
    double d;

    if (structs) {
        CHECK_STATUS(mp_array_get_double(a, 1, &d), MP_ERR_INVALID);
    } else {
        CHECK_OK(mp_array_get_double(a, 1, &d));
        CHECK(d == 0.5);
    }
}

static bool locked(const mp_array *a)
{
    bool yes;

    CHECK_OK(mp_array_locked(a, &yes));
    return yes;
}

static void copies_of(bool structs)
{
    mp_array_options raw = MP_ARRAY_OPTIONS;
    mp_array *own, *bare, *again;

    raw.raw = true;
    own = either_new(structs, NULL);
    /* Its holder may copy it, and the copy is not held. */
    CHECK_OK(mp_array_acquire(own, MP_NO_WAIT));
    CHECK_OK(mp_array_copy(&bare, own, &raw));
    CHECK(locked(own));
    CHECK_STATUS(mp_array_acquire(bare, MP_NO_WAIT), MP_ERR_STATE);
    has_type(bare, structs);
    are_alike(own, bare);
    are_two(own, bare);
    are_two(bare, own);
    CHECK_OK(mp_array_copy(&again, bare, NULL));
    CHECK(!locked(again));
    CHECK_OK(mp_array_release(own));
    CHECK_OK(mp_array_acquire(again, MP_NO_WAIT));
    CHECK(!locked(own));
    CHECK_OK(mp_array_release(again));
    CHECK_OK(mp_array_free(own));
    are_two(bare, again);
    CHECK_OK(mp_array_free(bare));
    has_type(again, structs);
    CHECK_OK(mp_array_copy(&own, again, NULL));
    are_two(again, own);
    CHECK_OK(mp_array_free(own));
    CHECK_OK(mp_array_free(again));
}

static void copies_with_a_given_lock(bool structs)
{
    mp_array_options o = MP_ARRAY_OPTIONS, r = MP_ARRAY_OPTIONS, raw = MP_ARRAY_OPTIONS;
    mp_array *own = either_new(structs, NULL), *a, *b, *c, *bare;
    mp_lock *same;
    mp_rlock *rsame;

    raw.raw = true;
    o.lock = lock_new();
    CHECK_OK(mp_rlock_new(&r.rlock, NULL));
    CHECK_OK(mp_array_copy(&a, own, &o));
    CHECK_OK(mp_array_copy(&bare, a, &raw));
    CHECK_OK(mp_array_copy(&b, bare, &o));
    /* Source and copy share a lock, which is not recursive. */
    CHECK_OK(mp_array_copy(&c, a, &o));
    are_two(a, c);
    CHECK_OK(mp_array_free(c));
    CHECK_OK(mp_array_copy(&c, b, &r));
    are_two(own, a);
    are_two(a, b);
    are_two(b, bare);
    are_two(bare, c);
    are_two(c, own);
    has_type(b, structs);
    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK(locked(a) && locked(b) && !locked(c) && !locked(own));
    CHECK_OK(mp_array_get_lock(b, &same));
    CHECK_OK(mp_lock_release(same));
    CHECK(!locked(a));
    CHECK_OK(mp_rlock_acquire(r.rlock, MP_NO_WAIT));
    CHECK(!locked(a) && !locked(b) && locked(c));
    CHECK_OK(mp_array_get_rlock(c, &rsame));
    CHECK_OK(mp_rlock_release(rsame));
    CHECK(!locked(c));
    CHECK_OK(mp_lock_free(same));
    CHECK_OK(mp_rlock_free(rsame));
    CHECK_OK(mp_lock_free(o.lock));
    CHECK_OK(mp_rlock_free(r.rlock));
    are_two(a, b);
    CHECK_OK(mp_array_free(own));
    CHECK_OK(mp_array_free(bare));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(b));
    CHECK_OK(mp_array_free(c));
}

TEST(array, copies_with_another_lock_or_none)
{
    mp_stats before = stats_now();

    copies_of(false);
    copies_of(true);
    copies_with_a_given_lock(false);
    copies_with_a_given_lock(true);
    CHECK_INT(stats_now().blocks, before.blocks);
}

/* A copy waits for whoever is in the middle of a change. */
static void *copies_it(void *arg)
{
    mp_array *copy, *a = arg;

    CHECK_OK(mp_array_copy(&copy, a, NULL));
    return copy;
}

TEST(array, a_copy_waits_for_the_holder)
{
    mp_array *a = doubles_new(NULL), *copy;
    pthread_t t;
    void *result;
    double d;
    int i;

    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_INT(pthread_create(&t, NULL, copies_it, a), 0);
    for (i = 0; i < POINTS; i++) {
        CHECK_OK(mp_array_set_double(a, (size_t)i, 9.0));
        if (i % 10 == 0)
            sleep_ms(5);
    }
    CHECK_OK(mp_array_release(a));
    CHECK_INT(pthread_join(t, &result), 0);
    copy = result;
    for (i = 0; i < POINTS; i++) {
        CHECK_OK(mp_array_get_double(copy, (size_t)i, &d));
        CHECK(d == 9.0);
    }
    CHECK_OK(mp_array_free(copy));
    CHECK_OK(mp_array_free(a));
}
