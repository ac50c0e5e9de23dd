/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Processes: start, join, exit codes, and what each call says in the wrong state. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mp_process *process_new(mp_process_fn fn)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    return p;
}

static mp_process *process_started(mp_process *p)
{
    CHECK_OK(mp_process_start(p));
    return p;
}

static bool alive(const mp_process *p)
{
    bool yes;

    CHECK_OK(mp_process_is_alive(p, &yes));
    return yes;
}

/* Argument 0 is the number to return. */
static int returns(mp_child *self, void *user)
{
    CHECK(user == NULL);
    return child_number(self, 0);
}

static int run_with_number(mp_process_fn fn, int number)
{
    mp_process *p = process_new(fn);

    child_add_number(p, number);
    CHECK_OK(mp_process_start(p));
    return child_end(p);
}

TEST(process, exit_codes)
{
    static const struct {
        int returned, code;
    } all[] = {{0, 0}, {1, 1}, {77, 77}, {255, 255}, {256, 0}, {257, 1}, {-1, 255}, {1 << 20, 0}};
    size_t i;

    for (i = 0; i < COUNT(all); i++)
        CHECK_INT(run_with_number(returns, all[i].returned), all[i].code);
}

static int raises(mp_child *self, void *user)
{
    CHECK(user == NULL);
    signal(child_number(self, 0), SIG_DFL);
    raise(child_number(self, 0));
    return 0;
}

TEST(process, exit_code_of_a_signal)
{
    static const int all[] = {SIGKILL, SIGTERM, SIGUSR1, SIGSEGV, SIGABRT, SIGINT};
    size_t i;

    for (i = 0; i < COUNT(all); i++)
        CHECK_INT(run_with_number(raises, all[i]), -all[i]);
}

static int exits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    _exit(child_number(self, 0));
}

TEST(process, exit_code_of_exit)
{
    CHECK_INT(run_with_number(exits, 9), 9);
    CHECK_INT(run_with_number(exits, 0), 0);
}

/* Waits until the flag (0) is 1. */
static int waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 0), 1);
    return 4;
}

TEST(process, life)
{
    mp_value *flag = flag_new();
    mp_process *p = process_new(waits);
    int code = 99, pid = 99;
    int64_t before;

    CHECK_OK(mp_process_add_handle(p, flag));
    CHECK(!alive(p));
    CHECK_STATUS(mp_process_pid(p, &pid), MP_ERR_STATE);
    CHECK_STATUS(mp_process_exitcode(p, &code), MP_ERR_STATE);
    CHECK_STATUS(mp_process_join(p, MP_FOREVER), MP_ERR_STATE);
    CHECK_STATUS(mp_process_join(p, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_process_start(p));
    CHECK(alive(p));
    CHECK(child_pid(p) != getpid());
    CHECK(!process_gone(child_pid(p)));
    CHECK_STATUS(mp_process_start(p), MP_ERR_STATE);
    CHECK_STATUS(mp_process_free(p), MP_ERR_STATE);
    CHECK_STATUS(mp_process_exitcode(p, &code), MP_ERR_STATE);
    CHECK_STATUS(mp_process_add_bytes(p, "late", 4), MP_ERR_STATE);
    CHECK_STATUS(mp_process_add_handle(p, flag), MP_ERR_STATE);
    CHECK_STATUS(mp_process_join(p, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_process_join(p, -1), MP_ERR_TIMEOUT);
    before = now_ns();
    CHECK_STATUS(mp_process_join(p, MP_MS(120)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(120));
    CHECK_INT(code, 99);
    CHECK(alive(p));
    flag_set(flag, 1);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK(!alive(p));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_INT(code, 4);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_join(p, MP_NO_WAIT));
    CHECK_OK(mp_process_pid(p, &pid));
    CHECK(pid > 0);
    CHECK_STATUS(mp_process_start(p), MP_ERR_STATE);
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_value_free(flag));
}

TEST(process, signals_do_not_shorten_the_join)
{
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(waits, flag);
    int64_t before = now_ns();

    alarms_start();
    CHECK_STATUS(mp_process_join(p, MP_MS(300)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - before >= MP_MS(300));
    flag_set(flag, 1);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK(alarms_stop() > 1);
    CHECK_INT(child_end(p), 4);
    CHECK_OK(mp_value_free(flag));
}

static void *joins(void *p)
{
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    return NULL;
}

TEST(process, joined_by_several_threads)
{
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(waits, flag);
    pthread_t threads[4];
    int i;

    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, joins, p) == 0);
    sleep_ms(20);
    flag_set(flag, 1);
    for (i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_INT(child_end(p), 4);
    CHECK_OK(mp_value_free(flag));
}

TEST(process, freed_without_a_start)
{
    mp_value *flag = flag_new();
    mp_process *p = process_new(waits);

    CHECK_OK(mp_process_add_bytes(p, "abc", 3));
    CHECK_OK(mp_process_add_handle(p, flag));
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_value_free(flag));
}

/* A child that ended and was not joined can be freed, and leaves no zombie. */
static bool ended(void *p)
{
    return !alive(p);
}

TEST(process, freed_after_its_end)
{
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(waits, flag);
    int code;

    flag_set(flag, 1);
    CHECK(wait_until(ended, p));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_INT(code, 4);
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_value_free(flag));
}

TEST(process, without_a_target)
{
    CHECK_INT(child_end(process_started(process_new(NULL))), 0);
}

/* ---- the parent's handle in a child: only where memory is copied can one get hold of it ---- */

static mp_process *myself;

static int uses_parents_handle(mp_child *self, void *user)
{
    bool yes;
    int n;

    CHECK(self != NULL && user == NULL);
    CHECK_STATUS(mp_process_join(myself, MP_FOREVER), MP_ERR_STATE);
    CHECK_STATUS(mp_process_join(myself, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_STATUS(mp_process_start(myself), MP_ERR_STATE);
    CHECK_STATUS(mp_process_add_bytes(myself, "x", 1), MP_ERR_STATE);
    CHECK_STATUS(mp_process_exitcode(myself, &n), MP_ERR_STATE);
    CHECK_STATUS(mp_process_pid(myself, &n), MP_ERR_STATE);
    CHECK_STATUS(mp_process_is_alive(myself, &yes), MP_ERR_STATE);
    CHECK_STATUS(mp_process_free(myself), MP_ERR_STATE);
    return 0;
}

TEST(process, cannot_join_itself)
{
    if (strcmp(test_start_method(), "fork") != 0)
        SKIP("a started child cannot know its own handle");
    myself = process_new(uses_parents_handle);
    CHECK_OK(mp_process_start(myself));
    CHECK_INT(child_end(myself), 0);
}

static int join_in_fork(void *p)
{
    CHECK_STATUS(mp_process_join(p, MP_FOREVER), MP_ERR_STATE);
    return 0;
}

TEST(process, cannot_be_joined_by_a_sibling)
{
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(waits, flag);

    CHECK_INT(in_fork(join_in_fork, p), 0);
    flag_set(flag, 1);
    CHECK_INT(child_end(p), 4);
    CHECK_OK(mp_value_free(flag));
}

/* ---- generations ---- */

static int grandparent(mp_child *self, void *user)
{
    mp_value *count = mp_child_value(self, 0);
    int depth = child_number(self, 1);
    mp_process *p;

    CHECK(count != NULL && user == NULL);
    CHECK_OK(mp_value_fetch_add(count, 1, NULL));
    if (depth == 0)
        return 30;
    CHECK_OK(mp_process_new(&p, grandparent, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, depth - 1);
    CHECK_OK(mp_process_start(p));
    return child_end(p) + 1;
}

TEST(process, children_of_children)
{
    mp_value *count = flag_new();
    mp_process *p = process_new(grandparent);

    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, 6);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 36);
    CHECK_INT(flag_get(count), 7);
    CHECK_OK(mp_value_free(count));
}

TEST(process, many_at_once)
{
    mp_value *flag = flag_new();
    mp_process *all[50];
    size_t i;

    for (i = 0; i < COUNT(all); i++)
        all[i] = CHILD_START(waits, flag);
    CHECK(stats_now().processes >= COUNT(all));
    flag_set(flag, 1);
    for (i = COUNT(all); i-- > 0;)
        CHECK_INT(child_end(all[i]), 4);
    CHECK_OK(mp_value_free(flag));
}

TEST_T(process, rounds_leave_nothing, 60)
{
    mp_stats before, after;
    int i;

    /* The first one may take memory for small objects that is kept for the next ones. */
    CHECK_INT(run_with_number(returns, 5), 5);
    before = stats_now();
    for (i = 0; i < 500; i++)
        CHECK_INT(run_with_number(returns, i % 200), i % 200);
    after = stats_now();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.processes, before.processes);
    CHECK_INT(after.bytes_used, before.bytes_used);
}
