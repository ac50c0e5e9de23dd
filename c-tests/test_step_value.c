/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: values, arrays, shared memory and lists. See step.h. */
#include "step.h"


enum { PARTS = 40 };
typedef struct parts {
    int64_t part[PARTS];
} parts;

static mp_value *value;
static mp_array *array;

static parts all(int64_t n)
{
    parts p;
    size_t i;

    for (i = 0; i < PARTS; i++)
        p.part[i] = n;
    return p;
}

/* ---- a struct is stored whole ---- */

static void make_struct(void)
{
    parts one = all(1);

    CHECK_OK(mp_value_new_struct(&value, sizeof one, &one, NULL));
}

static void get_struct(void)
{
    parts p;

    CHECK_OK(mp_value_get(value, &p, sizeof p));
}

static int set_struct(void)
{
    parts two = all(2);

    return CHECK_CLEAN(mp_value_set(value, &two, sizeof two));
}

/* Its pointer shows it whole to whoever has acquired it, as well. */
static void is_whole(outcome_of how)
{
    parts got, *in_place;
    int64_t first;
    void *data;
    size_t i;

    CHECK_OK(mp_value_data(value, &data, NULL));
    in_place = data;
    CHECK_OK(mp_value_acquire(value, MP_SEC(20)));
    CHECK_OK(mp_value_get(value, &got, sizeof got));
    first = in_place->part[0];
    CHECK(how == DONE ? first == 2 : how == NOT_DONE ? first == 1 : first == 1 || first == 2);
    for (i = 0; i < PARTS; i++) {
        CHECK_INT(in_place->part[i], first);
        CHECK_INT(got.part[i], first);
    }
    CHECK_OK(mp_value_release(value));
    CHECK_FAILS(mp_value_release(value));
    CHECK_OK(mp_value_free(value));
}

OPERATION(value_set_struct, make_struct, get_struct, set_struct, is_whole)

/* ---- numbers of arrays are whole, and their lock goes on ---- */

static void make_array(void)
{
    CHECK_OK(mp_array_new(&array, 'H', 100, NULL, NULL));
}

static void read_array(void)
{
    uint16_t got;

    CHECK_OK(mp_array_read(array, 0, 1, &got, sizeof got));
}

static int write_and_change(void)
{
    static uint16_t items[100];
    size_t i;
    int s;

    for (i = 0; i < 100; i++)
        items[i] = 0x0101;
    if ((s = CHECK_CLEAN(mp_array_write(array, 0, 100, items, sizeof items))) == MP_OK &&
        (s = CHECK_CLEAN(mp_array_fetch_max(array, 0, 0x0202, NULL))) == MP_OK)
        s = CHECK_CLEAN(mp_array_fetch_add(array, 1, 0x0101, NULL));
    return s;
}

static void items_are_whole(outcome_of how)
{
    uint16_t got[100];
    size_t i;

    CHECK_OK(mp_array_acquire(array, MP_SEC(20)));
    CHECK_OK(mp_array_read(array, 0, 100, got, sizeof got));
    CHECK_OK(mp_array_release(array));
    for (i = 0; i < 100; i++)
        CHECK(got[i] == 0x0101 || (how != DONE && got[i] == 0) || (i < 2 && got[i] == 0x0202));
    CHECK_OK(mp_array_free(array));
}

OPERATION(array_write, make_array, read_array, write_and_change, items_are_whole)

/* ---- objects ---- */

static void warm_up(void)
{
    mp_value_free(flag_new());
}

static void settled(outcome_of how)
{
    (void)how;
}

static int make_and_free_all(void)
{
    static const mp_item items[] = {{MP_ITEM_TEXT, false, 0, 0, "abc", 3},
                                    {MP_ITEM_INT, false, 7, 0, NULL, 0}};
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_shareable_list *list = NULL, *same = NULL;
    mp_shared_memory *memory = NULL, *of_list = NULL;
    mp_value *v = NULL, *copy = NULL;
    mp_array *a = NULL, *b = NULL;
    mp_rlock *r = NULL;
    parts one = all(1);
    int s;

    if ((s = CHECK_CLEAN(mp_array_new(&a, 'c', 50000, NULL, NULL))) == MP_OK &&
        (s = CHECK_CLEAN(mp_array_get_rlock(a, &r))) == MP_OK) {
        o.rlock = r;
        if ((s = CHECK_CLEAN(mp_value_new_struct(&v, sizeof one, &one, &o))) == MP_OK &&
            (s = CHECK_CLEAN(mp_value_copy(&copy, v, NULL))) == MP_OK &&
            (s = CHECK_CLEAN(mp_array_copy(&b, a, NULL))) == MP_OK &&
            (s = CHECK_CLEAN(mp_shared_memory_new(&memory, 1 << 20, NULL))) == MP_OK &&
            (s = CHECK_CLEAN(mp_shareable_list_new(&list, items, 2, NULL))) == MP_OK &&
            (s = CHECK_CLEAN(mp_shareable_list_memory(list, &of_list))) == MP_OK)
            s = CHECK_CLEAN(mp_shareable_list_open(&same, of_list));
    }
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(copy));
    CHECK_OK(mp_array_free(b));
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_shareable_list_free(list));
    CHECK_OK(mp_shared_memory_free(of_list));
    CHECK_OK(mp_shareable_list_free(same));
    return s;
}

OPERATION_WITH(shared_made_and_freed, nothing, warm_up, make_and_free_all, settled, .moments = 400)
