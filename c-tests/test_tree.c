/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The tree of processes: who is whose child, and what children have of their parents. */
#include "test_tree.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool alive(const mp_process *p)
{
    bool yes;

    CHECK_OK(mp_process_is_alive(p, &yes));
    return yes;
}

/* ---- relatives ---- */

static int looks_at_relatives(mp_child *self, void *user)
{
    mp_process *me = mp_current_process(), *parent = mp_parent_process();
    struct pollfd fd = {0, POLLIN, 0};

    CHECK(user == NULL && me != NULL && parent != NULL && !mp_is_main_process());
    CHECK(me == mp_current_process() && parent == mp_parent_process());
    CHECK_INT(child_pid(me), getpid());
    CHECK_INT(child_pid(parent), child_number(self, 0));
    CHECK(strcmp(mp_process_name(parent), "MainProcess") == 0);
    CHECK(strcmp(mp_process_name(me), "Process-1") == 0);
    CHECK(alive(me) && alive(parent));
    CHECK_OK(mp_process_sentinel(parent, &fd.fd));
    CHECK_INT(poll(&fd, 1, 0), 0);
    CHECK_STATUS(mp_process_join(parent, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_process_join(me, MP_FOREVER), MP_ERR_STATE);
    CHECK_STATUS(mp_process_start(me), MP_ERR_STATE);
    CHECK_STATUS(mp_process_free(me), MP_ERR_STATE);
    CHECK_STATUS(mp_process_free(parent), MP_ERR_STATE);
    CHECK_STATUS(mp_process_kill(parent), MP_ERR_STATE);
    CHECK_STATUS(mp_process_set_name(parent, "x"), MP_ERR_STATE);
    CHECK_STATUS(mp_process_add_bytes(me, "x", 1), MP_ERR_STATE);
    CHECK_STATUS(mp_process_set_daemon(me, true), MP_ERR_STATE);
    CHECK_OK(mp_process_set_name(me, "renamed"));
    CHECK(strcmp(mp_process_name(mp_current_process()), "renamed") == 0);
    {
        char text[200];
        int code;

        CHECK_STATUS(mp_process_exitcode(parent, &code), MP_ERR_UNSUPPORTED);
        CHECK_OK(mp_process_describe(parent, text, sizeof text, NULL));
        CHECK_CONTAINS(text, "<_ParentProcess name='MainProcess' parent=None unknown>");
    }
    return 0;
}

TEST(tree, relatives)
{
    mp_process *p;

    CHECK(mp_is_main_process());
    CHECK_NULL(mp_parent_process());
    CHECK_INT(child_pid(mp_current_process()), getpid());
    CHECK(strcmp(mp_process_name(mp_current_process()), "MainProcess") == 0);
    CHECK_STATUS(mp_process_free(mp_current_process()), MP_ERR_STATE);
    CHECK_OK(mp_process_new(&p, looks_at_relatives, NULL, NULL));
    child_add_number(p, getpid());
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
}

/* ---- a parent's end ---- */

/* Waits for an orphan that says its number at its end. */
static bool said(void *flag)
{
    return flag_get(flag) < 0;
}

static void orphan_ends(mp_value *flag)
{
    pid_t pid;

    CHECK(wait_until(said, flag));
    pid = (pid_t)-flag_get(flag);
    CHECK(wait_until(gone, &pid));
}

static int outlives_its_parent(mp_child *self, void *user)
{
    mp_value *flag = mp_child_value(self, 0);
    mp_process *parent = mp_parent_process();

    CHECK(user == NULL && alive(parent));
    flag_set(flag, 1);
    CHECK_OK(mp_process_join(parent, MP_FOREVER));
    CHECK(!alive(parent));
    CHECK_OK(mp_process_join(parent, MP_NO_WAIT));
    flag_set(flag, -getpid());
    return 0;
}

static int has_a_child_and_is_killed(mp_child *self, void *user)
{
    mp_value *flag = mp_child_value(self, 0);

    CHECK(user == NULL);
    tree_started(tree_new(outlives_its_parent, flag, MP_DAEMON_NO));
    flag_wait(flag, 1);
    raise(SIGKILL);
    return 0;
}

TEST(tree, join_the_parent)
{
    mp_value *flag = flag_new();
    mp_process *p = tree_started(tree_new(has_a_child_and_is_killed, flag, MP_DAEMON_NO));

    CHECK_INT(child_end(p), -SIGKILL);
    orphan_ends(flag);
    CHECK_OK(mp_value_free(flag));
}

/* Asks for its parent only when that is dead. */
static int comes_late(mp_child *self, void *user)
{
    mp_value *flag = mp_child_value(self, 0);
    mp_process *parent;
    int fd;

    CHECK(user == NULL);
    flag_set(flag, 1);
    flag_wait(flag, 3);
    parent = mp_parent_process();
    CHECK(parent != NULL && !alive(parent));
    CHECK_OK(mp_process_join(parent, MP_NO_WAIT));
    /* A server's child was given the descriptor at its birth. */
    CHECK(mp_process_sentinel(parent, &fd) == MP_OK || strstr(mp_last_error(), "had ended") != NULL);
    flag_set(flag, -getpid());
    return 0;
}

static int has_a_late_child_and_is_killed(mp_child *self, void *user)
{
    mp_value *flag = mp_child_value(self, 0);

    CHECK(user == NULL);
    tree_started(tree_new(comes_late, flag, MP_DAEMON_NO));
    flag_wait(flag, 1);
    raise(SIGKILL);
    return 0;
}

TEST(tree, a_parent_that_died_before_anybody_asked)
{
    mp_value *flag = flag_new();
    mp_process *p = tree_started(tree_new(has_a_late_child_and_is_killed, flag, MP_DAEMON_NO));

    CHECK_INT(child_end(p), -SIGKILL);
    flag_set(flag, 3);
    orphan_ends(flag);
    CHECK_OK(mp_value_free(flag));
}

/* ---- active children ---- */

TEST(tree, active_children)
{
    mp_value *flag = flag_new();
    mp_process *all[3], *found[5];
    size_t i, n = 99;
    int sum = 0, want = 0, code;

    CHECK_OK(mp_active_children(NULL, 0, &n));
    CHECK_INT(n, 0);
    CHECK_STATUS(mp_active_children(NULL, 3, &n), MP_ERR_INVALID);
    for (i = 0; i < 3; i++) {
        all[i] = tree_started(tree_new(child_waits, flag, MP_DAEMON_NO));
        want += child_pid(all[i]);
    }
    CHECK_STATUS(mp_active_children(found, 2, &n), MP_ERR_TOO_SMALL);
    CHECK_INT(n, 3);
    CHECK_OK(mp_active_children(found, 5, &n));
    CHECK_INT(n, 3);
    for (i = 0; i < 3; i++) {
        CHECK(alive(found[i]));
        sum += child_pid(found[i]);
    }
    CHECK_INT(sum, want);
    /* Handles may go while the process runs; the last may not. */
    CHECK_OK(mp_process_free(found[1]));
    CHECK_STATUS(mp_process_free(found[1]), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_process_kill(found[0]));
    CHECK_OK(mp_process_join(found[0], MP_FOREVER));
    CHECK_OK(mp_process_exitcode(found[0], &code));
    CHECK_INT(code, -SIGKILL);
    CHECK_OK(mp_process_free(found[0]));
    CHECK_OK(mp_active_children(NULL, 0, NULL) == MP_ERR_TOO_SMALL ? MP_OK : MP_ERR_STATE);
    flag_set(flag, 1);
    CHECK_INT(child_end(found[2]), 4);
    /* Those that have ended are reaped by the call. */
    for (i = 0; i < 3; i++) {
        pid_t pid = child_pid(all[i]);

        CHECK(wait_until(gone, &pid));
    }
    CHECK_OK(mp_active_children(found, 5, &n));
    CHECK_INT(n, 0);
    CHECK(waitpid(-1, NULL, WNOHANG) <= 0);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_process_free(all[i]));
    CHECK_OK(mp_value_free(flag));
}

/* ---- hooks after a fork, and the key ---- */

static mp_value *the_log;

static void hook(void *digit)
{
    tree_note(the_log, (int)(intptr_t)digit);
}

static int forks_once_more(mp_child *self, void *user)
{
    mp_value *log = mp_child_value(self, 0);
    int depth = child_number(self, 1);

    CHECK(user == NULL);
    if (depth > 0) {
        mp_process *p = tree_new(forks_once_more, log, MP_DAEMON_NO);

        child_add_number(p, depth - 1);
        CHECK_INT(child_end(tree_started(p)), 0);
    }
    tree_note(log, 9);
    return 0;
}

TEST(tree, hooks_after_a_fork)
{
    mp_value *log = flag_new();
    mp_process *p;

    CHECK_STATUS(mp_after_fork(NULL, NULL), MP_ERR_INVALID);
    if (strcmp(test_start_method(), "fork") != 0)
        SKIP("a fresh image has no hooks");
    the_log = log;
    CHECK_OK(mp_after_fork(hook, (void *)1));
    CHECK_OK(mp_after_fork(hook, (void *)2));
    p = tree_new(forks_once_more, log, MP_DAEMON_NO);
    child_add_number(p, 1);
    CHECK_INT(child_end(tree_started(p)), 0);
    CHECK_INT(flag_get(log), 121299);
    CHECK_OK(mp_value_free(log));
}

static int has_key(mp_child *self, void *user)
{
    size_t len = 0, want;
    const void *key = mp_child_bytes(self, 0, &want);
    char mine[100];

    CHECK(user == NULL && key != NULL);
    CHECK_OK(mp_get_authkey(mine, sizeof mine, &len));
    return !(len == want && memcmp(key, mine, len) == 0);
}

static void inherits(const void *key, size_t len)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, has_key, NULL, NULL));
    CHECK_OK(mp_process_add_bytes(p, key, len));
    CHECK_INT(child_end(tree_started(p)), 0);
}

TEST(tree, authkey)
{
    char key[100], same[100];
    size_t len;

    CHECK_OK(mp_get_authkey(key, sizeof key, &len));
    CHECK_INT(len, 32);
    CHECK_OK(mp_get_authkey(same, sizeof same, NULL));
    CHECK(memcmp(key, same, 32) == 0);
    inherits(key, 32);
    CHECK_OK(mp_set_authkey("secret", 6));
    CHECK_STATUS(mp_get_authkey(key, 5, &len), MP_ERR_TOO_SMALL);
    CHECK_INT(len, 6);
    CHECK_STATUS(mp_get_authkey(NULL, 5, &len), MP_ERR_INVALID);
    inherits("secret", 6);
    CHECK_STATUS(mp_set_authkey("", 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_set_authkey(key, 65537), MP_ERR_INVALID);
}
