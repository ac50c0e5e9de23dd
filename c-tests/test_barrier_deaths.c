/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Barriers whose parties die, or leave in good order, or only seem to be dead. */
#include "test_barrier.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Gets barrier 0 with the flag 1 as its last argument; what it does comes from the test. */
static mp_process *party(mp_process_fn fn, mp_barrier *b, mp_value *flag)
{
    return CHILD_START(fn, b, flag);
}

static int waits_for_ever(mp_child *self, void *user)
{
    CHECK(user == NULL);
    mp_barrier_wait(mp_child_barrier(self, 0), MP_FOREVER, NULL);
    return 1;
}

static pid_t kill_later(pid_t victim)
{
    pid_t killer = fork();

    CHECK(killer >= 0);
    if (killer == 0) {
        sleep_ms(120);
        kill(victim, SIGKILL);
        _exit(0);
    }
    return killer;
}

/* Killed while it waits: before the others come, or while they wait as well. Nobody joins it before. */
TEST(barrier, killed_inside)
{
    int i;

    for (i = 0; i < 4; i++) {
        mp_barrier *b = barrier_new(3);
        mp_value *flag = flag_new();
        mp_process *dies = party(waits_for_ever, b, flag), *lives;
        pid_t pid = child_pid(dies), killer = 0;

        barrier_await(b, 1);
        if (i % 2 == 0)
            CHECK(kill(pid, SIGKILL) == 0);
        else
            killer = kill_later(pid);
        lives = barrier_child(b, MP_ERR_BROKEN_BARRIER);
        /* Found by those who sleep; or, without any, by whoever buries the dead. */
        if (i < 2)
            CHECK_INT(child_end(lives), 0);
        CHECK_INT(child_end(dies), -SIGKILL);
        if (i >= 2)
            CHECK_INT(child_end(lives), 0);
        CHECK(barrier_broken(b));
        if (killer != 0)
            CHECK_INT(waitpid(killer, NULL, 0), killer);
        CHECK_OK(mp_value_free(flag));
        CHECK_OK(mp_barrier_free(b));
    }
}

static int never_ends(mp_barrier *barrier, void *user)
{
    CHECK(barrier != NULL && user == NULL);
    for (;;)
        pause();
    return 0;
}

TEST(barrier, killed_in_the_action)
{
    mp_barrier *b = barrier_with(3, never_ends, NULL);
    mp_value *flag = flag_new();
    mp_process *first = barrier_child(b, MP_ERR_BROKEN_BARRIER), *second, *runs;

    barrier_await(b, 1);
    second = barrier_child(b, MP_ERR_BROKEN_BARRIER);
    barrier_await(b, 2);
    runs = party(waits_for_ever, b, flag);
    barrier_await(b, 3);
    CHECK(!barrier_broken(b));
    CHECK(kill(child_pid(runs), SIGKILL) == 0);
    CHECK_INT(child_end(first), 0);
    CHECK_INT(child_end(second), 0);
    CHECK(barrier_broken(b));
    CHECK_INT(child_end(runs), -SIGKILL);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_barrier_free(b));
}

/* Takes part once, tells so by the flag, and waits there to be killed. */
static int takes_part(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_barrier_wait(mp_child_barrier(self, 0), MP_FOREVER, NULL));
    flag_set(mp_child_value(self, 1), 1);
    for (;;)
        pause();
    return 0;
}

TEST(barrier, killed_between_cycles)
{
    int i;

    for (i = 0; i < 2; i++) {
        mp_barrier *b = barrier_new(2);
        mp_value *flag = flag_new();
        mp_process *dies = party(takes_part, b, flag);

        CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
        flag_wait(flag, 1);
        CHECK(!barrier_broken(b));
        CHECK(kill(child_pid(dies), SIGKILL) == 0);
        if (i == 0) {
            CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_BROKEN_BARRIER);
            CHECK_INT(child_end(dies), -SIGKILL);
        } else {
            /* Nobody waits when it is buried. */
            CHECK_INT(child_end(dies), -SIGKILL);
            CHECK(barrier_broken(b));
        }
        CHECK_OK(mp_barrier_reset(b));
        CHECK(!barrier_broken(b));
        CHECK_OK(mp_value_free(flag));
        CHECK_OK(mp_barrier_free(b));
    }
}

static int takes_part_and_returns(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_barrier_wait(mp_child_barrier(self, 0), MP_FOREVER, NULL));
    return 3;
}

static int takes_part_and_exits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_barrier_wait(mp_child_barrier(self, 0), MP_FOREVER, NULL));
    exit(3);
}

static int takes_part_and_frees(mp_child *self, void *user)
{
    mp_barrier *b = mp_child_barrier(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK_OK(mp_barrier_free(b));
    flag_set(mp_child_value(self, 1), 1);
    for (;;)
        pause();
    return 0;
}

/* Nobody is missed who left in good order; another one may have its place. */
static void goes_on(mp_process_fn fn, int end)
{
    int joined_first;

    for (joined_first = 0; joined_first < 2; joined_first++) {
        mp_barrier *b = barrier_new(2);
        mp_value *flag = flag_new();
        mp_process *left = party(fn, b, flag), *next;
        pid_t pid = child_pid(left);

        CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
        if (end < 0) {
            flag_wait(flag, 1);
            CHECK(kill(pid, SIGKILL) == 0);
        }
        CHECK(wait_until(gone, &pid));
        if (joined_first)
            CHECK_INT(child_end(left), end);
        next = barrier_child(b, MP_OK);
        barrier_await(b, 1);
        sleep_ms(150); /* it has asked by now who lives */
        CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
        CHECK_INT(child_end(next), 0);
        if (!joined_first)
            CHECK_INT(child_end(left), end);
        CHECK(!barrier_broken(b));
        CHECK_OK(mp_value_free(flag));
        CHECK_OK(mp_barrier_free(b));
    }
}

TEST(barrier, who_returned_is_not_missed)
{
    goes_on(takes_part_and_returns, 3);
}

TEST(barrier, who_called_exit_is_not_missed)
{
    goes_on(takes_part_and_exits, 3);
}

TEST(barrier, who_has_no_handle_is_not_missed)
{
    goes_on(takes_part_and_frees, -SIGKILL);
}

/* A fork that the host made itself, and that ends in this way after one cycle. */
static void host_fork_ends(void (*end)(int), bool missed)
{
    mp_barrier *b = barrier_new(2);
    mp_process *next;
    siginfo_t info;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
        end(0);
    }
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    next = barrier_child(b, missed ? MP_ERR_BROKEN_BARRIER : MP_OK);
    if (!missed) {
        barrier_await(b, 1);
        sleep_ms(150);
        CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    }
    CHECK_INT(child_end(next), 0);
    CHECK(barrier_broken(b) == missed);
    CHECK_INT(waitpid(child, NULL, 0), child);
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, fork_of_the_hosts_that_exits)
{
    host_fork_ends(exit, false);
}

TEST(barrier, fork_of_the_hosts_that_ends_suddenly)
{
    host_fork_ends(_exit, true);
}

static int takes_part_and_execs(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_barrier_wait(mp_child_barrier(self, 0), MP_FOREVER, NULL));
    execlp("sleep", "sleep", "600", (char *)NULL);
    return 1;
}

TEST(barrier, who_execs_is_missed)
{
    mp_barrier *b = barrier_new(2);
    mp_value *flag = flag_new();
    mp_process *p = party(takes_part_and_execs, b, flag);

    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_BROKEN_BARRIER);
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, who_is_stopped_is_not_dead)
{
    mp_barrier *b = barrier_new(3);
    mp_process *first = barrier_child(b, MP_OK), *second;

    barrier_await(b, 1);
    CHECK(kill(child_pid(first), SIGSTOP) == 0);
    second = barrier_child(b, MP_OK);
    barrier_await(b, 2);
    sleep_ms(200);
    CHECK(!barrier_broken(b));
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK_INT(child_end(second), 0);
    CHECK(kill(child_pid(first), SIGCONT) == 0);
    CHECK_INT(child_end(first), 0);
    CHECK_OK(mp_barrier_free(b));
}

enum { PARTIES = 4, ROUNDS = 40 };

static int until_it_breaks(mp_child *self, void *user)
{
    mp_barrier *b = mp_child_barrier(self, 0);
    mp_status status;

    CHECK(user == NULL);
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, NULL));
    while ((status = mp_barrier_wait(b, MP_FOREVER, NULL)) == MP_OK)
        continue;
    CHECK_INT(status, MP_ERR_BROKEN_BARRIER);
    return 3;
}

/* Killed anywhere: the others never wait for it for ever, and none of them is dead or stuck. */
TEST_T(barrier, killed_at_random, 120)
{
    mp_barrier *b = barrier_new(PARTIES);
    mp_process *children[PARTIES];
    rng r = rng_new();
    int round, i;

    for (round = 0; round < ROUNDS; round++) {
        int victim = (int)rng_below(&r, PARTIES);
        mp_value *in = flag_new();

        for (i = 0; i < PARTIES; i++)
            children[i] = CHILD_START(until_it_breaks, b, in);
        flag_wait(in, PARTIES);
        sleep_ms((int64_t)rng_below(&r, 5));
        CHECK(!barrier_broken(b));
        CHECK(kill(child_pid(children[victim]), SIGKILL) == 0);
        for (i = 0; i < PARTIES; i++)
            if (i != victim)
                CHECK_INT(child_end(children[i]), 3);
        CHECK_INT(child_end(children[victim]), -SIGKILL);
        CHECK_OK(mp_barrier_reset(b));
        CHECK_OK(mp_value_free(in));
    }
    CHECK_OK(mp_barrier_free(b));
}
