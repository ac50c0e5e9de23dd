/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the machine refuses: a full or missing /dev/shm, no /proc, no descriptor, too many users.
 * Where a test may mount file systems of its own, nobody else sees them. */
#include "test_names.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_MOUNTS = 77 };

static bool tell(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

/* A mount namespace of this process's own; without privileges in a user namespace. */
static bool may_mount(void)
{
    char map[64];

    if (unshare(CLONE_NEWNS) < 0) {
        snprintf(map, sizeof map, "0 %ld 1", (long)geteuid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !tell("/proc/self/uid_map", map))
            return false;
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void in_mounts(int (*body)(void *), void *arg)
{
    int code = in_fork(body, arg);

    if (code == NO_MOUNTS)
        SKIP("this machine lets nobody mount a file system");
    CHECK_INT(code, 0);
}

static bool small_shm(const char *options)
{
    return may_mount() && mount("small", "/dev/shm", "tmpfs", 0, options) == 0;
}

/* What a name that could not be made leaves is nothing. */
static int fills_shm(void *arg)
{
    const char *name = arg;
    char more[NAME_SIZE];
    mp_shared_memory *m, *k;
    mp_shareable_list *l;
    mp_item item = {.kind = MP_ITEM_BYTES, .data_size = 4 << 20};
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_lock *locks[200];
    mp_array *a;
    mp_value *v;
    size_t size, i, n;
    int round, s = MP_OK;
    void *data;

    if (!small_shm("size=2m"))
        return NO_MOUNTS;
    item.data = calloc(1, item.data_size);
    CHECK(item.data != NULL);
    o.name = name;
    CHECK_STATUS(name_array(&a, name, MP_OPEN_CREATE, MP_INT8, 4 << 20), MP_ERR_NO_MEMORY);
    CHECK_STATUS(name_memory(&m, name, MP_OPEN_OR_CREATE, 4 << 20), MP_ERR_NO_MEMORY);
    CHECK_STATUS(name_list(&l, name, MP_OPEN_CREATE, &item, 1), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_value_new_struct(&v, 4 << 20, NULL, &o), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_NOT_FOUND);
    CHECK_OK(name_memory(&m, name, MP_OPEN_CREATE, 1 << 20));
    CHECK_OK(mp_shared_memory_data(m, &data, &size));
    memset(data, 7, size);
    for (round = 0; round < 3; round++) {
        /* Until there is no room for one more; whatever is there can be used. */
        for (n = 0; n < COUNT(locks) && s == MP_OK; n++) {
            snprintf(more, sizeof more, "%.50s-%d", name, (int)n);
            s = CHECK_CLEAN(name_open(&locks[n], more, MP_OPEN_CREATE));
        }
        CHECK_STATUS(s, MP_ERR_NO_MEMORY);
        n--;
        CHECK(n > 0);
        for (i = 0; i < n; i++) {
            CHECK_OK(mp_lock_acquire(locks[i], MP_NO_WAIT));
            CHECK_OK(mp_lock_release(locks[i]));
        }
        CHECK_OK(name_memory(&k, name, MP_OPEN_ATTACH, 0));
        CHECK_OK(mp_shared_memory_free(k));
        for (i = 0; i < n; i++) {
            snprintf(more, sizeof more, "%.50s-%d", name, (int)i);
            CHECK_OK(mp_lock_free(locks[i]));
            CHECK_OK(mp_name_unlink(more));
        }
        s = MP_OK;
    }
    CHECK_INT(((char *)data)[size - 1], 7);
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_name_unlink(name));
    free((void *)item.data);
    return 0;
}

TEST_COLD(names, a_full_shm_is_no_memory)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof name, "%s", name_of("full"));
    in_mounts(fills_shm, name);
}

/* One who comes needs memory there, too. */
static int comes_too_late(void *arg)
{
    mp_lock *l;

    return CHECK_CLEAN(name_open(&l, arg, MP_OPEN_ATTACH)) == MP_ERR_NO_MEMORY ? 5 : 6;
}

static int fills_for_others(void *arg)
{
    const char *name = arg;
    char zeros[4096] = {0};
    mp_lock *l;
    int fd, i, code, refused = 0;

    if (!small_shm("size=1m"))
        return NO_MOUNTS;
    l = name_lock(name, MP_OPEN_CREATE);
    fd = open("/dev/shm/filler", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        continue;
    CHECK_INT(errno, ENOSPC);
    /* Those who came before went, and left their pages to the next. */
    for (i = 0; i < 3; i++) {
        code = in_fork(comes_too_late, arg);
        CHECK(code == 5 || code == 6);
        refused += code == 5;
    }
    CHECK(refused > 0);
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_lock_release(l));
    CHECK(ftruncate(fd, 0) == 0);
    close(fd);
    CHECK_INT(in_fork(comes_too_late, arg), 6);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(name));
    return 0;
}

TEST_COLD(names, who_comes_to_a_full_shm)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof name, "%s", name_of("late"));
    in_mounts(fills_for_others, name);
}

static void check_os(const char *name)
{
    mp_shared_memory *m;
    mp_array *a;
    mp_lock *l;

    CHECK_STATUS(name_open(&l, name, MP_OPEN_CREATE), MP_ERR_OS);
    CHECK_STATUS(name_open(&l, name, MP_OPEN_OR_CREATE), MP_ERR_OS);
    CHECK_STATUS(name_array(&a, name, MP_OPEN_OR_CREATE, 'd', 3), MP_ERR_OS);
    CHECK_STATUS(name_memory(&m, name, MP_OPEN_CREATE, 3), MP_ERR_OS);
}

static int without_shm(void *arg)
{
    mp_lock *l;

    if (!may_mount() || mount("none", "/dev", "tmpfs", 0, NULL) < 0)
        return NO_MOUNTS;
    check_os(arg);
    CHECK_STATUS(name_open(&l, arg, MP_OPEN_ATTACH), MP_ERR_OS);
    CHECK_STATUS(mp_name_unlink(arg), MP_ERR_OS);
    CHECK_STATUS(mp_names_reap(NULL), MP_ERR_OS);
    return 0;
}

TEST_COLD(names, without_shm_nothing_has_a_name)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof name, "%s", name_of("nowhere"));
    in_mounts(without_shm, name);
}

static int with_read_only_shm(void *arg)
{
    if (!small_shm("size=1m,ro") && !small_shm("size=1m"))
        return NO_MOUNTS;
    if (mount("small", "/dev/shm", "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m") < 0)
        return NO_MOUNTS;
    check_os(arg);
    CHECK_OK(mp_names_reap(NULL));
    return 0;
}

TEST_COLD(names, a_read_only_shm_takes_none)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof name, "%s", name_of("read"));
    in_mounts(with_read_only_shm, name);
}

static int without_proc(void *arg)
{
    mp_lock *l;

    if (!may_mount())
        return NO_MOUNTS;
    l = name_lock(arg, MP_OPEN_CREATE);
    CHECK_OK(mp_lock_free(l));
    if (mount("none", "/proc", "tmpfs", 0, NULL) < 0)
        return NO_MOUNTS;
    CHECK_STATUS(name_open(&l, arg, MP_OPEN_ATTACH), MP_ERR_OS);
    CHECK_SENTENCE(name_open(&l, name_of("other"), MP_OPEN_CREATE), MP_ERR_OS, "/proc");
    CHECK_STATUS(mp_name_unlink(arg), MP_ERR_OS);
    CHECK(umount("/proc") == 0);
    CHECK_OK(mp_name_unlink(arg));
    return 0;
}

TEST_COLD(names, without_proc_nothing_is_opened)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof name, "%s", name_of("proc"));
    in_mounts(without_proc, name);
}

TEST(names, without_descriptors_nothing_is_opened)
{
    const char *name = name_of("table");
    mp_lock *l, *m;
    int s, left;

    l = name_lock(name, MP_OPEN_CREATE);
    fill_descriptors(0);
    check_os(name);
    CHECK_STATUS(name_open(&m, name, MP_OPEN_ATTACH), MP_ERR_OS);
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_OS);
    CHECK_STATUS(mp_names_reap(NULL), MP_ERR_OS);
    release_descriptors();
    CHECK_OK(mp_lock_free(l));
    /* With ever more of them some call is the one that fails, and the last one does not. */
    for (left = 0; left < 10; left++) {
        fill_descriptors(left);
        s = CHECK_CLEAN(name_open(&l, name, MP_OPEN_ATTACH));
        release_descriptors();
        CHECK(s == MP_OK || s == MP_ERR_OS);
        if (s == MP_OK)
            CHECK_OK(mp_lock_free(l));
    }
    CHECK_INT(s, MP_OK);
    CHECK_OK(mp_name_unlink(name));
}

/* Opens the name and tells so, or that it could not; then it waits until nobody listens. */
static void one_more_user(const char *name, int to, int until)
{
    mp_lock *l;
    char said = 'y', nothing;

    switch (CHECK_CLEAN(name_open(&l, name, MP_OPEN_ATTACH))) {
    case MP_OK:
        break;
    case MP_ERR_NO_MEMORY:
        said = 'n';
        break;
    default:
        said = '?';
    }
    CHECK(write(to, &said, 1) == 1);
    while (read(until, &nothing, 1) > 0)
        continue;
    _exit(0);
}

/* 1023 processes use an object, and not one more. This one is the first, and does nothing when the
 * others are dead. */
TEST_T(names, as_many_users_as_there_can_be, 120)
{
    enum { MOST = 1023 };
    const char *name = name_of("users");
    mp_lock *l = name_lock(name, MP_OPEN_CREATE);
    int said[2], until[2], i, status;
    pid_t *all = calloc(MOST, sizeof *all);
    char c;

    CHECK(all != NULL && pipe2(said, O_CLOEXEC) == 0 && pipe2(until, O_CLOEXEC) == 0);
    for (i = 0; i < MOST; i++) {
        all[i] = fork();
        CHECK(all[i] >= 0);
        if (all[i] == 0) {
            close(until[1]);
            one_more_user(name, said[1], until[0]);
        }
        CHECK(read(said[0], &c, 1) == 1);
        CHECK_INT(c, i < MOST - 1 ? 'y' : 'n');
    }
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    close(until[1]);
    for (i = 0; i < MOST; i++) {
        CHECK_INT(waitpid(all[i], &status, 0), all[i]);
        CHECK_INT(status, 0);
    }
    CHECK_OK(mp_lock_release(l));
    /* They are gone, and there is room for others. */
    close(until[0]);
    CHECK(pipe2(until, O_CLOEXEC) == 0);
    all[0] = fork();
    CHECK(all[0] >= 0);
    if (all[0] == 0) {
        close(until[1]);
        one_more_user(name, said[1], until[0]);
    }
    CHECK(read(said[0], &c, 1) == 1);
    CHECK_INT(c, 'y');
    close(until[1]);
    CHECK_INT(waitpid(all[0], &status, 0), all[0]);
    free(all);
    close(said[0]);
    close(said[1]);
    close(until[0]);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(name));
}
