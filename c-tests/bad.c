/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tests that misbehave, for selftest.sh: the runner must blame each of them. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void create(const char *folder, const char *name)
{
    char path[300];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    close(fd);
}

TEST(good, passes)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    CHECK_INT(waitpid(child, NULL, 0), child);
    create(getenv("TMPDIR"), "own");
    {
        char path[300];

        snprintf(path, sizeof path, "%s/own", getenv("TMPDIR"));
        CHECK(unlink(path) == 0);
    }
    CHECK_STATUS(mp_lock_free((mp_lock *)&child), MP_ERR_BAD_HANDLE);
    CHECK_SENTENCE(mp_lock_free((mp_lock *)&child), MP_ERR_BAD_HANDLE, "mp_lock_free");
    CHECK_FAILS(mp_lock_free((mp_lock *)&child));
    printf("the output of a good test\n");
}

TEST_COLD(good, cold)
{
    mp_lock *l;

    CHECK_OK(mp_lock_new(&l, NULL));
    CHECK_OK(mp_lock_free(l));
}

TEST_COLD(good, cold_without_use)
{
    CHECK(strcmp(test_start_method(), "fork") == 0);
}

/* It closes its output and goes on. */
TEST(good, closes_output)
{
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    sleep_ms(100);
    CHECK_INT(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    _exit(0);
}

/* A child whose parent dies may end a moment later. */
TEST(good, orphan_ends_soon)
{
    int ends[2];
    pid_t child;

    CHECK(pipe(ends) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char c;

        if (fork() == 0) {
            close(ends[1]);
            if (read(ends[0], &c, 1) == 0)
                sleep_ms(50);
            _exit(0);
        }
        _exit(0);
    }
    CHECK_INT(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
}

TEST(bad, fails_check)
{
    CHECK(1 + 1 == 3);
}

TEST(bad, fails_check_int)
{
    CHECK_INT(6 * 7, 41);
}

TEST(bad, wrong_status)
{
    CHECK_OK(mp_lock_free((mp_lock *)(void *)"text"));
}

TEST(bad, unexpected_success)
{
    mp_lock *l;

    CHECK_STATUS(mp_lock_new(&l, NULL), MP_ERR_TIMEOUT);
}

TEST(bad, wrong_sentence)
{
    CHECK_SENTENCE(mp_lock_free((mp_lock *)(void *)"text"), MP_ERR_BAD_HANDLE, "no such words");
}

/* The sentence is another call's. */
TEST(bad, stale_sentence)
{
    CHECK_FAILS(mp_lock_free((mp_lock *)(void *)"text"));
    check_fails(__FILE__, __LINE__, "mp_pool_free(pool)", MP_ERR_TIMEOUT);
}

static int fail_there(void *unused)
{
    CHECK(unused != NULL);
    return 0;
}

TEST(bad, fails_in_child)
{
    in_fork(fail_there, NULL);
}

static void *fail_in_thread(void *unused)
{
    CHECK(unused != NULL);
    return NULL;
}

TEST(bad, fails_in_thread)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, fail_in_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

TEST(bad, leaks_descriptor)
{
    CHECK(open("/dev/zero", O_RDONLY) >= 0);
}

TEST(bad, closes_descriptor)
{
    close(STDIN_FILENO);
}

TEST_COLD(bad, leaks_cold_descriptor)
{
    CHECK(open("/dev/zero", O_RDONLY) >= 0);
}

TEST(bad, leaves_child)
{
    if (fork() == 0) {
        sleep_ms(60000);
        _exit(0);
    }
}

/* It also leaves the session. */
TEST(bad, leaves_daemon)
{
    pid_t child = fork();

    if (child == 0) {
        if (fork() == 0) {
            setsid();
            sleep_ms(60000);
        }
        _exit(0);
    }
    CHECK_INT(waitpid(child, NULL, 0), child);
}

TEST(bad, leaves_zombie)
{
    pid_t child = fork();
    siginfo_t info;

    if (child == 0)
        _exit(0);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
}

TEST(bad, leaves_shm_name)
{
    create("/dev/shm", "selftest-left-behind");
}

TEST(bad, leaves_tmp_name)
{
    char name[64];

    snprintf(name, sizeof name, "mp-selftest-left-behind-%ld", (long)getpid());
    create("/tmp", name);
}

TEST(bad, leaves_temporary_file)
{
    create(getenv("TMPDIR"), "left-behind");
}

TEST(bad, leaves_file_where_it_runs)
{
    create(".", "left-behind");
}

TEST(bad, crashes)
{
    raise(SIGSEGV);
}

TEST_T(bad, hangs, 1)
{
    for (;;)
        pause();
}

/* Its child holds the output open and ignores what can be ignored. */
TEST_T(bad, hangs_with_child, 1)
{
    signal(SIGTERM, SIG_IGN);
    if (fork() >= 0)
        for (;;)
            pause();
}

TEST(bad, exits_early)
{
    exit(0);
}

TEST(bad, skips_without_reason)
{
    _exit(7);
}

TEST(bad, leaks_handle)
{
    mp_lock *l;

    CHECK_OK(mp_lock_new(&l, NULL));
}

TEST(odd, skips)
{
    SKIP("there is nothing to test");
}
