/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What happens at a process's end, a normal one and a sudden one. */
#include "test_tree.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void tree_note(mp_value *log, int digit)
{
    int64_t x = flag_get(log);
    bool done = false;

    while (!done)
        CHECK_OK(mp_value_compare_exchange(log, &x, x * 10 + digit, &done));
}

mp_process *tree_new(mp_process_fn fn, mp_value *v, int daemon)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_process *p;

    o.daemon = daemon;
    CHECK_OK(mp_process_new(&p, fn, NULL, &o));
    CHECK_OK(mp_process_add_handle(p, v));
    return p;
}

mp_process *tree_started(mp_process *p)
{
    CHECK_OK(mp_process_start(p));
    return p;
}

/* ---- the end of a main process: a plain fork of this one is one ---- */

static mp_value *the_log;

static void hook(void *digit)
{
    tree_note(the_log, (int)(intptr_t)digit);
}

static int notes_8_late(mp_child *self, void *user)
{
    mp_value *log = mp_child_value(self, 0);

    CHECK(user == NULL);
    /* The parent is at its end when the first hook has run. */
    while (flag_get(log) % 10 != 3)
        sleep_ms(1);
    sleep_ms(50);
    tree_note(log, 8);
    return 0;
}

static int sleeps(mp_child *self, void *user)
{
    CHECK(user == NULL && self != NULL);
    sleep_ms(600000);
    return 0;
}

static void add_hooks(void)
{
    CHECK_OK(mp_at_exit(hook, (void *)5, -1));
    CHECK_OK(mp_at_exit(hook, (void *)1, 7));
    CHECK_OK(mp_at_exit(hook, (void *)6, -2));
    CHECK_OK(mp_at_exit(hook, (void *)3, 0));
    CHECK_OK(mp_at_exit(hook, (void *)2, 0));
}

static int ends_normally(void *log)
{
    the_log = log;
    add_hooks();
    tree_started(tree_new(sleeps, log, MP_DAEMON_YES));
    tree_started(tree_new(notes_8_late, log, MP_DAEMON_NO));
    exit(9);
}

TEST(tree, a_normal_end)
{
    mp_value *log = flag_new();

    CHECK_STATUS(mp_at_exit(NULL, NULL, 0), MP_ERR_INVALID);
    CHECK_INT(in_fork(ends_normally, log), 9);
    CHECK_INT(flag_get(log), 123856);
    CHECK_OK(mp_value_free(log));
}

/* A child of its own does the same when its target returns, or at mp_exit from any depth. */
static void deep(int depth)
{
    if (depth > 0)
        deep(depth - 1);
    else
        mp_exit(300);
    CHECK(depth < 0);
}

static int child_with_an_end(mp_child *self, void *user)
{
    CHECK(user == NULL);
    the_log = mp_child_value(self, 0);
    add_hooks();
    tree_started(tree_new(sleeps, the_log, MP_DAEMON_YES));
    tree_started(tree_new(notes_8_late, the_log, MP_DAEMON_NO));
    if (child_number(self, 1))
        deep(10);
    return 44;
}

TEST(tree, a_childs_end)
{
    int i;

    for (i = 0; i < 2; i++) {
        mp_value *log = flag_new();
        mp_process *p = tree_new(child_with_an_end, log, MP_DAEMON_NO);

        child_add_number(p, i);
        CHECK_INT(child_end(tree_started(p)), 44);
        CHECK_INT(flag_get(log), 123856);
        CHECK_OK(mp_value_free(log));
    }
}

static int exits(void *unused)
{
    (void)unused;
    mp_exit(21);
    return 0;
}

TEST(tree, exit_of_a_main_process)
{
    CHECK_INT(in_fork(exits, NULL), 21);
}

static int deaf(mp_child *self, void *user)
{
    mp_value *log = mp_child_value(self, 0);

    CHECK(user == NULL);
    signal(SIGTERM, SIG_IGN);
    flag_set(log, getpid());
    while (flag_get(log) == getpid())
        ;
    return 0;
}

static int has_a_deaf_daemon(void *flag)
{
    mp_process *p = tree_started(tree_new(deaf, flag, MP_DAEMON_YES));

    flag_wait(flag, child_pid(p));
    exit(3);
}

TEST(tree, a_daemon_that_ignores_sigterm)
{
    mp_value *flag = flag_new();
    pid_t pid;

    CHECK_INT(in_fork(has_a_deaf_daemon, flag), 3);
    pid = (pid_t)flag_get(flag);
    CHECK(wait_until(gone, &pid));
    CHECK_OK(mp_value_free(flag));
}

/* A host's own fork that calls exit leaves its parent's children alone. */
static int exits_without_children(void *unused)
{
    exit(unused == NULL ? 6 : 7);
}

TEST(tree, exit_of_a_plain_fork)
{
    mp_value *flag = flag_new();
    mp_process *p = tree_started(tree_new(child_waits, flag, MP_DAEMON_YES));

    CHECK_INT(in_fork(exits_without_children, NULL), 6);
    CHECK(!process_gone(child_pid(p)));
    flag_set(flag, 1);
    CHECK_INT(child_end(p), 4);
    CHECK_OK(mp_value_free(flag));
}

/* ---- sudden deaths ---- */

static int middle(mp_child *self, void *user)
{
    mp_value *flag = mp_child_value(self, 0);

    CHECK(user == NULL);
    tree_started(tree_new(deaf, flag, MP_DAEMON_INHERIT));
    sleep_ms(600000);
    return 0;
}

static int is_killed(void *flag)
{
    tree_started(tree_new(middle, flag, MP_DAEMON_YES));
    while (flag_get(flag) == 0)
        sleep_ms(1);
    raise(SIGKILL);
    return 0;
}

TEST(tree, daemons_die_with_a_killed_root)
{
    mp_value *flag = flag_new();
    pid_t pid;

    CHECK_INT(in_fork(is_killed, flag), -SIGKILL);
    pid = (pid_t)flag_get(flag);
    CHECK(pid > 0 && wait_until(gone, &pid));
    CHECK_OK(mp_value_free(flag));
}

typedef struct order {
    mp_value *flag;
    mp_process *process;
} order;

static void *starts_a_daemon(void *arg)
{
    order *o = arg;

    o->process = tree_started(tree_new(child_waits, o->flag, MP_DAEMON_YES));
    return NULL;
}

/* Also when it is the thread that forked which ends. */
TEST(tree, a_threads_end_kills_nobody)
{
    order o = {flag_new(), NULL};
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, starts_a_daemon, &o) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_process_join(o.process, MP_MS(50)), MP_ERR_TIMEOUT);
    flag_set(o.flag, 1);
    CHECK_INT(child_end(o.process), 4);
    CHECK_OK(mp_value_free(o.flag));
}
