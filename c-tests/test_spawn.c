/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Spawn: what runs instead of the program, and programs that know nothing of libmp. */
#include "test_spawn.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

mp_process *spawn_new(mp_process_fn fn)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_process *p;

    o.start_method = MP_START_SPAWN;
    CHECK_OK(mp_process_new(&p, fn, NULL, &o));
    return p;
}

mp_process *spawn_started(mp_process_fn fn)
{
    mp_process *p = spawn_new(fn);

    CHECK_OK(mp_process_start(p));
    return p;
}

int spawn_run(mp_process_fn fn)
{
    return child_end(spawn_started(fn));
}

mp_pool *spawn_pool(size_t workers)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;

    o.workers = workers;
    o.start_method = MP_START_SPAWN;
    CHECK_OK(mp_pool_new(&pool, &o));
    return pool;
}

void spawn_runs_script(const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    CHECK_OK(mp_set_executable(script == NULL ? NULL : "/bin/sh", script == NULL ? NULL : argv));
}

int spawn_returns_5(mp_child *self, void *user)
{
    CHECK(user == NULL);
    return 5 + (int)mp_child_count(self);
}

/* ---- main does not begin with mp_bootstrap ---- */

TEST_COLD(spawn, needs_mp_bootstrap)
{
    mp_process *p = spawn_new(spawn_returns_5);
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool = NULL;

    CHECK_SENTENCE(mp_process_start(p), MP_ERR_NOT_INITIALIZED,
                   "begin main with mp_bootstrap(argc, argv)");
    CHECK_OK(mp_process_free(p));
    o.start_method = MP_START_SPAWN;
    CHECK_SENTENCE(mp_pool_new(&pool, &o), MP_ERR_NOT_INITIALIZED, "mp_bootstrap(argc, argv)");
    CHECK(pool == NULL);
}

/* ---- other executables ---- */

static void refused(const char *path, int status, int number, const char *text)
{
    mp_process *p = spawn_new(spawn_returns_5);
    mp_pool_options o = MP_POOL_OPTIONS;
    int before = open_descriptors();
    mp_pool *pool = NULL;

    CHECK_OK(mp_set_executable(path, NULL));
    CHECK_SENTENCE(mp_process_start(p), status, text);
    CHECK_INT(mp_last_errno(), number);
    o.workers = 3;
    o.start_method = MP_START_SPAWN;
    CHECK_SENTENCE(mp_pool_new(&pool, &o), status, text);
    CHECK(pool == NULL);
    CHECK_INT(open_descriptors(), before);
    /* It may be tried again. */
    CHECK_OK(mp_set_executable(NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 5);
}

TEST(spawn, programs_that_know_nothing_of_it)
{
    refused("/bin/true", MP_ERR_NOT_INITIALIZED, 0, "exited with code 0 before it called mp_bootstrap");
    refused("/bin/false", MP_ERR_NOT_INITIALIZED, 0, "exited with code 1 before it called mp_bootstrap");
}

TEST(spawn, executables_that_are_none)
{
    char text[200];
    FILE *file;

    refused("/nowhere/at/all", MP_ERR_OS, ENOENT, "cannot run the executable");
    refused("/", MP_ERR_OS, EACCES, "cannot run the executable");
    refused("", MP_ERR_OS, ENOENT, "cannot run the executable");
    snprintf(text, sizeof text, "%s/text", getenv("TMPDIR"));
    file = fopen(text, "w");
    CHECK(file != NULL && fputs("echo no program\n", file) >= 0 && fclose(file) == 0);
    refused(text, MP_ERR_OS, EACCES, "cannot run the executable");
    CHECK(chmod(text, 0755) == 0);
    refused(text, MP_ERR_OS, ENOEXEC, "cannot run the executable");
    CHECK(unlink(text) == 0);
}

static void *kills_the_child(void *unused)
{
    pid_t child = 0;

    while (children_of(getpid(), &child, 1) == 0)
        sleep_ms(1);
    CHECK(signal_child(child, SIGKILL));
    return unused;
}

/* Nobody waits the minute here: the program is killed, and that is what ends the start. */
TEST(spawn, program_that_never_calls_mp_bootstrap)
{
    mp_process *p = spawn_new(spawn_returns_5);
    pthread_t killer;

    spawn_runs_script("exec sleep 600");
    CHECK(pthread_create(&killer, NULL, kills_the_child, NULL) == 0);
    CHECK_SENTENCE(mp_process_start(p), MP_ERR_NOT_INITIALIZED,
                   "was killed by SIGKILL before it called mp_bootstrap");
    CHECK(pthread_join(killer, NULL) == 0);
    CHECK_OK(mp_process_free(p));
}

/* The script runs this program, whose marker it has as $0; so does the grandchild's. */
static int starts_another(mp_child *self, void *user)
{
    CHECK(user == NULL && mp_child_count(self) == 0);
    return spawn_run(spawn_returns_5) + 10;
}

TEST(spawn, executable_with_arguments)
{
    char own[300], log[200], script[600], line[100];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    int runs = 0;
    FILE *file;

    CHECK(n > 0);
    own[n] = '\0';
    snprintf(log, sizeof log, "%s/runs", getenv("TMPDIR"));
    snprintf(script, sizeof script, "echo run >>'%s'; exec '%s' \"$0\"", log, own);
    spawn_runs_script(script);
    CHECK_INT(spawn_run(starts_another), 15);
    file = fopen(log, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        runs++;
    fclose(file);
    CHECK_INT(runs, 2);
    CHECK(unlink(log) == 0);
    spawn_runs_script(NULL);
    CHECK_INT(spawn_run(starts_another), 15);
}
