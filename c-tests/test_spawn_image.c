/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Spawn: what a fresh image has of its parent's, and what it has not. */
#include "test_spawn.h"
#include "test_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- descriptors ---- */

/* stdin, stdout, stderr and the segment's: exits with how many others there are. */
static int counts_descriptors(mp_child *self, void *user)
{
    int fd, others = 0, segments = 0;

    CHECK(user == NULL && mp_child_count(self) == 0);
    for (fd = 0; fd < 1024; fd++) {
        char path[64], link[100];
        ssize_t n;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        n = readlink(path, link, sizeof link - 1);
        if (n < 0) {
            CHECK(fd > STDERR_FILENO);
            continue;
        }
        link[n] = '\0';
        if (strncmp(link, "/memfd:libmp", 12) == 0) {
            CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
            segments++;
        } else if (fd > STDERR_FILENO) {
            fprintf(stderr, "inherited: %d -> %s\n", fd, link);
            others++;
        }
    }
    CHECK_INT(segments, 1);
    return others;
}

TEST(spawn, inherits_no_descriptors)
{
    int hosts[60], i;
    mp_pool *pool = spawn_pool(2);

    for (i = 0; i < (int)COUNT(hosts); i++)
        hosts[i] = open("/dev/zero", O_RDONLY | (i % 2 == 0 ? O_CLOEXEC : 0));
    /* Far away, too. */
    CHECK(dup2(hosts[0], 1000) == 1000);
    CHECK_INT(spawn_run(counts_descriptors), 0);
    close(1000);
    for (i = 0; i < (int)COUNT(hosts); i++)
        close(hosts[i]);
    CHECK_OK(mp_pool_free(pool));
}

TEST_T(spawn, rounds_leak_no_descriptor, 60)
{
    int before = open_descriptors(), i;
    char in[4] = "abc", out[4] = "";

    for (i = 0; i < 100; i++) {
        CHECK_INT(spawn_run(spawn_returns_5), 5);
        if (i % 10 == 0) {
            mp_pool *pool = spawn_pool(2);

            CHECK_OK(mp_pool_map_array(pool, echo, NULL, in, 1, 3, out, 1, NULL));
            CHECK(memcmp(in, out, 3) == 0);
            CHECK_OK(mp_pool_free(pool));
        }
        CHECK_INT(open_descriptors(), before);
    }
}

static int closes_all(void *pool)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_pool_options po = MP_POOL_OPTIONS;
    mp_process *p = spawn_new(spawn_returns_5);

    CHECK(pool == NULL);
    CHECK(syscall(SYS_close_range, 3U, ~0U, 0U) == 0);
    CHECK_SENTENCE(mp_process_start(p), MP_ERR_STATE, "has closed the segment's descriptor");
    CHECK_OK(mp_process_free(p));
    po.start_method = MP_START_SPAWN;
    CHECK_SENTENCE(mp_pool_new((mp_pool **)&pool, &po), MP_ERR_STATE,
                   "has closed the segment's descriptor");
    o.start_method = MP_START_FORK;
    CHECK_OK(mp_process_new(&p, spawn_returns_5, NULL, &o));
    CHECK_OK(mp_process_start(p));
    return child_end(p);
}

TEST(spawn, host_closed_all_descriptors)
{
    CHECK_INT(in_fork(closes_all, NULL), 5);
}

/* ---- standard streams: whichever of the three are closed in the parent ---- */

static int has_null_as_stdin(mp_child *self, void *user)
{
    struct stat in, null;

    CHECK(user == NULL && mp_child_count(self) == 0);
    CHECK(fstat(STDIN_FILENO, &in) == 0 && stat("/dev/null", &null) == 0);
    CHECK(S_ISCHR(in.st_mode) && in.st_rdev == null.st_rdev);
    return 9;
}

static int has_no_stdin(mp_child *self, void *user)
{
    CHECK(user == NULL && mp_child_count(self) == 0);
    CHECK(fcntl(STDIN_FILENO, F_GETFD) == -1 && errno == EBADF);
    return 9;
}

static int without_streams(void *closed)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    unsigned which = *(unsigned *)closed;
    mp_process *p;
    int fd;

    for (fd = 0; fd < 3; fd++)
        if (which & 1U << fd)
            close(fd);
    if (spawn_run(has_null_as_stdin) != 9)
        return 1;
    o.stdin_fd = MP_STREAM_SAME;
    o.start_method = MP_START_SPAWN;
    if (mp_process_new(&p, which & 1U ? has_no_stdin : spawn_returns_5, NULL, &o) < 0 ||
        mp_process_start(p) < 0)
        return 2;
    return child_end(p) != (which & 1U ? 9 : 5);
}

TEST(spawn, closed_standard_streams)
{
    unsigned which;

    for (which = 0; which < 8; which++)
        CHECK_INT(in_fork(without_streams, &which), 0);
}

/* ---- environment, directory, signals ---- */

static void on_signal(int number)
{
    (void)number;
}

static int checks_surroundings(mp_child *self, void *user)
{
    const char *directory = mp_child_bytes(self, 0, NULL);
    struct sigaction action;
    char here[4096];
    sigset_t mask;

    CHECK(user == NULL && directory != NULL);
    CHECK(getcwd(here, sizeof here) != NULL && strcmp(here, directory) == 0);
    CHECK(getenv("MP_TEST_NEW") != NULL && strcmp(getenv("MP_TEST_NEW"), "a = b") == 0);
    CHECK(getenv("TMPDIR") != NULL);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGUSR2) && sigismember(&mask, SIGRTMIN + 1));
    CHECK(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGTERM));
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
    return 0;
}

TEST(spawn, environment_directory_and_signals)
{
    char directory[400], here[4096];
    sigset_t mask, before, after;
    mp_process *p = spawn_new(checks_surroundings);

    CHECK(setenv("MP_TEST_NEW", "a = b", 1) == 0);
    snprintf(directory, sizeof directory, "%s/below", getenv("TMPDIR"));
    CHECK(getcwd(here, sizeof here) != NULL && mkdir(directory, 0700) == 0 && chdir(directory) == 0);
    CHECK(signal(SIGUSR1, on_signal) == SIG_DFL && signal(SIGHUP, SIG_IGN) == SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigaddset(&mask, SIGRTMIN + 1);
    CHECK(sigprocmask(SIG_BLOCK, &mask, &before) == 0);
    CHECK_OK(mp_process_add_bytes(p, directory, strlen(directory) + 1));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    CHECK(sigprocmask(SIG_SETMASK, &before, &after) == 0);
    CHECK(sigismember(&after, SIGUSR2) && !sigismember(&after, SIGUSR1));
    CHECK(chdir(here) == 0 && rmdir(directory) == 0);
}

static int ignores_sigpipe(mp_child *self, void *user)
{
    struct sigaction action;

    CHECK(user == NULL && mp_child_count(self) == 0);
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0);
    return action.sa_handler == SIG_IGN;
}

TEST(spawn, sigpipe_is_as_it_was)
{
    CHECK_INT(spawn_run(ignores_sigpipe), 0);
    CHECK(signal(SIGPIPE, SIG_IGN) == SIG_DFL);
    CHECK_INT(spawn_run(ignores_sigpipe), 1);
}

/* ---- arguments ---- */

static int checks_bytes(mp_child *self, void *user)
{
    size_t len, i;
    const unsigned char *bytes = mp_child_bytes(self, 0, &len);

    CHECK(user == NULL && bytes != NULL);
    CHECK_INT(len, child_number(self, 1));
    for (i = 0; i < len; i += i < 100000 ? 1 : 997)
        CHECK(bytes[i] == (unsigned char)(i * 131));
    CHECK(len == 0 || bytes[len - 1] == (unsigned char)((len - 1) * 131));
    return 3;
}

TEST_T(spawn, bytes_of_all_sizes, 60)
{
    static const size_t sizes[] = {0, 1, 250, 251, 65535, 65536, 1 << 20, (64 << 20) - 1, 64 << 20};
    unsigned char *bytes = malloc(64 << 20);
    size_t i;

    CHECK(bytes != NULL);
    for (i = 0; i < 64 << 20; i++)
        bytes[i] = (unsigned char)(i * 131);
    for (i = 0; i < COUNT(sizes); i++) {
        mp_process *p = spawn_new(checks_bytes);

        CHECK_OK(mp_process_add_bytes(p, bytes, sizes[i]));
        child_add_number(p, (int)sizes[i]);
        CHECK_OK(mp_process_start(p));
        CHECK_INT(child_end(p), 3);
    }
    free(bytes);
}

/* Pages that are never touched: nothing is copied before the sum is found too large. */
TEST(spawn, too_many_bytes)
{
    size_t much = ((size_t)1 << 30) + 1;
    void *bytes = mmap(NULL, much, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mp_process *p = spawn_new(spawn_returns_5);
    struct rusage used;

    CHECK(bytes != MAP_FAILED);
    CHECK_SENTENCE(mp_process_add_bytes(p, bytes, much), MP_ERR_INVALID, "1073741824");
    CHECK_OK(mp_process_add_bytes(p, "abc", 3));
    CHECK_STATUS(mp_process_add_bytes(p, bytes, much - 3), MP_ERR_INVALID);
    CHECK(getrusage(RUSAGE_SELF, &used) == 0 && used.ru_maxrss < 512 << 10);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 6);
    CHECK(munmap(bytes, much) == 0);
}

static int starts_in_little_space(void *unused)
{
    struct rlimit space = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    mp_process *p = spawn_new(spawn_returns_5);
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;

    CHECK(unused == NULL && setrlimit(RLIMIT_AS, &space) == 0);
    CHECK_SENTENCE(mp_process_start(p), MP_ERR_NO_MEMORY, "cannot map the shared segment");
    CHECK_OK(mp_process_free(p));
    o.start_method = MP_START_SPAWN;
    CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_NO_MEMORY);
    return 0;
}

/* The limit binds the child, which maps the segment anew; the parent has it already. */
TEST(spawn, child_without_address_space)
{
    CHECK_INT(in_fork(starts_in_little_space, NULL), 0);
}
