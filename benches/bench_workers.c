/* What more workers bring, and what they cost.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. Pools of 1, 2, 4 and 8 workers map squares
 * of 8-byte numbers one by one, and tasks that spin for 1 ms of thread CPU time; a figure is the wall-clock
 * time of a map, per task. OpenMP runs the same function in as many threads, which share their memory, may
 * crash together, and need no copies: it tells what processes cost. "ideal" is the task's time, divided
 * by the workers or by the CPUs, whichever are fewer.
 *
 * GNU parallel starts a program for each job, so the pool's tasks do that too: posix_spawn and waitpid
 * of "true". "memory of a worker" is what a worker that has worked has alone, and what is free again when it ends
 * (Private_* of /proc/PID/smaps_rollup), a mean of four, beside CPython's.
 *
 * No row has a mark: they are there to explain bench_pool's. OpenMP is there where the compiler has it.
 */
#include "bench.h"
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIBMP, OPENMP, SUBJECTS };
enum { POOLS = 4, ROUNDS = 5, SQUARES = 50000, SPINS = 200, JOBS = 400 };

#ifdef _OPENMP
static const bool has_openmp = true;
#else
static const bool has_openmp = false;
#endif

extern char **environ;

static mp_pool *pools[POOLS];
static int64_t in[SQUARES], out[SQUARES];

static int workers_of(int p)
{
    return 1 << p;
}

/* ---- tasks ---- */

static void runs_true(mp_task *task, void *user)
{
    static char name[] = "true";
    char *argv[] = {name, NULL};
    int status = 0;
    pid_t pid;

    (void)user;
    if (posix_spawnp(&pid, name, NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid ||
        status != 0)
        mp_task_fail(task, "no true");
}

/* What the calling process has alone, in KiB; 0 where the kernel does not say. */
static void tells_memory(mp_task *task, void *user)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    int64_t part, kib = 0;
    char line[256];

    (void)user;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "Private_", 8) == 0 && sscanf(line, "%*s %ld", &part) == 1)
            kib += part;
    if (f != NULL)
        fclose(f);
    mp_task_return(task, &kib, sizeof kib);
}

/* ---- workers and threads ---- */

typedef struct load {
    mp_task_fn fn;
    int pool;
    int64_t tasks;
} load;

static void openmp_map(const load *l)
{
#ifdef _OPENMP
    int64_t i;

#pragma omp parallel for schedule(dynamic, 1) num_threads(workers_of(l->pool))
    for (i = 0; i < l->tasks; i++) {
        if (l->fn == bench_square_1ms)
            bench_spin(1000000);
        out[i] = in[i] * in[i];
    }
#else
    (void)l;
#endif
}

static void map(mp_pool *pool, mp_task_fn fn, int64_t n)
{
    mp_map_options o = MP_MAP_OPTIONS;

    o.chunk = 1;
    if (mp_pool_map_array(pool, fn, NULL, in, sizeof *in, (size_t)n, out, sizeof *out, &o) < 0)
        bench_die(mp_last_error());
}

static double map_of(void *user, int subject, double *second)
{
    const load *l = user;
    int64_t began = bench_now();

    (void)second;
    if (subject == LIBMP)
        map(pools[l->pool], l->fn, l->tasks);
    else
        openmp_map(l);
    return (double)(bench_now() - began) / (double)l->tasks;
}

static void scaling(const char *what, mp_task_fn fn, int64_t tasks, double scale, const char *unit)
{
    const struct bench_subject subjects[SUBJECTS] = {{"libmp", false}, {"OpenMP", !has_openmp}};
    int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), p;
    double ns[SUBJECTS * ROUNDS];
    char name[64];

    for (p = 0; p < POOLS; p++) {
        int workers = workers_of(p);
        load l = {fn, p, tasks};

        snprintf(name, sizeof name, "%s, %d worker%s", what, workers, workers > 1 ? "s" : "");
        if (!bench_wanted(name))
            continue;
        bench_rounds(map_of, &l, subjects, SUBJECTS, 1, ns, NULL);
        bench_rounds(map_of, &l, subjects, SUBJECTS, ROUNDS, ns, NULL);
        bench_rows(name, subjects, SUBJECTS, ROUNDS, ns, scale, unit, NOTHING_MORE, NO_MARK, NULL);
        if (fn == bench_square_1ms)
            bench_row(name, bench_median(ns, ROUNDS) / scale, NULL, "ideal",
                      1e6 / scale / (workers < cpus ? workers : cpus), NULL, unit, NO_MARK, 0);
    }
}

/* ---- other programs ---- */

static void beside_parallel(void)
{
    const char *name = "programs, 2 workers";
    int64_t began;
    double ours;
    char command[256];

    if (!bench_wanted(name))
        return;
    began = bench_now();
    map(pools[1], runs_true, JOBS);
    ours = (double)(bench_now() - began) / JOBS;
    snprintf(command, sizeof command,
             "parallel --version </dev/null 2>/dev/null | grep -q GNU && seq %d | parallel -j 2 true", JOBS);
    began = bench_now();
    if (system(command) != 0)
        bench_missing(name, "GNU parallel");
    else
        bench_row(name, ours / 1e3, NULL, "GNU parallel", (double)(bench_now() - began) / JOBS / 1e3, NULL, "us",
                  NO_MARK, 0);
}

static void memory(int method, const char *method_name)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    char name[64], python[64];
    mp_pool *pool;
    double ours = 0;
    int i;

    snprintf(name, sizeof name, "memory of a worker, %s", method_name);
    if (!bench_wanted(name))
        return;
    o.workers = 4;
    o.start_method = method;
    if (mp_pool_new(&pool, &o) < 0)
        bench_die(mp_last_error());
    map(pool, bench_square, SQUARES);
    map(pool, tells_memory, 64);
    for (i = 0; i < 64; i++)
        ours += (double)out[i] / 64;
    mp_pool_free(pool);
    snprintf(python, sizeof python, "worker-memory-%s", method_name);
    if (bench_python_is_there())
        bench_row(name, ours, NULL, "CPython Pool", bench_python(python, ANYWHERE), NULL, "KiB", NO_MARK, 0);
    else
        bench_missing(name, "CPython Pool");
}

int main(int argc, char **argv)
{
    int i;

    bench_begin(argc, argv);
    for (i = 0; i < SQUARES; i++)
        in[i] = i;
    bench_head();
    memory(MP_START_FORK, "fork");
    memory(MP_START_SPAWN, "spawn");
    /* All of them before there are threads. */
    for (i = 0; i < POOLS; i++) {
        mp_pool_options o = MP_POOL_OPTIONS;

        o.workers = (size_t)workers_of(i);
        if (mp_pool_new(&pools[i], &o) < 0)
            bench_die(mp_last_error());
    }
    beside_parallel();
    scaling("squares", bench_square, SQUARES, 1, "ns");
    scaling("1 ms", bench_square_1ms, SPINS, 1e6, "ms");
    for (i = 0; i < POOLS; i++)
        if (mp_pool_free(pools[i]) < 0)
            bench_die("a pool's end");
    return 0;
}
