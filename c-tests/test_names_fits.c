/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Whoever opens a name gets what it asks for, or a sentence that says how both are. */
#include "test_names.h"

#include <string.h>

static void unlinked(const char *name)
{
    CHECK_OK(mp_name_unlink(name));
}

/* The sentence gives what there is, and what was asked for. */
#define CHECK_BOTH(call, has, asked)                                                               \
    do {                                                                                           \
        CHECK_SENTENCE(call, MP_ERR_INVALID, has);                                                 \
        CHECK_CONTAINS(mp_last_error(), asked);                                                    \
    } while (0)

TEST(names, a_value_of_another_type_is_refused)
{
    const char *name = name_of("fits");
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_value *v, *w;

    CHECK_OK(name_value(&v, name, MP_OPEN_CREATE, MP_INT32));
    CHECK_BOTH(name_value(&w, name, MP_OPEN_ATTACH, MP_UINT32), "int32_t", "uint32_t");
    CHECK_BOTH(name_value(&w, name, MP_OPEN_OR_CREATE, MP_DOUBLE), "int32_t", "double");
    CHECK_BOTH(name_value(&w, name, MP_OPEN_ATTACH, MP_FLOAT), "int32_t", "float");
    o.name = name;
    CHECK_BOTH(mp_value_new_struct(&w, 4, NULL, &o), "int32_t", "structs of 4 bytes");
    o.raw = true;
    CHECK_BOTH(mp_value_new(&w, MP_INT32, NULL, &o), "has a lock", "raw");
    o.raw = false;
    o.report_owner_death = true;
    CHECK_BOTH(mp_value_new(&w, MP_INT32, NULL, &o), "does not report", "one that reports");
    CHECK_OK(mp_value_free(v));
    /* Also where nobody has it at the moment. */
    CHECK_BOTH(name_value(&w, name, MP_OPEN_ATTACH, MP_INT8), "int32_t", "int8_t");
    CHECK_OK(name_value(&v, name, MP_OPEN_ATTACH, 'i'));
    CHECK_OK(mp_value_free(v));
    unlinked(name);

    o.raw = true;
    o.report_owner_death = false;
    CHECK_OK(mp_value_new_struct(&v, 24, NULL, &o));
    CHECK_BOTH(mp_value_new_struct(&w, 16, NULL, &o), "structs of 24 bytes", "16 bytes");
    o.raw = false;
    CHECK_BOTH(mp_value_new_struct(&w, 24, NULL, &o), "no lock", "one with a lock");
    CHECK_OK(mp_value_free(v));
    unlinked(name);
}

TEST(names, an_array_of_another_length_is_refused)
{
    const char *name = name_of("fits");
    mp_array_options o = MP_ARRAY_OPTIONS;
    mp_array *a, *b;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT16, 100));
    CHECK_BOTH(name_array(&b, name, MP_OPEN_ATTACH, MP_INT16, 99), "100", "99");
    CHECK_BOTH(name_array(&b, name, MP_OPEN_OR_CREATE, MP_INT16, 1000000), "100", "1000000");
    CHECK_BOTH(name_array(&b, name, MP_OPEN_OR_CREATE, MP_INT16, 0), "100 items", "0 are");
    CHECK_BOTH(name_array(&b, name, MP_OPEN_ATTACH, MP_INT8, 200), "int16_t", "int8_t");
    o.name = name;
    o.raw = true;
    CHECK_BOTH(mp_array_new(&b, MP_INT16, 100, NULL, &o), "has a lock", "raw");
    CHECK_BOTH(mp_array_new_struct(&b, 2, 100, NULL, &o), "int16_t", "structs of 2 bytes");
    CHECK_OK(name_array(&b, name, MP_OPEN_ATTACH, MP_INT16, 0));
    CHECK_OK(mp_array_free(b));
    CHECK_OK(mp_array_free(a));
    unlinked(name);
}

TEST(names, memory_of_another_size_is_refused)
{
    const char *name = name_of("fits");
    mp_shared_memory *m, *k;

    CHECK_OK(name_memory(&m, name, MP_OPEN_CREATE, 4096));
    CHECK_BOTH(name_memory(&k, name, MP_OPEN_ATTACH, 4095), "4096", "4095");
    CHECK_BOTH(name_memory(&k, name, MP_OPEN_OR_CREATE, 8192), "4096", "8192");
    CHECK_STATUS(name_memory(&k, name, MP_OPEN_OR_CREATE, 0), MP_ERR_INVALID);
    CHECK_OK(mp_shared_memory_free(m));
    unlinked(name);
}

TEST(names, a_list_with_other_room_is_refused)
{
    const char *name = name_of("fits");
    mp_item items[] = {{.kind = MP_ITEM_INT, .integer = 5},
                       {.kind = MP_ITEM_BYTES, .data = "0123456789", .data_size = 10}};
    mp_shareable_list *l, *k;

    CHECK_OK(name_list(&l, name, MP_OPEN_CREATE, items, 2));
    CHECK_BOTH(name_list(&k, name, MP_OPEN_ATTACH, items, 1), "2 items", "1 are");
    CHECK_BOTH(name_list(&k, name, MP_OPEN_OR_CREATE, NULL, 0), "2 items", "0 are");
    items[1].data_size = 3;
    CHECK_BOTH(name_list(&k, name, MP_OPEN_ATTACH, items, 2), "16 bytes", "8 are");
    /* Other bytes that take the same room are no matter, and neither is another type. */
    items[1].data_size = 8;
    items[0].kind = MP_ITEM_NONE;
    CHECK_OK(name_list(&k, name, MP_OPEN_ATTACH, items, 2));
    CHECK_OK(mp_shareable_list_free(k));
    CHECK_OK(mp_shareable_list_free(l));
    unlinked(name);
}

TEST(names, a_semaphore_with_another_bound_is_refused)
{
    const char *name = name_of("fits");
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_semaphore *s, *t;
    size_t n;

    o.name = name;
    CHECK_OK(mp_semaphore_new(&s, 3, &o));
    /* Without a bound it is only what it begins with. */
    CHECK_OK(mp_semaphore_new(&t, 5, &o));
    CHECK_OK(mp_semaphore_value(t, &n));
    CHECK_INT(n, 3);
    CHECK_STATUS(mp_semaphore_new(&t, -1, &o), MP_ERR_INVALID);
    o.bounded = true;
    CHECK_BOTH(mp_semaphore_new(&t, 3, &o), "without a bound", "at most 3 slots, bounded");
    CHECK_OK(mp_semaphore_free(s));
    CHECK_OK(mp_semaphore_free(t));
    unlinked(name);

    CHECK_OK(mp_semaphore_new(&s, 3, &o));
    CHECK_BOTH(mp_semaphore_new(&t, 4, &o), "3 slots", "4 slots");
    o.give_back = true;
    CHECK_BOTH(mp_semaphore_new(&t, 3, &o), "bounded", "give_back");
    o.bounded = false;
    CHECK_BOTH(mp_semaphore_new(&t, 3, &o), "bounded", "with give_back");
    CHECK_OK(mp_semaphore_free(s));
    unlinked(name);
}

static int nothing(mp_barrier *b, void *user)
{
    (void)b;
    (void)user;
    return 0;
}

static int something(mp_barrier *b, void *user)
{
    (void)b;
    return user != NULL;
}

TEST(names, a_barrier_for_others_is_refused)
{
    const char *name = name_of("fits");
    mp_barrier_options o = MP_BARRIER_OPTIONS;
    mp_barrier *b, *c;

    o.name = name;
    CHECK_OK(mp_barrier_new(&b, 3, &o));
    CHECK_BOTH(mp_barrier_new(&c, 2, &o), "3 parties", "2 are");
    o.timeout = MP_SEC(1);
    CHECK_BOTH(mp_barrier_new(&c, 3, &o), "9223372036854775807", "1000000000");
    o.timeout = MP_FOREVER;
    o.action = nothing;
    CHECK_BOTH(mp_barrier_new(&c, 3, &o), "no action", "with an action");
    CHECK_OK(mp_barrier_free(b));
    unlinked(name);

    CHECK_OK(mp_barrier_new(&b, 3, &o));
    CHECK_OK(mp_barrier_new(&c, 3, &o));
    CHECK_OK(mp_barrier_free(c));
    o.action = something;
    CHECK_BOTH(mp_barrier_new(&c, 3, &o), "an action", "another");
    o.action = NULL;
    CHECK_BOTH(mp_barrier_new(&c, 3, &o), "an action", "without");
    CHECK_OK(mp_barrier_free(b));
    unlinked(name);
}

TEST(names, a_lock_that_reports_is_another_one)
{
    const char *name = name_of("fits");
    mp_lock_options o = MP_LOCK_OPTIONS;
    mp_rlock_options r = MP_RLOCK_OPTIONS;
    mp_condition_options p = MP_CONDITION_OPTIONS;
    mp_lock *l = name_lock(name, MP_OPEN_CREATE), *m;
    mp_rlock *k, *j;
    mp_condition *c, *d;

    o.name = r.name = p.name = name;
    o.report_owner_death = true;
    CHECK_BOTH(mp_lock_new(&m, &o), "does not report", "one that reports");
    CHECK_OK(mp_lock_free(l));
    unlinked(name);

    r.report_owner_death = true;
    CHECK_OK(mp_rlock_new(&k, &r));
    r.report_owner_death = false;
    CHECK_BOTH(mp_rlock_new(&j, &r), "reports", "one that does not report");
    CHECK_OK(mp_rlock_free(k));
    unlinked(name);

    CHECK_OK(mp_condition_new(&c, &p));
    p.report_owner_death = true;
    CHECK_BOTH(mp_condition_new(&d, &p), "does not report", "one that reports");
    /* It would not be the one that was given. */
    CHECK_OK(mp_lock_new(&l, NULL));
    p.lock = l;
    CHECK_STATUS(mp_condition_new(&d, &p), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_condition_free(c));
    unlinked(name);
}

/* Whoever is refused has changed nothing: the name of those who died can still be taken away. */
TEST(names, who_is_refused_leaves_no_trace)
{
    const char *name = name_of("trace");
    mp_array *a, *b;
    stranger s;
    int i, descriptors;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 4));
    s = stranger_start("hold-array", name, "");
    stranger_ready(&s);
    CHECK_OK(mp_array_free(a));
    descriptors = open_descriptors();
    for (i = 0; i < 100; i++)
        CHECK_STATUS(name_array(&b, name, MP_OPEN_ATTACH, MP_INT64, 5), MP_ERR_INVALID);
    CHECK_INT(open_descriptors(), descriptors);
    stranger_kill(&s);
    CHECK_STATUS(name_array(&b, name, MP_OPEN_ATTACH, MP_INT64, 5), MP_ERR_NOT_FOUND);
    CHECK(!name_exists(name));
}
