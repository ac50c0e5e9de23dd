/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Shared memory with a name: who creates it, what it begins with, two handles of one process. */
#include "test_names.h"

#include <string.h>
#include <sys/stat.h>

enum { SIZE = 100000 };

static unsigned char *bytes_of(mp_shared_memory *m)
{
    size_t size;
    void *data;

    CHECK_OK(mp_shared_memory_data(m, &data, &size));
    CHECK_INT(size, SIZE);
    return data;
}

static void are_all(const unsigned char *byte, unsigned char want)
{
    size_t i;

    for (i = 0; i < SIZE; i++)
        CHECK_INT(byte[i], want);
}

TEST(names, memory_is_created_once_and_of_zeros)
{
    const char *name = name_of("zeros");
    mp_shared_memory *m, *n = NULL;
    mode_t mask = umask(0);
    struct stat st;

    CHECK_OK(name_memory(&m, name, MP_OPEN_CREATE, SIZE));
    umask(mask);
    CHECK(stat(name_path(name), &st) == 0);
    CHECK(S_ISREG(st.st_mode));
    CHECK_INT(st.st_mode & 07777, 0600);
    are_all(bytes_of(m), 0);
    memset(bytes_of(m), 0xA5, SIZE);
    CHECK_STATUS(name_memory(&n, name, MP_OPEN_CREATE, SIZE), MP_ERR_EXISTS);
    CHECK_STATUS(name_memory(&n, name, MP_OPEN_CREATE, SIZE + 1), MP_ERR_EXISTS);
    are_all(bytes_of(m), 0xA5);
    CHECK_OK(mp_shared_memory_free(m));
    /* Nobody has it open, and it is there. */
    CHECK_STATUS(name_memory(&n, name, MP_OPEN_CREATE, SIZE), MP_ERR_EXISTS);
    CHECK(n == NULL);
    CHECK_OK(name_memory(&m, name, MP_OPEN_ATTACH, SIZE));
    are_all(bytes_of(m), 0xA5);
    /* Another one of the same name has nothing of the first. */
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(name_memory(&n, name, MP_OPEN_CREATE, SIZE));
    are_all(bytes_of(n), 0);
    are_all(bytes_of(m), 0xA5);
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shared_memory_free(n));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, memory_stays_for_the_other_handle)
{
    const char *name = name_of("two-handles");
    mp_shared_memory *m, *n;
    unsigned char *byte;
    size_t size;
    int i;

    CHECK_OK(name_memory(&m, name, MP_OPEN_CREATE, SIZE));
    for (i = 0; i < 4; i++) {
        CHECK_OK(name_memory(&n, name, MP_OPEN_ATTACH, SIZE));
        byte = bytes_of(i % 2 == 0 ? n : m);
        memset(bytes_of(i % 2 == 0 ? m : n), i + 1, SIZE);
        CHECK_OK(mp_shared_memory_free(i % 2 == 0 ? m : n));
        CHECK_STATUS(mp_shared_memory_size(i % 2 == 0 ? m : n, &size), MP_ERR_BAD_HANDLE);
        are_all(byte, (unsigned char)(i + 1));
        memset(byte, i + 11, SIZE);
        if (i % 2 == 0)
            m = n;
        are_all(bytes_of(m), (unsigned char)(i + 11));
    }
    /* Also without the name. */
    CHECK_OK(name_memory(&n, name, MP_OPEN_ATTACH, SIZE));
    byte = bytes_of(n);
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_shared_memory_free(m));
    are_all(byte, 14);
    byte[SIZE - 1] = 1;
    CHECK_INT(bytes_of(n)[SIZE - 1], 1);
    CHECK_OK(mp_shared_memory_free(n));
    CHECK(!name_exists(name));
}

TEST(names, without_a_name_nothing_is_attached)
{
    static const int how[] = {MP_OPEN_ATTACH, MP_OPEN_ATTACH | MP_OPEN_ANY_USER};
    mp_item item = {.kind = MP_ITEM_INT, .integer = 5};
    mp_value_options v = MP_VALUE_OPTIONS;
    mp_array_options a = MP_ARRAY_OPTIONS;
    mp_stats before = stats_now();
    mp_shared_memory *memory = NULL;
    mp_shareable_list *list = NULL;
    mp_value *value = NULL;
    mp_array *array = NULL;
    size_t i;

    for (i = 0; i < COUNT(how); i++) {
        CHECK_STATUS(name_memory(&memory, NULL, how[i], SIZE), MP_ERR_INVALID);
        CHECK_STATUS(name_memory(&memory, NULL, how[i], 0), MP_ERR_INVALID);
        CHECK_STATUS(name_value(&value, NULL, how[i], MP_INT32), MP_ERR_INVALID);
        CHECK_STATUS(name_array(&array, NULL, how[i], MP_INT32, 3), MP_ERR_INVALID);
        CHECK_STATUS(name_array(&array, NULL, how[i], MP_INT32, 0), MP_ERR_INVALID);
        CHECK_STATUS(name_list(&list, NULL, how[i], &item, 1), MP_ERR_INVALID);
        CHECK_STATUS(name_list(&list, NULL, how[i], NULL, 0), MP_ERR_INVALID);
        v.open = a.open = how[i];
        CHECK_STATUS(mp_value_new_struct(&value, 24, NULL, &v), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_new_struct(&array, 24, 2, NULL, &a), MP_ERR_INVALID);
        v.raw = a.raw = true;
    }
    CHECK(memory == NULL && value == NULL && array == NULL && list == NULL);
    CHECK_INT(stats_now().blocks, before.blocks);
}
