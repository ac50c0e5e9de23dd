/* A pool of two workers, beside C workers that read tasks from pipes and beside CPython's Pool and executor,
 * in one run.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. A task squares an 8-byte number.
 * "chunk 1" hands out each task by itself, "default chunk" as the pool likes; a figure is the
 * wall-clock time of a map, per task. "apply" is one call and its result, from one thread that waits.
 * Its peer is a byte through a pipe to another process and back. "tasks of 1 ms" spin for as much
 * thread CPU time, and are held against half that much time per task, which two idle CPUs would take.
 *
 * The workers on pipes have a pair of pipes each, as many tasks in flight as a pipe holds, and do nothing
 * about deaths. CPython's are fork's, with the same function in Python; its figures are the medians
 * of rounds of their own, right after the others'.
 */
#include "bench.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIBMP, PIPES, SUBJECTS };
enum { WORKERS = 2, ROUNDS = 7, TASKS = 100000, APPLIES = 5000, SPINS = 300, FLIGHT = 512 };

static mp_pool *pool;
static int64_t in[TASKS], out[TASKS];

/* ---- workers on pipes ---- */

static struct {
    int to, from;
    pid_t pid;
} piped[WORKERS];

static void whole(bool write_it, int fd, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        ssize_t n = write_it ? write(fd, at, len) : read(fd, at, len);

        if (n <= 0)
            _exit(1);
        at += n;
        len -= (size_t)n;
    }
}

typedef struct message {
    int64_t index, number;
} message;

static void pipes_start(void)
{
    int i, k;

    for (i = 0; i < WORKERS; i++) {
        int there[2], back[2];

        if (pipe(there) != 0 || pipe(back) != 0 || (piped[i].pid = fork()) < 0)
            bench_die("workers on pipes");
        if (piped[i].pid == 0) {
            message m;
            ssize_t n;

            for (k = 0; k < i; k++) {
                close(piped[k].to);
                close(piped[k].from);
            }
            close(there[1]);
            close(back[0]);
            while ((n = read(there[0], &m, sizeof m)) == sizeof m) {
                m.number *= m.number;
                whole(true, back[1], &m, sizeof m);
            }
            _exit(n != 0);
        }
        close(there[0]);
        close(back[1]);
        piped[i].to = there[1];
        piped[i].from = back[0];
    }
}

static void pipes_end(void)
{
    int i;

    for (i = 0; i < WORKERS; i++) {
        close(piped[i].to);
        close(piped[i].from);
        waitpid(piped[i].pid, NULL, 0);
    }
}

/* Each worker has up to FLIGHT tasks; results are read as they come. */
static void pipes_map(int64_t n)
{
    int flight[WORKERS] = {0};
    int64_t next = 0, done = 0;
    message m;

    while (done < n) {
        struct pollfd polled[WORKERS];
        int i;

        for (i = 0; i < WORKERS; i++) {
            for (; flight[i] < FLIGHT && next < n; flight[i]++, next++) {
                m.index = next;
                m.number = in[next];
                whole(true, piped[i].to, &m, sizeof m);
            }
            polled[i].fd = piped[i].from;
            polled[i].events = POLLIN;
        }
        if (poll(polled, WORKERS, -1) < 0)
            bench_die("poll");
        for (i = 0; i < WORKERS; i++) {
            message some[FLIGHT];
            ssize_t got, k;

            if ((polled[i].revents & POLLIN) == 0)
                continue;
            got = read(piped[i].from, some, sizeof some);
            if (got <= 0 || got % (ssize_t)sizeof *some != 0)
                bench_die("a piped result");
            for (k = 0; k < got / (ssize_t)sizeof *some; k++) {
                out[some[k].index] = some[k].number;
                flight[i]--;
                done++;
            }
        }
    }
}

/* ---- CPython ---- */

/* Nanoseconds per task; 0 where there is no CPython. */
static double python(const char *what)
{
    char command[1024];
    double ns = 0;
    FILE *f;

    snprintf(command, sizeof command,
             "python3 -c \"\n"
             "import multiprocessing as mp, time, statistics\n"
             "def f(x): return x * x\n"
             "p = mp.get_context('fork').Pool(%d)\n"
             "p.map(f, range(100))\n"
             "def t(n, g):\n"
             "    all = []\n"
             "    for _ in range(3):\n"
             "        b = time.perf_counter_ns(); g(); all.append((time.perf_counter_ns() - b) / n)\n"
             "    return statistics.median(all)\n"
             "print(%s)\n"
             "p.terminate()\n\" 2>/dev/null",
             WORKERS, what);
    f = popen(command, "r");
    if (f == NULL || fscanf(f, "%lf", &ns) != 1)
        ns = 0;
    if (f != NULL)
        pclose(f);
    return ns;
}

static void beside_executor(const char *name, double ours, const char *what)
{
    if (bench_python_is_there())
        bench_row(name, ours / 1e3, NULL, "CPython executor", bench_python(what, ANYWHERE) / 1e3, NULL, "us", LOW,
                  0.1);
    else
        bench_missing(name, "CPython executor");
}

static void beside_python(const char *name, double ours, const char *what, const char *unit, double scale,
                          double mark)
{
    double ns = python(what);

    if (ns > 0)
        bench_row(name, ours / scale, NULL, "CPython Pool", ns / scale, NULL, unit, LOW, mark);
    else
        bench_missing(name, "CPython Pool");
}

/* ---- the rows ---- */

static void map(size_t chunk, mp_task_fn fn, size_t n)
{
    mp_map_options o = MP_MAP_OPTIONS;

    o.chunk = chunk;
    if (mp_pool_map_array(pool, fn, NULL, in, sizeof *in, n, out, sizeof *out, &o) < 0)
        bench_die("map");
}

static double map_of(void *user, int subject, double *second)
{
    int64_t began = bench_now();

    (void)second;
    if (subject == LIBMP)
        map(*(size_t *)user, bench_square, TASKS);
    else
        pipes_map(TASKS);
    return (double)(bench_now() - began) / TASKS;
}

static double apply_of(void *user, int subject, double *second)
{
    int64_t began = bench_now(), x = 3;
    int i;

    (void)second;
    (void)user;
    for (i = 0; i < APPLIES; i++) {
        if (subject == LIBMP) {
            mp_buffer *result;

            if (mp_pool_apply(pool, bench_square, NULL, &x, sizeof x, &result, NULL) < 0)
                bench_die("apply");
            mp_buffer_free(result);
        } else {
            message m = {0, 3};

            whole(true, piped[0].to, &m, sizeof m);
            whole(false, piped[0].from, &m, sizeof m);
        }
    }
    return (double)(bench_now() - began) / APPLIES;
}

static double async_of(void *user, int subject, double *second)
{
    static mp_result *results[APPLIES];
    int64_t began = bench_now(), x = 3;
    int i;

    (void)second;
    (void)user;
    (void)subject;
    for (i = 0; i < APPLIES; i++)
        if (mp_pool_apply_async(pool, bench_square, NULL, &x, sizeof x, NULL, NULL, &results[i]) < 0)
            bench_die("apply_async");
    for (i = 0; i < APPLIES; i++)
        if (mp_result_get(results[i], MP_FOREVER, NULL) < 0 || mp_result_free(results[i]) < 0)
            bench_die("result");
    return (double)(bench_now() - began) / APPLIES;
}

static int counts(mp_bytes *item, void *user)
{
    int64_t *next = user;

    if (*next == TASKS)
        return 0;
    item->data = &in[(*next)++];
    item->len = sizeof *in;
    return 1;
}

static double imap_of(void *user, int subject, double *second)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    int64_t began = bench_now(), next = 0;
    mp_buffer *result;
    mp_imap *imap;
    int s;

    (void)second;
    (void)subject;
    o.chunk = *(size_t *)user;
    if (mp_pool_imap(pool, bench_square, NULL, counts, &next, &o, &imap) < 0)
        bench_die("imap");
    while ((s = mp_imap_next(imap, MP_FOREVER, &result, NULL)) == MP_OK)
        mp_buffer_free(result);
    if (s != MP_ERR_EOF)
        bench_die("imap");
    mp_imap_free(imap);
    return (double)(bench_now() - began) / TASKS;
}

static double spins_of(void *user, int subject, double *second)
{
    int64_t began = bench_now();

    (void)second;
    (void)user;
    (void)subject;
    map(0, bench_square_1ms, SPINS);
    return (double)(bench_now() - began) / SPINS;
}

int main(int argc, char **argv)
{
    static const struct bench_subject subjects[] = {{"libmp", false}, {"workers on pipes", false}};
    static const double chunk_1[SUBJECTS] = {0, 0.33}, round_trip[SUBJECTS] = {0, 1.2};
    static const double none[SUBJECTS];
    double ns[SUBJECTS * ROUNDS];
    mp_pool_options o = MP_POOL_OPTIONS;
    size_t one = 1, chosen = 0, hundred = 100;
    int i;

    bench_begin(argc, argv);
    for (i = 0; i < TASKS; i++)
        in[i] = i;
    o.workers = WORKERS;
    pipes_start();
    if (mp_pool_new(&pool, &o) < 0)
        bench_die("a pool");
    bench_head();
    if (bench_wanted("map, chunk 1")) {
        bench_rounds(map_of, &one, subjects, SUBJECTS, ROUNDS, ns, NULL);
        bench_rows("map, chunk 1", subjects, SUBJECTS, ROUNDS, ns, 1, "ns", false, LOW, chunk_1);
        beside_python("map, chunk 1", bench_median(ns, ROUNDS),
                      "t(20000, lambda: p.map(f, range(20000), 1))", "ns", 1, 0.01);
        beside_executor("map, chunk 1", bench_median(ns, ROUNDS), "executor-map");
    }
    if (bench_wanted("map, default chunk")) {
        bench_rounds(map_of, &chosen, subjects, SUBJECTS, ROUNDS, ns, NULL);
        bench_rows("map, default chunk", subjects, SUBJECTS, ROUNDS, ns, 1, "ns", false, NO_MARK, none);
        beside_python("map, default chunk", bench_median(ns, ROUNDS),
                      "t(100000, lambda: p.map(f, range(100000)))", "ns", 1, 0.1);
    }
    if (bench_wanted("apply")) {
        bench_rounds(apply_of, NULL, subjects, SUBJECTS, ROUNDS, ns, NULL);
        bench_rows("apply", subjects, SUBJECTS, ROUNDS, ns, 1e3, "us", false, LOW, round_trip);
        beside_python("apply", bench_median(ns, ROUNDS),
                      "t(3000, lambda: [p.apply(f, (3,)) for _ in range(3000)])", "us", 1e3, 0.1);
    }
    if (bench_wanted("apply_async")) {
        bench_rounds(async_of, NULL, subjects, 1, ROUNDS, ns, NULL);
        beside_python("apply_async", bench_median(ns, ROUNDS),
                      "t(5000, lambda: [r.get() for r in [p.apply_async(f, (3,)) for _ in range(5000)]])",
                      "us", 1e3, 0.1);
        beside_executor("apply_async", bench_median(ns, ROUNDS), "executor-submit");
    }
    if (bench_wanted("imap, chunk 1")) {
        bench_rounds(imap_of, &one, subjects, 1, ROUNDS, ns, NULL);
        beside_python("imap, chunk 1", bench_median(ns, ROUNDS),
                      "t(20000, lambda: sum(p.imap(f, range(20000))))", "ns", 1, 0);
        bench_rounds(imap_of, &hundred, subjects, 1, ROUNDS, ns, NULL);
        beside_python("imap, chunk 100", bench_median(ns, ROUNDS),
                      "t(100000, lambda: sum(p.imap(f, range(100000), 100)))", "ns", 1, 0);
    }
    if (bench_wanted("tasks of 1 ms")) {
        bench_rounds(spins_of, NULL, subjects, 1, 3, ns, NULL);
        bench_limit("tasks of 1 ms, a task, two CPUs", bench_median(ns, 3) / 1e6, "ms", 0.5 / 0.98);
    }
    /* The pool's workers have copies of the pipes. */
    if (mp_pool_free(pool) < 0)
        bench_die("the pool's end");
    pipes_end();
    return 0;
}
