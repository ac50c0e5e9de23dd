/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Shared values: every type, wrap-around, atomic operations across processes. */
#include "test_util.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int type;
    size_t size;
    bool is_signed;
} integers[] = {
    {MP_INT8, 1, true},    {MP_UINT8, 1, false},  {MP_INT16, 2, true},
    {MP_UINT16, 2, false}, {MP_INT32, 4, true},   {MP_UINT32, 4, false},
    {MP_INT64, 8, true},   {MP_UINT64, 8, false},
};

/* What is left of x in an integer of this type. */
static int64_t wrapped(int64_t x, size_t size, bool is_signed)
{
    int bits = (int)size * 8;
    uint64_t low;

    if (bits == 64)
        return x;
    low = (uint64_t)x & (((uint64_t)1 << bits) - 1);
    if (is_signed && (low >> (bits - 1)) != 0)
        low |= ~(uint64_t)0 << bits;
    return (int64_t)low;
}

static const int64_t samples[] = {
    0,     1,         -1,        42,        127,       128,
    -128,  -129,      255,       256,       32767,     32768,
    65535, 65536,     INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN,
    UINT32_MAX, (int64_t)INT32_MAX + 1, (int64_t)UINT32_MAX + 1,
};

TEST(value, integers_wrap)
{
    size_t t, i;

    for (t = 0; t < COUNT(integers); t++) {
        mp_value *v;
        int64_t x = 99;

        CHECK_OK(mp_value_new(&v, integers[t].type, NULL, NULL));
        CHECK_OK(mp_value_get_int(v, &x));
        CHECK_INT(x, 0);
        for (i = 0; i < COUNT(samples); i++) {
            CHECK_OK(mp_value_set_int(v, samples[i]));
            CHECK_OK(mp_value_get_int(v, &x));
            CHECK_INT(x, wrapped(samples[i], integers[t].size, integers[t].is_signed));
        }
        CHECK_OK(mp_value_free(v));
    }
}

TEST(value, fetch_add_wraps)
{
    size_t t, i;

    for (t = 0; t < COUNT(integers); t++) {
        size_t size = integers[t].size;
        bool is_signed = integers[t].is_signed;
        mp_value *v;
        int64_t x, old, sum = 0;

        CHECK_OK(mp_value_new(&v, integers[t].type, NULL, NULL));
        for (i = 0; i < COUNT(samples); i++) {
            CHECK_OK(mp_value_fetch_add(v, samples[i], &old));
            CHECK_INT(old, sum);
            sum = wrapped((int64_t)((uint64_t)sum + (uint64_t)samples[i]), size, is_signed);
            CHECK_OK(mp_value_get_int(v, &x));
            CHECK_INT(x, sum);
        }
        CHECK_OK(mp_value_fetch_add(v, 5, NULL));
        CHECK_OK(mp_value_exchange(v, 7, &old));
        CHECK_INT(old, wrapped(sum + 5, size, is_signed));
        CHECK_OK(mp_value_get_int(v, &x));
        CHECK_INT(x, 7);
        CHECK_OK(mp_value_free(v));
    }
}

/* The neighbours of a small value in memory stay what they are. */
TEST(value, raw_bytes)
{
    static const unsigned char pattern[8] = {0x81, 0x92, 0xA3, 0xB4, 0xC5, 0xD6, 0xE7, 0xF8};
    size_t t;

    for (t = 0; t < COUNT(integers); t++) {
        size_t size = integers[t].size, wrong;
        unsigned char got[16];
        mp_value *v;

        CHECK_OK(mp_value_new(&v, integers[t].type, pattern, NULL));
        memset(got, 0x11, sizeof got);
        CHECK_OK(mp_value_get(v, got, size));
        CHECK(memcmp(got, pattern, size) == 0);
        CHECK(got[size] == 0x11);
        CHECK_OK(mp_value_set(v, pattern + 8 - size, size));
        CHECK_OK(mp_value_get(v, got, size));
        CHECK(memcmp(got, pattern + 8 - size, size) == 0);
        for (wrong = 0; wrong < 10; wrong++)
            if (wrong != size) {
                CHECK_FAILS(mp_value_get(v, got, wrong));
                CHECK_FAILS(mp_value_set(v, got, wrong));
            }
        CHECK_FAILS(mp_value_get(v, got, SIZE_MAX));
        CHECK_OK(mp_value_free(v));
    }
}

TEST(value, unsigned_64_bits)
{
    uint64_t big = UINT64_MAX - 2, got;
    mp_value *v;
    int64_t x;

    CHECK_OK(mp_value_new(&v, MP_UINT64, &big, NULL));
    CHECK_OK(mp_value_get_int(v, &x));
    CHECK_INT(x, -3);
    CHECK_OK(mp_value_fetch_add(v, 5, &x));
    CHECK_INT(x, -3);
    CHECK_OK(mp_value_get(v, &got, sizeof got));
    CHECK(got == 2);
    CHECK_OK(mp_value_free(v));
}

TEST(value, doubles)
{
    static const double some[] = {0.0, -0.0, 1.5, -1e300, DBL_MIN, DBL_MAX, DBL_EPSILON};
    double initial = 2.25, got;
    int64_t x = 1;
    mp_value *v;
    bool yes;
    size_t i;

    CHECK_OK(mp_value_new(&v, MP_DOUBLE, &initial, NULL));
    CHECK_OK(mp_value_get_double(v, &got));
    CHECK(got == 2.25);
    for (i = 0; i < COUNT(some); i++) {
        CHECK_OK(mp_value_set_double(v, some[i]));
        CHECK_OK(mp_value_get_double(v, &got));
        CHECK(memcmp(&got, &some[i], sizeof got) == 0);
        CHECK_OK(mp_value_get(v, &got, sizeof got));
        CHECK(memcmp(&got, &some[i], sizeof got) == 0);
    }
    CHECK_STATUS(mp_value_get_int(v, &x), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_set_int(v, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_fetch_add(v, 1, &x), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_exchange(v, 1, &x), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_compare_exchange(v, &x, 1, &yes), MP_ERR_INVALID);
    CHECK_INT(x, 1);
    CHECK_OK(mp_value_get_double(v, &got));
    CHECK(got == DBL_EPSILON);
    CHECK_OK(mp_value_free(v));
}

TEST(value, double_calls_on_integers)
{
    double got;
    size_t t;

    for (t = 0; t < COUNT(integers); t++) {
        mp_value *v;

        CHECK_OK(mp_value_new(&v, integers[t].type, NULL, NULL));
        CHECK_STATUS(mp_value_get_double(v, &got), MP_ERR_INVALID);
        CHECK_STATUS(mp_value_set_double(v, 1.0), MP_ERR_INVALID);
        CHECK_OK(mp_value_free(v));
    }
}

TEST(value, compare_exchange)
{
    size_t t;

    for (t = 0; t < COUNT(integers); t++) {
        int64_t expected = 5, x;
        bool exchanged = true;
        mp_value *v;

        CHECK_OK(mp_value_new(&v, integers[t].type, NULL, NULL));
        CHECK_OK(mp_value_set_int(v, 10));
        CHECK_OK(mp_value_compare_exchange(v, &expected, 20, &exchanged));
        CHECK(!exchanged);
        CHECK_INT(expected, 10);
        CHECK_OK(mp_value_get_int(v, &x));
        CHECK_INT(x, 10);
        CHECK_OK(mp_value_compare_exchange(v, &expected, 20, &exchanged));
        CHECK(exchanged);
        CHECK_INT(expected, 10);
        CHECK_OK(mp_value_get_int(v, &x));
        CHECK_INT(x, 20);
        CHECK_OK(mp_value_free(v));
    }
}

TEST(value, wrong_type)
{
    static const int wrong[] = {0, -1, MP_FLOAT + 1, 255, INT32_MAX, INT32_MIN};
    int64_t initial = 1;
    mp_value *v;
    size_t i;

    for (i = 0; i < COUNT(wrong); i++) {
        CHECK_STATUS(mp_value_new(&v, wrong[i], NULL, NULL), MP_ERR_INVALID);
        CHECK_STATUS(mp_value_new(&v, wrong[i], &initial, NULL), MP_ERR_INVALID);
    }
}

/* ---- across processes ---- */

enum { CHILDREN = 4, ADDS = 20000 };

static int adder(mp_child *self, void *user)
{
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ADDS; i++) {
        CHECK_OK(mp_value_fetch_add(mp_child_value(self, 0), 1, NULL));
        CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 3, NULL));
    }
    return 0;
}

/* A wide and a narrow value: the narrow one wraps many times and ends exact too. */
TEST(value, fetch_add_by_four_processes)
{
    mp_process *children[CHILDREN];
    mp_value *wide = flag_new(), *narrow;
    int64_t x;
    int i;

    CHECK_OK(mp_value_new(&narrow, MP_UINT8, NULL, NULL));
    for (i = 0; i < CHILDREN; i++)
        children[i] = CHILD_START(adder, wide, narrow);
    for (i = 0; i < CHILDREN; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_INT(flag_get(wide), CHILDREN * ADDS);
    CHECK_OK(mp_value_get_int(narrow, &x));
    CHECK_INT(x, CHILDREN * ADDS * 3 % 256);
    CHECK_OK(mp_value_free(wide));
    CHECK_OK(mp_value_free(narrow));
}

static int swapper(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < 5000; i++) {
        int64_t seen = flag_get(v);
        bool done = false;

        while (!done)
            CHECK_OK(mp_value_compare_exchange(v, &seen, seen + 1, &done));
    }
    return 0;
}

TEST(value, compare_exchange_by_four_processes)
{
    mp_process *children[CHILDREN];
    mp_value *v = flag_new();
    int i;

    for (i = 0; i < CHILDREN; i++)
        children[i] = CHILD_START(swapper, v);
    for (i = 0; i < CHILDREN; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_INT(flag_get(v), CHILDREN * 5000);
    CHECK_OK(mp_value_free(v));
}

static int doubler(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    double x;

    CHECK(user == NULL);
    CHECK_OK(mp_value_get_double(v, &x));
    CHECK_OK(mp_value_set_double(v, x * 2));
    return 0;
}

TEST(value, double_in_a_child)
{
    double x = 1.25;
    mp_value *v;

    CHECK_OK(mp_value_new(&v, MP_DOUBLE, &x, NULL));
    CHECK_INT(child_end(CHILD_START(doubler, v)), 0);
    CHECK_OK(mp_value_get_double(v, &x));
    CHECK(x == 2.5);
    CHECK_OK(mp_value_free(v));
}
