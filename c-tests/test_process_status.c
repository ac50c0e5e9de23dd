/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Statuses that only a strange program sees: another user, no memory, a server that cannot be run; and forks of
 * a program whose other threads are inside the library. */
#include "test_util.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- another user ---- */

static int becomes_somebody(void *unused)
{
    mp_value *flag = flag_new();
    mp_process *p = CHILD_START(child_waits, flag);

    CHECK(unused == NULL);
    if (setresuid(65534, 65534, 65534) != 0)
        return 3;
    CHECK_STATUS(mp_process_terminate(p), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EPERM);
    CHECK_STATUS(mp_process_kill(p), MP_ERR_OS);
    CHECK_STATUS(mp_process_interrupt(p), MP_ERR_OS);
    CHECK_STATUS(mp_process_signal(p, SIGUSR1), MP_ERR_OS);
    flag_set(flag, 1);
    CHECK_INT(child_end(p), 4);
    return 5;
}

TEST(process, signals_of_another_user)
{
    int code = in_fork(becomes_somebody, NULL);

    if (code == 3)
        SKIP("only root can become another user");
    CHECK_INT(code, 5);
}

/* ---- no memory ---- */

enum { MUCH = 96 << 20 };

static char *much;

static int gives_much_back(mp_child *self, void *user)
{
    size_t len;
    const void *bytes = mp_child_bytes(self, 0, &len);

    CHECK(user == NULL && bytes != NULL);
    CHECK_OK(mp_child_return(self, bytes, len));
    return 6;
}

static int has_little_memory(void *unused)
{
    struct rlimit limit = {0, RLIM_INFINITY};
    mp_process *p, *other;
    mp_buffer *result;

    CHECK(unused == NULL);
    p = child_new(gives_much_back, NULL);
    CHECK_OK(mp_process_add_bytes(p, much, MUCH));
    CHECK_OK(mp_process_again(p, &other));
    CHECK_OK(mp_process_start(other));
    CHECK_OK(mp_process_join(other, MP_FOREVER));
    limit.rlim_cur = address_space() + MUCH / 2;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK_STATUS(mp_process_result(other, &result), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_process_again(p, &other), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_process_run(p, NULL), MP_ERR_NO_MEMORY);
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK_OK(mp_process_run(p, NULL));
    CHECK_OK(mp_process_free(p));
    return 6;
}

TEST(process, copies_without_memory)
{
    much = mmap(NULL, MUCH, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(much != MAP_FAILED);
    CHECK_INT(in_fork(has_little_memory, NULL), 6);
    CHECK(munmap(much, MUCH) == 0);
}

/* ---- a fork server that cannot be run ---- */

TEST_COLD(forkserver, start_needs_mp_bootstrap)
{
    CHECK_SENTENCE(mp_forkserver_start(), MP_ERR_NOT_INITIALIZED, "mp_bootstrap");
    CHECK_OK(mp_forkserver_stop());
}

static int runs_no_server(void *unused)
{
    struct rlimit space = {(rlim_t)1 << 30, RLIM_INFINITY};

    CHECK(unused == NULL);
    CHECK_OK(mp_set_executable("/bin/true", NULL));
    CHECK_SENTENCE(mp_forkserver_start(), MP_ERR_NOT_INITIALIZED, "mp_bootstrap");
    CHECK_OK(mp_set_executable("/no such file", NULL));
    CHECK_STATUS(mp_forkserver_start(), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), ENOENT);
    CHECK_OK(mp_set_executable(NULL, NULL));
    fill_descriptors(2);
    CHECK_STATUS(mp_forkserver_start(), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EMFILE);
    release_descriptors();
    /* It binds the server, which maps the segment anew. */
    CHECK(setrlimit(RLIMIT_AS, &space) == 0);
    CHECK_SENTENCE(mp_forkserver_start(), MP_ERR_NO_MEMORY, "cannot map the shared segment");
    space.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_AS, &space) == 0);
    CHECK_OK(mp_forkserver_start());
    CHECK_OK(mp_forkserver_stop());
    return 7;
}

TEST(forkserver, start_that_fails)
{
    CHECK_INT(in_fork(runs_no_server, NULL), 7);
}

/* ---- what is run ---- */

TEST(process, executable)
{
    char path[64] = "";
    size_t needed = 0;

    CHECK_OK(mp_get_executable(path, sizeof path, &needed));
    check_same_text(path, "/proc/self/exe");
    CHECK_INT(needed, strlen(path) + 1);
    CHECK_OK(mp_set_executable("/bin/true", NULL));
    CHECK_OK(mp_get_executable(path, sizeof path, NULL));
    check_same_text(path, "/bin/true");
    CHECK_STATUS(mp_get_executable(path, 9, &needed), MP_ERR_TOO_SMALL);
    CHECK_INT(needed, 10);
    CHECK_OK(mp_get_executable(path, 10, NULL));
    CHECK_STATUS(mp_get_executable(NULL, 10, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_get_executable(NULL, 0, NULL), MP_ERR_TOO_SMALL);
    CHECK_OK(mp_set_executable(NULL, NULL));
    CHECK_OK(mp_get_executable(path, sizeof path, NULL));
    check_same_text(path, "/proc/self/exe");
}

/* ---- forks of the program's own, beside threads that are inside ---- */

static void nothing_to_call(void)
{
}

static char names[64][8];

static void *registers(void *stop)
{
    int i;

    for (i = 0; __atomic_load_n((int *)stop, __ATOMIC_RELAXED) == 0; i++) {
        CHECK_OK(mp_register_target(names[i % 64], (mp_function)nothing_to_call));
        CHECK_OK(mp_set_executable(i % 2 == 0 ? "/bin/true" : "/bin/false", NULL));
    }
    return NULL;
}

static int registers_as_well(void *unused)
{
    CHECK(unused == NULL);
    CHECK_OK(mp_register_target("f1", (mp_function)nothing_to_call));
    CHECK_STATUS(mp_register_target("f1", (mp_function)registers_as_well), MP_ERR_STATE);
    CHECK_OK(mp_set_executable(NULL, NULL));
    return 8;
}

TEST(process, forks_while_names_are_registered)
{
    pthread_t threads[2];
    int stop = 0, i;

    for (i = 0; i < 64; i++)
        snprintf(names[i], sizeof names[i], "f%d", i);
    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, registers, &stop) == 0);
    for (i = 0; i < 300; i++)
        CHECK_INT(in_fork(registers_as_well, NULL), 8);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(mp_set_executable(NULL, NULL));
}
