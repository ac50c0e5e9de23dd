/* See bench.h. */
#include "bench.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct gate {
    int ready, go;
    char line[BENCH_LINE];
    int stop;           /* read all the time, written once */
} *gate;

static char **wanted;

void bench_begin(int argc, char **argv)
{
    if (mp_bootstrap(argc, argv) < 0)
        bench_die("mp_bootstrap");
    wanted = argv + 1;
}

bool bench_wanted(const char *row)
{
    char **name = wanted;

    while (*name != NULL && strstr(row, *name) == NULL)
        name++;
    return *wanted == NULL || *name != NULL;
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, mp_last_error());
    _exit(1);
}

int64_t bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_spin(int64_t ns)
{
    struct timespec t;
    int64_t begun, now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    begun = t.tv_sec * 1000000000LL + t.tv_nsec;
    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        now = t.tv_sec * 1000000000LL + t.tv_nsec;
    } while (now - begun < ns);
}

void bench_square(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

void bench_square_1ms(mp_task *task, void *user)
{
    bench_spin(1000000);
    bench_square(task, user);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(double *figures, size_t count)
{
    qsort(figures, count, sizeof *figures, by_value);
    return figures[count / 2];
}

void *bench_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        bench_die("mmap");
    return memory;
}

void bench_rounds(bench_measure *measure, void *user, const struct bench_subject *subjects,
                  int count, int rounds, double *figures, double *seconds)
{
    double second = 0;
    int round, s;

    for (round = 0; round < rounds; round++)
        for (s = 0; s < count; s++) {
            double figure = subjects[s].absent ? 0 : measure(user, s, &second);

            figures[s * rounds + round] = figure;
            if (seconds != NULL)
                seconds[s * rounds + round] = second;
        }
}

/* ---- several processes ---- */

bool bench_stopped(void)
{
    return __atomic_load_n(&gate->stop, __ATOMIC_RELAXED) != 0;
}

/* The CPU of this number among those that this process may use. */
static void pin_to(int number)
{
    cpu_set_t all, one;
    int cpu;

    if (sched_getaffinity(0, sizeof all, &all) != 0)
        bench_die("sched_getaffinity");
    number %= CPU_COUNT(&all);
    for (cpu = 0; !CPU_ISSET(cpu, &all) || number-- > 0; cpu++)
        ;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        bench_die("sched_setaffinity");
}

void bench_pin(enum bench_place place, int index)
{
    if (place != ANYWHERE)
        pin_to(place == APART ? index : 0);
}

int64_t bench_race(int processes, enum bench_place place, int64_t ns, bench_work *work, void *user)
{
    const struct timespec tick = {0, 1000000}, length = {ns / 1000000000, ns % 1000000000};
    int64_t began, took = 0;
    pid_t pid[BENCH_MOST];
    int i, status;

    if (gate == NULL)
        gate = bench_shared(sizeof *gate);
    gate->ready = gate->go = gate->stop = 0;
    fflush(stdout);
    for (i = 0; i < processes; i++) {
        pid[i] = fork();
        if (pid[i] < 0)
            bench_die("fork");
        if (pid[i] > 0)
            continue;
        bench_pin(place, i);
        __atomic_fetch_add(&gate->ready, 1, __ATOMIC_SEQ_CST);
        while (!__atomic_load_n(&gate->go, __ATOMIC_ACQUIRE))
            sched_yield();
        work(user, i);
        _exit(0);
    }
    while (__atomic_load_n(&gate->ready, __ATOMIC_ACQUIRE) < processes)
        nanosleep(&tick, NULL);
    began = bench_now();
    __atomic_store_n(&gate->go, 1, __ATOMIC_RELEASE);
    if (ns > 0) {
        nanosleep(&length, NULL);
        __atomic_store_n(&gate->stop, 1, __ATOMIC_RELEASE);
        took = bench_now() - began;
    }
    for (i = 0; i < processes; i++)
        if (waitpid(pid[i], &status, 0) != pid[i] || status != 0)
            bench_die("a child failed");
    return ns > 0 ? took : bench_now() - began;
}

/* ---- CPython ---- */

/* It lies beside this file. */
static double run_python(const char *what, const char *place)
{
    static const char here[] = __FILE__;
    const char *slash = strrchr(here, '/');
    int length = slash == NULL ? 0 : (int)(slash + 1 - here);
    char command[256];
    double ns;
    FILE *pipe;
    bool good;

    snprintf(command, sizeof command, "python3 %.*speer.py %s %s 2>/dev/null", length, here, what, place);
    fflush(stdout);
    pipe = popen(command, "r");
    if (pipe == NULL)
        return -1;
    good = fscanf(pipe, "%lf", &ns) == 1;
    return pclose(pipe) == 0 && good ? ns : -1;
}

bool bench_python_is_there(void)
{
    static int there;

    if (there == 0)
        there = run_python("lock", "anywhere") > 0 ? 1 : -1;
    return there > 0;
}

double bench_python(const char *what, enum bench_place place)
{
    double ns = run_python(what, place == APART ? "apart" : place == TOGETHER ? "together" : "anywhere");

    if (ns <= 0) {
        fprintf(stderr, "bench: CPython failed at %s\n", what);
        _exit(1);
    }
    return ns;
}

/* ---- the table ---- */

void bench_head_of(const char *first)
{
    printf("%-30s | %-26s | %-38s | %5s | %s\n", "row", first, "peer", "ratio", "mark");
    fflush(stdout);
}

void bench_head(void)
{
    bench_head_of("libmp");
}

static int digits_of(double figure)
{
    return figure < 10 ? 2 : figure < 1000 ? 1 : 0;
}

static void spread_text(char *text, size_t size, double least, double most)
{
    snprintf(text, size, "%.*f-%.*f", digits_of(most), least, digits_of(most), most);
}

static void figure_text(char *text, size_t size, double figure, const char *unit, const char *note)
{
    int digits = digits_of(figure);

    if (note != NULL)
        snprintf(text, size, "%.*f (%s) %s", digits, figure, note, unit);
    else
        snprintf(text, size, "%.*f %s", digits, figure, unit);
}

void bench_row(const char *name, double ours, const char *our_note, const char *peer, double theirs,
               const char *their_note, const char *unit, enum bench_good good, double mark)
{
    double ratio = theirs > 0 ? ours / theirs : 0;
    double shown = (double)(int64_t)(ratio * 100 + 0.5) / 100;
    char a[80], b[80];

    figure_text(a, sizeof a, ours, unit, our_note);
    figure_text(b, sizeof b, theirs, unit, their_note);
    printf("%-30s | %26s | %-11s %26s | %5.2f | ", name, a, peer, b, shown);
    if (good == NO_MARK || mark <= 0)
        printf("\n");
    else
        printf("%s %.2g %s\n", good == LOW ? "<=" : ">=", mark,
               (good == LOW ? shown <= mark : shown >= mark) ? "met" : "MISSED");
    fflush(stdout);
}

void bench_limit(const char *name, double ours, const char *unit, double most)
{
    char text[48];

    figure_text(text, sizeof text, ours, unit, NULL);
    printf("%-30s | %26s | %-38s | %5s | <= %g %s\n", name, text, "", "", most, ours <= most ? "met" : "MISSED");
    fflush(stdout);
}

static void no_figure(const char *name, const char *peer, const char *why)
{
    printf("%-30s | %26s | %-11s %26s |\n", name, "", peer, why);
    fflush(stdout);
}

void bench_missing(const char *name, const char *peer)
{
    no_figure(name, peer, "not to be had");
}

void bench_rows(const char *name, const struct bench_subject *subjects, int count, int rounds,
                double *figures, double scale, const char *unit, enum bench_note kind, enum bench_good good,
                const double *marks)
{
    double middle[16];
    char note[16][48];
    int s;

    for (s = 0; s < count; s++) {
        middle[s] = bench_median(figures + s * rounds, (size_t)rounds) / scale;
        if (kind == SPREAD)
            spread_text(note[s], sizeof note[s], figures[s * rounds] / scale,
                        figures[s * rounds + rounds - 1] / scale);
        else
            snprintf(note[s], sizeof note[s], "%.3g", figures[s * rounds + rounds - 1] / scale);
    }
    for (s = 1; s < count; s++) {
        if (subjects[s].absent)
            bench_missing(name, subjects[s].name);
        else if (middle[0] == 0 || middle[s] == 0)
            /* What has failed is no figure, and nothing is faster than it. */
            no_figure(name, subjects[middle[0] == 0 ? 0 : s].name, "failed");
        else
            bench_row(name, middle[0], kind != NOTHING_MORE ? note[0] : NULL, subjects[s].name, middle[s],
                      kind != NOTHING_MORE ? note[s] : NULL, unit, good, marks == NULL ? 0 : marks[s]);
    }
}
