/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Locks whose holder dies, in every way that a process can end, or only seems to. */
#include "test_util.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool recovered(const mp_lock *l)
{
    bool yes;

    CHECK_OK(mp_lock_recovered(l, &yes));
    return yes;
}

/* A child that holds the lock (0), tells so by the flag (1), and waits for 2 to release it. */
static int holder(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);
    mp_value *flag = mp_child_value(self, 1);

    CHECK(l != NULL && flag != NULL && user == NULL);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    flag_set(flag, 1);
    while (flag_get(flag) != 2)
        sleep_ms(1);
    CHECK_OK(mp_lock_release(l));
    return 0;
}

/* It is the holder who is told, nobody else. */
static int sees_no_recovery(void *l)
{
    CHECK(!recovered(l));
    return 0;
}

/* The lock's last holder is dead: the next one is told, until it releases. */
static void check_recovery(mp_lock *l, int want)
{
    bool yes = false;

    CHECK_OK(mp_lock_locked(l, &yes));
    CHECK(yes);
    CHECK_STATUS(mp_lock_acquire(l, MP_FOREVER), want);
    CHECK(recovered(l));
    CHECK_INT(in_fork(sees_no_recovery, l), 0);
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK(recovered(l));
    CHECK_OK(mp_lock_release(l));
    CHECK(!recovered(l));
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK(!recovered(l));
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

static mp_process *start_holder(mp_lock *l, mp_value *flag)
{
    mp_process *p = CHILD_START(holder, l, flag);

    flag_wait(flag, 1);
    return p;
}

static void holder_killed(mp_lock *l, int want, bool joined)
{
    mp_value *flag = flag_new();
    mp_process *p = start_holder(l, flag);

    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    if (joined)
        CHECK_INT(child_end(p), -SIGKILL);
    check_recovery(l, want);
    if (!joined)
        CHECK_INT(child_end(p), -SIGKILL);
    CHECK_OK(mp_value_free(flag));
}

TEST(lock, holder_killed)
{
    holder_killed(lock_new(), MP_OK, false);
    holder_killed(lock_new(), MP_OK, true);
}

TEST(lock, holder_killed_and_reported)
{
    mp_lock_options o = MP_LOCK_OPTIONS;
    mp_lock *l;
    int i;

    o.report_owner_death = true;
    for (i = 0; i < 2; i++) {
        CHECK_OK(mp_lock_new(&l, &o));
        holder_killed(l, MP_OWNER_DIED, i == 1);
    }
}

static int ends_as_holder(mp_child *self, void *user)
{
    CHECK_OK(mp_lock_acquire(mp_child_lock(self, 0), MP_FOREVER));
    return user == NULL ? 3 : 4;
}

TEST(lock, holder_returned)
{
    mp_lock *l = lock_new();

    CHECK_INT(child_end(CHILD_START(ends_as_holder, l)), 3);
    check_recovery(l, MP_OK);
}

TEST(lock, waiter_is_there_when_the_holder_dies)
{
    mp_lock *l = lock_new();
    mp_value *flag = flag_new();
    mp_process *p = start_holder(l, flag);
    pid_t pid = child_pid(p), killer;

    killer = fork();
    CHECK(killer >= 0);
    if (killer == 0) {
        sleep_ms(150);
        kill(pid, SIGKILL);
        _exit(0);
    }
    check_recovery(l, MP_OK);
    CHECK_INT(waitpid(killer, NULL, 0), killer);
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_OK(mp_value_free(flag));
}

TEST(lock, stopped_holder_is_not_dead)
{
    mp_lock *l = lock_new();
    mp_value *flag = flag_new();
    mp_process *p = start_holder(l, flag);
    int64_t before = now_ns();

    CHECK(kill(child_pid(p), SIGSTOP) == 0);
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(400)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(400));
    CHECK(kill(child_pid(p), SIGCONT) == 0);
    flag_set(flag, 2);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(!recovered(l));
    CHECK_OK(mp_lock_release(l));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_lock_free(l));
}

static int holder_execs(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_lock_acquire(mp_child_lock(self, 0), MP_FOREVER));
    execlp("sleep", "sleep", "600", (char *)NULL);
    return 1;
}

/* The process goes on under the same number, but as a program that knows nothing of the lock. */
TEST(lock, holder_that_execs_is_dead)
{
    mp_lock *l = lock_new();
    mp_process *p = CHILD_START(holder_execs, l);

    for (;;) {
        proc_info info;

        CHECK(proc_read(child_pid(p), &info));
        if (info.comm[0] == 's' && info.comm[1] == 'l')
            break;
        sleep_ms(1);
    }
    check_recovery(l, MP_OK);
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
}

TEST(lock, zombie_holder_is_dead)
{
    mp_lock *l = lock_new();
    pid_t child = fork();
    siginfo_t info;
    int status;

    CHECK(child >= 0);
    if (child == 0) {
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        kill(getpid(), SIGKILL);
        _exit(1);
    }
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    check_recovery(l, MP_OK);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* What a daemonising program does. The kernel drops record locks with it, but the holder lives. */
static int closes_everything(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);
    mp_value *flag = mp_child_value(self, 1);
    int fd;

    CHECK(l != NULL && flag != NULL && user == NULL);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    for (fd = 3; fd < 4096; fd++)
        close(fd);
    flag_set(flag, 1);
    while (flag_get(flag) != 2)
        sleep_ms(1);
    CHECK_OK(mp_lock_release(l));
    return 0;
}

TEST(lock, holder_that_closed_its_descriptors_lives)
{
    mp_lock *l = lock_new();
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(closes_everything, l, flag);

    flag_wait(flag, 1);
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(400)), MP_ERR_TIMEOUT);
    /* Also for one who has no descriptor left to look at /proc with. */
    fill_descriptors(0);
    CHECK_STATUS(mp_lock_acquire(l, MP_MS(400)), MP_ERR_TIMEOUT);
    release_descriptors();
    flag_set(flag, 2);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK(!recovered(l));
    CHECK_OK(mp_lock_release(l));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_lock_free(l));
}

static int waiter(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);

    CHECK(l != NULL && user == NULL);
    flag_set(mp_child_value(self, 1), 1);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_lock_release(l));
    return 0;
}

/* A dead waiter must not take the wake-up of a living one with it. */
TEST(lock, killed_waiters_do_no_harm)
{
    mp_lock *l = lock_new();
    mp_value *flag = flag_new();
    rng r = rng_new();
    int i;

    for (i = 0; i < 20; i++) {
        mp_process *dies, *lives;

        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        flag_set(flag, 0);
        dies = CHILD_START(waiter, l, flag);
        flag_wait(flag, 1);
        flag_set(flag, 0);
        lives = CHILD_START(waiter, l, flag);
        flag_wait(flag, 1);
        sleep_ms((int64_t)rng_below(&r, 4));
        CHECK(kill(child_pid(dies), SIGKILL) == 0);
        CHECK_OK(mp_lock_release(l));
        CHECK_INT(child_end(dies), -SIGKILL);
        CHECK_INT(child_end(lives), 0);
    }
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_lock_free(l));
}
