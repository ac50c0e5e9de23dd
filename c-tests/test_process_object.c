/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The process object: names, daemons, signals, sentinels, descriptions. */
#include "test_util.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int nothing(mp_child *self, void *user)
{
    return self == NULL || user != NULL;
}

static void describes(const mp_process *p, const char *want)
{
    char text[300];
    size_t needed;

    CHECK_OK(mp_process_describe(p, text, sizeof text, &needed));
    check_same_text(text, want);
    CHECK_INT(needed, strlen(want) + 1);
}

/* ---- names ---- */

static int has_name(mp_child *self, void *user)
{
    const char *want = mp_child_bytes(self, 0, NULL);

    CHECK(want != NULL && user == NULL);
    check_same_text(mp_process_name(mp_current_process()), want);
    return 0;
}

static void start_named(mp_process *p, const char *want)
{
    CHECK_OK(mp_process_add_bytes(p, want, strlen(want) + 1));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
}

TEST(process, names)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_process *first = child_new(has_name, NULL), *second, *third;
    const char *before;

    check_same_text(mp_process_name(first), "Process-1");
    o.name = "it's";
    second = child_new(has_name, &o);
    check_same_text(mp_process_name(second), "it's");
    third = child_new(has_name, NULL);
    before = mp_process_name(third);
    check_same_text(before, "Process-3");
    CHECK_OK(mp_process_set_name(third, "new"));
    check_same_text(mp_process_name(third), "new");
    check_same_text(before, "Process-3");
    CHECK_STATUS(mp_process_set_name(third, NULL), MP_ERR_INVALID);
    start_named(first, "Process-1");
    start_named(second, "it's");
    start_named(third, "new");
    CHECK_NULL(mp_process_name(third));
}

/* Each starts a child whose name is its own with a number more. */
static int grows(mp_child *self, void *user)
{
    int depth = child_number(self, 0);
    mp_process *p = child_new(nothing, NULL);
    char want[100];

    CHECK(user == NULL);
    snprintf(want, sizeof want, "%s:1", mp_process_name(mp_current_process()));
    check_same_text(mp_process_name(p), want);
    CHECK_OK(mp_process_free(p));
    if (depth == 0)
        return (int)strlen(want);
    p = child_new(grows, NULL);
    child_add_number(p, depth - 1);
    CHECK_OK(mp_process_start(p));
    return child_end(p);
}

TEST(process, names_of_generations)
{
    mp_process *p = child_new(grows, NULL);

    child_add_number(p, 2);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), strlen("Process-1:2:2:1"));
}

TEST(process, describe)
{
    mp_value *flag = flag_new();
    mp_process *p = child_new(child_waits, NULL), *daemon;
    char text[200], want[200];
    int pid, me = getpid();
    size_t needed;

    snprintf(want, sizeof want, "<Process name='Process-1' parent=%d initial>", me);
    describes(p, want);
    CHECK_STATUS(mp_process_describe(p, text, 5, &needed), MP_ERR_TOO_SMALL);
    CHECK_INT(needed, strlen(want) + 1);
    CHECK_STATUS(mp_process_describe(p, NULL, 0, &needed), MP_ERR_TOO_SMALL);
    CHECK_STATUS(mp_process_describe(p, NULL, 9, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_process_add_handle(p, flag));
    CHECK_OK(mp_process_start(p));
    pid = child_pid(p);
    snprintf(want, sizeof want, "<Process name='Process-1' pid=%d parent=%d started>", pid, me);
    describes(p, want);
    flag_set(flag, 1);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    snprintf(want, sizeof want, "<Process name='Process-1' pid=%d parent=%d stopped exitcode=4>", pid,
             me);
    describes(p, want);
    CHECK_OK(mp_process_free(p));

    flag_set(flag, 0);
    daemon = child_new(child_waits, NULL);
    CHECK_OK(mp_process_set_daemon(daemon, true));
    CHECK_OK(mp_process_add_handle(daemon, flag));
    CHECK_OK(mp_process_start(daemon));
    pid = child_pid(daemon);
    CHECK_OK(mp_process_terminate(daemon));
    CHECK_OK(mp_process_join(daemon, MP_FOREVER));
    snprintf(want, sizeof want,
             "<Process name='Process-2' pid=%d parent=%d stopped exitcode=-SIGTERM daemon>", pid, me);
    describes(daemon, want);
    CHECK_OK(mp_process_free(daemon));
    describes(mp_current_process(), "<_MainProcess name='MainProcess' parent=None started>");
    CHECK_OK(mp_value_free(flag));
}

/* ---- daemons ---- */

static bool is_daemon(const mp_process *p)
{
    bool yes;

    CHECK_OK(mp_process_daemon(p, &yes));
    return yes;
}

static int has_daemons(mp_child *self, void *user)
{
    bool daemon = child_number(self, 0);
    mp_process *p = child_new(nothing, NULL);

    CHECK(user == NULL && is_daemon(mp_current_process()) == daemon && is_daemon(p) == daemon);
    CHECK_OK(mp_process_free(p));
    return 0;
}

TEST(process, daemon_is_inherited)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    int i;

    CHECK(!is_daemon(mp_current_process()));
    for (i = -1; i <= 1; i++) {
        mp_process *p;

        o.daemon = i;
        p = child_new(has_daemons, &o);
        CHECK(is_daemon(p) == (i == 1));
        child_add_number(p, i == 1);
        CHECK_OK(mp_process_start(p));
        CHECK_STATUS(mp_process_set_daemon(p, true), MP_ERR_STATE);
        CHECK_INT(child_end(p), 0);
    }
    o.daemon = 2;
    {
        mp_process *p;

        CHECK_STATUS(mp_process_new(&p, nothing, NULL, &o), MP_ERR_INVALID);
    }
}

/* ---- signals ---- */

static int ready_and_sleeps(mp_child *self, void *user)
{
    CHECK(user == NULL);
    signal(SIGINT, SIG_DFL);
    flag_set(mp_child_value(self, 0), 1);
    sleep_ms(600000);
    return 0;
}

static mp_process *ready(mp_value *flag)
{
    mp_process *p;

    flag_set(flag, 0);
    p = CHILD_START(ready_and_sleeps, flag);
    flag_wait(flag, 1);
    return p;
}

TEST(process, signals)
{
    mp_value *flag = flag_new();
    mp_process *p = ready(flag);

    CHECK_OK(mp_process_terminate(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_terminate(p));
    CHECK_OK(mp_process_kill(p));
    CHECK_INT(child_end(p), -SIGTERM);
    p = ready(flag);
    CHECK_OK(mp_process_kill(p));
    CHECK_INT(child_end(p), -SIGKILL);
    p = ready(flag);
    CHECK_OK(mp_process_interrupt(p));
    CHECK_INT(child_end(p), -SIGINT);
    p = ready(flag);
    CHECK_STATUS(mp_process_signal(p, 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_process_signal(p, 65), MP_ERR_INVALID);
    CHECK_STATUS(mp_process_signal(p, -9), MP_ERR_INVALID);
    CHECK_OK(mp_process_signal(p, SIGRTMIN));
    CHECK_INT(child_end(p), -SIGRTMIN);
    p = child_new(nothing, NULL);
    CHECK_STATUS(mp_process_terminate(p), MP_ERR_STATE);
    CHECK_STATUS(mp_process_kill(p), MP_ERR_STATE);
    CHECK_STATUS(mp_process_interrupt(p), MP_ERR_STATE);
    CHECK_STATUS(mp_process_signal(p, SIGUSR1), MP_ERR_STATE);
    CHECK_OK(mp_process_free(p));
    CHECK_STATUS(mp_process_terminate(mp_current_process()), MP_ERR_STATE);
    CHECK_OK(mp_value_free(flag));
}

/* ---- sentinels ---- */

static bool readable(int fd, int milliseconds)
{
    struct pollfd one = {0, POLLIN, 0};

    one.fd = fd;
    return poll(&one, 1, milliseconds) == 1 && (one.revents & POLLIN) != 0;
}

TEST(process, sentinel)
{
    mp_value *flag = flag_new();
    mp_process *p = child_new(child_waits, NULL);
    int fd = -1, again = -1;

    CHECK_STATUS(mp_process_sentinel(p, &fd), MP_ERR_STATE);
    CHECK_STATUS(mp_process_sentinel(p, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_process_sentinel(mp_current_process(), &fd), MP_ERR_STATE);
    CHECK_OK(mp_process_add_handle(p, flag));
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_sentinel(p, &fd));
    CHECK(!readable(fd, 0));
    flag_set(flag, 1);
    CHECK(readable(fd, 30000));
    CHECK(readable(fd, 0));
    CHECK_OK(mp_process_join(p, MP_NO_WAIT));
    /* It stays what it is until the handle goes. */
    CHECK(readable(fd, 0));
    CHECK_OK(mp_process_sentinel(p, &again));
    CHECK_INT(again, fd);
    CHECK_INT(child_end(p), 4);
    p = CHILD_START(child_waits, flag);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_SENTENCE(mp_process_sentinel(p, &fd), MP_ERR_STATE, "nobody had asked");
    CHECK_INT(child_end(p), 4);
    CHECK_OK(mp_value_free(flag));
}
