/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Hosts that mind their signals, limits and descriptors: the library takes nothing from them, and their children
 * have it all. */
#include "test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_method(const char *name)
{
    return strcmp(test_start_method(), name) == 0;
}

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

static int exitcode(const mp_process *p)
{
    int code;

    CHECK_OK(mp_process_exitcode(p, &code));
    return code;
}

/* ---- SIGCHLD ---- */

static volatile sig_atomic_t reaped;

static void reaps_everything(int number)
{
    int error = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        reaped++;
    errno = error;
}

static int has_a_handler_that_reaps(void *unused)
{
    enum { CHILDREN = 40 };
    struct sigaction mine, now;
    int i, code;

    CHECK(unused == NULL);
    memset(&mine, 0, sizeof mine);
    mine.sa_handler = reaps_everything;
    CHECK(sigaction(SIGCHLD, &mine, NULL) == 0);
    for (i = 0; i < CHILDREN; i++)
        CHECK_INT(child_end(start(returns_5)), 5);
    for (i = 0; i < CHILDREN; i++) {
        mp_process *p = start(sleeps);

        CHECK_OK(mp_process_kill(p));
        CHECK_OK(mp_process_join(p, MP_FOREVER));
        code = exitcode(p);
        CHECK(code == -SIGKILL || code == MP_EXITCODE_UNKNOWN);
        CHECK_OK(mp_process_free(p));
    }
    CHECK(sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == reaps_everything);
    /* The server's children are nobody's here. */
    CHECK(is_method("forkserver") == (reaped == 0));
    return 6;
}

TEST(process, sigchld_handler_that_reaps_everything)
{
    CHECK_INT(in_fork(has_a_handler_that_reaps, NULL), 6);
}

static int ignores_children(void *flags)
{
    struct sigaction mine, now;
    int i;

    memset(&mine, 0, sizeof mine);
    mine.sa_flags = *(int *)flags;
    mine.sa_handler = mine.sa_flags == 0 ? SIG_IGN : SIG_DFL;
    CHECK(sigaction(SIGCHLD, &mine, NULL) == 0);
    for (i = 0; i < 10; i++) {
        mp_process *p;

        CHECK_INT(child_end(start(returns_5)), 5);
        p = start(sleeps);
        CHECK_OK(mp_process_kill(p));
        CHECK_OK(mp_process_join(p, MP_FOREVER));
        /* The kernel forgets at once, and the killed cannot leave a code; the server's tells. */
        CHECK_INT(exitcode(p), is_method("forkserver") ? -SIGKILL : MP_EXITCODE_UNKNOWN);
        CHECK_OK(mp_process_free(p));
    }
    CHECK(sigaction(SIGCHLD, NULL, &now) == 0);
    CHECK(now.sa_handler == mine.sa_handler && (now.sa_flags & SA_NOCLDWAIT) == mine.sa_flags);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    return 7;
}

TEST(process, children_that_leave_no_zombies)
{
    int flags[2] = {0, SA_NOCLDWAIT}, i;

    for (i = 0; i < 2; i++)
        CHECK_INT(in_fork(ignores_children, &flags[i]), 7);
}

/* A parent that waits for everything it has ends its wait: the library has no child of its own. */
static int waits_for_all(void *unused)
{
    mp_process *p = start(returns_5);
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;
    pid_t own;

    CHECK(unused == NULL);
    own = fork();
    CHECK(own >= 0);
    if (own == 0)
        _exit(0);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    CHECK_INT(errno, ECHILD);
    CHECK_INT(child_end(p), 5);
    o.workers = 1;
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_OK(mp_pool_free(pool));
    CHECK_INT(waitpid(-1, NULL, 0), -1);
    return 8;
}

TEST(process, host_waits_for_all_its_children)
{
    CHECK_INT(in_fork(waits_for_all, NULL), 8);
}

/* ---- other signals ---- */

static void on_signal(int number)
{
    (void)number;
}

static void (*disposition(int number))(int)
{
    struct sigaction now;

    CHECK(sigaction(number, NULL, &now) == 0);
    return now.sa_handler;
}

static int tells_sigpipe(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    return disposition(SIGPIPE) == SIG_IGN ? 1 : disposition(SIGPIPE) == SIG_DFL ? 2 : 3;
}

/* A handler goes with the image that has it. */
TEST(process, sigpipe_stays)
{
    void (*const before)(int) = disposition(SIGPIPE);

    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    CHECK_INT(child_end(start(tells_sigpipe)), 2);
    CHECK(disposition(SIGPIPE) == SIG_DFL);
    CHECK(signal(SIGPIPE, SIG_IGN) == SIG_DFL);
    CHECK_INT(child_end(start(tells_sigpipe)), 1);
    CHECK(disposition(SIGPIPE) == SIG_IGN);
    CHECK(signal(SIGPIPE, on_signal) == SIG_IGN);
    CHECK_INT(child_end(start(tells_sigpipe)), is_method("fork") ? 3 : 2);
    CHECK(signal(SIGPIPE, before) == on_signal);
}

static int tells_its_mask(mp_child *self, void *user)
{
    sigset_t mask;
    char blocked[65] = "";
    int i;

    CHECK(user == NULL && sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
    for (i = 1; i < (int)sizeof blocked; i++)
        blocked[i] = sigismember(&mask, i) == 1;
    CHECK_OK(mp_child_return(self, blocked, sizeof blocked));
    return 0;
}

TEST(process, signal_masks)
{
    sigset_t wanted, before, after;
    mp_buffer *result;
    mp_process *p;
    const char *blocked;
    int i;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGRTMIN + 3);
    CHECK(sigprocmask(SIG_SETMASK, &wanted, &before) == 0);
    p = start(tells_its_mask);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK(sigprocmask(SIG_SETMASK, &before, &after) == 0);
    CHECK_OK(mp_process_result(p, &result));
    blocked = mp_buffer_data(result, NULL);
    for (i = 1; i <= 64; i++) {
        CHECK_INT(blocked[i], sigismember(&wanted, i) == 1);
        CHECK_INT(sigismember(&after, i), sigismember(&wanted, i));
    }
    CHECK_OK(mp_buffer_free(result));
    CHECK_OK(mp_process_free(p));
}

/* ---- limits ---- */

static const struct kept_limit {
    int resource;
    rlim_t soft, hard;
} limits[] = {
    {RLIMIT_CORE, 0, 0},
    {RLIMIT_NOFILE, 200, 300},
    {RLIMIT_NPROC, 2000, 2100},
    {RLIMIT_AS, (rlim_t)8 << 40, (rlim_t)9 << 40},
    {RLIMIT_FSIZE, (rlim_t)2 << 40, (rlim_t)3 << 40},
    {RLIMIT_CPU, 600, 700},
    {RLIMIT_STACK, (rlim_t)6 << 20, (rlim_t)7 << 20},
};

static void check_limits(void)
{
    struct rlimit now;
    size_t i;

    for (i = 0; i < COUNT(limits); i++) {
        CHECK(getrlimit(limits[i].resource, &now) == 0);
        CHECK_INT(now.rlim_cur, limits[i].soft);
        CHECK_INT(now.rlim_max, limits[i].hard);
    }
}

static int has_the_limits(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    check_limits();
    return 4;
}

static int limits_itself(void *unused)
{
    size_t i;

    CHECK(unused == NULL);
    /* A fork server has begun without them. */
    CHECK_INT(child_end(start(returns_5)), 5);
    for (i = 0; i < COUNT(limits); i++) {
        struct rlimit limit = {limits[i].soft, limits[i].hard};

        if (setrlimit(limits[i].resource, &limit) != 0)
            return 3;
    }
    CHECK_INT(child_end(start(has_the_limits)), 4);
    check_limits();
    return 4;
}

TEST(process, limits_stay)
{
    int code = in_fork(limits_itself, NULL);

    if (code == 3)
        SKIP("a limit here is lower already");
    CHECK_INT(code, 4);
}

/* ---- streams ---- */

/* What lies in the buffer of a file of the host's own is written once. */
TEST(process, buffers_of_other_files)
{
    FILE *file = tmpfile();
    char got[32];
    size_t len;

    CHECK(file != NULL && fputs("once\n", file) >= 0);
    CHECK_INT(child_end(start(returns_5)), 5);
    CHECK(fputs("more\n", file) >= 0);
    CHECK_INT(child_end(start(returns_5)), 5);
    rewind(file);
    len = fread(got, 1, sizeof got, file);
    CHECK(len == 10 && memcmp(got, "once\nmore\n", len) == 0);
    fclose(file);
}

static int looks_at_its_streams(mp_child *self, void *user)
{
    unsigned closed = (unsigned)child_number(self, 0);
    struct stat in, null;
    int fd;

    CHECK(user == NULL);
    if (fstat(0, &in) != 0 || stat("/dev/null", &null) != 0 || in.st_rdev != null.st_rdev)
        return 1;
    for (fd = 1; fd < 3; fd++)
        if ((fcntl(fd, F_GETFD) == -1) != ((closed & 1U << fd) != 0))
            return 2;
    flag_set(mp_child_value(self, 1), 1);
    return mp_child_return(self, "result", 6) == MP_OK ? 9 : 3;
}

static int without_streams(void *closed)
{
    unsigned which = *(unsigned *)closed;
    mp_buffer *result;
    mp_process *p;
    mp_value *flag;
    int fd;

    for (fd = 0; fd < 3; fd++)
        if (which & 1U << fd)
            close(fd);
    flag = flag_new();
    CHECK_OK(mp_process_new(&p, looks_at_its_streams, NULL, NULL));
    child_add_number(p, (int)which);
    CHECK_OK(mp_process_add_handle(p, flag));
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_INT(flag_get(flag), 1);
    CHECK_OK(mp_process_result(p, &result));
    CHECK_OK(mp_buffer_free(result));
    /* None of the library's has come to lie there. */
    for (fd = 0; fd < 3; fd++)
        CHECK((fcntl(fd, F_GETFD) == -1) == ((which & 1U << fd) != 0));
    return child_end(p);
}

TEST(process, closed_standard_streams)
{
    unsigned which;

    for (which = 0; which < 8; which++)
        CHECK_INT(in_fork(without_streams, &which), 9);
}

/* ---- a host that closes all descriptors that it does not know ---- */

static int closes_all(void *unused)
{
    mp_value *flag = flag_new();
    mp_process *before = CHILD_START(child_waits, flag), *after;
    int own[40], i, s;

    CHECK(unused == NULL);
    CHECK(syscall(SYS_close_range, 3U, ~0U, 0U) == 0);
    /* Its own take the numbers. */
    for (i = 0; i < (int)COUNT(own); i++)
        CHECK((own[i] = open("/dev/zero", O_RDONLY)) > 2);
    CHECK_STATUS(mp_process_join(before, MP_MS(10)), MP_ERR_TIMEOUT);
    flag_set(flag, 1);
    CHECK_INT(child_end(before), 4);
    CHECK_OK(mp_process_new(&after, returns_5, NULL, NULL));
    s = CHECK_CLEAN(mp_process_start(after));
    if (is_method("fork"))
        CHECK_INT(s, MP_OK);
    else
        CHECK_STATUS(s, MP_ERR_STATE);
    if (s == MP_OK)
        CHECK_INT(child_end(after), 5);
    else
        CHECK_OK(mp_process_free(after));
    CHECK_OK(mp_forkserver_stop());
    CHECK_OK(mp_value_free(flag));
    for (i = 0; i < (int)COUNT(own); i++)
        CHECK(fcntl(own[i], F_GETFD) == 0);
    return 8;
}

TEST(process, host_closes_all_descriptors)
{
    CHECK_INT(in_fork(closes_all, NULL), 8);
}
