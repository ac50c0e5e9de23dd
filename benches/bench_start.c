/* A process's whole short life, beside what the system itself offers for it, in one run.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. "by fork" makes a process object,
 * starts it by fork, joins and frees it; its peer is fork, _exit and waitpid. "by spawn" does the same
 * with a fresh image, whose peer is posix_spawn of the same executable, which returns from main at
 * once, and waitpid. "by the fork server" has the child made by a server that does not grow with the parent;
 * its peer is what the server replaces, fork. A figure is the wall-clock time of one life.
 *
 * The parent's size is a row's second figure: fork copies the page tables, spawn does not care. The sized
 * parent has that much memory touched, in pages of 4 KiB.
 *
 * What libmp's child does that its peer does not: it takes a slot in the process table, proves to the others
 * that it lives, says that it is ready (spawn waits for that), and flushes its streams.
 */
#include "bench.h"
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIBMP, PEER, SUBJECTS };
enum { MOST = 2000, WARM = 20 };
#define NOTHING "--nothing"

extern char **environ;

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
        bench_die("a life");
    if (code != 0)
        bench_die("exit code");
}

static void live_in_peer(int method)
{
    static char name[] = "bench_start", argument[] = NOTHING;
    char *argv[] = {name, argument, NULL};
    int status;
    pid_t pid;

    if (method != MP_START_SPAWN) {
        pid = fork();
        if (pid == 0)
            _exit(0);
    } else if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0) {
        bench_die("posix_spawn");
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        bench_die("a peer's life");
}

/* ---- the table ---- */

static double measure(void *user, int subject, double *second)
{
    int64_t began = bench_now();

    (void)second;
    if (subject == LIBMP)
        live_in_libmp(*(int *)user);
    else
        live_in_peer(*(int *)user);
    return (double)(bench_now() - began);
}

static void row(int method, double mark, const char *size, int lives)
{
    static const char *const names[] = {"", "fork", "spawn", "the fork server"};
    const struct bench_subject subjects[] = {
        {"libmp", false}, {method == MP_START_SPAWN ? "posix_spawn" : "fork", false}};
    const double marks[SUBJECTS] = {0, mark};
    static double ns[SUBJECTS * MOST];
    char name[64];

    snprintf(name, sizeof name, "start + join by %s, %s", names[method], size);
    if (!bench_wanted(name))
        return;
    bench_rounds(measure, &method, subjects, SUBJECTS, WARM, ns, NULL);
    bench_rounds(measure, &method, subjects, SUBJECTS, lives, ns, NULL);
    bench_rows(name, subjects, SUBJECTS, lives, ns, 1e3, "us", false, LOW, marks);
}

static void *touched(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE) != 0)
        bench_die("memory");
    return memset(memory, 1, size);
}

int main(int argc, char **argv)
{
    void *memory;

    if (argc > 1 && strcmp(argv[1], NOTHING) == 0)
        return 0;
    bench_begin(argc, argv);
    bench_head();
    row(MP_START_FORK, 1.3, "small parent", MOST);
    row(MP_START_SPAWN, 1.3, "small parent", MOST);

    memory = touched((size_t)256 << 20);
    row(MP_START_FORK, 1.3, "256 MiB parent", MOST / 10);
    row(MP_START_SPAWN, 1.3, "256 MiB parent", MOST / 2);
    munmap(memory, (size_t)256 << 20);
    /* After the others: from now on there is a server. */
    touched((size_t)1 << 30);
    row(MP_START_FORKSERVER, 0.05, "1 GiB parent", 100);
    return 0;
}
