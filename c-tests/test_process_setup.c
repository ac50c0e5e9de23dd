/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a child is given apart from its program: streams, environment, directory, CPUs, group. */
#include "test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void runs(mp_process_fn fn, const mp_process_options *o)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, o));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
}

static int nothing(mp_child *self, void *user)
{
    return self == NULL || user != NULL;
}

/* The start says why, nothing is left over, and the object can be freed. */
static void refused(const mp_process_options *o, int number, const char *text)
{
    int before = open_descriptors();
    mp_process *p;

    CHECK_OK(mp_process_new(&p, nothing, NULL, o));
    CHECK_SENTENCE(mp_process_start(p), MP_ERR_OS, text);
    CHECK_INT(mp_last_errno(), number);
    CHECK_OK(mp_process_free(p));
    CHECK_INT(open_descriptors(), before);
    CHECK_INT(children_of(getpid(), &(pid_t){0}, 1), 0);
}

static void never(const mp_process_options *o)
{
    mp_process *p;

    CHECK_STATUS(mp_process_new(&p, nothing, NULL, o), MP_ERR_INVALID);
}

/* ---- streams ---- */

static int talks(mp_child *self, void *user)
{
    char line[20] = "";

    CHECK(self != NULL && user == NULL);
    CHECK(fgets(line, sizeof line, stdin) != NULL && strcmp(line, "in\n") == 0);
    printf("out\n");
    fprintf(stderr, "err\n");
    return 0;
}

static void holds(int fd, const char *want)
{
    char got[50] = "";

    CHECK(read(fd, got, sizeof got - 1) >= 0);
    if (strcmp(got, want) != 0)
        check_failed(__FILE__, __LINE__, want, got);
    CHECK(close(fd) == 0);
}

TEST(process, streams)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    int in[2], out[2], err[2];

    CHECK(pipe(in) == 0 && pipe(out) == 0 && pipe(err) == 0);
    CHECK(write(in[1], "in\n", 3) == 3);
    o.stdin_fd = in[0];
    o.stdout_fd = out[1];
    o.stderr_fd = err[1];
    runs(talks, &o);
    CHECK(close(in[0]) == 0 && close(in[1]) == 0 && close(out[1]) == 0 && close(err[1]) == 0);
    holds(out[0], "out\n");
    holds(err[0], "err\n");
}

/* stdout where the parent's stderr leads, and the other way round. */
TEST(process, streams_exchanged)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    int in[2], out[2], err[2], saved_out = dup(1), saved_err = dup(2);

    CHECK(pipe(in) == 0 && pipe(out) == 0 && pipe(err) == 0 && saved_out > 2 && saved_err > 2);
    CHECK(write(in[1], "in\n", 3) == 3);
    fflush(stdout);
    CHECK(dup2(out[1], 1) == 1 && dup2(err[1], 2) == 2);
    o.stdin_fd = in[0];
    o.stdout_fd = 2;
    o.stderr_fd = 1;
    runs(talks, &o);
    CHECK(dup2(saved_out, 1) == 1 && dup2(saved_err, 2) == 2);
    close(saved_out);
    close(saved_err);
    CHECK(close(in[0]) == 0 && close(in[1]) == 0 && close(out[1]) == 0 && close(err[1]) == 0);
    holds(out[0], "err\n");
    holds(err[0], "out\n");
}

static int has_nulls(mp_child *self, void *user)
{
    struct stat null, s;
    int i;

    CHECK(self != NULL && user == NULL && stat("/dev/null", &null) == 0);
    for (i = 0; i < 3; i++)
        if (fstat(i, &s) != 0 || s.st_rdev != null.st_rdev)
            return 10 + i;
    return 0;
}

TEST(process, streams_to_nowhere)
{
    mp_process_options o = MP_PROCESS_OPTIONS;

    o.stdout_fd = o.stderr_fd = MP_STREAM_NULL;
    runs(has_nulls, &o);
    o.stdin_fd = 999;
    refused(&o, EBADF, "standard streams");
    o.stdin_fd = -4;
    never(&o);
}

/* ---- environment and directory ---- */

extern char **environ;

static int has_environment(mp_child *self, void *user)
{
    const char *a = getenv("MP_A"), *b = getenv("MP_B");

    CHECK(self != NULL && user == NULL);
    CHECK(a != NULL && strcmp(a, "1") == 0 && b != NULL && *b == '\0');
    CHECK(environ[0] != NULL && environ[1] != NULL && environ[2] == NULL);
    CHECK(setenv("MP_C", "3", 1) == 0 && strcmp(getenv("MP_C"), "3") == 0);
    return 0;
}

static int has_parents_environment(mp_child *self, void *user)
{
    const char *a = getenv("MP_A");

    CHECK(self != NULL && user == NULL);
    return !(a != NULL && strcmp(a, "changed") == 0);
}

TEST(process, environment)
{
    static const char *const own[] = {"MP_A=1", "MP_B=", NULL}, *const bad[] = {"MP_A", NULL},
                            *const worse[] = {"", NULL};
    mp_process_options o = MP_PROCESS_OPTIONS;

    CHECK(setenv("MP_A", "changed", 1) == 0);
    runs(has_parents_environment, &o);
    o.environment = own;
    runs(has_environment, &o);
    o.environment = bad;
    never(&o);
    o.environment = worse;
    never(&o);
}

static int is_in_root(mp_child *self, void *user)
{
    char here[100];

    CHECK(self != NULL && user == NULL);
    return !(getcwd(here, sizeof here) != NULL && strcmp(here, "/") == 0);
}

TEST(process, directory)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    char before[4000], after[4000];

    CHECK(getcwd(before, sizeof before) != NULL);
    o.directory = "/";
    runs(is_in_root, &o);
    CHECK(getcwd(after, sizeof after) != NULL && strcmp(before, after) == 0);
    o.directory = "/nowhere/at/all";
    refused(&o, ENOENT, "working directory");
}

/* ---- CPUs and group ---- */

static int has_one_cpu(mp_child *self, void *user)
{
    cpu_set_t set;

    CHECK(user == NULL && sched_getaffinity(0, sizeof set, &set) == 0);
    return !(CPU_COUNT(&set) == 1 && CPU_ISSET(child_number(self, 0), &set));
}

TEST(process, cpus)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    size_t cpu = 0, none = 60000, wrong = 65536;
    mp_process *p;
    cpu_set_t set;

    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    while (!CPU_ISSET(cpu, &set))
        cpu++;
    o.cpus = &cpu;
    o.cpu_count = 1;
    CHECK_OK(mp_process_new(&p, has_one_cpu, NULL, &o));
    child_add_number(p, (int)cpu);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    o.cpus = &none;
    refused(&o, EINVAL, "its CPUs");
    o.cpus = &wrong;
    never(&o);
    o.cpus = NULL;
    never(&o);
}

static int leads_a_group(mp_child *self, void *user)
{
    CHECK(self != NULL && user == NULL);
    return getpgrp() != getpid();
}

static int has_parents_group(mp_child *self, void *user)
{
    CHECK(self != NULL && user == NULL);
    return getpgrp() != getpgid(getppid());
}

TEST(process, groups)
{
    mp_process_options o = MP_PROCESS_OPTIONS;

    runs(has_parents_group, &o);
    o.process_group = getpgrp();
    runs(has_parents_group, &o);
    o.process_group = MP_GROUP_NEW;
    runs(leads_a_group, &o);
    o.process_group = 1;
    refused(&o, EPERM, "process group");
    o.process_group = -2;
    never(&o);
}
