/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The fork server: what its children have of whom, and its own life and death. */
#include "test_util.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static mp_process *served(mp_process_fn fn, mp_value *v)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_process *p;

    o.start_method = MP_START_FORKSERVER;
    CHECK_OK(mp_process_new(&p, fn, NULL, &o));
    if (v != NULL)
        CHECK_OK(mp_process_add_handle(p, v));
    return p;
}

static mp_process *started(mp_process *p)
{
    CHECK_OK(mp_process_start(p));
    return p;
}

static int tells_its_server(mp_child *self, void *user)
{
    pid_t server = getppid();

    CHECK(user == NULL);
    CHECK_OK(mp_child_return(self, &server, sizeof server));
    return 0;
}

/* The server, which is run if there is none. */
static pid_t server_now(void)
{
    mp_process *p = started(served(tells_its_server, NULL));
    mp_buffer *result;
    proc_info server;
    pid_t pid;

    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_result(p, &result));
    memcpy(&pid, mp_buffer_data(result, NULL), sizeof pid);
    CHECK_OK(mp_buffer_free(result));
    CHECK_OK(mp_process_free(p));
    CHECK(proc_read(pid, &server) && strcmp(server.comm, "mp-forkserver") == 0);
    return pid;
}

static int tells_its_parents(mp_child *self, void *user)
{
    proc_info me;

    CHECK(user == NULL);
    CHECK_INT(child_pid(mp_parent_process()), flag_get(mp_child_value(self, 0)));
    CHECK(proc_read(getpid(), &me) && strcmp(me.comm, "mp-forkserver") != 0);
    flag_set(mp_child_value(self, 0), getppid());
    return 7;
}

TEST(forkserver, children_are_the_servers)
{
    mp_value *v = flag_new();
    pid_t server;

    CHECK_OK(mp_forkserver_start());
    server = server_now();
    CHECK_OK(mp_forkserver_start());
    flag_set(v, getpid());
    CHECK_INT(child_end(started(served(tells_its_parents, v))), 7);
    CHECK_INT(flag_get(v), server);
    if (strcmp(test_start_method(), "forkserver") != 0) {
        CHECK_OK(mp_forkserver_stop());
        CHECK(process_gone(server));
    }
    CHECK_OK(mp_value_free(v));
}

/* ---- the server is nobody's child ---- */

static volatile sig_atomic_t sigchlds;

static void on_sigchld(int number)
{
    (void)number;
    sigchlds++;
}

/* What every shell does, and many a program: it would never end if the server were a child. */
static int waits_for_all(void *unused)
{
    pid_t server, other;
    int status, code;

    CHECK(unused == NULL);
    CHECK(signal(SIGCHLD, on_sigchld) != SIG_ERR);
    server = server_now();
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_INT(waitpid(server, NULL, WNOHANG), -1);
    CHECK_INT(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    CHECK_INT(sigchlds, 0);
    other = fork();
    CHECK(other >= 0);
    if (other == 0)
        _exit(3);
    CHECK_INT(waitpid(-1, &status, 0), other);
    CHECK_INT(waitpid(-1, NULL, 0), -1);
    CHECK_INT(child_end(started(served(NULL, NULL))), 0);
    sigchlds = 0;
    /* With SIGCHLD ignored it begins and ends as well. */
    CHECK_OK(mp_forkserver_stop());
    CHECK(process_gone(server));
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    code = child_end(started(served(NULL, NULL)));
    CHECK_INT(code, 0);
    CHECK_INT(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    CHECK_INT(sigchlds, 0);
    CHECK_OK(mp_forkserver_stop());
    return 9;
}

TEST(forkserver, is_no_child_of_the_programs)
{
    CHECK_INT(in_fork(waits_for_all, NULL), 9);
}

/* ---- what is the caller's, though the server began earlier ---- */

static int has_the_callers(mp_child *self, void *user)
{
    struct rlimit limit;
    struct sigaction now;
    sigset_t mask;
    char here[100];

    CHECK(self != NULL && user == NULL);
    CHECK(getenv("MP_LATE") != NULL && strcmp(getenv("MP_LATE"), "yes") == 0);
    CHECK(getcwd(here, sizeof here) != NULL && strcmp(here, "/") == 0);
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 77);
    CHECK_INT(umask(0), 031);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR2));
    CHECK(!sigismember(&mask, SIGCHLD) && !sigismember(&mask, SIGTERM));
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
    CHECK(sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    printf("to the caller's stdout\n");
    return 3;
}

static int asks_late(void *unused)
{
    struct rlimit few = {77, 77}, none = {0, 0};
    mp_process *first = started(served(NULL, NULL)), *p;
    char got[100] = "";
    sigset_t mask;
    int ends[2];

    CHECK(unused == NULL);
    CHECK_INT(child_end(first), 0);
    CHECK(setenv("MP_LATE", "yes", 1) == 0 && chdir("/") == 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0 && setrlimit(RLIMIT_CORE, &none) == 0);
    umask(031);
    signal(SIGUSR1, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
    CHECK(pipe(ends) == 0 && dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
    p = started(served(has_the_callers, NULL));
    CHECK_INT(child_end(p), 3);
    CHECK(read(ends[0], got, sizeof got - 1) > 0);
    CHECK(strcmp(got, "to the caller's stdout\n") == 0);
    mp_exit(5);
    return 0;
}

TEST(forkserver, children_are_as_the_caller)
{
    CHECK_INT(in_fork(asks_late, NULL), 5);
}

/* ---- memory ---- */

static int counter;

static void counts(void)
{
    counter = 40;
}

static int gives_counter(mp_child *self, void *user)
{
    CHECK(self != NULL && user == NULL);
    return ++counter;
}

/* What it leaves in the server's buffer its children do not print. */
static void prints(void)
{
    printf("from the server");
}

static int prints_as_well(mp_child *self, void *user)
{
    CHECK(self != NULL && user == NULL);
    printf("from the child");
    return 2;
}

static int preloads(void *unused)
{
    char got[64] = "";
    int ends[2];

    CHECK(unused == NULL);
    CHECK_OK(mp_forkserver_preload((mp_function)prints));
    CHECK_STATUS(mp_forkserver_preload(NULL), MP_ERR_INVALID);
    CHECK_OK(mp_forkserver_preload((mp_function)counts));
    counter = 5;
    CHECK_INT(child_end(started(served(gives_counter, NULL))), 41);
    CHECK_INT(child_end(started(served(gives_counter, NULL))), 41);
    CHECK_STATUS(mp_forkserver_preload((mp_function)counts), MP_ERR_STATE);
    CHECK(pipe(ends) == 0 && dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
    CHECK_INT(child_end(started(served(prints_as_well, NULL))), 2);
    CHECK(read(ends[0], got, sizeof got - 1) > 0);
    CHECK(strcmp(got, "from the child") == 0);
    mp_exit(6);
    return 0;
}

TEST(forkserver, preload)
{
    CHECK_INT(in_fork(preloads, NULL), 6);
}

/* ---- deaths ---- */

static int waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 0), 1);
    CHECK_OK(mp_child_return(self, "late", 4));
    return 4;
}

static int deaths_heard;

static void hears_of_deaths(const mp_log_record *r, void *user)
{
    CHECK(user == NULL);
    deaths_heard += r->level == MP_LOG_WARNING && strstr(r->message, "the fork server has died") != NULL;
}

/* Its children run on, and tell how they ended if they end by themselves; the next has a new server. */
static int has_its_server_killed(void *flag)
{
    mp_process *one = started(served(waits, flag)), *two = started(served(waits, flag)), *three;
    pid_t server = server_now();
    mp_buffer *result;
    int code;

    CHECK_OK(mp_log_set_sink(hears_of_deaths, NULL));
    CHECK(!process_gone(child_pid(two)));
    CHECK(kill(server, SIGKILL) == 0);
    CHECK(wait_until(gone, &server));
    CHECK_STATUS(mp_process_join(one, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_INT(deaths_heard, 0);
    three = started(served(waits, flag));
    CHECK_INT(deaths_heard, 1);
    CHECK(server_now() != server);
    CHECK_OK(mp_process_kill(two));
    CHECK_OK(mp_process_join(two, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(two, &code));
    CHECK_INT(code, MP_EXITCODE_UNKNOWN);
    flag_set(flag, 1);
    CHECK_OK(mp_process_join(one, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(one, &code));
    CHECK_INT(code, 4);
    CHECK_OK(mp_process_result(one, &result));
    CHECK_OK(mp_buffer_free(result));
    CHECK_INT(child_end(three), 4);
    CHECK_OK(mp_process_free(one));
    CHECK_OK(mp_process_free(two));
    CHECK_OK(mp_forkserver_stop());
    return 8;
}

TEST(forkserver, killed)
{
    mp_value *flag = flag_new();

    CHECK_INT(in_fork(has_its_server_killed, flag), 8);
    CHECK_OK(mp_value_free(flag));
}

/* The server goes with the last who can reach it, also when all are killed. */
static int starts_and_is_killed(void *pids)
{
    mp_value *flag = pids;

    CHECK_INT(child_end(started(served(NULL, NULL))), 0);
    flag_set(flag, server_now());
    raise(SIGKILL);
    return 0;
}

TEST(forkserver, ends_with_its_last_client)
{
    mp_value *flag = flag_new();
    pid_t server;

    CHECK_INT(in_fork(starts_and_is_killed, flag), -SIGKILL);
    server = (pid_t)flag_get(flag);
    CHECK(server > 0 && wait_until(gone, &server));
    CHECK_OK(mp_value_free(flag));
}

/* Who gives it up waits for its end, and not where others still use it. */
static int stops(void *flag)
{
    mp_process *p = started(served(waits, flag));
    pid_t server = server_now();
    int i;

    CHECK_OK(mp_forkserver_stop());
    CHECK(!process_gone(server));
    CHECK_STATUS(mp_process_join(p, MP_NO_WAIT), MP_ERR_TIMEOUT);
    flag_set(flag, 1);
    CHECK_INT(child_end(p), 4);
    CHECK(wait_until(gone, &server));
    for (i = 0; i < 20; i++) {
        server = server_now();
        CHECK_OK(mp_forkserver_stop());
        CHECK(process_gone(server));
    }
    return 3;
}

TEST(forkserver, stop)
{
    mp_value *flag = flag_new();

    CHECK_INT(in_fork(stops, flag), 3);
    CHECK_OK(mp_value_free(flag));
}

/* Children of children come from the same server. */
static int goes_on(mp_child *self, void *user)
{
    mp_value *flag = mp_child_value(self, 0);

    CHECK(user == NULL);
    if (getppid() != flag_get(flag))
        return 100;
    if (strlen(mp_process_name(mp_current_process())) > strlen("Process-N:1:1"))
        return 1;
    return child_end(started(served(goes_on, flag))) + 1;
}

static int is_served_throughout(void *flag)
{
    CHECK_OK(mp_forkserver_start());
    flag_set(flag, server_now());
    return child_end(started(served(goes_on, flag)));
}

TEST(forkserver, generations)
{
    mp_value *flag = flag_new();

    CHECK_INT(in_fork(is_served_throughout, flag), 4);
    CHECK_OK(mp_value_free(flag));
}

static int lasts(void *unused)
{
    mp_stats before, after;
    int i, descriptors;

    CHECK(unused == NULL);
    for (i = 0; i < 5; i++)
        CHECK_INT(child_end(started(served(NULL, NULL))), 0);
    before = stats_now();
    descriptors = open_descriptors();
    for (i = 0; i < 500; i++)
        CHECK_INT(child_end(started(served(NULL, NULL))), 0);
    after = stats_now();
    CHECK_INT(open_descriptors(), descriptors);
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.processes, before.processes);
    return 9;
}

TEST_T(forkserver, rounds_leave_nothing, 60)
{
    CHECK_INT(in_fork(lasts, NULL), 9);
}
