/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What goes with a process and what stays, whichever way it ends; and whose copy is whose. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mp_value *the_count;

static void counts(void *unused)
{
    CHECK(unused == NULL);
    flag_set(the_count, flag_get(the_count) + 1);
}

static int has_hooks_and_waits(mp_child *self, void *user)
{
    mp_value *state = mp_child_value(self, 1);

    CHECK(user == NULL);
    the_count = mp_child_value(self, 0);
    CHECK_OK(mp_at_exit(counts, NULL, 0));
    CHECK_OK(mp_at_exit(counts, NULL, -1));
    flag_set(state, 1);
    flag_wait(state, 2);
    return 3;
}

/* Hooks run at an end that the child comes to itself, each once, and not where it is killed. */
TEST(process, hooks_and_kills)
{
    static const int signals[] = {0, SIGTERM, SIGKILL};
    size_t i;

    for (i = 0; i < COUNT(signals); i++) {
        mp_value *count = flag_new(), *state = flag_new();
        mp_process *p = CHILD_START(has_hooks_and_waits, count, state);

        flag_wait(state, 1);
        if (signals[i] == 0)
            flag_set(state, 2);
        else
            CHECK_OK(mp_process_signal(p, signals[i]));
        CHECK_INT(child_end(p), signals[i] == 0 ? 3 : -signals[i]);
        CHECK_INT(flag_get(count), signals[i] == 0 ? 2 : 0);
        CHECK_OK(mp_value_free(count));
        CHECK_OK(mp_value_free(state));
    }
}

static int renames_itself(mp_child *self, void *user)
{
    const char *name = mp_process_name(mp_current_process());

    CHECK(user == NULL && mp_child_count(self) == 0);
    check_same_text(name, "as it was told");
    CHECK_OK(mp_process_set_name(mp_current_process(), "another"));
    check_same_text(mp_process_name(mp_current_process()), "another");
    return 4;
}

/* The child has a copy of the object: what it changes there its parent does not see. */
TEST(process, child_has_its_own_copy)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_process *p;

    o.name = "as it was told";
    p = child_new(renames_itself, &o);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    check_same_text(mp_process_name(p), "as it was told");
    CHECK_INT(child_end(p), 4);
    check_same_text(mp_process_name(mp_current_process()), "MainProcess");
}

static bool exists(pid_t pid)
{
    proc_info info;

    return proc_read(pid, &info);
}

/* Who never joins does not gather the dead: every start looks at some of them. */
TEST(process, zombies_are_reaped_by_starts)
{
    enum { DEAD = 10 };
    mp_process *dead[DEAD], *p;
    pid_t pids[DEAD];
    int i, left;

    for (i = 0; i < DEAD; i++) {
        dead[i] = child_new(NULL, NULL);
        CHECK_OK(mp_process_start(dead[i]));
        pids[i] = child_pid(dead[i]);
    }
    for (i = 0; i < DEAD; i++)
        CHECK(wait_until(gone, &pids[i]));
    for (i = 0; i < DEAD; i++) {
        p = child_new(NULL, NULL);
        CHECK_OK(mp_process_start(p));
        CHECK_INT(child_end(p), 0);
    }
    for (left = 0, i = 0; i < DEAD; i++)
        left += exists(pids[i]);
    CHECK_INT(left, 0);
    for (i = 0; i < DEAD; i++)
        CHECK_OK(mp_process_free(dead[i]));
}

static void *sleeps(void *unused)
{
    CHECK(unused == NULL);
    sleep_ms(600000);
    return NULL;
}

static int leaves_a_thread_behind(mp_child *self, void *user)
{
    pthread_t thread;

    CHECK(user == NULL && mp_child_count(self) == 0);
    CHECK(pthread_create(&thread, NULL, sleeps, NULL) == 0);
    return 5;
}

TEST(process, threads_end_with_their_process)
{
    CHECK_INT(child_end(CHILD_START(leaves_a_thread_behind, NULL)), 5);
}

/* ---- who is what ---- */

typedef struct introduction {
    char name[48];
    bool daemon, is_main;
} introduction;

static void introduces_itself(mp_task *task, void *user)
{
    introduction me;

    CHECK(user == NULL);
    memset(&me, 0, sizeof me);
    snprintf(me.name, sizeof me.name, "%s", mp_process_name(mp_current_process()));
    CHECK_OK(mp_process_daemon(mp_current_process(), &me.daemon));
    me.is_main = mp_is_main_process();
    CHECK_OK(mp_task_return(task, &me, sizeof me));
}

TEST(process, workers_and_the_main_process)
{
    const char *method = test_start_method();
    const char *want = strcmp(method, "fork") == 0    ? "ForkPoolWorker-1"
                       : strcmp(method, "spawn") == 0 ? "SpawnPoolWorker-1"
                                                      : "ForkServerPoolWorker-1";
    mp_pool_options o = MP_POOL_OPTIONS;
    introduction worker;
    mp_pool *pool;
    char in = 0;
    bool daemon;

    o.workers = 1;
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_OK(mp_pool_map_array(pool, introduces_itself, NULL, &in, 1, 1, &worker, sizeof worker, NULL));
    CHECK_OK(mp_pool_free(pool));
    check_same_text(worker.name, want);
    CHECK(worker.daemon && !worker.is_main);
    CHECK_OK(mp_process_daemon(mp_current_process(), &daemon));
    CHECK(!daemon && mp_is_main_process());
    check_same_text(mp_process_name(mp_current_process()), "MainProcess");
}
