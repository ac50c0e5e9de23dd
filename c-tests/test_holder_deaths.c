/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * RLocks, and semaphores that take back what the dead had, whose holder dies in every way that a
 * process can end, or only seems to. */
#include "test_util.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 2, DEPTH = 3 };

/* One of the two. */
typedef struct thing {
    mp_rlock *r;
    mp_semaphore *s;
} thing;

static thing thing_new(bool rlock)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    thing t = {NULL, NULL};

    o.give_back = true;
    if (rlock)
        CHECK_OK(mp_rlock_new(&t.r, NULL));
    else
        CHECK_OK(mp_semaphore_new(&t.s, SLOTS, &o));
    return t;
}

static mp_status acquire(thing t, mp_timeout timeout)
{
    return t.r != NULL ? mp_rlock_acquire(t.r, timeout) : mp_semaphore_acquire(t.s, timeout);
}

static mp_status release(thing t)
{
    return t.r != NULL ? mp_rlock_release(t.r) : mp_semaphore_release(t.s, 1);
}

/* All of it: nobody else gets anything. */
static void acquire_wholly(thing t)
{
    int i;

    for (i = 0; i < (t.r != NULL ? DEPTH : SLOTS); i++)
        CHECK_OK(acquire(t, MP_FOREVER));
}

static void release_wholly(thing t)
{
    int i;

    for (i = 0; i < (t.r != NULL ? DEPTH : SLOTS); i++)
        CHECK_OK(release(t));
}

static bool recovered(thing t)
{
    bool yes = false;

    if (t.r != NULL)
        CHECK_OK(mp_rlock_recovered(t.r, &yes));
    return yes;
}

/* The holder is dead, and this process gets all it had, and no more. */
static void check_taken_over(thing t)
{
    CHECK_OK(acquire(t, MP_FOREVER));
    if (t.r != NULL) {
        CHECK(recovered(t));
        CHECK_OK(release(t));
        CHECK_STATUS(release(t), MP_ERR_NOT_OWNER);
    } else {
        CHECK_OK(acquire(t, MP_NO_WAIT));
        CHECK_STATUS(acquire(t, MP_NO_WAIT), MP_ERR_TIMEOUT);
        CHECK_OK(mp_semaphore_release(t.s, SLOTS));
    }
}

static void thing_free(thing t)
{
    CHECK_OK(t.r != NULL ? mp_rlock_free(t.r) : mp_semaphore_free(t.s));
}

/* ---- holders ---- */

enum how { WAIT, RETURN, EXIT, EXEC, CLOSE_ALL };

static int holder(mp_child *self, void *user)
{
    bool rlock = child_number(self, 2) != 0;
    mp_value *flag = mp_child_value(self, 1);
    thing t = {NULL, NULL};
    int fd;

    CHECK(user == NULL);
    if (rlock)
        t.r = mp_child_rlock(self, 0);
    else
        t.s = mp_child_semaphore(self, 0);
    acquire_wholly(t);
    switch ((enum how)child_number(self, 3)) {
    case WAIT: break;
    case RETURN: return 3;
    case EXIT: exit(4);
    case EXEC:
        execlp("sleep", "sleep", "600", (char *)NULL);
        return 1;
    case CLOSE_ALL:
        for (fd = 3; fd < 4096; fd++)
            close(fd);
        break;
    }
    flag_set(flag, 1);
    while (flag_get(flag) != 2)
        sleep_ms(1);
    release_wholly(t);
    return 0;
}

static mp_process *start(thing t, mp_value *flag, enum how how)
{
    mp_process *p;

    flag_set(flag, 0);
    CHECK_OK(mp_process_new(&p, holder, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, t.r != NULL ? (const void *)t.r : (const void *)t.s));
    CHECK_OK(mp_process_add_handle(p, flag));
    child_add_number(p, t.r != NULL);
    child_add_number(p, (int)how);
    CHECK_OK(mp_process_start(p));
    if (how == WAIT || how == CLOSE_ALL)
        flag_wait(flag, 1);
    return p;
}

/* ---- the dead ---- */

static void killed(bool rlock)
{
    mp_value *flag = flag_new();
    int joined;

    for (joined = 0; joined < 2; joined++) {
        thing t = thing_new(rlock);
        mp_process *p = start(t, flag, WAIT);

        CHECK_STATUS(acquire(t, MP_NO_WAIT), MP_ERR_TIMEOUT);
        CHECK(signal_child(child_pid(p), SIGKILL));
        if (joined)
            CHECK_INT(child_end(p), -SIGKILL);
        check_taken_over(t);
        if (!joined)
            CHECK_INT(child_end(p), -SIGKILL);
        thing_free(t);
    }
    CHECK_OK(mp_value_free(flag));
}

static void ended(bool rlock)
{
    mp_value *flag = flag_new();
    int how;

    for (how = RETURN; how <= EXIT; how++) {
        thing t = thing_new(rlock);

        CHECK_INT(child_end(start(t, flag, (enum how)how)), how == RETURN ? 3 : 4);
        check_taken_over(t);
        thing_free(t);
    }
    CHECK_OK(mp_value_free(flag));
}

static bool runs_sleep(void *pid)
{
    proc_info info;

    return proc_read(*(pid_t *)pid, &info) && info.comm[0] == 's' && info.comm[1] == 'l';
}

static void executed(bool rlock)
{
    thing t = thing_new(rlock);
    mp_value *flag = flag_new();
    mp_process *p = start(t, flag, EXEC);
    pid_t pid = child_pid(p);

    CHECK(wait_until(runs_sleep, &pid));
    check_taken_over(t);
    CHECK(signal_child(pid, SIGKILL));
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_OK(mp_value_free(flag));
    thing_free(t);
}

/* A child of the host's own fork, which it has not reaped. */
static void zombie(bool rlock)
{
    thing t = thing_new(rlock);
    pid_t child = fork();
    siginfo_t info;
    int status;

    CHECK(child >= 0);
    if (child == 0) {
        acquire_wholly(t);
        raise(SIGKILL);
        _exit(1);
    }
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    check_taken_over(t);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    thing_free(t);
}

/* Those who sleep since before the death find it themselves: nobody joins the dead one. */
static int waits(void *arg)
{
    thing *t = arg;

    CHECK_OK(acquire(*t, MP_FOREVER));
    CHECK_OK(release(*t));
    return 0;
}

static void waited_for(bool rlock)
{
    thing t = thing_new(rlock);
    mp_value *flag = flag_new();
    mp_process *p = start(t, flag, WAIT);
    pid_t waiter[3];
    size_t i;

    for (i = 0; i < COUNT(waiter); i++)
        waiter[i] = fork_begin(waits, &t);
    sleep_ms(20);
    CHECK(signal_child(child_pid(p), SIGKILL));
    for (i = 0; i < COUNT(waiter); i++)
        CHECK_INT(fork_end(waiter[i]), 0);
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_OK(acquire(t, MP_NO_WAIT));
    CHECK(!recovered(t));
    CHECK_OK(release(t));
    CHECK_OK(mp_value_free(flag));
    thing_free(t);
}

/* ---- those that only seem dead ---- */

static void seems_dead(bool rlock, enum how how, bool stopped)
{
    thing t = thing_new(rlock);
    mp_value *flag = flag_new();
    mp_process *p = start(t, flag, how);

    if (stopped)
        CHECK(signal_child(child_pid(p), SIGSTOP));
    CHECK_STATUS(acquire(t, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(acquire(t, MP_MS(400)), MP_ERR_TIMEOUT);
    if (stopped)
        CHECK(signal_child(child_pid(p), SIGCONT));
    flag_set(flag, 2);
    CHECK_OK(acquire(t, MP_FOREVER));
    CHECK(!recovered(t));
    CHECK_OK(release(t));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(flag));
    thing_free(t);
}

/* ---- those that sleep ---- */

static int sleeps(mp_child *self, void *user)
{
    bool rlock = child_number(self, 2) != 0;
    thing t = {NULL, NULL};

    CHECK(user == NULL);
    if (rlock)
        t.r = mp_child_rlock(self, 0);
    else
        t.s = mp_child_semaphore(self, 0);
    flag_set(mp_child_value(self, 1), 1);
    CHECK_OK(acquire(t, MP_FOREVER));
    CHECK_OK(release(t));
    return 0;
}

static mp_process *start_sleeper(thing t, mp_value *flag)
{
    mp_process *p;

    flag_set(flag, 0);
    CHECK_OK(mp_process_new(&p, sleeps, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, t.r != NULL ? (const void *)t.r : (const void *)t.s));
    CHECK_OK(mp_process_add_handle(p, flag));
    child_add_number(p, t.r != NULL);
    CHECK_OK(mp_process_start(p));
    flag_wait(flag, 1);
    return p;
}

/* A wake, and what comes with it, that a sleeper takes to its grave reaches the others. */
static void dead_sleepers(bool rlock)
{
    thing t = thing_new(rlock);
    mp_value *flag = flag_new();
    rng r = rng_new();
    int i;

    for (i = 0; i < 20; i++) {
        mp_process *dies, *lives;
        bool first = rng_below(&r, 2) == 0;

        acquire_wholly(t);
        dies = start_sleeper(t, flag);
        lives = start_sleeper(t, flag);
        sleep_ms((int64_t)rng_below(&r, 4));
        if (first)
            CHECK(signal_child(child_pid(dies), SIGKILL));
        release_wholly(t);
        if (!first)
            signal_child(child_pid(dies), SIGKILL);
        CHECK_INT(child_end(lives), 0);
        if (first)
            CHECK_INT(child_end(dies), -SIGKILL);
        else
            child_end(dies);
    }
    /* All of it is there, and no more. */
    acquire_wholly(t);
    if (t.s != NULL)
        CHECK_STATUS(acquire(t, MP_NO_WAIT), MP_ERR_TIMEOUT);
    release_wholly(t);
    CHECK_STATUS(release(t), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_value_free(flag));
    thing_free(t);
}

/* ---- values and arrays: a call that acquires the lock itself is the one that is told ---- */

enum { ITEM = 40 };

static int dies_as_holder(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_value_acquire(mp_child_value(self, 0), MP_FOREVER));
    CHECK_OK(mp_array_acquire(mp_child_array(self, 1), MP_FOREVER));
    raise(SIGKILL);
    return 0;
}

static void news_of_a_death(bool report)
{
    int told = report ? MP_OWNER_DIED : MP_OK;
    mp_value_options vo = MP_VALUE_OPTIONS;
    mp_array_options ao = MP_ARRAY_OPTIONS;
    char bytes[ITEM] = {0};
    mp_value *v;
    mp_array *a;
    bool yes;
    int round;

    vo.report_owner_death = ao.report_owner_death = report;
    CHECK_OK(mp_value_new_struct(&v, ITEM, NULL, &vo));
    CHECK_OK(mp_array_new(&a, 'c', ITEM, NULL, &ao));
    for (round = 0; round < 2; round++) {
        CHECK_INT(child_end(CHILD_START(dies_as_holder, v, a)), -SIGKILL);
        if (round == 0) {
            /* It takes the news, and gives it only where that was asked for. */
            CHECK_STATUS(mp_value_get(v, bytes, ITEM), told);
            CHECK_STATUS(mp_array_read(a, 0, ITEM, bytes, ITEM), told);
            CHECK_OK(mp_value_acquire(v, MP_FOREVER));
            CHECK_OK(mp_array_acquire(a, MP_FOREVER));
        } else {
            CHECK_STATUS(mp_value_acquire(v, MP_FOREVER), told);
            CHECK_STATUS(mp_array_acquire(a, MP_FOREVER), told);
            /* Whoever holds the lock keeps the news. */
            CHECK_OK(mp_value_get(v, bytes, ITEM));
            CHECK_OK(mp_array_read(a, 0, ITEM, bytes, ITEM));
        }
        CHECK_OK(mp_value_recovered(v, &yes));
        CHECK_INT(yes, round == 1);
        CHECK_OK(mp_array_recovered(a, &yes));
        CHECK_INT(yes, round == 1);
        CHECK_OK(mp_value_release(v));
        CHECK_OK(mp_array_release(a));
    }
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

TEST(value, a_copy_takes_the_news_of_a_death) { news_of_a_death(false); }
TEST(value, a_copy_tells_of_a_death_where_asked) { news_of_a_death(true); }

TEST(rlock, holder_killed) { killed(true); }
TEST(rlock, holder_ended) { ended(true); }
TEST(rlock, holder_that_execs_is_dead) { executed(true); }
TEST(rlock, zombie_holder_is_dead) { zombie(true); }
TEST(rlock, sleepers_find_the_death) { waited_for(true); }
TEST(rlock, stopped_holder_is_not_dead) { seems_dead(true, WAIT, true); }
TEST(rlock, holder_that_closed_its_descriptors_lives) { seems_dead(true, CLOSE_ALL, false); }
TEST(rlock, dead_sleepers_do_no_harm) { dead_sleepers(true); }

TEST(semaphore, holder_killed) { killed(false); }
TEST(semaphore, holder_ended) { ended(false); }
TEST(semaphore, holder_that_execs_is_dead) { executed(false); }
TEST(semaphore, zombie_holder_is_dead) { zombie(false); }
TEST(semaphore, sleepers_find_the_death) { waited_for(false); }
TEST(semaphore, stopped_holder_is_not_dead) { seems_dead(false, WAIT, true); }
TEST(semaphore, holder_that_closed_its_descriptors_lives) { seems_dead(false, CLOSE_ALL, false); }
TEST(semaphore, dead_sleepers_do_no_harm) { dead_sleepers(false); }
