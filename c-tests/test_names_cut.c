/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Files of names that somebody cuts, grows, overwrites or locks up: refused wherever a process
 * comes, and harmless where it leaves. */
#include "test_names.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const off_t sizes[] = {0, 4096, 65536, (16 << 20) - 4096, 17 << 20, 1 << 30};

/* Its handle's own process still has it open. */
TEST(names, what_was_cut_since_is_not_opened_again)
{
    const char *name = name_of("since");
    mp_array *a, *b;
    int descriptors = open_descriptors();
    size_t i;

    for (i = 0; i < COUNT(sizes); i++) {
        CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 1000));
        CHECK(truncate(name_path(name), sizes[i]) == 0);
        CHECK_SENTENCE(name_array(&b, name, MP_OPEN_ATTACH, MP_INT64, 1000), MP_ERR_INVALID, "cut");
        CHECK_STATUS(name_array(&b, name, MP_OPEN_OR_CREATE, MP_INT64, 1000), MP_ERR_INVALID);
        CHECK_STATUS(name_array(&b, name, MP_OPEN_CREATE, MP_INT64, 1000), MP_ERR_EXISTS);
        CHECK_OK(mp_names_reap(NULL));
        CHECK_OK(mp_name_unlink(name));
        CHECK_OK(mp_array_free(a));
        CHECK_INT(open_descriptors(), descriptors);
    }
    CHECK(!name_exists(name));
}

static int uses_first(void *array)
{
    mp_array *mine = array, *again;
    const char *name = name_of("child");
    int64_t x;

    CHECK_SENTENCE(mp_array_get_int(mine, 0, &x), MP_ERR_INVALID, "cut");
    CHECK_SENTENCE(mp_array_acquire(mine, MP_NO_WAIT), MP_ERR_INVALID, "cut");
    CHECK_STATUS(name_array(&again, name, MP_OPEN_ATTACH, MP_INT64, 10), MP_ERR_INVALID);
    return 0;
}

TEST(names, what_was_cut_is_not_taken_over_by_a_fork)
{
    const char *name = name_of("child");
    mp_array *a;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 10));
    CHECK(truncate(name_path(name), 8192) == 0);
    CHECK_INT(in_fork(uses_first, a), 0);
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_array_free(a));
}

static int has_none(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK(mp_child_array(self, 0) == NULL);
    return 3;
}

TEST(names, what_was_cut_is_not_handed_on)
{
    const char *name = name_of("handed");
    mp_array *a;
    mp_process *p;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 10));
    CHECK_OK(mp_process_new(&p, has_none, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, a));
    CHECK(truncate(name_path(name), 0) == 0);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 3);
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_array_free(a));
}

static int reads_cut(void *arg)
{
    const char *name = arg;
    mp_array *a;
    int64_t x;

    CHECK_OK(name_array(&a, name, MP_OPEN_ATTACH, MP_INT64, 10));
    CHECK_OK(mp_array_get_int(a, 9, &x));
    CHECK(truncate(name_path(name), 8192) == 0);
    mp_array_get_int(a, 9, &x);
    return 0;
}

/* The one thing that cannot be refused, as the header says. */
TEST(names, who_uses_what_is_cut_gets_a_signal)
{
    char name[NAME_SIZE];
    mp_array *a;

    snprintf(name, sizeof name, "%s", name_of("signal"));
    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 10));
    CHECK_OK(mp_array_free(a));
    CHECK_INT(in_fork(reads_cut, name), -SIGBUS);
    CHECK_STATUS(name_array(&a, name, MP_OPEN_ATTACH, MP_INT64, 10), MP_ERR_INVALID);
    CHECK_OK(mp_name_unlink(name));
}

/* Unlinking cuts nothing. */
TEST(names, who_has_it_keeps_it_whatever_becomes_of_the_name)
{
    const char *name = name_of("keeps");
    mp_shared_memory *m, *k;
    char *text;
    void *data;

    CHECK_OK(name_memory(&m, name, MP_OPEN_CREATE, 100000));
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    text = data;
    strcpy(text + 99000, "there");
    CHECK(unlink(name_path(name)) == 0);
    CHECK_OK(name_memory(&k, name, MP_OPEN_CREATE, 50));
    CHECK(strcmp(text + 99000, "there") == 0);
    CHECK_OK(mp_name_unlink(name));
    CHECK(strcmp(text + 99000, "there") == 0);
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shared_memory_free(k));
}

enum { NOBODY = 65534 };

/* Root may open everything. */
static int in_wrong_mode(void *arg)
{
    static const mode_t modes[] = {0, 0200, 0400, 0066};
    const char *name = arg;
    mp_array *a;
    size_t i;

    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 10));
    CHECK_OK(mp_array_free(a));
    for (i = 0; i < COUNT(modes); i++) {
        CHECK(chmod(name_path(name), modes[i]) == 0);
        CHECK_STATUS(name_array(&a, name, MP_OPEN_ATTACH, MP_INT64, 10), MP_ERR_OS);
        CHECK_STATUS(name_array(&a, name, MP_OPEN_OR_CREATE, MP_INT64, 10), MP_ERR_OS);
        CHECK_STATUS(mp_name_unlink(name), MP_ERR_OS);
        CHECK_OK(mp_names_reap(NULL));
    }
    CHECK(chmod(name_path(name), 0600) == 0);
    CHECK_OK(name_array(&a, name, MP_OPEN_ATTACH, MP_INT64, 10));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
    return 0;
}

TEST_COLD(names, a_mode_that_lets_nobody_in)
{
    char name[NAME_SIZE];

    if (geteuid() != 0)
        SKIP("only root can be somebody else");
    snprintf(name, sizeof name, "%s", name_of("closed"));
    CHECK_INT(in_fork(in_wrong_mode, name), 0);
}

/* Words of an object that is there are overwritten: its users are told, or find something. */
static int uses_garbage(void *arg)
{
    const char *name = arg;
    char text[16];
    mp_item item;
    mp_shareable_list *l;
    mp_shared_memory *m;
    mp_array *a;
    int64_t x;
    void *data;
    size_t size;

    alarm(20);
    if (CHECK_CLEAN(name_array(&a, name, MP_OPEN_ATTACH, 'c', 0)) == MP_OK) {
        CHECK_CLEAN(mp_array_get_string(a, text, sizeof text, &size));
        CHECK_CLEAN(mp_array_set_int(a, 3, 7));
        CHECK_CLEAN(mp_array_get_int(a, 9, &x));
        CHECK_CLEAN(mp_array_acquire(a, MP_NO_WAIT));
        CHECK_CLEAN(mp_array_release(a));
        CHECK_CLEAN(mp_array_free(a));
    }
    if (CHECK_CLEAN(name_list(&l, name, MP_OPEN_ATTACH, NULL, 0)) == MP_OK) {
        CHECK_CLEAN(mp_shareable_list_get(l, 0, &item, text, sizeof text));
        CHECK_CLEAN(mp_shareable_list_free(l));
    }
    if (CHECK_CLEAN(name_memory(&m, name, MP_OPEN_ATTACH, 0)) == MP_OK) {
        if (CHECK_CLEAN(mp_shared_memory_data(m, &data, &size)) == MP_OK && size > 0)
            x = *(volatile char *)data + ((volatile char *)data)[size - 1];
        CHECK_CLEAN(mp_shared_memory_free(m));
    }
    CHECK_CLEAN(mp_names_reap(NULL));
    return 0;
}

/* Where there is something: header, processes, units, and the first blocks. */
static const struct {
    off_t at;
    size_t size;
} parts[] = {
    {24, 1000}, {64 << 10, 4096}, {384 << 10, 4096}, {448 << 10, 4096}, {512 << 10, 4096}};

static void overwrite(const char *name, rng *chance)
{
    int fd = open(name_path(name), O_RDWR | O_CLOEXEC), i, count = 1 + (int)rng_below(chance, 30);

    CHECK(fd >= 0);
    for (i = 0; i < count; i++) {
        size_t part = (size_t)rng_below(chance, COUNT(parts));
        off_t at = parts[part].at + (off_t)rng_below(chance, parts[part].size);
        unsigned char byte = (unsigned char)rng_next(chance);

        CHECK(pwrite(fd, &byte, 1, at) == 1);
    }
    close(fd);
}

TEST_T(names, what_holds_bytes_and_was_overwritten_harms_nobody, 120)
{
    mp_item items[] = {{.kind = MP_ITEM_TEXT, .data = "text", .data_size = 4}};
    char name[NAME_SIZE];
    rng chance = rng_new();
    mp_shareable_list *l;
    mp_array *a;
    int round;

    snprintf(name, sizeof name, "%s", name_of("bytes"));
    for (round = 0; round < 120; round++) {
        if (round % 2 == 0) {
            CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, 'c', 100000));
            CHECK_OK(mp_array_free(a));
        } else {
            CHECK_OK(name_list(&l, name, MP_OPEN_CREATE, items, 1));
            CHECK_OK(mp_shareable_list_free(l));
        }
        overwrite(name, &chance);
        CHECK_INT(in_fork(uses_garbage, name), 0);
        if (name_exists(name))
            CHECK_OK(mp_name_unlink(name));
    }
}
