/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Objects with names whose users die, and their children. */
#include "test_names.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static bool recovered(const mp_lock *l)
{
    bool yes;

    CHECK_OK(mp_lock_recovered(l, &yes));
    return yes;
}

TEST(names, a_stranger_that_dies_loses_the_lock)
{
    const char *name = name_of("holder");
    stranger s = stranger_start("hold", name, "0");
    mp_lock *l;

    stranger_ready(&s);
    l = name_lock(name, MP_OPEN_ATTACH);
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(120)), MP_ERR_TIMEOUT);
    stranger_kill(&s);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(recovered(l));
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
    /* The last user left by itself: the name stays. */
    CHECK(name_exists(name));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, the_next_opener_finds_no_name_of_the_dead)
{
    static const int how[] = {MP_OPEN_ATTACH, MP_OPEN_CREATE, MP_OPEN_OR_CREATE};
    const char *name = name_of("left");
    size_t i;

    for (i = 0; i < COUNT(how); i++) {
        mp_lock *l;

        /* The name stays. The reaper of a test that runs beside this one may be quicker: again, then. */
        do {
            stranger a = stranger_start("hold", name, "1"), b;

            stranger_ready(&a);
            b = stranger_start("keep", name, "2");
            stranger_ready(&b);
            stranger_kill(&a);
            CHECK_STATUS(name_open(&l, name, MP_OPEN_CREATE), MP_ERR_EXISTS);
            stranger_kill(&b);
        } while (!name_exists(name));
        if (how[i] == MP_OPEN_ATTACH) {
            CHECK_STATUS(name_open(&l, name, how[i]), MP_ERR_NOT_FOUND);
            CHECK(!name_exists(name));
            continue;
        }
        CHECK_OK(name_open(&l, name, how[i]));
        CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
        CHECK(!recovered(l));
        CHECK_OK(mp_name_unlink(name));
        CHECK_OK(mp_lock_free(l));
    }
}

static int says[2];

/* Somebody else looks at the file for a moment, as the reaper does, which does not make it alive. */
static int locks_for_a_moment(void *path)
{
    int fd = open(path, O_RDWR);

    /* The reaper of a test that runs beside this one may have been quicker. */
    CHECK(fd >= 0 ? flock(fd, LOCK_EX) == 0 : errno == ENOENT);
    CHECK(write(says[1], "r", 1) == 1);
    sleep_ms(30);
    return 0;
}

TEST(names, who_judges_the_dead_is_waited_for)
{
    static const int how[] = {MP_OPEN_CREATE, MP_OPEN_OR_CREATE};
    const char *name = name_of("judged");
    char path[NAME_SIZE + 50], ready;
    size_t i;

    CHECK(pipe(says) == 0);
    snprintf(path, sizeof path, "/dev/shm/mp.%u.%s", (unsigned)geteuid(), name);
    for (i = 0; i < COUNT(how); i++) {
        stranger s = stranger_start("hold", name, "1");
        mp_lock *l;
        pid_t judge;

        stranger_ready(&s);
        stranger_kill(&s);
        judge = fork_begin(locks_for_a_moment, path);
        CHECK(read(says[0], &ready, 1) == 1);
        CHECK_OK(name_open(&l, name, how[i]));
        CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
        CHECK(!recovered(l));
        CHECK_INT(fork_end(judge), 0);
        CHECK_OK(mp_name_unlink(name));
        CHECK_OK(mp_lock_free(l));
    }
    close(says[0]);
    close(says[1]);
}

TEST(names, the_reaper_takes_what_the_dead_left)
{
    char dead[2][NAME_SIZE], alive[NAME_SIZE], rest[NAME_SIZE];
    size_t count = 0, i;
    stranger s[3];

    for (i = 0; i < 2; i++)
        memcpy(dead[i], name_of(i == 0 ? "dead" : "gone"), NAME_SIZE);
    memcpy(alive, name_of("alive"), NAME_SIZE);
    memcpy(rest, name_of("rest"), NAME_SIZE);
    s[2] = stranger_start("keep", alive, "0");
    stranger_ready(&s[2]);
    CHECK_OK(mp_lock_free(name_lock(rest, MP_OPEN_CREATE)));
    /* The reaper of a test that runs beside this one may be quicker: again, then. */
    while (count < 2) {
        for (i = 0; i < 2; i++) {
            s[i] = stranger_start("hold", dead[i], "1");
            stranger_ready(&s[i]);
        }
        for (i = 0; i < 2; i++)
            stranger_kill(&s[i]);
        CHECK_OK(mp_names_reap(&count));
        for (i = 0; i < 2; i++)
            CHECK(!name_exists(dead[i]));
        CHECK(name_exists(alive) && name_exists(rest));
    }
    CHECK_OK(mp_names_reap(NULL));
    CHECK_INT(stranger_end(&s[2]), 0);
    CHECK_OK(mp_name_unlink(alive));
    CHECK_OK(mp_name_unlink(rest));
}

static int releases(void *l)
{
    CHECK_OK(mp_lock_release(l));
    CHECK_STATUS(mp_lock_release(l), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_lock_free(l));
    CHECK_STATUS(mp_lock_free(l), MP_ERR_BAD_HANDLE);
    return 0;
}

static int dies_with_it(void *l)
{
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    kill(getpid(), SIGKILL);
    return 0;
}

static int opens_again(void *l)
{
    mp_lock *m = name_lock(name_of("fork"), MP_OPEN_ATTACH);

    CHECK_OK(mp_lock_acquire(m, MP_NO_WAIT));
    CHECK_OK(mp_lock_free(m));
    /* What it was open by is its parent's handle, which is good here too. */
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(recovered(l));
    CHECK_OK(mp_lock_release(l));
    return 0;
}

TEST(names, a_forked_child_is_a_user_of_its_own)
{
    const char *name = name_of("fork");
    mp_lock *l = name_lock(name, MP_OPEN_CREATE);

    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_INT(in_fork(releases, l), 0);
    CHECK_INT(in_fork(dies_with_it, l), -SIGKILL);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(recovered(l));
    CHECK_OK(mp_lock_release(l));
    CHECK_INT(in_fork(opens_again, l), 0);
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK(!recovered(l));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(name));
}

/* Its parent is dead, and the name may be gone: what it has it has. */
static int outlives(void *arg)
{
    mp_lock *l = name_lock(name_of("orphan"), MP_OPEN_CREATE);
    int *ready = arg;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child > 0) {
        while (__atomic_load_n(ready, __ATOMIC_ACQUIRE) == 0)
            sleep_ms(1);
        kill(getpid(), SIGKILL);
    }
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    __atomic_store_n(ready, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(ready, __ATOMIC_ACQUIRE) != 2)
        sleep_ms(1);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
    __atomic_store_n(ready, 3, __ATOMIC_RELEASE);
    _exit(0);
}

static bool is_three(void *ready)
{
    return __atomic_load_n((int *)ready, __ATOMIC_ACQUIRE) == 3;
}

TEST(names, a_child_keeps_the_name_that_its_dead_parent_opened)
{
    int *ready = shared_new(sizeof *ready);
    mp_lock *l;

    CHECK_INT(in_fork(outlives, ready), -SIGKILL);
    CHECK_OK(mp_names_reap(NULL));
    l = name_lock(name_of("orphan"), MP_OPEN_ATTACH);
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(20)), MP_ERR_TIMEOUT);
    __atomic_store_n(ready, 2, __ATOMIC_RELEASE);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(!recovered(l));
    CHECK(wait_until(is_three, ready));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_name_unlink(name_of("orphan")));
    shared_free(ready, sizeof *ready);
}

static int child_with_names(mp_child *self, void *user)
{
    mp_lock *a = mp_child_lock(self, 0), *b = mp_child_lock(self, 1), *c = mp_child_lock(self, 2);

    CHECK(a != NULL && b != NULL && c != NULL && user == NULL);
    CHECK_STATUS(mp_lock_acquire(a, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_lock_acquire(b, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(b));
    CHECK_OK(mp_lock_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_lock_acquire(c, MP_NO_WAIT));
    return 7;
}

TEST(names, a_named_handle_is_handed_to_a_child)
{
    const char *name = name_of("hand"), *second = name_of("second");
    mp_lock *l = name_lock(name, MP_OPEN_CREATE), *m = name_lock(name, MP_OPEN_ATTACH);
    mp_lock *c = name_lock(second, MP_OPEN_CREATE);
    mp_process *p;

    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_process_new(&p, child_with_names, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, l));
    CHECK_OK(mp_process_add_handle(p, m));
    CHECK_OK(mp_process_add_handle(p, c));
    /* It is the same object, be the name gone, and it is held for the child meanwhile. */
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_lock_free(m));
    CHECK_OK(mp_lock_free(c));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 7);
    /* It is over, and held the lock. */
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(recovered(l));
    CHECK_OK(mp_lock_free(l));
    /* This one its dead child was the last user of. */
    CHECK_STATUS(name_open(&l, second, MP_OPEN_ATTACH), MP_ERR_NOT_FOUND);
}

/* Opens, uses, closes and takes the name away until it is killed, wherever it is then. */
static void use_until_killed(const char *name, int *begun)
{
    mp_lock *l;

    for (;;) {
        CHECK_OK(name_open(&l, name, MP_OPEN_OR_CREATE));
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        __atomic_store_n(begun, 1, __ATOMIC_RELEASE);
        CHECK_OK(mp_lock_release(l));
        CHECK_OK(mp_lock_free(l));
        CHECK_CLEAN(mp_name_unlink(name));
    }
}

static bool is_set(void *begun)
{
    return __atomic_load_n((int *)begun, __ATOMIC_ACQUIRE) != 0;
}

TEST_T(names, killed_anywhere_a_user_leaves_nothing_broken, 60)
{
    const char *name = name_of("anywhere");
    int *begun = shared_new(sizeof *begun), round, i;
    rng chance = rng_new();

    for (round = 0; round < 150; round++) {
        pid_t all[2];
        mp_lock *l;

        *begun = 0;
        for (i = 0; i < 2; i++) {
            all[i] = fork();
            CHECK(all[i] >= 0);
            if (all[i] == 0)
                use_until_killed(name, begun);
        }
        CHECK(wait_until(is_set, begun));
        usleep((useconds_t)rng_below(&chance, 1500));
        for (i = 0; i < 2; i++)
            CHECK(kill(all[i], SIGKILL) == 0);
        if (round % 2 == 0)
            for (i = 0; i < 2; i++)
                CHECK_INT(waitpid(all[i], NULL, 0), all[i]);
        CHECK_OK(name_open(&l, name, MP_OPEN_OR_CREATE));
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        CHECK_OK(mp_lock_release(l));
        CHECK_OK(mp_lock_free(l));
        if (round % 2 != 0)
            for (i = 0; i < 2; i++)
                CHECK_INT(waitpid(all[i], NULL, 0), all[i]);
        CHECK_CLEAN(mp_name_unlink(name));
    }
    CHECK(!name_exists(name));
    shared_free(begun, sizeof *begun);
}
