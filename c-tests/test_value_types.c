/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * C's own types by their characters, floats, and structs, in values and in arrays. */
#include "test_util.h"

#include <float.h>
#include <limits.h>
#include <string.h>
#include <wchar.h>

static const struct {
    char code;
    size_t size;
    bool is_signed;
} codes[] = {
    {'c', sizeof(char), CHAR_MIN != 0},
    {'b', sizeof(signed char), true},
    {'B', sizeof(unsigned char), false},
    {'u', sizeof(wchar_t), WCHAR_MIN != 0},
    {'h', sizeof(short), true},
    {'H', sizeof(unsigned short), false},
    {'i', sizeof(int), true},
    {'I', sizeof(unsigned), false},
    {'l', sizeof(long), true},
    {'L', sizeof(unsigned long), false},
    {'q', sizeof(long long), true},
    {'Q', sizeof(unsigned long long), false},
};

TEST(value, characters_name_types)
{
    size_t i;

    for (i = 0; i < COUNT(codes); i++) {
        int64_t minus = codes[i].is_signed || codes[i].size == 8
                            ? -1
                            : (int64_t)(((uint64_t)1 << codes[i].size * 8) - 1);
        size_t size = 0;
        mp_value *v;
        mp_array *a;
        int64_t x;

        CHECK_OK(mp_value_new(&v, codes[i].code, NULL, NULL));
        CHECK_OK(mp_value_size(v, &size));
        CHECK_INT(size, codes[i].size);
        CHECK_OK(mp_value_get_int(v, &x));
        CHECK_INT(x, 0);
        CHECK_OK(mp_value_set_int(v, -1));
        CHECK_OK(mp_value_get_int(v, &x));
        CHECK_INT(x, minus);
        CHECK_OK(mp_value_free(v));
        CHECK_OK(mp_array_new(&a, codes[i].code, 3, NULL, NULL));
        CHECK_OK(mp_array_item_size(a, &size));
        CHECK_INT(size, codes[i].size);
        CHECK_OK(mp_array_set_int(a, 1, -1));
        CHECK_OK(mp_array_get_int(a, 1, &x));
        CHECK_INT(x, minus);
        CHECK_OK(mp_array_get_int(a, 2, &x));
        CHECK_INT(x, 0);
        CHECK_OK(mp_array_free(a));
    }
}

TEST(value, unknown_characters)
{
    int code, known = 0;
    mp_value *v;
    mp_array *a;

    for (code = 0; code < 300; code++) {
        int s = CHECK_CLEAN(mp_value_new(&v, code, NULL, NULL));

        if (s == MP_OK) {
            known++;
            CHECK_OK(mp_value_free(v));
            continue;
        }
        CHECK_INT(s, MP_ERR_INVALID);
        CHECK_CONTAINS(mp_last_error(), "no item type");
        CHECK_STATUS(mp_array_new(&a, code, 1, NULL, NULL), MP_ERR_INVALID);
    }
    /* The characters, with f and d, and MP_INT8 to MP_FLOAT. */
    CHECK_INT(known, COUNT(codes) + 2 + MP_FLOAT);
}

static void float_of(int type)
{
    float third = 1.0f / 3, raw;
    double x, before;
    mp_value *v;
    mp_array *a;
    int64_t n;

    CHECK_OK(mp_value_new(&v, type, &third, NULL));
    CHECK_OK(mp_value_get_double(v, &x));
    CHECK(x == third);
    CHECK_OK(mp_value_set_double(v, 0.1));
    CHECK_OK(mp_value_get_double(v, &x));
    CHECK(x == 0.1f);
    CHECK_OK(mp_value_fetch_add_double(v, 0.5, &before));
    CHECK(before == 0.1f);
    CHECK_OK(mp_value_get(v, &raw, sizeof raw));
    CHECK(raw == (float)((double)0.1f + 0.5));
    CHECK_OK(mp_value_fetch_add_double(v, 1, NULL));
    CHECK_STATUS(mp_value_get_int(v, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_fetch_add(v, 1, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_fetch_max(v, 1, &n), MP_ERR_INVALID);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_new(&a, type, 3, NULL, NULL));
    CHECK_OK(mp_array_set_double(a, 1, 2.5));
    CHECK_OK(mp_array_fetch_add_double(a, 1, -1.25, &before));
    CHECK(before == 2.5);
    CHECK_OK(mp_array_get_double(a, 1, &x));
    CHECK(x == 1.25);
    CHECK_OK(mp_array_get_double(a, 0, &x));
    CHECK(x == 0);
    CHECK_OK(mp_array_get_double(a, 2, &x));
    CHECK(x == 0);
    CHECK_STATUS(mp_array_get_int(a, 1, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_fetch_add_double(a, 3, 1, &before), MP_ERR_INVALID);
    CHECK_OK(mp_array_free(a));
}

TEST(value, floats)
{
    float_of(MP_FLOAT);
    float_of('f');
}

TEST(value, doubles_by_character)
{
    double x = 3.1415927, got;
    mp_value *v;

    CHECK_OK(mp_value_new(&v, 'd', &x, NULL));
    CHECK_OK(mp_value_fetch_add_double(v, 1, &got));
    CHECK(got == x);
    CHECK_OK(mp_value_get_double(v, &got));
    CHECK(got == x + 1);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_new(&v, 'i', NULL, NULL));
    CHECK_STATUS(mp_value_fetch_add_double(v, 1, &got), MP_ERR_INVALID);
    CHECK_OK(mp_value_free(v));
}

/* ---- structs ---- */

/* Has padding between its members. */
typedef struct point {
    char tag;
    double x;
    short y;
    struct {
        char name[5];
        int64_t id;
    } inner;
} point;

static const point somewhere = {'p', 1.5, -7, {"abcd", INT64_MIN}};

static void is_somewhere(const point *p)
{
    CHECK(p->tag == 'p' && p->x == 1.5 && p->y == -7);
    CHECK(strcmp(p->inner.name, "abcd") == 0 && p->inner.id == INT64_MIN);
}

static int moves(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    mp_array *a = mp_child_array(self, 1);
    point p;

    CHECK(user == NULL);
    CHECK_OK(mp_value_get(v, &p, sizeof p));
    is_somewhere(&p);
    p.x = 2.5;
    CHECK_OK(mp_value_set(v, &p, sizeof p));
    CHECK_OK(mp_array_read(a, 2, 1, &p, sizeof p));
    is_somewhere(&p);
    p.y = 9;
    CHECK_OK(mp_array_write(a, 0, 1, &p, sizeof p));
    return 0;
}

TEST(value, structs)
{
    point p = {0}, many[3] = {{0}};
    point *in_place;
    int64_t n;
    double d;
    mp_value *v;
    mp_array *a;
    size_t size;
    void *data;

    many[2] = somewhere;
    CHECK_OK(mp_value_new_struct(&v, sizeof p, &somewhere, NULL));
    CHECK_OK(mp_array_new_struct(&a, sizeof p, 3, many, NULL));
    CHECK_OK(mp_value_size(v, &size));
    CHECK_INT(size, sizeof p);
    CHECK_OK(mp_array_item_size(a, &size));
    CHECK_INT(size, sizeof p);
    CHECK_INT(child_end(CHILD_START(moves, v, a)), 0);
    CHECK_OK(mp_value_get(v, &p, sizeof p));
    CHECK(p.x == 2.5 && p.y == -7);
    CHECK_OK(mp_array_read(a, 0, 3, many, sizeof many));
    CHECK(many[0].y == 9 && many[0].x == 1.5 && many[1].x == 0);
    is_somewhere(&many[2]);
    /* Members in place. */
    CHECK_OK(mp_value_data(v, &data, &size));
    CHECK_INT(size, sizeof p);
    CHECK((uintptr_t)data % 64 == 0);
    in_place = data;
    CHECK_OK(mp_value_acquire(v, MP_FOREVER));
    in_place->inner.id++;
    CHECK_OK(mp_value_release(v));
    CHECK_OK(mp_value_get(v, &p, sizeof p));
    CHECK(p.inner.id == INT64_MIN + 1);
    /* What numbers do, structs do not. */
    CHECK_STATUS(mp_value_get(v, &p, sizeof p - 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_set(v, &p, sizeof p + 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_get_int(v, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_set_int(v, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_fetch_add(v, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_fetch_sub(v, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_fetch_xor(v, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_exchange(v, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_get_double(v, &d), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_set_double(v, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_fetch_add_double(v, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_get_int(a, 0, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_set_double(a, 0, 1), MP_ERR_INVALID);
    CHECK_OK(mp_value_get(v, &p, sizeof p));
    CHECK(p.tag == 'p' && p.inner.id == INT64_MIN + 1);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

TEST(value, structs_of_every_size)
{
    static unsigned char in[70000], got[70000];
    static const size_t sizes[] = {1, 2, 3, 7, 8, 24, 63, 64, 65, 1000, 4096, 32703, 32768, 70000};
    mp_value_options raw = MP_VALUE_OPTIONS;
    mp_value *v, *w;
    size_t i, k;

    raw.raw = true;
    for (k = 0; k < sizeof in; k++)
        in[k] = (unsigned char)(k * 7 + k / 251);
    for (i = 0; i < COUNT(sizes); i++) {
        CHECK_OK(mp_value_new_struct(&v, sizes[i], NULL, i % 2 ? &raw : NULL));
        CHECK_OK(mp_value_get(v, got, sizes[i]));
        for (k = 0; k < sizes[i]; k++)
            CHECK(got[k] == 0);
        CHECK_OK(mp_value_set(v, in, sizes[i]));
        CHECK_OK(mp_value_copy(&w, v, i % 3 ? &raw : NULL));
        CHECK_OK(mp_value_free(v));
        CHECK_OK(mp_value_get(w, got, sizes[i]));
        CHECK(memcmp(got, in, sizes[i]) == 0);
        CHECK_OK(mp_value_free(w));
    }
}

TEST(value, structs_that_cannot_be)
{
    static const size_t far[] = {SIZE_MAX / 2, SIZE_MAX / 256, (size_t)1 << 50};
    mp_value *v;
    mp_array *a;
    size_t i;

    CHECK_STATUS(mp_value_new_struct(&v, 0, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_new_struct(&a, 0, 1, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_new_struct(&v, SIZE_MAX, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_new_struct(&a, SIZE_MAX, 1, NULL, NULL), MP_ERR_INVALID);
    for (i = 0; i < COUNT(far); i++) {
        int s = CHECK_CLEAN(mp_value_new_struct(&v, far[i], NULL, NULL));

        CHECK(s == MP_ERR_NO_MEMORY || s == MP_ERR_INVALID);
    }
    CHECK_STATUS(mp_value_new_struct(&v, (size_t)1 << 45, NULL, NULL), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_array_new_struct(&a, (size_t)1 << 45, 1 << 20, NULL, NULL), MP_ERR_NO_MEMORY);
}
