/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Objects with names: who shares them, and when a name goes. */
#include "test_names.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_locked(const mp_lock *l)
{
    bool yes;

    CHECK_OK(mp_lock_locked(l, &yes));
    return yes;
}

static bool recovered(const mp_lock *l)
{
    bool yes;

    CHECK_OK(mp_lock_recovered(l, &yes));
    return yes;
}

TEST(names, strangers_share_a_lock)
{
    const char *name = name_of("add");
    char file[PATH_SIZE];
    stranger all[3];
    long number;
    size_t i;
    int fd;

    snprintf(file, sizeof file, "%s/number", getenv("TMPDIR"));
    fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
    for (i = 0; i < COUNT(all); i++)
        all[i] = stranger_start("add", name, file);
    for (i = 0; i < COUNT(all); i++)
        stranger_ready(&all[i]);
    for (i = 0; i < COUNT(all); i++)
        CHECK_INT(stranger_end(&all[i]), 0);
    CHECK(pread(fd, &number, sizeof number, 0) == sizeof number);
    CHECK_INT(number, 20000 * (long)COUNT(all));
    close(fd);
    unlink(file);
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, what_each_status_means)
{
    const char *name = name_of("status");
    char long_name[202];
    mp_lock *l, *m;

    CHECK_STATUS(name_open(&l, name, MP_OPEN_ATTACH), MP_ERR_NOT_FOUND);
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_NOT_FOUND);
    CHECK_OK(name_open(&l, name, MP_OPEN_CREATE));
    CHECK_SENTENCE(name_open(&m, name, MP_OPEN_CREATE), MP_ERR_EXISTS, name);
    CHECK_OK(name_open(&m, name, MP_OPEN_ATTACH));
    CHECK_OK(mp_lock_free(m));
    CHECK_OK(name_open(&m, name, MP_OPEN_OR_CREATE));
    CHECK_OK(mp_lock_free(m));
    CHECK_OK(mp_name_unlink(name));
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_NOT_FOUND);
    CHECK_STATUS(name_open(&m, name, MP_OPEN_ATTACH), MP_ERR_NOT_FOUND);
    CHECK_OK(mp_lock_free(l));
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_BAD_HANDLE);

    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    CHECK_STATUS(name_open(&l, long_name, MP_OPEN_OR_CREATE), MP_ERR_INVALID);
    CHECK_STATUS(name_open(&l, "", MP_OPEN_OR_CREATE), MP_ERR_INVALID);
    CHECK_STATUS(name_open(&l, "a/b", MP_OPEN_OR_CREATE), MP_ERR_INVALID);
    CHECK_STATUS(name_open(&l, "../a", MP_OPEN_OR_CREATE), MP_ERR_INVALID);
    CHECK_STATUS(name_open(&l, name, 3), MP_ERR_INVALID);
    CHECK_STATUS(name_open(&l, name, -1), MP_ERR_INVALID);
    CHECK_STATUS(name_open(&l, NULL, MP_OPEN_CREATE), MP_ERR_INVALID);
    CHECK_STATUS(mp_name_unlink(NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_name_unlink(""), MP_ERR_INVALID);
    CHECK_STATUS(mp_name_unlink("a/b"), MP_ERR_INVALID);
    CHECK_STATUS(mp_name_unlink(long_name), MP_ERR_INVALID);
    long_name[200] = '\0';
    CHECK_OK(name_open(&l, long_name, MP_OPEN_CREATE));
    CHECK_OK(mp_name_unlink(long_name));
    CHECK_OK(mp_lock_free(l));
}

TEST(names, another_type_is_refused)
{
    const char *name = name_of("type");
    mp_rlock_options r = MP_RLOCK_OPTIONS;
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_lock *l = name_lock(name, MP_OPEN_CREATE);
    mp_semaphore *s;
    mp_rlock *k;

    r.name = o.name = name;
    CHECK_SENTENCE(mp_rlock_new(&k, &r), MP_ERR_INVALID, "Lock");
    CHECK_STATUS(mp_semaphore_new(&s, 3, &o), MP_ERR_INVALID);
    CHECK_OK(mp_lock_free(l));
    CHECK_STATUS(mp_semaphore_new(&s, 3, &o), MP_ERR_INVALID);
    r.open = MP_OPEN_ATTACH;
    CHECK_STATUS(mp_rlock_new(&k, &r), MP_ERR_INVALID);
    CHECK_OK(name_open(&l, name, MP_OPEN_ATTACH));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, every_noun_that_has_one)
{
    const char *name = name_of("noun");
    mp_rlock_options r = MP_RLOCK_OPTIONS;
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_semaphore *s, *t;
    mp_rlock *k, *m;
    size_t value;
    bool yes;

    r.name = o.name = name;
    CHECK_OK(mp_rlock_new(&k, &r));
    CHECK_OK(mp_rlock_new(&m, &r));
    CHECK_OK(mp_rlock_acquire(k, MP_NO_WAIT));
    CHECK_OK(mp_rlock_acquire(m, MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(k));
    CHECK_OK(mp_rlock_locked(k, &yes));
    CHECK(yes);
    CHECK_OK(mp_rlock_recovered(m, &yes));
    CHECK(!yes);
    CHECK_OK(mp_rlock_release(m));
    CHECK_STATUS(mp_rlock_release(m), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_rlock_free(k));
    CHECK_OK(mp_rlock_free(m));
    CHECK_OK(mp_name_unlink(name));

    o.bounded = o.give_back = true;
    CHECK_OK(mp_semaphore_new(&s, 2, &o));
    CHECK_OK(mp_semaphore_new(&t, 2, &o));
    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_OK(mp_semaphore_acquire(t, MP_NO_WAIT));
    CHECK_STATUS(mp_semaphore_acquire(t, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_value(s, &value));
    CHECK_INT(value, 0);
    CHECK_OK(mp_semaphore_release(t, 2));
    CHECK_FAILS(mp_semaphore_release(t, 1));
    CHECK_OK(mp_semaphore_free(s));
    CHECK_OK(mp_semaphore_free(t));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, two_handles_are_one_lock)
{
    const char *name = name_of("two");
    mp_lock *a = name_lock(name, MP_OPEN_CREATE), *b = name_lock(name, MP_OPEN_ATTACH);

    CHECK_OK(mp_lock_acquire(a, MP_NO_WAIT));
    CHECK(is_locked(b));
    CHECK_STATUS(mp_lock_acquire(b, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_free(a));
    CHECK(is_locked(b));
    CHECK_OK(mp_lock_release(b));
    CHECK_STATUS(mp_lock_release(b), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_lock_free(b));
}

TEST(names, freeing_leaves_the_name)
{
    const char *name = name_of("stay");
    stranger s;
    mp_lock *l, *other;
    int i;

    for (i = 0; i < 3; i++) {
        l = name_lock(name, i == 0 ? MP_OPEN_CREATE : MP_OPEN_ATTACH);
        CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
        CHECK_OK(mp_lock_release(l));
        CHECK_OK(mp_lock_free(l));
        CHECK(name_exists(name));
    }
    s = stranger_start("hold", name, "2");
    stranger_ready(&s);
    l = name_lock(name, MP_OPEN_ATTACH);
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    /* After unlink holders go on, and the next one to open it gets another. */
    CHECK_OK(mp_name_unlink(name));
    CHECK(!name_exists(name));
    other = name_lock(name, MP_OPEN_OR_CREATE);
    CHECK_OK(mp_lock_acquire(other, MP_NO_WAIT));
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_INT(stranger_end(&s), 0);
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK(!recovered(l));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_lock_free(other));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, a_mode_is_what_was_asked_for)
{
    static const unsigned bad[] = {0400, 0200, 0077, 01600, 0x10000 | 0600, 04755};
    const char *name = name_of("mode");
    mp_lock_options o = MP_LOCK_OPTIONS;
    struct stat st;
    mp_lock *l;
    size_t i;
    mode_t old = umask(0);

    o.name = name;
    for (i = 0; i < 2; i++) {
        umask(i == 0 ? 0 : 0777);
        o.mode = 0;
        CHECK_OK(mp_lock_new(&l, &o));
        CHECK(stat(name_path(name), &st) == 0);
        CHECK_INT(st.st_mode & 07777, 0600);
        CHECK_OK(mp_lock_free(l));
        CHECK_OK(mp_name_unlink(name));
        o.mode = 0664;
        CHECK_OK(mp_lock_new(&l, &o));
        CHECK(stat(name_path(name), &st) == 0);
        CHECK_INT(st.st_mode & 07777, 0664);
        /* What it takes of memory is little. */
        CHECK(st.st_blocks * 512 <= 64 << 10);
        CHECK_OK(mp_lock_free(l));
        CHECK_OK(mp_name_unlink(name));
    }
    umask(old);
    for (i = 0; i < COUNT(bad); i++) {
        o.mode = bad[i];
        CHECK_STATUS(mp_lock_new(&l, &o), MP_ERR_INVALID);
    }
    o.name = NULL;
    o.mode = 0600;
    CHECK_STATUS(mp_lock_new(&l, &o), MP_ERR_INVALID);
}

static int mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    int n = 0;

    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        n++;
    fclose(f);
    return n;
}

TEST(names, nothing_stays_of_what_was_freed)
{
    const char *name = name_of("again");
    int before = 0, descriptors = open_descriptors(), i;

    for (i = 0; i < 500; i++) {
        mp_lock *l = name_lock(name, MP_OPEN_OR_CREATE), *m = name_lock(name, MP_OPEN_ATTACH);

        CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
        CHECK_OK(mp_lock_release(m));
        CHECK_OK(mp_lock_free(l));
        CHECK_OK(mp_lock_free(m));
        if (i % 50 == 0)
            CHECK_OK(mp_name_unlink(name));
        if (i == 100)
            before = mappings();
    }
    CHECK(mappings() <= before + 2);
    CHECK_INT(open_descriptors(), descriptors);
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, strangers_wait_for_each_other)
{
    char name[NAME_SIZE], part[NAME_SIZE];
    stranger s;
    meeting m;
    int i;

    snprintf(name, sizeof name, "%s", name_of("meet"));
    s = stranger_start("meet", name, "200");
    m = meeting_open(name);
    stranger_ready(&s);
    for (i = 0; i < 200; i++)
        meeting_round(&m, true);
    CHECK_INT(stranger_end(&s), 0);
    meeting_free(&m);
    for (i = 0; i < 4; i++) {
        snprintf(part, sizeof part, "%.50s-%d", name, i);
        CHECK_OK(mp_name_unlink(part));
    }
}

TEST(names, a_condition_with_a_name_has_a_lock_of_its_own)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;
    const char *name = name_of("given");
    mp_lock *l = name_lock(name, MP_OPEN_CREATE), *plain;
    mp_condition *c;

    CHECK_OK(mp_lock_new(&plain, NULL));
    o.lock = l;
    CHECK_STATUS(mp_condition_new(&c, &o), MP_ERR_UNSUPPORTED);
    o.lock = plain;
    o.name = name_of("condition");
    CHECK_STATUS(mp_condition_new(&c, &o), MP_ERR_UNSUPPORTED);
    CHECK(!name_exists(o.name));
    CHECK_OK(mp_lock_free(plain));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(name));
}
