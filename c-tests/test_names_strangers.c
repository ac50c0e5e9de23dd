/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Shared memory, a list and an RLock with names, in the hands of a stranger. */
#include "test_names.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void check_text(const mp_shareable_list *l, size_t index, const char *want)
{
    char text[32];
    mp_item item;

    CHECK_OK(mp_shareable_list_get(l, index, &item, text, sizeof text));
    CHECK_INT(item.kind, MP_ITEM_TEXT);
    check_same_text(text, want);
}

/* What the role "change" of test_names_roles.c does, seen from the creator. */
TEST(names, a_stranger_changes_memory_and_a_list)
{
    enum { SIZE = 100000 };
    mp_item items[] = {{.kind = MP_ITEM_INT, .integer = 5},
                       {.kind = MP_ITEM_TEXT, .data = "from here", .data_size = 9},
                       {.kind = MP_ITEM_DOUBLE, .number = 0.5}};
    char memory[NAME_SIZE], list[NAME_SIZE];
    mp_shared_memory *m;
    mp_shareable_list *l;
    unsigned char *byte;
    stranger s;
    mp_item item;
    size_t i;
    void *data;

    snprintf(memory, sizeof memory, "%s", name_of("its-memory"));
    snprintf(list, sizeof list, "%s", name_of("its-list"));
    CHECK_OK(name_memory(&m, memory, MP_OPEN_CREATE, SIZE));
    CHECK_OK(name_list(&l, list, MP_OPEN_CREATE, items, COUNT(items)));
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    byte = data;
    for (i = 0; i < SIZE; i++)
        byte[i] = (unsigned char)(i * 7);
    s = stranger_start("change", memory, list);
    stranger_ready(&s);
    /* It has changed both, and has them open. */
    for (i = 0; i < SIZE; i++)
        CHECK_INT(byte[i], (unsigned char)~(i * 7));
    CHECK_OK(mp_shareable_list_get(l, 0, &item, NULL, 0));
    CHECK(item.kind == MP_ITEM_BOOL && item.boolean);
    check_text(l, 1, "from there");
    CHECK_OK(mp_shareable_list_get(l, 2, &item, NULL, 0));
    CHECK(item.kind == MP_ITEM_DOUBLE && item.number == -0.5);
    /* And sees at once what is written here. */
    byte[SIZE - 1] = 77;
    item.kind = MP_ITEM_INT;
    item.integer = 78;
    CHECK_OK(mp_shareable_list_set(l, 2, &item));
    CHECK_INT(stranger_end(&s), 0);
    /* It has freed its handles, and not what they stood for. */
    CHECK_INT(byte[0], 79);
    CHECK_INT(byte[SIZE - 1], 77);
    check_text(l, 1, "from there");
    CHECK(name_exists(memory) && name_exists(list));
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shareable_list_free(l));
    CHECK_OK(mp_name_unlink(memory));
    CHECK_OK(mp_name_unlink(list));
}

/* A stranger acquires it three times, and gives back one for each byte. */
TEST(names, a_stranger_holds_an_rlock_recursively)
{
    mp_rlock_options o = MP_RLOCK_OPTIONS;
    char name[NAME_SIZE];
    mp_rlock *r;
    stranger s;
    bool yes;
    int i;

    snprintf(name, sizeof name, "%s", name_of("recursive"));
    o.name = name;
    o.open = MP_OPEN_CREATE;
    CHECK_OK(mp_rlock_new(&r, &o));
    s = stranger_start("hold-rlock", name, "");
    for (i = 0; i < 3; i++) {
        stranger_ready(&s);
        CHECK_OK(mp_rlock_locked(r, &yes));
        CHECK(yes);
        CHECK_STATUS(mp_rlock_acquire(r, MP_NO_WAIT), MP_ERR_TIMEOUT);
        CHECK_STATUS(mp_rlock_acquire(r, MP_MS(10)), MP_ERR_TIMEOUT);
        CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
        CHECK_INT(write(s.to, "x", 1), 1);
    }
    stranger_ready(&s);
    CHECK_OK(mp_rlock_locked(r, &yes));
    CHECK(!yes);
    CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK_OK(mp_rlock_recovered(r, &yes));
    CHECK(!yes);
    /* Now the stranger is the one who does not hold it. */
    CHECK_INT(stranger_end(&s), 0);
    CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_rlock_release(r));
    CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_name_unlink(name));
}
