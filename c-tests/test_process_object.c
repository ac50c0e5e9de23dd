/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The process object: names, daemons, signals, sentinels, results, descriptions, copies. */
#include "test_util.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mp_process *made(mp_process_fn fn, const mp_process_options *o)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, o));
    return p;
}

static int nothing(mp_child *self, void *user)
{
    return self == NULL || user != NULL;
}

static int waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 0), 1);
    return 4;
}

static void is_text(const char *text, const char *want)
{
    if (text == NULL || strcmp(text, want) != 0)
        check_failed(__FILE__, __LINE__, want, text == NULL ? "NULL" : text);
}

static void describes(const mp_process *p, const char *want)
{
    char text[300];
    size_t needed;

    CHECK_OK(mp_process_describe(p, text, sizeof text, &needed));
    is_text(text, want);
    CHECK_INT(needed, strlen(want) + 1);
}

/* ---- names ---- */

static int has_name(mp_child *self, void *user)
{
    const char *want = mp_child_bytes(self, 0, NULL);

    CHECK(want != NULL && user == NULL);
    is_text(mp_process_name(mp_current_process()), want);
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
    mp_process *first = made(has_name, NULL), *second, *third;
    const char *before;

    is_text(mp_process_name(first), "Process-1");
    o.name = "it's";
    second = made(has_name, &o);
    is_text(mp_process_name(second), "it's");
    third = made(has_name, NULL);
    before = mp_process_name(third);
    is_text(before, "Process-3");
    CHECK_OK(mp_process_set_name(third, "new"));
    is_text(mp_process_name(third), "new");
    is_text(before, "Process-3");
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
    mp_process *p = made(nothing, NULL);
    char want[100];

    CHECK(user == NULL);
    snprintf(want, sizeof want, "%s:1", mp_process_name(mp_current_process()));
    is_text(mp_process_name(p), want);
    CHECK_OK(mp_process_free(p));
    if (depth == 0)
        return (int)strlen(want);
    p = made(grows, NULL);
    child_add_number(p, depth - 1);
    CHECK_OK(mp_process_start(p));
    return child_end(p);
}

TEST(process, names_of_generations)
{
    mp_process *p = made(grows, NULL);

    child_add_number(p, 2);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), strlen("Process-1:2:2:1"));
}

TEST(process, describe)
{
    mp_value *flag = flag_new();
    mp_process *p = made(waits, NULL), *daemon;
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
    daemon = made(waits, NULL);
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
    mp_process *p = made(nothing, NULL);

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
        p = made(has_daemons, &o);
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
    p = made(nothing, NULL);
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
    mp_process *p = made(waits, NULL);
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
    p = CHILD_START(waits, flag);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_SENTENCE(mp_process_sentinel(p, &fd), MP_ERR_STATE, "nobody had asked");
    CHECK_INT(child_end(p), 4);
    CHECK_OK(mp_value_free(flag));
}

/* ---- results ---- */

static int gives_back(mp_child *self, void *user)
{
    size_t len;
    const void *data = mp_child_bytes(self, 0, &len);

    CHECK(data != NULL && user == NULL);
    CHECK_OK(mp_child_return(self, "first", 5));
    CHECK_STATUS(mp_child_return(self, NULL, 3), MP_ERR_INVALID);
    CHECK_OK(mp_child_return(self, data, len));
    if (mp_child_count(self) > 1)
        raise(SIGKILL);
    return 3;
}

static void has_result(mp_process *p, const void *want, size_t len)
{
    mp_buffer *buffer;
    const void *data;
    size_t n;

    CHECK_OK(mp_process_result(p, &buffer));
    data = mp_buffer_data(buffer, &n);
    CHECK_INT(n, len);
    CHECK(len == 0 || memcmp(data, want, len) == 0);
    CHECK_OK(mp_buffer_free(buffer));
}

static void result_of(const void *bytes, size_t len, bool killed)
{
    mp_process *p = made(gives_back, NULL);
    mp_buffer *none;
    int code;

    CHECK_OK(mp_process_add_bytes(p, bytes, len));
    if (killed)
        child_add_number(p, 1);
    CHECK_STATUS(mp_process_result(p, &none), MP_ERR_STATE);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_INT(code, killed ? -SIGKILL : 3);
    has_result(p, bytes, len);
    has_result(p, bytes, len);
    CHECK_OK(mp_process_free(p));
}

TEST(process, result)
{
    static char large[3 << 20];
    mp_process *p = made(nothing, NULL);
    mp_stats before, after;
    mp_buffer *none;
    size_t i;
    int round;

    for (i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7 + i / 251);
    result_of("abc", 3, false);
    result_of("", 0, false);
    result_of("killed", 6, true);
    result_of(large, sizeof large, false);
    before = stats_now();
    for (round = 0; round < 10; round++)
        result_of(large, sizeof large / 2, round % 2 == 1);
    after = stats_now();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.bytes_used, before.bytes_used);
    CHECK_INT(after.processes, before.processes);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_STATUS(mp_process_result(p, &none), MP_ERR_EMPTY);
    CHECK_STATUS(mp_process_result(p, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_process_free(p));
}

/* The slot of a child that left a result is not free for others until it was fetched. */
TEST(process, results_wait_for_their_parent)
{
    mp_process *all[40];
    size_t i;

    for (i = 0; i < COUNT(all); i++) {
        all[i] = made(gives_back, NULL);
        CHECK_OK(mp_process_add_bytes(all[i], &i, sizeof i));
        CHECK_OK(mp_process_start(all[i]));
    }
    for (i = 0; i < COUNT(all); i++) {
        pid_t pid = child_pid(all[i]);

        CHECK(wait_until(gone, &pid));
    }
    stats_now(); /* sweeps the dead */
    for (i = 0; i < COUNT(all); i++) {
        CHECK_OK(mp_process_join(all[i], MP_FOREVER));
        has_result(all[i], &i, sizeof i);
        CHECK_OK(mp_process_free(all[i]));
    }
}

static int leaves_an_orphaned_result(mp_child *self, void *user)
{
    mp_process *p = made(gives_back, NULL);
    pid_t pid;

    CHECK(self != NULL && user == NULL);
    CHECK_OK(mp_process_add_bytes(p, "orphan", 6));
    CHECK_OK(mp_process_start(p));
    pid = child_pid(p);
    CHECK(wait_until(gone, &pid));
    raise(SIGKILL);
    return 0;
}

static bool as_before(void *before)
{
    const mp_stats *then = before;
    mp_stats now = stats_now();

    return now.blocks == then->blocks && now.processes == then->processes;
}

TEST(process, result_of_an_orphan_is_given_up)
{
    mp_stats before;
    mp_process *p;

    result_of("warm", 4, false);
    before = stats_now();
    p = made(leaves_an_orphaned_result, NULL);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK(wait_until(as_before, &before));
}

/* ---- in place, and again ---- */

static int counts(mp_child *self, void *user)
{
    mp_value *count = mp_child_value(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_value_fetch_add(count, child_number(self, 1), NULL));
    CHECK_OK(mp_child_return(self, "here", 4));
    return (int)getpid();
}

TEST(process, run_in_place)
{
    mp_value *count = flag_new();
    mp_process *p = made(counts, NULL);
    mp_stats before = stats_now(), after;
    mp_buffer *none;
    int code = 0;

    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, 10);
    CHECK_STATUS(mp_process_result(p, &none), MP_ERR_STATE);
    CHECK_OK(mp_process_run(p, &code));
    CHECK_INT(code, getpid());
    has_result(p, "here", 4);
    CHECK_OK(mp_process_run(p, NULL));
    CHECK_INT(flag_get(count), 20);
    CHECK_OK(mp_process_start(p));
    CHECK_STATUS(mp_process_run(p, &code), MP_ERR_STATE);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_STATUS(mp_process_run(p, &code), MP_ERR_STATE);
    CHECK_INT(flag_get(count), 30);
    CHECK_OK(mp_process_free(p));
    CHECK_STATUS(mp_process_run(mp_current_process(), NULL), MP_ERR_STATE);
    after = stats_now();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_OK(mp_value_free(count));
}

static int adds(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 0), child_number(self, 1), NULL));
    return 7;
}

TEST(process, again)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_value *count = flag_new();
    mp_process *p = made(adds, NULL), *second, *third;

    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, 1);
    CHECK_OK(mp_process_again(p, &second));
    is_text(mp_process_name(second), "Process-2");
    CHECK_OK(mp_process_start(p));
    CHECK_SENTENCE(mp_process_again(p, &third), MP_ERR_STATE, "keep_arguments");
    CHECK_INT(child_end(p), 7);
    CHECK_OK(mp_process_start(second));
    CHECK_INT(child_end(second), 7);
    CHECK_INT(flag_get(count), 2);

    o.keep_arguments = true;
    o.name = "kept";
    p = made(adds, &o);
    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, 10);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_again(p, &second));
    CHECK_INT(child_end(p), 7);
    CHECK_OK(mp_process_start(second));
    CHECK_OK(mp_process_join(second, MP_FOREVER));
    CHECK_OK(mp_process_again(second, &third));
    is_text(mp_process_name(third), "kept");
    CHECK_INT(child_end(second), 7);
    CHECK_OK(mp_process_start(third));
    CHECK_INT(child_end(third), 7);
    CHECK_INT(flag_get(count), 32);
    CHECK_STATUS(mp_process_again(mp_current_process(), &third), MP_ERR_STATE);
    CHECK_OK(mp_value_free(count));
}
