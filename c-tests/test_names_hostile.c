/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Names that lead to what libmp did not put there, or that was changed since. */
#include "test_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Refused, by every way to open it, with a sentence. */
static void check_refused(const char *name, int status)
{
    mp_lock *l;

    CHECK_STATUS(name_open(&l, name, MP_OPEN_ATTACH), status);
    CHECK_STATUS(name_open(&l, name, MP_OPEN_OR_CREATE), status);
    CHECK_STATUS(name_open(&l, name, MP_OPEN_CREATE), MP_ERR_EXISTS);
    CHECK_OK(mp_names_reap(NULL));
    CHECK(faccessat(AT_FDCWD, name_path(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

static void make_file(const char *name, const void *bytes, size_t len, off_t size)
{
    int fd = open(name_path(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && ftruncate(fd, size) == 0);
    close(fd);
}

TEST(names, what_is_no_file_of_ours_is_refused)
{
    static const char magic[] = "\x01\x00\x00\x70\x6d\x62\x69\x6c";
    const char *name = name_of("hostile"), *real = name_of("real");
    mp_lock *l = name_lock(real, MP_OPEN_CREATE);
    char file[PATH_SIZE];
    const char *path = name_path(name);

    CHECK(mkdir(path, 0700) == 0);
    check_refused(name, MP_ERR_INVALID);
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_INVALID);
    CHECK(rmdir(path) == 0);
    CHECK(mkfifo(path, 0600) == 0);
    check_refused(name, MP_ERR_INVALID);
    CHECK(unlink(path) == 0);
    /* A link is not followed, be it to a good one. */
    snprintf(file, sizeof file, "%s", name_path(real));
    CHECK(symlink(file, path) == 0);
    check_refused(name, MP_ERR_INVALID);
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_INVALID);
    CHECK(unlink(path) == 0);
    CHECK(symlink("/dev/zero", path) == 0);
    check_refused(name, MP_ERR_INVALID);
    CHECK(unlink(path) == 0);
    make_file(name, "", 0, 0);
    check_refused(name, MP_ERR_INVALID);
    CHECK_OK(mp_name_unlink(name));
    make_file(name, "short", 5, 5);
    check_refused(name, MP_ERR_INVALID);
    CHECK_OK(mp_name_unlink(name));
    make_file(name, "", 0, 16 << 20);
    check_refused(name, MP_ERR_INVALID);
    CHECK_OK(mp_name_unlink(name));
    make_file(name, magic, 8, 16 << 20);
    check_refused(name, MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(real));
}

/* Copies what a name leads to, of which most is holes, to another name. */
static void copy(const char *from, const char *to)
{
    char bytes[4096], zero[4096] = {0};
    int a = open(name_path(from), O_RDONLY | O_CLOEXEC);
    int b = open(name_path(to), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t at;

    CHECK(a >= 0 && b >= 0);
    for (at = 0; pread(a, bytes, sizeof bytes, at) == sizeof bytes; at += (off_t)sizeof bytes)
        if (memcmp(bytes, zero, sizeof bytes) != 0)
            CHECK(pwrite(b, bytes, sizeof bytes, at) == sizeof bytes);
    CHECK(ftruncate(b, at) == 0);
    close(a);
    close(b);
}

TEST(names, a_file_that_was_cut_is_refused)
{
    static const off_t sizes[] = {0, 1, 24, 4096, 65536, 131072, (16 << 20) - 65536, 17 << 20};
    const char *name = name_of("cut"), *good = name_of("whole");
    size_t i;

    CHECK_OK(mp_lock_free(name_lock(good, MP_OPEN_CREATE)));
    for (i = 0; i < COUNT(sizes); i++) {
        copy(good, name);
        CHECK(truncate(name_path(name), sizes[i]) == 0);
        check_refused(name, MP_ERR_INVALID);
        CHECK_OK(mp_name_unlink(name));
    }
    /* The copy itself is as good as the original, so it was not the copying. */
    copy(good, name);
    CHECK_OK(mp_lock_free(name_lock(name, MP_OPEN_ATTACH)));
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_name_unlink(good));
}

/* Bytes anywhere in what the file has are overwritten: opening says something, or works. */
static int opens_garbage(void *name)
{
    mp_lock *l;

    alarm(20);
    if (CHECK_CLEAN(name_open(&l, name, MP_OPEN_OR_CREATE)) == MP_OK) {
        CHECK_CLEAN(mp_lock_acquire(l, MP_NO_WAIT));
        CHECK_CLEAN(mp_lock_release(l));
        CHECK_CLEAN(mp_lock_free(l));
    }
    CHECK_CLEAN(mp_names_reap(NULL));
    return 0;
}

TEST_T(names, a_file_that_was_overwritten_harms_nobody, 120)
{
    /* Where there is something: header, processes, units, and the first blocks. */
    static const struct {
        off_t at;
        size_t size;
    } parts[] = {{0, 1024}, {64 << 10, 4096}, {384 << 10, 4096}, {448 << 10, 4096}, {512 << 10, 4096}};
    char name[NAME_SIZE], good[NAME_SIZE];
    rng chance = rng_new();
    int round, i;

    snprintf(name, sizeof name, "%s", name_of("garbage"));
    snprintf(good, sizeof good, "%s", name_of("good"));
    CHECK_OK(mp_lock_free(name_lock(good, MP_OPEN_CREATE)));
    for (round = 0; round < 150; round++) {
        int fd, count = 1 + (int)rng_below(&chance, 40);

        copy(good, name);
        fd = open(name_path(name), O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0);
        for (i = 0; i < count; i++) {
            size_t part = (size_t)rng_below(&chance, COUNT(parts));
            off_t at = parts[part].at + (off_t)rng_below(&chance, parts[part].size);
            unsigned char byte = (unsigned char)rng_next(&chance);

            /* What is compared as a whole would hide the rest. */
            if (at >= 24)
                CHECK(pwrite(fd, &byte, 1, at) == 1);
        }
        close(fd);
        CHECK_INT(in_fork(opens_garbage, name), 0);
        if (name_exists(name))
            CHECK_OK(mp_name_unlink(name));
    }
    CHECK_OK(mp_name_unlink(good));
}

/* Somebody keeps the lock of the file for ever. */
TEST(names, a_lock_that_is_kept_costs_time_only)
{
    const char *name = name_of("kept");
    mp_lock *l;
    int fd;

    CHECK_OK(mp_lock_free(name_lock(name, MP_OPEN_CREATE)));
    fd = open(name_path(name), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHECK_STATUS(name_open(&l, name, MP_OPEN_ATTACH), MP_ERR_TIMEOUT);
    close(fd);
    CHECK_OK(name_open(&l, name, MP_OPEN_ATTACH));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(name));
}

enum { NOBODY = 65534 };

static int as_nobody(void *arg)
{
    char *name = arg;
    mp_lock_options o = MP_LOCK_OPTIONS;
    mp_lock *l;

    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    o.name = name;
    o.open = MP_OPEN_ATTACH;
    /* Names are each user's own. */
    CHECK_STATUS(mp_lock_new(&l, &o), MP_ERR_NOT_FOUND);
    o.open = MP_OPEN_ATTACH | MP_OPEN_ANY_USER;
    if (mp_lock_new(&l, &o) < 0)
        return 1;
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_NOT_FOUND);
    return 0;
}

TEST_COLD(names, another_users_only_where_both_agree)
{
    char name[NAME_SIZE];
    mp_lock_options o = MP_LOCK_OPTIONS;
    stranger s;
    mp_lock *l;

    if (geteuid() != 0)
        SKIP("only root can be somebody else");
    snprintf(name, sizeof name, "%s", name_of("user"));
    s = stranger_start("hold", name, "1");
    stranger_ready(&s);
    CHECK_INT(in_fork(as_nobody, name), 1);
    CHECK_INT(stranger_end(&s), 0);
    CHECK(chmod(name_path(name), 0666) == 0);
    s = stranger_start("hold", name, "2");
    stranger_ready(&s);
    CHECK_INT(in_fork(as_nobody, name), 0);
    stranger_kill(&s);
    CHECK_OK(mp_bootstrap(0, NULL));
    CHECK_OK(mp_names_reap(NULL));
    /* A file that another user put where ours would be. */
    make_file(name, "", 0, 16 << 20);
    CHECK(chown(name_path(name), NOBODY, NOBODY) == 0);
    o.name = name;
    CHECK_SENTENCE(mp_lock_new(&l, &o), MP_ERR_INVALID, "65534");
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_INVALID);
    CHECK(unlink(name_path(name)) == 0);
}
