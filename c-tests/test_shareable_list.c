/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Shareable lists: items of every type, their room, and memory that holds something else. */
#include "test_util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static mp_item none(void)
{
    mp_item item = {MP_ITEM_NONE, false, 0, 0, NULL, 0};

    return item;
}

static mp_item integer(int64_t x)
{
    mp_item item = none();

    item.kind = MP_ITEM_INT;
    item.integer = x;
    return item;
}

static mp_item number(double x)
{
    mp_item item = none();

    item.kind = MP_ITEM_DOUBLE;
    item.number = x;
    return item;
}

static mp_item boolean(bool x)
{
    mp_item item = none();

    item.kind = MP_ITEM_BOOL;
    item.boolean = x;
    return item;
}

static mp_item text(const char *x)
{
    mp_item item = none();

    item.kind = MP_ITEM_TEXT;
    item.data = x;
    item.data_size = strlen(x);
    return item;
}

static mp_item bytes(const void *x, size_t size)
{
    mp_item item = none();

    item.kind = MP_ITEM_BYTES;
    item.data = x;
    item.data_size = size;
    return item;
}

static void has(mp_shareable_list *list, size_t index, mp_item want)
{
    char room[64];
    mp_item got;

    memset(&got, 0xAA, sizeof got);
    CHECK_OK(mp_shareable_list_get(list, index, &got, room, sizeof room));
    CHECK_INT(got.kind, want.kind);
    CHECK(got.boolean == want.boolean);
    CHECK_INT(got.integer, want.integer);
    CHECK(got.number == want.number);
    CHECK_INT(got.data_size, want.data_size);
    CHECK(got.data == (want.data == NULL ? NULL : room));
    if (want.data != NULL)
        CHECK(memcmp(room, want.data, want.data_size) == 0);
    if (want.kind == MP_ITEM_TEXT)
        CHECK(room[want.data_size] == '\0');
}

static void format_is(mp_shareable_list *list, size_t index, const char *want)
{
    char got[16];
    size_t needed;

    CHECK_OK(mp_shareable_list_format(list, index, got, sizeof got, &needed));
    CHECK(strcmp(got, want) == 0);
    CHECK_INT(needed, strlen(want) + 1);
}

static mp_shareable_list *six(void)
{
    mp_shareable_list *list;
    mp_item items[6];

    items[0] = integer(INT64_MIN);
    items[1] = number(-2.5);
    items[2] = boolean(true);
    items[3] = text("hello");
    items[4] = bytes("\0\1\0", 3);
    items[5] = none();
    CHECK_OK(mp_shareable_list_new(&list, items, 6, NULL));
    return list;
}

static void has_six(mp_shareable_list *list)
{
    has(list, 0, integer(INT64_MIN));
    has(list, 1, number(-2.5));
    has(list, 2, boolean(true));
    has(list, 3, text("hello"));
    /* Zeros at the end are not lost. */
    has(list, 4, bytes("\0\1\0", 3));
    has(list, 5, none());
}

TEST(shareable_list, items_of_every_type)
{
    mp_shareable_list *list = six();
    size_t length;
    mp_item item;
    char room[8];

    CHECK_OK(mp_shareable_list_length(list, &length));
    CHECK_INT(length, 6);
    has_six(list);
    format_is(list, 0, "q");
    format_is(list, 1, "d");
    format_is(list, 2, "xxxxxxx?");
    format_is(list, 3, "8s");
    format_is(list, 4, "8s");
    format_is(list, 5, "xxxxxx?x");
    CHECK_STATUS(mp_shareable_list_format(list, 2, room, 8, &length), MP_ERR_TOO_SMALL);
    CHECK_INT(length, 9);
    CHECK_STATUS(mp_shareable_list_format(list, 2, NULL, 8, &length), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_format(list, 6, room, 8, &length), MP_ERR_INVALID);
    /* A number needs no room. */
    CHECK_OK(mp_shareable_list_get(list, 0, &item, NULL, 0));
    CHECK_INT(item.integer, INT64_MIN);
    CHECK_OK(mp_shareable_list_free(list));
}

TEST(shareable_list, items_change_their_type_in_their_room)
{
    mp_shareable_list *list = six();
    mp_item changes[6];
    size_t i, k;

    changes[0] = text("8 bytes!");
    changes[1] = none();
    changes[2] = integer(-1);
    changes[3] = boolean(false);
    changes[4] = number(INFINITY);
    changes[5] = bytes("12345678", 8);
    for (i = 0; i < 6; i++)
        for (k = 0; k < 6; k++) {
            CHECK_OK(mp_shareable_list_set(list, i, &changes[k]));
            has(list, i, changes[k]);
        }
    CHECK_OK(mp_shareable_list_free(list));
    list = six();
    for (k = 0; k < 6; k++)
        CHECK_OK(mp_shareable_list_set(list, 2, &changes[k]));
    CHECK_OK(mp_shareable_list_set(list, 2, &(mp_item){MP_ITEM_BOOL, true, 0, 0, NULL, 0}));
    has_six(list);
    CHECK_OK(mp_shareable_list_free(list));
}

TEST(shareable_list, what_does_not_fit_changes_nothing)
{
    mp_shareable_list *list = six();
    mp_item item = text("9 bytes..");
    size_t i;

    for (i = 0; i < 6; i++) {
        CHECK_SENTENCE(mp_shareable_list_set(list, i, &item), MP_ERR_INVALID,
                       "exceed the item's room, which is 8 bytes");
        item.kind = item.kind == MP_ITEM_TEXT ? MP_ITEM_BYTES : MP_ITEM_TEXT;
    }
    item = bytes("a\0b", 3);
    item.kind = MP_ITEM_TEXT;
    CHECK_SENTENCE(mp_shareable_list_set(list, 3, &item), MP_ERR_INVALID, "NUL");
    item.kind = 6;
    CHECK_STATUS(mp_shareable_list_set(list, 3, &item), MP_ERR_INVALID);
    item.kind = -1;
    CHECK_STATUS(mp_shareable_list_set(list, 3, &item), MP_ERR_INVALID);
    item = bytes(NULL, 1);
    CHECK_STATUS(mp_shareable_list_set(list, 3, &item), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_set(list, 3, NULL), MP_ERR_INVALID);
    item = integer(1);
    CHECK_STATUS(mp_shareable_list_set(list, 6, &item), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_set(list, SIZE_MAX, &item), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_get(list, 6, &item, NULL, 0), MP_ERR_INVALID);
    CHECK_SENTENCE(mp_shareable_list_get(list, SIZE_MAX, &item, NULL, 0), MP_ERR_INVALID,
                   "out of range: the list has 6");
    CHECK_STATUS(mp_shareable_list_get(list, 0, NULL, NULL, 0), MP_ERR_INVALID);
    has_six(list);
    CHECK_OK(mp_shareable_list_free(list));
}

TEST(shareable_list, too_little_room_for_an_answer)
{
    mp_shareable_list *list = six();
    mp_item item = integer(9);
    char room[8];

    memset(room, 'x', sizeof room);
    CHECK_STATUS(mp_shareable_list_get(list, 3, &item, room, 5), MP_ERR_TOO_SMALL);
    CHECK_INT(item.data_size, 6);
    CHECK_INT(item.kind, MP_ITEM_TEXT);
    CHECK_INT(item.integer, 9);
    CHECK(room[0] == 'x');
    CHECK_OK(mp_shareable_list_get(list, 3, &item, room, 6));
    CHECK_STATUS(mp_shareable_list_get(list, 4, &item, room, 2), MP_ERR_TOO_SMALL);
    CHECK_INT(item.data_size, 3);
    CHECK_OK(mp_shareable_list_get(list, 4, &item, room, 3));
    CHECK_STATUS(mp_shareable_list_get(list, 4, &item, NULL, 3), MP_ERR_INVALID);
    CHECK_OK(mp_shareable_list_free(list));
}

TEST(shareable_list, of_items_that_cannot_be)
{
    enum { MUCH = 10 << 20 };
    mp_stats before = stats_now();
    char *much = calloc(MUCH, 1);
    mp_shareable_list *list = NULL;
    mp_item item = integer(1);

    CHECK(much != NULL);
    CHECK_STATUS(mp_shareable_list_new(&list, NULL, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_new(NULL, &item, 1, NULL), MP_ERR_INVALID);
    item.kind = 77;
    CHECK_STATUS(mp_shareable_list_new(&list, &item, 1, NULL), MP_ERR_INVALID);
    item = bytes(much, MUCH);
    CHECK_SENTENCE(mp_shareable_list_new(&list, &item, 1, NULL), MP_ERR_INVALID, "too long");
    item = bytes("a\0", 2);
    item.kind = MP_ITEM_TEXT;
    CHECK_STATUS(mp_shareable_list_new(&list, &item, 1, NULL), MP_ERR_INVALID);
    CHECK(list == NULL);
    item = bytes(much, MUCH - 1);
    CHECK_OK(mp_shareable_list_new(&list, &item, 1, NULL));
    much[0] = 1;
    CHECK_OK(mp_shareable_list_get(list, 0, &item, much, MUCH));
    CHECK(item.data_size == MUCH - 1 && much[0] == 0);
    CHECK_OK(mp_shareable_list_free(list));
    free(much);
    CHECK_INT(stats_now().blocks, before.blocks);
}

TEST(shareable_list, of_no_items)
{
    mp_item item = integer(1);
    mp_shareable_list *list;
    size_t n = 5;

    CHECK_OK(mp_shareable_list_new(&list, NULL, 0, NULL));
    CHECK_OK(mp_shareable_list_length(list, &n));
    CHECK_INT(n, 0);
    CHECK_OK(mp_shareable_list_count(list, &item, &n));
    CHECK_INT(n, 0);
    CHECK_STATUS(mp_shareable_list_index(list, &item, 0, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_set(list, 0, &item), MP_ERR_INVALID);
    CHECK_OK(mp_shareable_list_free(list));
}

TEST(shareable_list, looks_for_items)
{
    mp_item items[8], item;
    mp_shareable_list *list;
    size_t i, n;

    items[0] = items[4] = integer(1);
    items[1] = number(1);
    items[2] = items[7] = text("a");
    items[3] = bytes("a", 1);
    items[5] = boolean(true);
    items[6] = none();
    CHECK_OK(mp_shareable_list_new(&list, items, 8, NULL));
    for (i = 0; i < 8; i++) {
        CHECK_OK(mp_shareable_list_count(list, &items[i], &n));
        CHECK_INT(n, i == 0 || i == 4 || i == 2 || i == 7 ? 2 : 1);
        CHECK_OK(mp_shareable_list_index(list, &items[i], i, &n));
        CHECK_INT(n, i);
        CHECK_OK(mp_shareable_list_index(list, &items[i], 0, &n));
        CHECK_INT(n, i == 4 ? 0 : i == 7 ? 2 : i);
    }
    CHECK_STATUS(mp_shareable_list_index(list, &items[0], 5, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_index(list, &items[0], SIZE_MAX, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_index(list, NULL, 0, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_index(list, &items[0], 0, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_count(list, NULL, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_count(list, &items[0], NULL), MP_ERR_INVALID);
    item = text("ab");
    CHECK_STATUS(mp_shareable_list_index(list, &item, 0, &n), MP_ERR_INVALID);
    item = integer(1);
    item.kind = 9;
    CHECK_STATUS(mp_shareable_list_count(list, &item, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_index(list, &item, 0, &n), MP_ERR_INVALID);
    CHECK_OK(mp_shareable_list_free(list));
}

/* ---- in other processes ---- */

static int changes(mp_child *self, void *user)
{
    mp_shareable_list *list = mp_child_shareable_list(self, 0), *same;
    mp_shared_memory *memory = mp_child_shared_memory(self, 1);
    mp_item item = text("changed");

    CHECK(user == NULL && list != NULL && memory != NULL);
    has_six(list);
    CHECK_OK(mp_shareable_list_set(list, 3, &item));
    CHECK_OK(mp_shareable_list_open(&same, memory));
    has(same, 3, item);
    item = integer(5);
    CHECK_OK(mp_shareable_list_set(same, 5, &item));
    CHECK_OK(mp_shareable_list_free(same));
    return 0;
}

TEST(shareable_list, children_have_the_same)
{
    mp_stats before = stats_now();
    mp_shareable_list *list = six(), *same;
    mp_shared_memory *memory;

    CHECK_OK(mp_shareable_list_memory(list, &memory));
    CHECK_INT(child_end(CHILD_START(changes, list, memory)), 0);
    has(list, 3, text("changed"));
    CHECK_OK(mp_shareable_list_free(list));
    CHECK_OK(mp_shareable_list_open(&same, memory));
    CHECK_OK(mp_shared_memory_free(memory));
    has(same, 5, integer(5));
    CHECK_OK(mp_shareable_list_free(same));
    CHECK_INT(stats_now().blocks, before.blocks);
}

/* ---- memory that holds something else ---- */

TEST(shareable_list, in_memory_that_holds_none)
{
    static const size_t sizes[] = {1, 8, 15, 16, 17, 4096, 100000};
    mp_shareable_list *list = NULL;
    mp_shared_memory *m;
    size_t i;

    for (i = 0; i < COUNT(sizes); i++) {
        CHECK_OK(mp_shared_memory_new(&m, sizes[i], NULL));
        CHECK_STATUS(mp_shareable_list_open(&list, m), MP_ERR_STATE);
        CHECK_OK(mp_shared_memory_free(m));
    }
    CHECK_STATUS(mp_shareable_list_open(&list, NULL), MP_ERR_BAD_HANDLE);
    CHECK(list == NULL);
}

/* Every call, with statuses only. */
static void use(mp_shareable_list *list)
{
    mp_item item;
    size_t i, n;
    char room[64];

    CHECK_CLEAN(mp_shareable_list_length(list, &n));
    for (i = 0; i < 7; i++) {
        CHECK_CLEAN(mp_shareable_list_get(list, i, &item, room, sizeof room));
        CHECK_CLEAN(mp_shareable_list_format(list, i, room, sizeof room, &n));
        item = number(1.5);
        CHECK_CLEAN(mp_shareable_list_set(list, i, &item));
        item = text("x");
        CHECK_CLEAN(mp_shareable_list_set(list, i, &item));
    }
    CHECK_CLEAN(mp_shareable_list_index(list, &item, 0, &n));
    CHECK_CLEAN(mp_shareable_list_count(list, &item, &n));
}

TEST(shareable_list, in_memory_that_is_written_over)
{
    mp_shareable_list *list = six(), *same;
    unsigned char good[1024], *at;
    mp_shared_memory *memory;
    rng chance = rng_new();
    size_t size, i;
    void *data;
    int round;

    CHECK_OK(mp_shareable_list_memory(list, &memory));
    CHECK_OK(mp_shared_memory_data(memory, &data, &size));
    CHECK(size <= sizeof good && size % 8 == 0);
    at = data;
    memcpy(good, at, size);
    for (round = 0; round < 20000; round++) {
        memcpy(at, good, size);
        for (i = rng_below(&chance, 3) + 1; i > 0; i--) {
            uint64_t word = rng_next(&chance) >> rng_below(&chance, 64);
            size_t where = (size_t)rng_below(&chance, size / 8) * 8;

            if (rng_below(&chance, 2) == 0)
                memcpy(at + where, &word, 8);
            else
                at[where + rng_below(&chance, 8)] ^= (unsigned char)(1 << rng_below(&chance, 8));
        }
        use(list);
        if (CHECK_CLEAN(mp_shareable_list_open(&same, memory)) == MP_OK)
            CHECK_OK(mp_shareable_list_free(same));
    }
    memset(at, 0, size);
    CHECK_STATUS(mp_shareable_list_length(list, &i), MP_ERR_STATE);
    memcpy(at, good, size);
    has_six(list);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_shareable_list_free(list));
}
