/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Processes in a host that has habits of its own: stdio, exit handlers, SIGCHLD, few descriptors. */
#include "test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static mp_process *start(mp_process_fn fn)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    return p;
}

static int returns_5(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    return 5;
}

static int sleeps(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    sleep_ms(600000);
    return 0;
}

/* ---- standard streams ---- */

static int looks_at_stdin(mp_child *self, void *user)
{
    struct stat in, null;
    char c;

    CHECK(mp_child_count(self) == 0 && user == NULL);
    CHECK(fstat(STDIN_FILENO, &in) == 0 && stat("/dev/null", &null) == 0);
    CHECK(in.st_rdev == null.st_rdev && S_ISCHR(in.st_mode));
    CHECK_INT(read(STDIN_FILENO, &c, 1), 0);
    CHECK_INT(getchar(), EOF);
    return 0;
}

TEST(process, stdin_is_dev_null)
{
    int ends[2], saved = dup(STDIN_FILENO);
    char c;

    CHECK(saved >= 0 && pipe(ends) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    CHECK_INT(child_end(start(looks_at_stdin)), 0);
    CHECK(read(STDIN_FILENO, &c, 1) == 1 && c == 'x');
    CHECK(dup2(saved, STDIN_FILENO) == STDIN_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

static int reads_stdin(mp_child *self, void *user)
{
    char c = 0;

    CHECK(mp_child_count(self) == 0 && user == NULL);
    CHECK(read(STDIN_FILENO, &c, 1) == 1 && c == 'y');
    return 0;
}

TEST(process, stdin_is_kept)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    int ends[2], saved = dup(STDIN_FILENO);
    mp_process *p;

    CHECK(saved >= 0 && pipe(ends) == 0);
    CHECK(write(ends[1], "y", 1) == 1);
    CHECK(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    o.stdin_fd = MP_STREAM_SAME;
    CHECK_OK(mp_process_new(&p, reads_stdin, NULL, &o));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    CHECK(dup2(saved, STDIN_FILENO) == STDIN_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

static int prints(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    printf("from the child\n");
    return 0;
}

/* What waits in the parent's buffer is written once; what the child prints is not lost. */
TEST(process, stdio_is_flushed)
{
    static const char want[] = "before\nfrom the child\nafter\n";
    int ends[2], saved = dup(STDOUT_FILENO);
    char got[256];
    size_t len = 0;
    ssize_t n;

    fflush(stdout);
    CHECK(saved >= 0 && pipe(ends) == 0);
    CHECK(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
    close(ends[1]);
    printf("before\n");
    CHECK_INT(child_end(start(prints)), 0);
    printf("after\n");
    fflush(stdout);
    CHECK(dup2(saved, STDOUT_FILENO) == STDOUT_FILENO);
    close(saved);
    while ((n = read(ends[0], got + len, sizeof got - 1 - len)) > 0)
        len += (size_t)n;
    close(ends[0]);
    got[len] = '\0';
    if (strcmp(got, want) != 0)
        fprintf(stderr, "got \"%s\"\n", got);
    CHECK(strcmp(got, want) == 0);
}

static int exit_pipe = -1;

static void exit_handler(void)
{
    if (exit_pipe >= 0)
        CHECK(write(exit_pipe, "!", 1) == 1);
}

TEST(process, exit_handlers_do_not_run_in_the_child)
{
    int ends[2];
    char c;

    CHECK(pipe(ends) == 0);
    CHECK(atexit(exit_handler) == 0);
    exit_pipe = ends[1];
    CHECK_INT(child_end(start(returns_5)), 5);
    exit_pipe = -1;
    close(ends[1]);
    CHECK_INT(read(ends[0], &c, 1), 0);
    close(ends[0]);
}

/* ---- SIGCHLD and waitpid of the host's own ---- */

static int exitcode(const mp_process *p)
{
    int code;

    CHECK_OK(mp_process_exitcode(p, &code));
    return code;
}

/* Its children are the server's, so their parent has nothing to reap. */
static void not_under_the_fork_server(void)
{
    if (strcmp(test_start_method(), "forkserver") == 0)
        SKIP("the children are the server's, so there is nothing to reap for their parent");
}

TEST(process, host_reaps_first)
{
    int i, status;

    not_under_the_fork_server();
    for (i = 0; i < 20; i++) {
        mp_process *p = start(returns_5);

        CHECK_INT(waitpid(-1, &status, 0), child_pid(p));
        CHECK_OK(mp_process_join(p, MP_FOREVER));
        CHECK_INT(exitcode(p), 5);
        CHECK_OK(mp_process_free(p));
    }
}

TEST(process, host_reaps_a_killed_child_first)
{
    mp_process *p;
    int code, status;

    not_under_the_fork_server();
    p = start(sleeps);
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(waitpid(-1, &status, 0), child_pid(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_INT(code, MP_EXITCODE_UNKNOWN);
    CHECK_OK(mp_process_free(p));
}

TEST(process, host_ignores_sigchld)
{
    int i;

    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    for (i = 0; i < 20; i++)
        CHECK_INT(child_end(start(returns_5)), 5);
    CHECK(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

static void *reaper(void *stop)
{
    while (!*(volatile bool *)stop) {
        waitpid(-1, NULL, WNOHANG);
        sleep_ms(1);
    }
    return NULL;
}

TEST(process, host_thread_reaps_all_the_time)
{
    bool stop = false;
    pthread_t thread;
    int i;

    CHECK(pthread_create(&thread, NULL, reaper, &stop) == 0);
    for (i = 0; i < 50; i++)
        CHECK_INT(child_end(start(returns_5)), 5);
    *(volatile bool *)&stop = true;
    CHECK(pthread_join(thread, NULL) == 0);
}

static volatile sig_atomic_t sigchlds;

static void on_sigchld(int number)
{
    (void)number;
    sigchlds++;
}

/* The library brings no handler of its own, so the host's stays. */
TEST(process, sigchld_handler_stays)
{
    struct sigaction mine, now;

    not_under_the_fork_server();
    memset(&mine, 0, sizeof mine);
    mine.sa_handler = on_sigchld;
    CHECK(sigaction(SIGCHLD, &mine, NULL) == 0);
    CHECK_INT(child_end(start(returns_5)), 5);
    CHECK(sigaction(SIGCHLD, NULL, &now) == 0);
    CHECK(now.sa_handler == on_sigchld);
    CHECK(sigchlds > 0);
}

TEST_T(process, killed_before_it_runs, 60)
{
    int i;

    for (i = 0; i < 100; i++) {
        mp_process *p = start(sleeps);

        CHECK(kill(child_pid(p), SIGKILL) == 0);
        CHECK_INT(child_end(p), -SIGKILL);
    }
}

/* Strangers' children are not touched. */
TEST(process, other_children_stay_the_hosts)
{
    pid_t other = fork();
    int status;

    CHECK(other >= 0);
    if (other == 0)
        _exit(42);
    CHECK_INT(child_end(start(returns_5)), 5);
    CHECK_INT(child_end(start(returns_5)), 5);
    CHECK_INT(waitpid(other, &status, 0), other);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

/* ---- few descriptors, few processes ---- */

TEST(process, start_with_few_descriptors)
{
    int leave;

    for (leave = 0; leave < 12; leave++) {
        int before = open_descriptors(), status;
        mp_process *p;

        CHECK_OK(mp_process_new(&p, returns_5, NULL, NULL));
        fill_descriptors(leave);
        status = CHECK_CLEAN(mp_process_start(p));
        if (status == MP_OK)
            CHECK_OK(mp_process_join(p, MP_FOREVER));
        release_descriptors();
        if (status < 0) {
            /* Nothing was started, and it may be tried again. */
            CHECK_STATUS(status, MP_ERR_OS);
            CHECK_INT(mp_last_errno(), EMFILE);
            CHECK(waitpid(-1, NULL, WNOHANG) <= 0);
            CHECK_OK(mp_process_start(p));
            CHECK_OK(mp_process_join(p, MP_FOREVER));
        }
        CHECK_INT(exitcode(p), 5);
        CHECK_OK(mp_process_free(p));
        CHECK_INT(open_descriptors(), before);
        CHECK_INT(child_end(start(returns_5)), 5);
    }
}

static int starts_without_permission(void *unused)
{
    struct rlimit one = {1, 1};
    mp_process *p;
    int s;

    CHECK(unused == NULL);
    CHECK_OK(mp_process_new(&p, returns_5, NULL, NULL));
    CHECK(setrlimit(RLIMIT_NPROC, &one) == 0);
    if (geteuid() == 0)
        CHECK(setresuid(65534, 65534, 65534) == 0);
    /* Another uid makes /proc/self somebody else's. */
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
    s = CHECK_CLEAN(mp_process_start(p));
    if (s == MP_OK) {
        CHECK_OK(mp_process_join(p, MP_FOREVER));
        return EAGAIN + 1;
    }
    CHECK_STATUS(s, MP_ERR_OS);
    return mp_last_errno();
}

TEST(process, start_where_no_more_processes_are_allowed)
{
    int code = in_fork(starts_without_permission, NULL);

    if (code == EAGAIN + 1)
        SKIP("the limit on processes does not bind here");
    CHECK_INT(code, EAGAIN);
}

/* ---- what other threads print meanwhile ---- */

enum { STARTS = 150 };

static void *prints_numbers(void *arg)
{
    int i;

    for (i = 0; __atomic_load_n((int *)arg, __ATOMIC_RELAXED) == 0; i++)
        printf("%d\n", i);
    return NULL;
}

static int prints_and_starts(void *file)
{
    int stop = 0, i;
    pthread_t printer;

    CHECK(dup2(fileno(file), STDOUT_FILENO) == STDOUT_FILENO);
    CHECK(pthread_create(&printer, NULL, prints_numbers, &stop) == 0);
    for (i = 0; i < STARTS; i++) {
        mp_process *p;

        CHECK_OK(mp_process_new(&p, NULL, NULL, NULL));
        CHECK_OK(mp_process_start(p));
        CHECK_INT(child_end(p), 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    CHECK(pthread_join(printer, NULL) == 0);
    fflush(stdout);
    return 0;
}

/* A forked child does not write what a thread of its parent's has in stdout's buffer. */
TEST(process, no_line_is_written_twice)
{
    FILE *file = tmpfile();
    int i, line;

    CHECK(file != NULL);
    CHECK_INT(in_fork(prints_and_starts, file), 0);
    rewind(file);
    for (i = 0; fscanf(file, "%d", &line) == 1; i++)
        CHECK_INT(line, i);
    CHECK(i > 0 && feof(file));
    fclose(file);
}
