/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Shared arrays: every type, bounds, absurd lengths, children that see the same bytes. */
#include "test_util.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    int type;
    size_t size;
} types[] = {
    {MP_INT8, 1},   {MP_UINT8, 1}, {MP_INT16, 2},  {MP_UINT16, 2}, {MP_INT32, 4},
    {MP_UINT32, 4}, {MP_INT64, 8}, {MP_UINT64, 8}, {MP_DOUBLE, 8},
};

static mp_array *array_new(int type, size_t length)
{
    mp_array *a;

    CHECK_OK(mp_array_new(&a, type, length, NULL, NULL));
    return a;
}

TEST(array, begins_with_zeros_of_its_size)
{
    size_t t, i, length = 0, bytes = 0;

    for (t = 0; t < COUNT(types); t++) {
        mp_array *a = array_new(types[t].type, 1000);
        unsigned char *data;
        void *where;

        CHECK_OK(mp_array_length(a, &length));
        CHECK_INT(length, 1000);
        CHECK_OK(mp_array_data(a, &where, &bytes));
        CHECK_INT(bytes, 1000 * types[t].size);
        CHECK((uintptr_t)where % types[t].size == 0);
        data = where;
        for (i = 0; i < bytes; i++)
            CHECK(data[i] == 0);
        /* The next array may get this memory; it must find zeros again. */
        memset(data, 0xFF, bytes);
        CHECK_OK(mp_array_free(a));
    }
}

TEST(array, initial_items_are_copied)
{
    int32_t items[5] = {1, -2, 3, -4, 5}, got[5];
    mp_array *a;

    CHECK_OK(mp_array_new(&a, MP_INT32, 5, items, NULL));
    memset(items, 0, sizeof items);
    CHECK_OK(mp_array_read(a, 0, 5, got, sizeof got));
    CHECK(got[0] == 1 && got[1] == -2 && got[2] == 3 && got[3] == -4 && got[4] == 5);
    CHECK_OK(mp_array_free(a));
}

TEST(array, integers)
{
    size_t t;

    for (t = 0; t + 1 < COUNT(types); t++) {
        mp_array *a = array_new(types[t].type, 3);
        bool is_signed = types[t].type % 2 == MP_INT8 % 2;
        int bits = (int)types[t].size * 8;
        int64_t x;

        CHECK_OK(mp_array_set_int(a, 1, -1));
        CHECK_OK(mp_array_get_int(a, 1, &x));
        CHECK_INT(x, is_signed || bits == 64 ? -1 : (int64_t)(((uint64_t)1 << bits) - 1));
        CHECK_OK(mp_array_set_int(a, 1, 300));
        CHECK_OK(mp_array_get_int(a, 1, &x));
        CHECK_INT(x, bits == 8 ? 44 : 300);
        CHECK_OK(mp_array_get_int(a, 0, &x));
        CHECK_INT(x, 0);
        CHECK_OK(mp_array_get_int(a, 2, &x));
        CHECK_INT(x, 0);
        CHECK_OK(mp_array_free(a));
    }
}

TEST(array, doubles)
{
    mp_array *a = array_new(MP_DOUBLE, 3);
    int64_t x;
    double d;

    CHECK_OK(mp_array_set_double(a, 2, -0.125));
    CHECK_OK(mp_array_get_double(a, 2, &d));
    CHECK(d == -0.125);
    CHECK_OK(mp_array_get_double(a, 1, &d));
    CHECK(d == 0.0);
    CHECK_STATUS(mp_array_get_int(a, 0, &x), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_set_int(a, 0, 1), MP_ERR_INVALID);
    CHECK_OK(mp_array_free(a));
    a = array_new(MP_INT64, 3);
    CHECK_STATUS(mp_array_get_double(a, 0, &d), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_set_double(a, 0, 1.0), MP_ERR_INVALID);
    CHECK_OK(mp_array_free(a));
}

TEST(array, ranges)
{
    int16_t in[4] = {10, 20, 30, 40}, out[8], i;
    mp_array *a = array_new(MP_INT16, 8);

    CHECK_OK(mp_array_write(a, 2, 4, in, sizeof in));
    CHECK_OK(mp_array_read(a, 0, 8, out, sizeof out));
    for (i = 0; i < 8; i++)
        CHECK_INT(out[i], i >= 2 && i < 6 ? (i - 1) * 10 : 0);
    CHECK_OK(mp_array_write(a, 7, 1, in, 2));
    CHECK_OK(mp_array_read(a, 7, 1, out, 2));
    CHECK_INT(out[0], 10);
    CHECK_OK(mp_array_read(a, 0, 0, out, 0));
    CHECK_OK(mp_array_write(a, 0, 0, in, 0));
    CHECK_OK(mp_array_free(a));
}

TEST(array, out_of_range)
{
    static const size_t far[] = {8, 9, 1000, SIZE_MAX / 8, SIZE_MAX / 4, SIZE_MAX - 1, SIZE_MAX};
    mp_array *a = array_new(MP_INT32, 8);
    int32_t items[16] = {0};
    int64_t x;
    size_t i;

    for (i = 0; i < COUNT(far); i++) {
        CHECK_STATUS(mp_array_get_int(a, far[i], &x), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_set_int(a, far[i], 1), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_read(a, far[i], 1, items, 4), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_write(a, far[i], 1, items, 4), MP_ERR_INVALID);
        CHECK_FAILS(mp_array_read(a, 1, far[i], items, sizeof items));
        CHECK_FAILS(mp_array_write(a, 1, far[i], items, sizeof items));
        CHECK_FAILS(mp_array_read(a, 1, far[i], items, far[i] * 4));
        CHECK_FAILS(mp_array_write(a, 1, far[i], items, far[i] * 4));
        CHECK_FAILS(mp_array_read(a, far[i], far[i], items, SIZE_MAX));
    }
    CHECK_FAILS(mp_array_read(a, 5, 4, items, 16));
    CHECK_FAILS(mp_array_write(a, 5, 4, items, 16));
    CHECK_OK(mp_array_free(a));
}

/* The caller's buffer is smaller than what was asked for. */
TEST(array, small_buffer)
{
    mp_array *a = array_new(MP_INT32, 8);
    int32_t items[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    CHECK_FAILS(mp_array_read(a, 0, 8, items, 31));
    CHECK_FAILS(mp_array_read(a, 0, 8, items, 0));
    CHECK_FAILS(mp_array_write(a, 0, 8, items, 31));
    CHECK_INT(items[0], 1);
    CHECK_OK(mp_array_read(a, 0, 8, items, 32));
    CHECK_INT(items[0], 0);
    CHECK_OK(mp_array_free(a));
}

TEST(array, wrong_type)
{
    static const int wrong[] = {0, -1, MP_FLOAT + 1, 255, INT32_MAX, INT32_MIN};
    mp_array *a;
    size_t i;

    for (i = 0; i < COUNT(wrong); i++)
        CHECK_STATUS(mp_array_new(&a, wrong[i], 4, NULL, NULL), MP_ERR_INVALID);
}

TEST(array, absurd_length)
{
    static const size_t absurd[] = {SIZE_MAX,           SIZE_MAX / 2,       SIZE_MAX / 8 + 1,
                                    (size_t)1 << 50,    (size_t)1 << 61,    ((size_t)1 << 61) + 1};
    mp_array *a;
    size_t i;

    for (i = 0; i < COUNT(absurd); i++) {
        int s = CHECK_CLEAN(mp_array_new(&a, MP_INT64, absurd[i], NULL, NULL));

        CHECK(s == MP_ERR_INVALID || s == MP_ERR_NO_MEMORY);
        s = CHECK_CLEAN(mp_array_new(&a, MP_INT8, absurd[i], NULL, NULL));
        CHECK(s == MP_ERR_INVALID || s == MP_ERR_NO_MEMORY);
    }
    a = array_new(MP_INT8, 1000);
    CHECK_OK(mp_array_free(a));
}

TEST(array, of_length_0)
{
    size_t length = 5, bytes = 5;
    int64_t x = 1;
    void *data;
    mp_array *a;

    CHECK_OK(mp_array_new(&a, MP_INT64, 0, NULL, NULL));
    CHECK_OK(mp_array_length(a, &length));
    CHECK_INT(length, 0);
    CHECK_OK(mp_array_data(a, &data, &bytes));
    CHECK_INT(bytes, 0);
    CHECK_OK(mp_array_read(a, 0, 0, NULL, 0));
    CHECK_OK(mp_array_write(a, 0, 0, NULL, 0));
    CHECK_STATUS(mp_array_get_int(a, 0, &x), MP_ERR_INVALID);
    CHECK_FAILS(mp_array_read(a, 0, 1, &x, 8));
    CHECK_OK(mp_array_free(a));
}

/* ---- in children ---- */

enum { BIG = 10 << 20 };

static int sums(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);
    uint64_t sum = 0;
    uint8_t *item;
    size_t bytes, i;
    void *data;

    CHECK(a != NULL && user == NULL);
    CHECK_OK(mp_array_data(a, &data, &bytes));
    CHECK_INT(bytes, BIG);
    item = data;
    for (i = 0; i < bytes; i++) {
        sum += item[i];
        item[i] = (uint8_t)~item[i];
    }
    flag_set(mp_child_value(self, 1), (int64_t)sum);
    return 0;
}

TEST(array, ten_megabytes_seen_by_a_child)
{
    mp_value *answer = flag_new();
    uint64_t sum = 0;
    uint8_t *item;
    size_t bytes, i;
    mp_array *a = array_new(MP_UINT8, BIG);
    void *data;

    CHECK_OK(mp_array_data(a, &data, &bytes));
    item = data;
    for (i = 0; i < BIG; i++)
        sum += item[i] = (uint8_t)(i * 31 + i / 4099);
    CHECK_INT(child_end(CHILD_START(sums, a, answer)), 0);
    CHECK_INT(flag_get(answer), sum);
    for (i = 0; i < BIG; i++)
        CHECK(item[i] == (uint8_t)~(i * 31 + i / 4099));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_value_free(answer));
}

static int fills(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);
    size_t length, i;

    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 1), 1);
    CHECK_OK(mp_array_length(a, &length));
    for (i = 0; i < length; i++)
        CHECK_OK(mp_array_set_int(a, i, (int64_t)i));
    flag_set(mp_child_value(self, 1), (int64_t)length);
    return 0;
}

/* A handle on its way, or in a child, keeps what it stands for. */
TEST(array, freed_by_the_parent_while_a_child_uses_it)
{
    mp_value *flag = flag_new();
    mp_array *a = array_new(MP_INT32, 5000), *others[20];
    mp_process *p = CHILD_START(fills, a, flag);
    size_t i, k;
    int64_t x;

    CHECK_OK(mp_array_free(a));
    for (i = 0; i < COUNT(others); i++)
        others[i] = array_new(MP_INT32, 5000);
    flag_set(flag, 1);
    CHECK_INT(child_end(p), 0);
    CHECK_INT(flag_get(flag), 5000);
    for (i = 0; i < COUNT(others); i++) {
        for (k = 0; k < 5000; k++) {
            CHECK_OK(mp_array_get_int(others[i], k, &x));
            CHECK_INT(x, 0);
        }
        CHECK_OK(mp_array_free(others[i]));
    }
    CHECK_OK(mp_value_free(flag));
}

TEST(array, memory_comes_back)
{
    mp_stats before = stats_now(), after;
    int i;

    for (i = 0; i < 200; i++) {
        mp_array *a = array_new(MP_UINT8, BIG);

        CHECK_OK(mp_array_set_int(a, BIG - 1, 1));
        CHECK_OK(mp_array_free(a));
    }
    after = stats_now();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.bytes_used, before.bytes_used);
}
