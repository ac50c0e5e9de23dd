/* Barriers and events beside those that one would use instead.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. A barrier's figure is the time of one
 * cycle of all its parties, who do nothing else, where the kernel puts them. "event, there and back" are
 * two processes who set an event for each other in turn and clear their own; its peers, which are for
 * one waiter only, are two sem_t and two pipes.
 */
#include "bench.h"
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

enum { LIBMP, PEER, CPYTHON, PIPES, SUBJECTS };
enum { ROUNDS = 11, CYCLES = 3000 };

static struct page {
    pthread_barrier_t barrier;
    char line[BENCH_LINE];
    sem_t sem[2];
} *page;
static mp_barrier *barrier;
static mp_event *event[2];
static int pipes[2][2];

static void cycles(void *user, int index)
{
    int subject = *(int *)user, i;

    (void)index;
    for (i = 0; i < CYCLES; i++) {
        if (subject == LIBMP) {
            if (mp_barrier_wait(barrier, MP_FOREVER, NULL) < 0)
                bench_die("mp_barrier_wait");
        } else {
            int r = pthread_barrier_wait(&page->barrier);

            if (r != 0 && r != PTHREAD_BARRIER_SERIAL_THREAD)
                bench_die("pthread_barrier_wait");
        }
    }
}

static double measure_cycles(void *user, int subject, double *second)
{
    (void)second;
    if (subject == CPYTHON)
        return bench_python(*(int *)user == 2 ? "barrier-2" : "barrier-4", ANYWHERE);
    return (double)bench_race(*(int *)user, ANYWHERE, 0, cycles, &subject) / CYCLES;
}

static void tell(int subject, int which)
{
    char byte = 0;

    if (subject == LIBMP ? mp_event_set(event[which]) < 0
        : subject == PEER ? sem_post(&page->sem[which]) != 0
                          : write(pipes[which][1], &byte, 1) != 1)
        bench_die("tell");
}

static void hear(int subject, int which)
{
    char byte;

    if (subject == LIBMP
            ? mp_event_wait(event[which], MP_FOREVER) < 0 || mp_event_clear(event[which]) < 0
        : subject == PEER ? sem_wait(&page->sem[which]) != 0
                          : read(pipes[which][0], &byte, 1) != 1)
        bench_die("hear");
}

static void turns(void *user, int index)
{
    int subject = *(int *)user, i;

    for (i = 0; i < CYCLES; i++) {
        if (index == 0)
            tell(subject, 0);
        hear(subject, 1 - index);
        if (index == 1)
            tell(subject, 1);
    }
}

static double measure_turns(void *user, int subject, double *second)
{
    (void)user;
    (void)second;
    if (subject == CPYTHON)
        return bench_python("event", ANYWHERE);
    return (double)bench_race(2, ANYWHERE, 0, turns, &subject) / CYCLES;
}

static void barriers(const char *name, int parties, double mark)
{
    const struct bench_subject subjects[] = {
        {"libmp", false}, {"pthread", false}, {"CPython", !bench_python_is_there()}};
    const double marks[] = {0, mark, 0};
    double figures[3 * ROUNDS];
    pthread_barrierattr_t attributes;

    if (!bench_wanted(name))
        return;
    if (mp_barrier_new(&barrier, (size_t)parties, NULL) < 0 || pthread_barrierattr_init(&attributes) != 0 ||
        pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0 ||
        pthread_barrier_init(&page->barrier, &attributes, (unsigned)parties) != 0)
        bench_die("setup");
    bench_rounds(measure_cycles, &parties, subjects, 3, ROUNDS, figures, NULL);
    bench_rows(name, subjects, 3, ROUNDS, figures, 1e3, "us", false, LOW, marks);
    pthread_barrier_destroy(&page->barrier);
    pthread_barrierattr_destroy(&attributes);
    if (mp_barrier_free(barrier) < 0)
        bench_die("free");
}

int main(int argc, char **argv)
{
    struct bench_subject subjects[] = {
        {"libmp", false}, {"sem_t", false}, {"CPython", false}, {"pipe(2)", false}};
    double figures[SUBJECTS * ROUNDS];
    int i;

    bench_begin(argc, argv);
    page = bench_shared(sizeof *page);
    subjects[CPYTHON].absent = !bench_python_is_there();
    for (i = 0; i < 2; i++)
        if (mp_event_new(&event[i], NULL) < 0 || sem_init(&page->sem[i], 1, 0) != 0 || pipe(pipes[i]) != 0)
            bench_die("setup");
    bench_head();
    barriers("barrier of 2", 2, 0.3);
    barriers("barrier of 4", 4, 1.1);
    if (bench_wanted("event, there and back")) {
        bench_rounds(measure_turns, NULL, subjects, SUBJECTS, ROUNDS, figures, NULL);
        bench_rows("event, there and back", subjects, SUBJECTS, ROUNDS, figures, 1e3, "us", false, NO_MARK,
                   NULL);
    }
    for (i = 0; i < 2; i++)
        if (mp_event_free(event[i]) < 0)
            bench_die("free");
    return 0;
}
