/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Objects with names as arguments: a child has them by every start method, and so have its own. */
#include "test_names.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 40 };

static int changes_all(mp_child *self, void *user)
{
    mp_value *v = mp_child_value(self, 0);
    mp_array *a = mp_child_array(self, 1);
    mp_shared_memory *m = mp_child_shared_memory(self, 2);
    mp_shareable_list *l = mp_child_shareable_list(self, 3);
    mp_rlock *r = mp_child_rlock(self, 4);
    mp_item item = {.kind = MP_ITEM_INT, .integer = 4};
    bool locked;
    void *data;

    CHECK(user == NULL && v && a && m && l && r);
    CHECK_OK(mp_value_fetch_add(v, 1, NULL));
    CHECK_OK(mp_array_set_int(a, 1, 2));
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    strcpy(data, "three");
    CHECK_OK(mp_shareable_list_set(l, 0, &item));
    /* It is the array's own. */
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK_OK(mp_array_locked(a, &locked));
    CHECK(locked);
    CHECK_OK(mp_rlock_release(r));
    return 0;
}

TEST(names, a_child_has_what_holds_bytes)
{
    char name[4][NAME_SIZE];
    mp_item item = {.kind = MP_ITEM_NONE};
    mp_shared_memory *m;
    mp_shareable_list *l;
    mp_process *p;
    mp_value *v;
    mp_array *a;
    mp_rlock *r;
    int64_t x;
    void *data;
    int i;

    for (i = 0; i < 4; i++)
        snprintf(name[i], NAME_SIZE, "%.50s-%d", name_of("child"), i);
    CHECK_OK(name_value(&v, name[0], MP_OPEN_CREATE, MP_INT64));
    CHECK_OK(name_array(&a, name[1], MP_OPEN_CREATE, MP_INT64, 100000));
    CHECK_OK(name_memory(&m, name[2], MP_OPEN_CREATE, 1 << 20));
    CHECK_OK(name_list(&l, name[3], MP_OPEN_CREATE, &item, 1));
    CHECK_OK(mp_array_get_rlock(a, &r));
    /* The names are not needed. */
    for (i = 0; i < 4; i++)
        CHECK_OK(mp_name_unlink(name[i]));
    p = CHILD_START(changes_all, v, a, m, l, r);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_get_int(v, &x));
    CHECK_INT(x, 1);
    CHECK_OK(mp_array_get_int(a, 1, &x));
    CHECK_INT(x, 2);
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    CHECK(strcmp(data, "three") == 0);
    CHECK_OK(mp_shareable_list_get(l, 0, &item, NULL, 0));
    CHECK_INT(item.integer, 4);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shareable_list_free(l));
    CHECK_OK(mp_rlock_free(r));
}

/* How many of this process's descriptors lead to /dev/shm, also under names that are gone. */
static int descriptors_in_shm(void)
{
    char path[64], file[256];
    int n = 0, fd;
    ssize_t len;

    for (fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        len = readlink(path, file, sizeof file - 1);
        file[len > 0 ? len : 0] = '\0';
        n += strncmp(file, "/dev/shm/", 9) == 0;
    }
    return n;
}

static int adds_to_each(mp_child *self, void *user)
{
    int i, descriptors;

    CHECK(user == NULL);
    descriptors = open_descriptors();
    CHECK_INT(descriptors_in_shm(), MANY - 1);
    for (i = 0; i < MANY; i++) {
        mp_value *v = mp_child_value(self, (size_t)i), *again;

        CHECK(v != NULL);
        CHECK_OK(mp_value_fetch_add(v, i, NULL));
        again = mp_child_value(self, (size_t)(MANY + i));
        CHECK(again != NULL);
        CHECK_OK(mp_value_fetch_add(again, i, NULL));
    }
    CHECK_INT(open_descriptors(), descriptors);
    return 0;
}

/* More of them than one message carries descriptors, each of them twice, in some order. */
TEST(names, a_child_has_many)
{
    const void *handles[2 * MANY + 1] = {NULL};
    mp_value *values[MANY], *anonymous = flag_new();
    char name[NAME_SIZE];
    int64_t x;
    int i;

    for (i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%.50s-%d", name_of("many"), i);
        /* One in between has none. */
        if (i == 7)
            values[i] = anonymous;
        else
            CHECK_OK(name_value(&values[i], name, MP_OPEN_CREATE, MP_INT64));
        handles[i] = handles[MANY + i] = values[i];
        if (i != 7)
            CHECK_OK(mp_name_unlink(name));
    }
    CHECK_INT(child_end(child_start(adds_to_each, handles)), 0);
    for (i = 0; i < MANY; i++) {
        CHECK_OK(mp_value_get_int(values[i], &x));
        CHECK_INT(x, 2 * i);
        CHECK_OK(mp_value_free(values[i]));
    }
}

static int counts_down(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);
    mp_array *a = mp_child_array(self, 1);
    int64_t before;

    CHECK(user == NULL && l != NULL && a != NULL);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_array_fetch_sub(a, 0, 1, &before));
    CHECK_OK(mp_array_set_int(a, (size_t)before, (int64_t)getpid()));
    CHECK_OK(mp_lock_release(l));
    return before > 1 ? child_end(CHILD_START(counts_down, l, a)) : 0;
}

TEST(names, a_child_hands_them_on)
{
    const char *name = name_of("nested"), *guard = name_of("nested-lock");
    mp_lock *l = name_lock(guard, MP_OPEN_CREATE);
    mp_array *a;
    int64_t pids[4];
    int i, k;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 4));
    CHECK_OK(mp_array_set_int(a, 0, 3));
    CHECK_INT(child_end(CHILD_START(counts_down, l, a)), 0);
    CHECK_OK(mp_array_read(a, 0, 4, pids, sizeof pids));
    CHECK_INT(pids[0], 0);
    for (i = 1; i < 4; i++)
        for (k = 0; k <= i; k++)
            CHECK(pids[i] != (k == i ? (int64_t)getpid() : pids[k]));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_name_unlink(guard));
}

static int dies_with_the_lock(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);

    CHECK(user == NULL && a != NULL);
    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_array_set_int(a, 0, 5));
    raise(SIGKILL);
    return 0;
}

TEST(names, a_dead_childs_lock_is_taken_over)
{
    const char *name = name_of("dies");
    mp_array_options o = MP_ARRAY_OPTIONS;
    mp_array *a;
    int64_t x;
    bool yes;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 4));
    CHECK_INT(child_end(CHILD_START(dies_with_the_lock, a)), -SIGKILL);
    CHECK_OK(mp_array_acquire(a, MP_FOREVER));
    CHECK_OK(mp_array_recovered(a, &yes));
    CHECK(yes);
    CHECK_OK(mp_array_release(a));
    CHECK_OK(mp_array_get_int(a, 0, &x));
    CHECK_INT(x, 5);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));

    o.name = name;
    o.report_owner_death = true;
    CHECK_OK(mp_array_new(&a, MP_INT64, 4, NULL, &o));
    CHECK_INT(child_end(CHILD_START(dies_with_the_lock, a)), -SIGKILL);
    CHECK_STATUS(mp_array_acquire(a, MP_FOREVER), MP_OWNER_DIED);
    CHECK_OK(mp_array_release(a));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
}

static int opens_by_name(mp_child *self, void *user)
{
    size_t len;
    const char *name = mp_child_bytes(self, 0, &len);
    mp_array *mine = mp_child_array(self, 1), *a;
    int64_t x;

    CHECK(user == NULL && mine != NULL && name[len - 1] == '\0');
    CHECK_OK(name_array(&a, name, MP_OPEN_ATTACH, MP_INT64, 0));
    CHECK_OK(mp_array_fetch_add(a, 0, 1, NULL));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_fetch_add(mine, 0, 1, &x));
    CHECK_INT(x, 1);
    return 0;
}

/* It is the same file, once as an argument and once by its name. */
TEST(names, a_child_opens_what_it_was_handed)
{
    const char *name = name_of("both");
    mp_process *p;
    mp_array *a;
    int64_t x;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 2));
    CHECK_OK(mp_process_new(&p, opens_by_name, NULL, NULL));
    CHECK_OK(mp_process_add_bytes(p, name, strlen(name) + 1));
    CHECK_OK(mp_process_add_handle(p, a));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_array_get_int(a, 0, &x));
    CHECK_INT(x, 2);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
}

static mp_array *preloaded;

static void opens_before(void)
{
    CHECK_OK(name_array(&preloaded, getenv("MP_TEST_PRELOADED"), MP_OPEN_ATTACH, MP_INT64, 2));
    CHECK_OK(mp_array_fetch_add(preloaded, 0, 1, NULL));
}

static int has_it_twice(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);

    CHECK(user == NULL && a != NULL && preloaded != NULL && a != preloaded);
    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_array_fetch_add(a, 1, 1, NULL));
    CHECK_OK(mp_array_fetch_add(preloaded, 1, 1, NULL));
    CHECK_OK(mp_array_release(preloaded));
    CHECK_OK(mp_array_free(preloaded));
    CHECK_OK(mp_array_fetch_add(a, 1, 1, NULL));
    return 0;
}

/* Whether this process has a record lock on one of the bytes that stand for the users. Not to be
 * asked by a user: closing the file again would cost it its own. */
typedef struct asked {
    const char *name;
    pid_t user;
} asked;

static int has_its_byte(void *arg)
{
    const asked *a = arg;
    int fd = open(name_path(a->name), O_RDWR | O_CLOEXEC), at;

    CHECK(fd >= 0);
    for (at = 1; at < 1024; at++) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

        CHECK(fcntl(fd, F_GETLK, &lock) == 0);
        if (lock.l_type != F_UNLCK && lock.l_pid == a->user)
            return 5;
    }
    return 6;
}

static int waits_with_it(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);

    CHECK(user == NULL && a != NULL);
    CHECK_OK(mp_array_fetch_add(a, 0, 1, NULL));
    CHECK_INT(descriptors_in_shm(), 1);
    flag_set(mp_child_value(self, 1), 1);
    flag_wait(mp_child_value(self, 1), 2);
    return 0;
}

/* The proof that it lives, whatever else has the file open in it. */
static void check_life(const char *name, mp_array *a)
{
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(waits_with_it, a, flag);
    asked child = {name, child_pid(p)};

    flag_wait(flag, 1);
    CHECK_INT(in_fork(has_its_byte, &child), 5);
    flag_set(flag, 2);
    CHECK_INT(child_end(p), 0);
    CHECK_INT(in_fork(has_its_byte, &child), 6);
    CHECK_OK(mp_value_free(flag));
}

TEST(names, a_childs_life_shows_in_the_file)
{
    const char *name = name_of("life");
    mp_array *a;

    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 2));
    check_life(name, a);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
}

/* The fork server has opened it already: its child has that, and what it is handed. */
TEST_COLD(names, a_child_is_handed_what_the_server_has)
{
    const char *name = name_of("preloaded");
    mp_array *a;
    int64_t x;

    if (strcmp(test_start_method(), "forkserver") != 0)
        SKIP("there is no fork server");
    CHECK_OK(mp_bootstrap(0, NULL));
    CHECK(setenv("MP_TEST_PRELOADED", name, 1) == 0);
    CHECK_OK(mp_forkserver_preload(opens_before));
    CHECK_OK(name_array(&a, name, MP_OPEN_CREATE, MP_INT64, 2));
    CHECK_INT(child_end(CHILD_START(has_it_twice, a)), 0);
    CHECK_INT(child_end(CHILD_START(has_it_twice, a)), 0);
    check_life(name, a);
    CHECK_OK(mp_array_get_int(a, 0, &x));
    CHECK_INT(x, 2);
    CHECK_OK(mp_array_get_int(a, 1, &x));
    CHECK_INT(x, 6);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_name_unlink(name));
}
