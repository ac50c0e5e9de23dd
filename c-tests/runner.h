/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the parts of the runner share. Tests do not need it. */
#ifndef RUNNER_H
#define RUNNER_H

#include "harness.h"

#include <signal.h>

#define JOBS_MAX 64
#define ROOT_MAX 150
#define EXIT_SKIPPED 7
/* The runner looks for these in what a test prints. */
#define CHECK_MARK ": check failed: "
#define SKIP_MARK "skipped: "

typedef enum outcome { PENDING, PASSED, FAILED, SKIPPED } outcome;

typedef struct job {
    const test *t;
    size_t index;
    pid_t pid;
    int out;
    char *text;
    size_t len;
    int64_t began, deadline;
    char dir[ROOT_MAX + 50];
    bool timed_out;
    outcome result;
    char why[512];
} job;

typedef struct verdict {
    outcome result;
    char why[512];
} verdict;

/* Set from the command line, in the runner and in each test's process. */
extern double run_scale;
extern const char *run_start;

/* inside.c: the list of tests, and what happens in a test's own process */
size_t test_count(void);
const test *test_at(size_t index);
void test_full_name(const test *t, char *out, size_t size);
int run_inside(const char *name, int argc, char **argv);

/* job.c: one test's process, from its start to its verdict */
bool job_start(job *j, const test *t, const char *root);
void job_read(job *j);
void job_kill(job *j);
/* The process has ended and has not been reaped. */
void job_finish(job *j);

/* batch.c: several tests at a time; verdicts has a place for every test */
extern bool run_verbose;
extern char run_root[ROOT_MAX + 20];
extern verdict *verdicts;
extern volatile sig_atomic_t stop_signal;
void run_batch(const size_t *which, size_t total, int jobs);
void settle_names(void);

/* names.c: what tests leave in /dev/shm and /tmp */
typedef struct names {
    char (*list)[300];
    size_t count;
} names;

names names_now(void);
bool names_has(const names *n, const char *name);
void names_add(names *n, const char *name);
void names_remove(names *n, const char *name);
void names_free(names *n);
/* Empties a directory; gives whether anything was in it. */
bool tree_remove(const char *path);

#endif
