/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Logging: levels, stderr, sinks, the environment, and children that log as their parent does. */
#include "test_util.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- stderr, caught in a file ---- */

static FILE *caught;
static int saved = -1;

static void catch_stderr(void)
{
    fflush(stderr);
    caught = tmpfile();
    saved = dup(STDERR_FILENO);
    CHECK(caught != NULL && saved > 2);
    /* Written at its end, whoever writes. */
    CHECK(dup2(fileno(caught), STDERR_FILENO) == STDERR_FILENO);
}

/* What was written; static. */
static const char *caught_stderr(void)
{
    static char text[1 << 16];
    size_t len;

    CHECK(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
    close(saved);
    rewind(caught);
    len = fread(text, 1, sizeof text - 1, caught);
    text[len] = '\0';
    fclose(caught);
    return text;
}

static bool by_fork(void)
{
    return strcmp(test_start_method(), "fork") == 0;
}

TEST(log, is_silent_unless_asked)
{
    catch_stderr();
    CHECK(!mp_log_enabled(MP_LOG_CRITICAL));
    CHECK_OK(mp_log_write(MP_LOG_CRITICAL, "nobody hears it"));
    CHECK_OK(mp_log_set_level(MP_LOG_DEBUG));
    CHECK(!mp_log_enabled(MP_LOG_CRITICAL));
    CHECK_OK(mp_log_write(MP_LOG_CRITICAL, "nobody hears it"));
    check_same_text(caught_stderr(), "");
}

TEST(log, levels)
{
    int level;

    CHECK_INT(mp_log_get_level(), MP_LOG_NOTSET);
    CHECK_OK(mp_log_to_stderr(MP_LOG_NOTSET));
    CHECK_INT(mp_log_get_level(), MP_LOG_NOTSET);
    CHECK(mp_log_enabled(MP_LOG_WARNING) && !mp_log_enabled(MP_LOG_WARNING - 1));
    for (level = 1; level < MP_LOG_OFF; level += 7) {
        CHECK_OK(mp_log_set_level(level));
        CHECK_INT(mp_log_get_level(), level);
        CHECK(mp_log_enabled(level) && !mp_log_enabled(level - 1));
    }
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
    CHECK(!mp_log_enabled(999) && !mp_log_enabled(MP_LOG_OFF));
    CHECK_STATUS(mp_log_set_level(-1), MP_ERR_INVALID);
    CHECK_STATUS(mp_log_set_level(MP_LOG_OFF + 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_log_to_stderr(-1), MP_ERR_INVALID);
    CHECK_STATUS(mp_log_write(MP_LOG_NOTSET, "x"), MP_ERR_INVALID);
    CHECK_STATUS(mp_log_write(MP_LOG_OFF, "x"), MP_ERR_INVALID);
    CHECK_STATUS(mp_log_write(MP_LOG_INFO, NULL), MP_ERR_INVALID);
    CHECK_INT(mp_log_get_level(), MP_LOG_OFF);
}

TEST(log, records_on_stderr)
{
    catch_stderr();
    CHECK_OK(mp_log_to_stderr(MP_LOG_NOTSET));
    CHECK_OK(mp_log_write(MP_LOG_INFO, "not loud enough"));
    CHECK_OK(mp_log_write(MP_LOG_WARNING, "loud enough"));
    CHECK_OK(mp_log_to_stderr(MP_LOG_SUBDEBUG));
    CHECK_OK(mp_log_write(MP_LOG_SUBDEBUG, "a"));
    CHECK_OK(mp_log_write(15, "b"));
    CHECK_OK(mp_log_write(MP_LOG_SUBWARNING, ""));
    CHECK_OK(mp_process_set_name(mp_current_process(), "chief"));
    CHECK_OK(mp_log_write(MP_LOG_CRITICAL, "c"));
    check_same_text(caught_stderr(), "[WARNING/MainProcess] loud enough\n"
                                "[SUBDEBUG/MainProcess] a\n"
                                "[Level 15/MainProcess] b\n"
                                "[SUBWARNING/MainProcess] \n"
                                "[CRITICAL/chief] c\n");
}

static int logs_and_returns(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    CHECK_INT(mp_log_get_level(), MP_LOG_INFO);
    CHECK_OK(mp_log_write(MP_LOG_INFO, "at work"));
    CHECK_OK(mp_log_write(MP_LOG_DEBUG, "in detail"));
    return 3;
}

TEST(log, children_log_as_their_parent)
{
    catch_stderr();
    CHECK_OK(mp_log_to_stderr(MP_LOG_INFO));
    CHECK_INT(child_end(CHILD_START(logs_and_returns, NULL)), 3);
    check_same_text(caught_stderr(), "[INFO/Process-1] child process calling self.run()\n"
                                "[INFO/Process-1] at work\n"
                                "[INFO/Process-1] process shutting down\n"
                                "[INFO/Process-1] process exiting with exitcode 3\n");
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
}

TEST(log, deaths_of_children)
{
    mp_process *p;
    char want[256];
    int pid;

    catch_stderr();
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
    CHECK_OK(mp_process_new(&p, NULL, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_log_to_stderr(MP_LOG_DEBUG));
    pid = child_pid(p);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
    snprintf(want, sizeof want, "[DEBUG/MainProcess] process Process-1 (pid %d) has exited with code 0\n",
             pid);
    check_same_text(caught_stderr(), want);
}

/* ---- a sink ---- */

static char heard[1 << 12];
static int heard_level, heard_pid;
static mp_process *looked_at;

static void hears(const mp_log_record *r, void *user)
{
    char text[256];
    bool alive;

    CHECK(r->size == sizeof *r && r->time > (int64_t)1500000000 * 1000000000);
    CHECK(user == NULL || user == heard);
    snprintf(text, sizeof text, "%s/%s/%s\n", r->level_name, r->process_name, r->message);
    strncat(heard, text, sizeof heard - strlen(heard) - 1);
    heard_level = r->level;
    heard_pid = r->pid;
    /* It may use the library: no lock is held, and what it logs does not come back to it. */
    CHECK_OK(mp_log_write(MP_LOG_CRITICAL, "from the sink"));
    if (looked_at != NULL)
        CHECK_OK(mp_process_is_alive(looked_at, &alive));
}

TEST(log, sink)
{
    CHECK_OK(mp_log_set_sink(hears, heard));
    CHECK_OK(mp_log_write(MP_LOG_INFO, "not loud enough"));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "one"));
    check_same_text(heard, "ERROR/MainProcess/one\n");
    CHECK(heard_level == MP_LOG_ERROR && heard_pid == (int)getpid());
    CHECK_OK(mp_log_set_sink(NULL, NULL));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "two"));
    CHECK_OK(mp_log_set_sink(hears, NULL));
    CHECK_OK(mp_log_write(MP_LOG_WARNING, "three"));
    check_same_text(heard, "ERROR/MainProcess/one\nWARNING/MainProcess/three\n");
    CHECK_OK(mp_log_set_sink(NULL, NULL));
}

static int sleeps(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    sleep_ms(600000);
    return 0;
}

TEST(log, sink_that_uses_the_process_it_is_told_of)
{
    char want[128];
    int pid;

    CHECK_OK(mp_log_set_sink(hears, heard));
    CHECK_OK(mp_log_set_level(MP_LOG_INFO));
    looked_at = CHILD_START(sleeps, NULL);
    pid = child_pid(looked_at);
    CHECK_OK(mp_process_kill(looked_at));
    CHECK_OK(mp_process_join(looked_at, MP_FOREVER));
    snprintf(want, sizeof want, "INFO/MainProcess/process Process-1 (pid %d) was killed by SIGKILL\n", pid);
    check_same_text(heard, want);
    CHECK_OK(mp_log_set_sink(NULL, NULL));
    CHECK_OK(mp_process_free(looked_at));
}

static int logs_to_the_sink(mp_child *self, void *user)
{
    CHECK(user == NULL);
    heard[0] = '\0';
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "in the child"));
    CHECK_OK(mp_child_return(self, heard, strlen(heard) + 1));
    return 0;
}

static void check_child_hears(bool it_does)
{
    mp_process *p = CHILD_START(logs_to_the_sink, NULL);
    const char *want = it_does ? "ERROR/Process-1/in the child\n" : "";
    mp_buffer *got;

    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_result(p, &got));
    CHECK_OK(mp_process_free(p));
    check_same_text(mp_buffer_data(got, NULL), want);
    CHECK_OK(mp_buffer_free(got));
}

TEST(log, children_have_the_sink)
{
    CHECK_OK(mp_log_set_sink(hears, NULL));
    check_child_hears(true);
    CHECK_OK(mp_log_set_sink(NULL, NULL));
}

/* A pointer into the parent's memory means nothing to a fresh image. */
TEST(log, children_have_the_sink_with_its_pointer_by_fork)
{
    CHECK_OK(mp_log_set_sink(hears, heard));
    check_child_hears(by_fork());
    CHECK_OK(mp_log_set_sink(NULL, NULL));
}

/* ---- the environment ---- */

static int has_the_level_debug(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    CHECK_INT(mp_log_get_level(), MP_LOG_DEBUG);
    CHECK_OK(mp_log_write(MP_LOG_DEBUG, "in the child"));
    return 0;
}

TEST_COLD(log, environment)
{
    const char *got;

    catch_stderr();
    CHECK(setenv("MP_LOG", "debug", 1) == 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    CHECK_INT(mp_log_get_level(), MP_LOG_DEBUG);
    CHECK_INT(child_end(CHILD_START(has_the_level_debug, NULL)), 0);
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
    got = caught_stderr();
    CHECK_CONTAINS(got, "[INFO/Process-1] child process calling self.run()\n");
    CHECK_CONTAINS(got, "[DEBUG/Process-1] in the child\n");
    CHECK_CONTAINS(got, "[DEBUG/MainProcess] process Process-1 (pid ");
}

TEST_COLD(log, environment_that_says_nothing)
{
    CHECK(setenv("MP_LOG", "loudly", 1) == 0);
    CHECK_INT(mp_log_get_level(), MP_LOG_NOTSET);
    CHECK(!mp_log_enabled(MP_LOG_CRITICAL));
}

/* ---- a stderr that is no good ---- */

static int logs_to_nobody(void *unused)
{
    int ends[2];

    CHECK(unused == NULL && pipe(ends) == 0);
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(mp_log_to_stderr(MP_LOG_DEBUG));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "nobody reads it"));
    close(STDERR_FILENO);
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "nobody can"));
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
    return 7;
}

TEST(log, stderr_that_nobody_reads)
{
    CHECK_INT(in_fork(logs_to_nobody, NULL), 7);
}

/* ---- several processes, one file ---- */

enum { WRITERS = 4, RECORDS = 200, LENGTH = 600 };

static int logs_much(mp_child *self, void *user)
{
    char line[LENGTH + 1];
    int i;

    CHECK(user == NULL);
    memset(line, 'a' + child_number(self, 0), LENGTH);
    line[LENGTH] = '\0';
    for (i = 0; i < RECORDS; i++)
        CHECK_OK(mp_log_write(MP_LOG_CRITICAL, line));
    return 0;
}

static void *collects(void *from)
{
    FILE *pipe_end = fdopen(*(int *)from, "r");
    static char line[2 * LENGTH];
    size_t count = 0, i;

    CHECK(pipe_end != NULL);
    while (fgets(line, sizeof line, pipe_end) != NULL) {
        const char *text = strstr(line, "] ");

        CHECK(text != NULL && strlen(text) == LENGTH + 3);
        for (i = 3; i <= LENGTH; i++)
            CHECK(text[i] == text[2]);
        count++;
    }
    fclose(pipe_end);
    CHECK_INT(count, WRITERS * RECORDS);
    return NULL;
}

TEST(log, records_do_not_mix)
{
    mp_process *writers[WRITERS];
    pthread_t thread;
    int ends[2], i;

    CHECK(pipe(ends) == 0);
    CHECK_OK(mp_log_set_level(MP_LOG_CRITICAL));
    catch_stderr();
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    CHECK_OK(mp_log_to_stderr(MP_LOG_NOTSET));
    for (i = 0; i < WRITERS; i++) {
        CHECK_OK(mp_process_new(&writers[i], logs_much, NULL, NULL));
        child_add_number(writers[i], i);
        CHECK_OK(mp_process_start(writers[i]));
    }
    CHECK(pthread_create(&thread, NULL, collects, &ends[0]) == 0);
    for (i = 0; i < WRITERS; i++)
        CHECK_INT(child_end(writers[i]), 0);
    caught_stderr();
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
}

/* ---- what the library says of itself ---- */

static void *waits_for(void *mutex)
{
    CHECK(pthread_mutex_lock(mutex) == 0);
    CHECK(pthread_mutex_unlock(mutex) == 0);
    return NULL;
}

/* Which start method has no such children is said where there are some. */
TEST(log, warns_of_threads)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;
    mp_process *p;

    CHECK_OK(mp_log_set_sink(hears, heard));
    CHECK_OK(mp_process_new(&p, NULL, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    check_same_text(heard, "");
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_create(&thread, NULL, waits_for, &mutex) == 0);
    CHECK_OK(mp_process_new(&p, NULL, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    if (by_fork()) {
        CHECK_CONTAINS(heard, "WARNING/MainProcess/this process (pid ");
        CHECK_CONTAINS(heard, "has 1 thread(s) besides this one");
        CHECK_CONTAINS(heard, "forkserver");
    } else {
        check_same_text(heard, "");
    }
    heard[0] = '\0';
    o.workers = 1;
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_OK(mp_pool_free(pool));
    CHECK(by_fork() == (strstr(heard, "has 1 thread(s) besides this one") != NULL));
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_log_set_sink(NULL, NULL));
}

static bool has_a_helper(void *unused)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *e;
    bool found = false;

    CHECK(unused == NULL && tasks != NULL);
    while ((e = readdir(tasks)) != NULL) {
        char path[300], name[32] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        f = fopen(path, "r");
        if (f != NULL) {
            found = found || (fgets(name, sizeof name, f) != NULL && strstr(name, "libmp-") == name);
            fclose(f);
        }
    }
    closedir(tasks);
    return found;
}

/* The library's own threads need nothing of what a forked child lacks. */
TEST(log, does_not_warn_of_the_librarys_threads)
{
    mp_event *event;
    mp_process *p;
    int descriptor;

    CHECK_OK(mp_event_new(&event, NULL));
    CHECK_OK(mp_descriptor(event, &descriptor));
    CHECK(wait_until(has_a_helper, NULL));
    CHECK_OK(mp_log_set_sink(hears, heard));
    CHECK_OK(mp_process_new(&p, NULL, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    check_same_text(heard, "");
    CHECK_OK(mp_log_set_sink(NULL, NULL));
    CHECK_OK(mp_event_free(event));
}
