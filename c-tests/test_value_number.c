/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Atomic operations on the numbers of values and arrays: what each does, and by many at once. */
#include "test_util.h"

static const int types[] = {MP_INT8,  MP_UINT8,  MP_INT16, MP_UINT16,
                            MP_INT32, MP_UINT32, MP_INT64, MP_UINT64};

/* What an integer of this type makes of x. */
static int64_t cut(int type, int64_t x)
{
    switch (type) {
    case MP_INT8: return (int8_t)x;
    case MP_UINT8: return (uint8_t)x;
    case MP_INT16: return (int16_t)x;
    case MP_UINT16: return (uint16_t)x;
    case MP_INT32: return (int32_t)x;
    case MP_UINT32: return (uint32_t)x;
    default: return x;
    }
}

static bool less(int type, int64_t a, int64_t b)
{
    return type == MP_UINT64 ? (uint64_t)a < (uint64_t)b : a < b;
}

enum operation { ADD, SUB, AND, OR, XOR, MIN, MAX, EXCHANGE, OPERATIONS };

static int64_t expected(int type, enum operation op, int64_t now, int64_t by)
{
    int64_t x = cut(type, by);

    switch (op) {
    case ADD: return cut(type, (int64_t)((uint64_t)now + (uint64_t)by));
    case SUB: return cut(type, (int64_t)((uint64_t)now - (uint64_t)by));
    case AND: return now & x;
    case OR: return now | x;
    case XOR: return cut(type, now ^ x);
    case MIN: return less(type, x, now) ? x : now;
    case MAX: return less(type, x, now) ? now : x;
    default: return x;
    }
}

typedef int (*value_call)(mp_value *, int64_t, int64_t *);
typedef int (*array_call)(mp_array *, size_t, int64_t, int64_t *);

#define CALLS(noun)                                                                                \
    noun##_fetch_add, noun##_fetch_sub, noun##_fetch_and, noun##_fetch_or, noun##_fetch_xor,       \
        noun##_fetch_min, noun##_fetch_max, noun##_exchange

/* An enum is what the functions answer: called as what they are, by way of these. */
#define WRAP(name)                                                                                 \
    static int value_##name(mp_value *v, int64_t by, int64_t *before)                              \
    {                                                                                              \
        return mp_value_##name(v, by, before);                                                     \
    }                                                                                              \
    static int array_##name(mp_array *a, size_t i, int64_t by, int64_t *before)                    \
    {                                                                                              \
        return mp_array_##name(a, i, by, before);                                                  \
    }

WRAP(fetch_add)
WRAP(fetch_sub)
WRAP(fetch_and)
WRAP(fetch_or)
WRAP(fetch_xor)
WRAP(fetch_min)
WRAP(fetch_max)
WRAP(exchange)

static const value_call of_values[OPERATIONS] = {CALLS(value)};
static const array_call of_arrays[OPERATIONS] = {CALLS(array)};

static const int64_t samples[] = {0,    1,     -1,    2,       127,       128,       -128,     -129,
                                  255,  256,   32767, 32768,   -32769,    INT32_MAX, INT32_MIN,
                                  1000, 65535, 65536, 1 << 20, INT64_MAX, INT64_MIN, 0x5555};

TEST(value, every_operation_on_every_type)
{
    size_t t, i, k;
    int op;

    for (t = 0; t < COUNT(types); t++) {
        mp_value *v;
        mp_array *a;
        int64_t got;

        CHECK_OK(mp_value_new(&v, types[t], NULL, NULL));
        CHECK_OK(mp_array_new(&a, types[t], 3, NULL, NULL));
        for (op = 0; op < OPERATIONS; op++)
            for (i = 0; i < COUNT(samples); i++)
                for (k = 0; k < COUNT(samples); k++) {
                    int64_t now = cut(types[t], samples[i]);
                    int64_t want = expected(types[t], (enum operation)op, now, samples[k]);

                    CHECK_OK(mp_value_set_int(v, samples[i]));
                    CHECK_OK(of_values[op](v, samples[k], &got));
                    CHECK_INT(got, now);
                    CHECK_OK(mp_value_get_int(v, &got));
                    CHECK_INT(got, want);
                    CHECK_OK(mp_array_set_int(a, 1, samples[i]));
                    CHECK_OK(of_arrays[op](a, 1, samples[k], &got));
                    CHECK_INT(got, now);
                    CHECK_OK(mp_array_get_int(a, 1, &got));
                    CHECK_INT(got, want);
                }
        /* The neighbours are as they were. */
        for (i = 0; i < 3; i += 2) {
            CHECK_OK(mp_array_get_int(a, i, &got));
            CHECK_INT(got, 0);
        }
        for (op = 0; op < OPERATIONS; op++) {
            CHECK_OK(of_values[op](v, 1, NULL));
            CHECK_OK(of_arrays[op](a, 2, 1, NULL));
            CHECK_INT(of_arrays[op](a, 3, 1, &got), MP_ERR_INVALID);
            CHECK_CONTAINS(mp_last_error(), "3 is out of range: the array has 3");
        }
        CHECK_OK(mp_value_free(v));
        CHECK_OK(mp_array_free(a));
    }
}

TEST(array, compare_exchange)
{
    size_t t;

    for (t = 0; t < COUNT(types); t++) {
        int64_t is = 5, x;
        bool done = true;
        mp_array *a;

        CHECK_OK(mp_array_new(&a, types[t], 2, NULL, NULL));
        CHECK_OK(mp_array_set_int(a, 1, -2));
        CHECK_OK(mp_array_compare_exchange(a, 1, &is, 20, &done));
        CHECK(!done);
        CHECK_INT(is, cut(types[t], -2));
        is = -2;
        CHECK_OK(mp_array_compare_exchange(a, 1, &is, 20, &done));
        CHECK(done);
        CHECK_OK(mp_array_get_int(a, 1, &x));
        CHECK_INT(x, 20);
        CHECK_STATUS(mp_array_compare_exchange(a, 2, &is, 20, &done), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_compare_exchange(a, 1, NULL, 20, &done), MP_ERR_INVALID);
        CHECK_OK(mp_array_free(a));
    }
}

/* ---- by eight processes ---- */

enum { CHILDREN = 8, ROUNDS = 5000 };

static int adder(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0), *d = mp_child_value(self, 2);
    mp_array *a = mp_child_array(self, 1);
    int64_t most = -1;
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++) {
        int64_t before;

        CHECK_OK(mp_value_fetch_add(v, 1, &before));
        /* Nobody gets a number twice, and each only larger ones. */
        CHECK(before > most);
        most = before;
        CHECK_OK(mp_array_fetch_add(a, 0, 1, NULL));
        CHECK_OK(mp_array_fetch_sub(a, 1, 3, NULL));
        CHECK_OK(mp_array_fetch_xor(a, 2, 1 << i % 8, NULL));
        CHECK_OK(mp_array_fetch_max(a, 3, before % 200, NULL));
        CHECK_OK(mp_value_fetch_add_double(d, 0.5, NULL));
    }
    return 0;
}

TEST_T(value, eight_processes_lose_nothing, 120)
{
    mp_process *p[CHILDREN];
    mp_value *v = flag_new(), *d;
    double sum;
    int64_t x;
    mp_array *a;
    int i;

    CHECK_OK(mp_value_new(&d, MP_DOUBLE, NULL, NULL));
    CHECK_OK(mp_array_new(&a, MP_UINT8, 4, NULL, NULL));
    for (i = 0; i < CHILDREN; i++)
        p[i] = CHILD_START(adder, v, a, d);
    for (i = 0; i < CHILDREN; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(flag_get(v), CHILDREN * ROUNDS);
    CHECK_OK(mp_array_get_int(a, 0, &x));
    CHECK_INT(x, CHILDREN * ROUNDS % 256);
    CHECK_OK(mp_array_get_int(a, 1, &x));
    CHECK_INT(x, (uint8_t)(CHILDREN * ROUNDS * -3));
    CHECK_OK(mp_array_get_int(a, 2, &x));
    CHECK_INT(x, 0);
    CHECK_OK(mp_array_get_int(a, 3, &x));
    CHECK_INT(x, 199);
    CHECK_OK(mp_value_get_double(d, &sum));
    CHECK(sum == CHILDREN * ROUNDS * 0.5);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(d));
    CHECK_OK(mp_array_free(a));
}
