/* A process's whole short life, beside what the system itself offers for it, in one run.
 *
 * How to read it. "by fork" makes a process object, starts it by fork, joins and frees it; its peer is
 * fork, _exit and waitpid. "by spawn" does the same with a fresh image, whose peer is posix_spawn of the
 * same executable, which returns from main at once, and waitpid. The times are wall-clock times of one life,
 * medians of many, both subjects in turn so that whatever else the machine does hits all alike; in brackets is
 * the time that nine of ten stay under. The ratio is libmp's median divided by the peer's, and the mark,
 * held against the ratio as printed, says how far it may go.
 *
 * The parent's size is a row's second figure: fork copies the page tables, spawn does not care. The sized
 * parent has that much memory touched, in pages of 4 KiB.
 *
 * What libmp's child does that its peer does not: it takes a slot in the process table, proves to the others
 * that it lives, says that it is ready (spawn waits for that), and flushes its streams.
 */
#include <mp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIBMP, PEER, SUBJECTS };
enum { MOST = 2000, WARM = 20 };
#define NOTHING "--nothing"

extern char **environ;

static void die(const char *what)
{
    fprintf(stderr, "bench_start: %s: %s\n", what, mp_last_error());
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- lives ---- */

static int nothing(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    return 0;
}

static void live_in_libmp(int method)
{
    mp_process_options options = MP_PROCESS_OPTIONS;
    mp_process *process;
    int code;

    options.start_method = method;
    if (mp_process_new(&process, nothing, NULL, &options) < 0 || mp_process_start(process) < 0 ||
        mp_process_join(process, MP_FOREVER) < 0 || mp_process_exitcode(process, &code) < 0 ||
        mp_process_free(process) < 0)
        die("a life");
    if (code != 0)
        die("exit code");
}

static void live_in_peer(int method)
{
    static char name[] = "bench_start", argument[] = NOTHING;
    char *argv[] = {name, argument, NULL};
    int status;
    pid_t pid;

    if (method == MP_START_FORK) {
        pid = fork();
        if (pid == 0)
            _exit(0);
    } else if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0) {
        die("posix_spawn");
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("a peer's life");
}

/* ---- the table ---- */

static void row(int method, const char *size, int lives)
{
    static double us[SUBJECTS][MOST];
    const char *name = method == MP_START_FORK ? "by fork" : "by spawn";
    double median[SUBJECTS], shown;
    char text[SUBJECTS][40];
    int i, s;

    for (i = -WARM; i < lives; i++)
        for (s = 0; s < SUBJECTS; s++) {
            int64_t began = now();

            if (s == LIBMP)
                live_in_libmp(method);
            else
                live_in_peer(method);
            if (i >= 0)
                us[s][i] = (double)(now() - began) / 1000;
        }
    for (s = 0; s < SUBJECTS; s++) {
        qsort(us[s], (size_t)lives, sizeof us[s][0], by_value);
        median[s] = us[s][lives / 2];
        snprintf(text[s], sizeof text[s], "%.0f (%.0f) us", median[s], us[s][lives * 9 / 10]);
    }
    shown = (double)(int64_t)(median[LIBMP] / median[PEER] * 100 + 0.5) / 100;
    printf("start + join %-8s  %-14s | %16s | %16s | %5.2f | <= 1.3 %s\n", name, size,
           text[LIBMP], text[PEER], shown, shown <= 1.3 ? "met" : "MISSED");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const size_t large = (size_t)256 << 20;
    char *memory;

    if (argc > 1 && strcmp(argv[1], NOTHING) == 0)
        return 0;
    if (mp_bootstrap(argc, argv) < 0)
        die("setup");
    printf("%-38s | %16s | %16s | %5s | %s\n", "row", "libmp", "peer", "ratio", "mark");
    row(MP_START_FORK, "small parent", MOST);
    row(MP_START_SPAWN, "small parent", MOST);

    memory = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || madvise(memory, large, MADV_NOHUGEPAGE) != 0)
        die("memory");
    memset(memory, 1, large);
    row(MP_START_FORK, "256 MiB parent", MOST / 10);
    row(MP_START_SPAWN, "256 MiB parent", MOST / 2);
    return 0;
}
