/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What holds bytes and has a name: values, arrays, shared memory and lists. */
#include "test_names.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int name_array(mp_array **a, const char *name, int how, int type, size_t length)
{
    mp_array_options o = MP_ARRAY_OPTIONS;

    o.name = name;
    o.open = how;
    return mp_array_new(a, type, length, NULL, &o);
}

int name_value(mp_value **v, const char *name, int how, int type)
{
    mp_value_options o = MP_VALUE_OPTIONS;

    o.name = name;
    o.open = how;
    return mp_value_new(v, type, NULL, &o);
}

int name_memory(mp_shared_memory **m, const char *name, int how, size_t size)
{
    mp_shared_memory_options o = MP_SHARED_MEMORY_OPTIONS;

    o.name = name;
    o.open = how;
    return mp_shared_memory_new(m, size, &o);
}

int name_list(mp_shareable_list **l, const char *name, int how, const mp_item *items, size_t count)
{
    mp_shareable_list_options o = MP_SHAREABLE_LIST_OPTIONS;

    o.name = name;
    o.open = how;
    return mp_shareable_list_new(l, items, count, &o);
}

typedef struct triple {
    int64_t a, b, c;
} triple;

TEST(names, a_value_is_shared)
{
    const char *name = name_of("value");
    mp_value_options o = MP_VALUE_OPTIONS;
    int32_t seven = 7, got = 0;
    triple begin = {1, 2, 3}, out;
    mp_value *v, *w;
    int64_t x;
    void *data;

    o.name = name;
    CHECK_OK(mp_value_new(&v, MP_INT32, &seven, &o));
    seven = 9;
    /* Whoever opens it finds it as it is. */
    CHECK_OK(mp_value_new(&w, MP_INT32, &seven, &o));
    CHECK_OK(mp_value_get(w, &got, sizeof got));
    CHECK_INT(got, 7);
    CHECK_OK(mp_value_fetch_add(w, 5, &x));
    CHECK_INT(x, 7);
    CHECK_OK(mp_value_get_int(v, &x));
    CHECK_INT(x, 12);
    CHECK_OK(mp_value_set_int(v, -1));
    CHECK_OK(mp_value_data(w, &data, NULL));
    CHECK_INT(*(int32_t *)data, -1);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(w));
    CHECK_STATUS(mp_value_get_int(w, &x), MP_ERR_BAD_HANDLE);
    CHECK_OK(name_value(&v, name, MP_OPEN_ATTACH, 'i'));
    CHECK_OK(mp_value_get_int(v, &x));
    CHECK_INT(x, -1);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_name_unlink(name));

    CHECK_OK(mp_value_new_struct(&v, sizeof begin, &begin, &o));
    CHECK_OK(mp_value_new_struct(&w, sizeof begin, NULL, &o));
    CHECK_OK(mp_value_get(w, &out, sizeof out));
    CHECK(out.a == 1 && out.b == 2 && out.c == 3);
    out.b = 20;
    CHECK_OK(mp_value_set(w, &out, sizeof out));
    memset(&out, 0, sizeof out);
    CHECK_OK(mp_value_get(v, &out, sizeof out));
    CHECK(out.a == 1 && out.b == 20 && out.c == 3);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(w));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, an_array_is_shared)
{
    const char *name = name_of("array");
    mp_array_options o = MP_ARRAY_OPTIONS;
    int16_t begin[3] = {1, 2, 3}, out[3];
    char text[8];
    mp_array *a, *b;
    size_t n;
    int64_t x;

    CHECK_STATUS(name_array(&a, name, MP_OPEN_ATTACH, MP_INT16, 3), MP_ERR_NOT_FOUND);
    o.name = name;
    CHECK_OK(mp_array_new(&a, MP_INT16, 3, begin, &o));
    CHECK_STATUS(name_array(&b, name, MP_OPEN_CREATE, MP_INT16, 3), MP_ERR_EXISTS);
    CHECK_OK(name_array(&b, name, MP_OPEN_ATTACH, 'h', 0));
    CHECK_OK(mp_array_length(b, &n));
    CHECK_INT(n, 3);
    CHECK_OK(mp_array_fetch_add(b, 2, 40, &x));
    CHECK_INT(x, 3);
    CHECK_OK(mp_array_read(a, 0, 3, out, sizeof out));
    CHECK(out[0] == 1 && out[1] == 2 && out[2] == 43);
    out[0] = 100;
    CHECK_OK(mp_array_write(a, 0, 1, out, sizeof *out));
    CHECK_OK(mp_array_get_int(b, 0, &x));
    CHECK_INT(x, 100);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(b));
    CHECK_OK(mp_name_unlink(name));

    CHECK_OK(name_array(&a, name, MP_OPEN_OR_CREATE, 'c', 8));
    CHECK_OK(name_array(&b, name, MP_OPEN_OR_CREATE, 'c', 8));
    CHECK_OK(mp_array_set_string(a, "hello"));
    CHECK_OK(mp_array_get_string(b, text, sizeof text, NULL));
    CHECK(strcmp(text, "hello") == 0);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(b));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, shared_memory_is_shared)
{
    const char *name = name_of("memory");
    mp_shared_memory *m, *k;
    size_t size;
    void *a, *b;

    CHECK_STATUS(name_memory(&m, name, MP_OPEN_OR_CREATE, 0), MP_ERR_INVALID);
    CHECK_STATUS(name_memory(&m, name, MP_OPEN_CREATE, 0), MP_ERR_INVALID);
    CHECK_STATUS(name_memory(&m, name, MP_OPEN_ATTACH, 0), MP_ERR_NOT_FOUND);
    CHECK_OK(name_memory(&m, name, MP_OPEN_CREATE, 100));
    CHECK_OK(name_memory(&k, name, MP_OPEN_ATTACH, 0));
    CHECK_OK(mp_shared_memory_size(k, &size));
    CHECK_INT(size, 100);
    CHECK_OK(mp_shared_memory_data(m, &a, &size));
    CHECK_INT(size, 100);
    CHECK_OK(mp_shared_memory_data(k, &b, NULL));
    strcpy(a, "written");
    CHECK(strcmp(b, "written") == 0);
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shared_memory_free(k));
    /* Nobody has it, and it is there. */
    CHECK_OK(name_memory(&m, name, MP_OPEN_OR_CREATE, 100));
    CHECK_OK(mp_shared_memory_data(m, &a, NULL));
    CHECK(strcmp(a, "written") == 0);
    CHECK_OK(mp_name_unlink(name));
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_NOT_FOUND);
    CHECK(strcmp(a, "written") == 0);
    CHECK_OK(mp_shared_memory_free(m));
}

static mp_item item_of(const mp_shareable_list *l, size_t index)
{
    mp_item item;

    CHECK_OK(mp_shareable_list_get(l, index, &item, NULL, 0));
    return item;
}

TEST(names, a_list_is_shared)
{
    const char *name = name_of("list");
    mp_item items[] = {{.kind = MP_ITEM_INT, .integer = 5},
                       {.kind = MP_ITEM_TEXT, .data = "text", .data_size = 4},
                       {.kind = MP_ITEM_NONE}};
    mp_shareable_list *l, *k;
    mp_shared_memory *m, *n;
    mp_item item = {.kind = MP_ITEM_BOOL, .boolean = true};
    mp_item six = {.kind = MP_ITEM_INT, .integer = 6};
    size_t count;

    CHECK_OK(name_list(&l, name, MP_OPEN_CREATE, items, 3));
    CHECK_OK(name_list(&k, name, MP_OPEN_ATTACH, NULL, 0));
    CHECK_OK(mp_shareable_list_length(k, &count));
    CHECK_INT(count, 3);
    CHECK_INT(item_of(k, 0).integer, 5);
    CHECK_OK(mp_shareable_list_set(k, 0, &item));
    CHECK_INT(item_of(l, 0).kind, MP_ITEM_BOOL);
    CHECK_OK(mp_shareable_list_free(k));
    /* What the items are now is no matter. */
    CHECK_OK(name_list(&k, name, MP_OPEN_OR_CREATE, items, 3));
    /* It is shared memory with a name, too. */
    CHECK_OK(mp_shareable_list_memory(k, &m));
    CHECK_OK(mp_shareable_list_free(k));
    CHECK_OK(mp_shareable_list_open(&k, m));
    CHECK_OK(mp_shareable_list_set(k, 0, &six));
    CHECK_INT(item_of(l, 0).integer, 6);
    CHECK_OK(name_memory(&n, name, MP_OPEN_ATTACH, 0));
    CHECK_OK(mp_shared_memory_free(n));
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shareable_list_free(k));
    CHECK_OK(mp_shareable_list_free(l));
    CHECK_OK(mp_name_unlink(name));

    /* But not the other way round. */
    CHECK_OK(name_memory(&m, name, MP_OPEN_CREATE, 100));
    CHECK_SENTENCE(name_list(&l, name, MP_OPEN_ATTACH, NULL, 0), MP_ERR_INVALID, "no list");
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_name_unlink(name));
}

/* A file is as large as what is in it. */
TEST(names, as_large_as_the_caller_asks)
{
    enum { LARGE = 60 << 20 };
    const char *name = name_of("large");
    mp_array *a, *b;
    struct stat st;
    int64_t x;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_UINT8, LARGE));
    CHECK(stat(name_path(name), &st) == 0);
    CHECK(st.st_blocks * 512 >= LARGE && st.st_blocks * 512 < LARGE + (1 << 20));
    CHECK_OK(name_array(&b, name, MP_OPEN_ATTACH, MP_UINT8, LARGE));
    CHECK_OK(mp_array_set_int(a, LARGE - 1, 200));
    CHECK_OK(mp_array_get_int(b, LARGE - 1, &x));
    CHECK_INT(x, 200);
    CHECK_STATUS(mp_array_get_int(b, LARGE, &x), MP_ERR_INVALID);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(b));
    CHECK_OK(mp_name_unlink(name));
    CHECK_STATUS(name_array(&a, name, MP_OPEN_CREATE, MP_UINT8, (size_t)1 << 50), MP_ERR_NO_MEMORY);
    CHECK_STATUS(name_array(&a, name, MP_OPEN_CREATE, MP_UINT64, SIZE_MAX), MP_ERR_NO_MEMORY);
    CHECK_STATUS(name_array(&a, name, MP_OPEN_CREATE, MP_UINT8, SIZE_MAX), MP_ERR_NO_MEMORY);
    CHECK(!name_exists(name));
}

TEST(names, what_is_guarded_has_a_lock_in_its_file)
{
    const char *name = name_of("guarded");
    mp_array_options o = MP_ARRAY_OPTIONS;
    mp_array *a, *b, *copy;
    mp_rlock *l, *m;
    mp_lock *k;
    bool yes;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, 'd', 2));
    CHECK_OK(name_array(&b, name, MP_OPEN_ATTACH, 'd', 2));
    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_array_locked(b, &yes));
    CHECK(yes);
    CHECK_OK(mp_array_release(b));
    CHECK_STATUS(mp_array_release(b), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_array_get_rlock(a, &l));
    CHECK_OK(mp_array_get_rlock(b, &m));
    CHECK_STATUS(mp_array_get_lock(b, &k), MP_ERR_STATE);
    CHECK_OK(mp_array_set_double(a, 0, 1.5));
    CHECK_OK(mp_array_copy(&copy, a, NULL));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(b));
    /* The locks keep the array. */
    CHECK_OK(mp_rlock_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_rlock_locked(m, &yes));
    CHECK(yes);
    CHECK_OK(mp_rlock_release(m));
    CHECK_OK(mp_rlock_free(l));
    CHECK_OK(mp_rlock_free(m));
    CHECK_OK(mp_name_unlink(name));

    o.name = name;
    CHECK_STATUS(mp_array_copy(&b, copy, &o), MP_ERR_UNSUPPORTED);
    o.name = NULL;
    o.open = MP_OPEN_CREATE;
    CHECK_STATUS(mp_array_copy(&b, copy, &o), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_new(&b, 'd', 2, NULL, &o), MP_ERR_INVALID);
    o.open = 0;
    /* No lock of somebody else's. */
    CHECK_OK(mp_lock_new(&k, NULL));
    o.name = name;
    o.lock = k;
    CHECK_STATUS(mp_array_new(&a, 'd', 2, NULL, &o), MP_ERR_UNSUPPORTED);
    CHECK(!name_exists(name));
    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, 'd', 2));
    CHECK_STATUS(mp_array_new(&b, 'd', 2, NULL, &o), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_lock_free(k));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(copy));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, a_value_with_a_name_is_no_copy)
{
    const char *name = name_of("copy");
    mp_value_options o = MP_VALUE_OPTIONS;
    triple begin = {1, 2, 3}, out;
    mp_value *v, *copy;

    o.name = name;
    CHECK_OK(mp_value_new_struct(&v, sizeof begin, &begin, &o));
    CHECK_STATUS(mp_value_copy(&copy, v, &o), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_value_copy(&copy, v, NULL));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_value_get(copy, &out, sizeof out));
    CHECK(out.c == 3);
    CHECK_OK(mp_value_free(copy));
}

/* Dies with a value's lock, in a stranger's process. */
TEST(names, a_dead_strangers_lock_is_taken_over)
{
    char name[NAME_SIZE];
    stranger s;
    mp_array *a;
    int64_t x;
    bool yes;

    snprintf(name, sizeof name, "%s", name_of("dead"));
    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 4));
    s = stranger_start("hold-array", name, "");
    stranger_ready(&s);
    CHECK_STATUS(mp_array_acquire(a, MP_MS(20)), MP_ERR_TIMEOUT);
    stranger_kill(&s);
    CHECK_OK(mp_array_acquire(a, MP_FOREVER));
    CHECK_OK(mp_array_recovered(a, &yes));
    CHECK(yes);
    CHECK_OK(mp_array_get_int(a, 3, &x));
    CHECK_INT(x, 11);
    CHECK_OK(mp_array_release(a));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
}

/* Programs that are no relatives share an array and a lock, each by its name. */
TEST(names, strangers_share_an_array)
{
    enum { ITEMS = 5000, ROUNDS = 40 };
    char name[NAME_SIZE], guard[NAME_SIZE];
    stranger all[2];
    int64_t *items;
    mp_array *a;
    mp_lock *l;
    size_t i;
    void *data;

    snprintf(name, sizeof name, "%s", name_of("numbers"));
    snprintf(guard, sizeof guard, "%s", name_of("guard"));
    for (i = 0; i < COUNT(all); i++)
        all[i] = stranger_start("count", name, guard);
    for (i = 0; i < COUNT(all); i++)
        stranger_ready(&all[i]);
    CHECK_OK(name_array(&a, name, MP_OPEN_ATTACH, MP_INT64, ITEMS));
    l = name_lock(guard, MP_OPEN_ATTACH);
    for (i = 0; i < COUNT(all); i++)
        CHECK_INT(stranger_end(&all[i]), 0);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_array_data(a, &data, NULL));
    items = data;
    for (i = 0; i < ITEMS; i++)
        CHECK_INT(items[i], ROUNDS * (int64_t)COUNT(all));
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_name_unlink(guard));
}
