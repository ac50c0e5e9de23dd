/* The semaphore beside those that one would use instead.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. "acquire + release" is one process
 * that nobody disturbs. In "hand-over" two processes give each other slots of two semaphores in turn: the
 * time is that of one turn there and back, where both are free to sleep; each runs on a CPU of its own
 * ("apart") or both on one ("together"). "a slot for 8" are as many processes that take and give
 * back one of two slots as fast as they can, and what counts is the rate of all. A semaphore with give_back
 * knows who has its slots, which no peer does.
 */
#include "peers.h"
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

enum { LIBMP, SEM, BOOST, CPYTHON, ACCOUNTED, SUBJECTS };
enum { ROUNDS = 15, PAIRS = 300000, TURNS = 4000 };
#define RACE_NS (100 * 1000 * 1000)

static struct bench_subject subjects[SUBJECTS] = {
    {"libmp", false}, {"sem_t", false}, {"Boost", false}, {"CPython", false}, {"give_back", false}};

/* There, back, and the one of the race. */
static struct page {
    struct {
        sem_t sem;
        char line1[BENCH_LINE];
        char boost[BOOST_SIZE];
        char line2[BENCH_LINE];
    } of[3];
    struct {
        int64_t turns;
        char line[BENCH_LINE];
    } racer[BENCH_MOST];
} *page;
static mp_semaphore *plain[3], *accounted[3];

static inline __attribute__((always_inline)) void acquire(int subject, int which)
{
    if (subject == SEM) {
        if (sem_wait(&page->of[which].sem) != 0)
            bench_die("sem_wait");
    } else if (subject == BOOST) {
        boost_semaphore_wait(page->of[which].boost);
    } else if (mp_semaphore_acquire(subject == LIBMP ? plain[which] : accounted[which], MP_FOREVER) < 0) {
        bench_die("mp_semaphore_acquire");
    }
}

static inline __attribute__((always_inline)) void release(int subject, int which)
{
    if (subject == SEM) {
        if (sem_post(&page->of[which].sem) != 0)
            bench_die("sem_post");
    } else if (subject == BOOST) {
        boost_semaphore_post(page->of[which].boost);
    } else if (mp_semaphore_release(subject == LIBMP ? plain[which] : accounted[which], 1) < 0) {
        bench_die("mp_semaphore_release");
    }
}

static double measure_pairs(void *user, int subject, double *second)
{
    int64_t began = bench_now();
    int i;

    (void)user;
    (void)second;
    if (subject == CPYTHON)
        return bench_python("semaphore-alone", ANYWHERE);
    for (i = 0; i < PAIRS; i++) {
        acquire(subject, 2);
        release(subject, 2);
    }
    return (double)(bench_now() - began) / PAIRS;
}

/* ---- two processes ---- */

struct trip {
    int subject;
    enum bench_place place;
};

/* Begun by the first, which gives a slot there and takes one back. */
static void turns(void *user, int index)
{
    const struct trip *trip = user;
    int i;

    for (i = 0; i < TURNS; i++) {
        if (index == 0)
            release(trip->subject, 0);
        acquire(trip->subject, index == 0 ? 1 : 0);
        if (index == 1)
            release(trip->subject, 1);
    }
}

static double measure_trips(void *user, int subject, double *second)
{
    struct trip *trip = user;

    (void)second;
    if (subject == CPYTHON)
        return bench_python("semaphore", trip->place);
    trip->subject = subject;
    return (double)bench_race(2, trip->place, 0, turns, trip) / TURNS;
}

static void racer(void *user, int index)
{
    const struct trip *trip = user;
    int64_t turns = 0;

    for (; !bench_stopped(); turns++) {
        acquire(trip->subject, 2);
        release(trip->subject, 2);
    }
    page->racer[index].turns = turns;
}

static double measure_race(void *user, int subject, double *second)
{
    struct trip *trip = user;
    int64_t took, turns = 0;
    int i;

    (void)second;
    trip->subject = subject;
    took = bench_race(8, trip->place, RACE_NS, racer, trip);
    for (i = 0; i < 8; i++)
        turns += page->racer[i].turns;
    return (double)turns * 1e9 / (double)took;
}

int main(int argc, char **argv)
{
    static const double marks[SUBJECTS] = {0, 1.1, 1.1, 0, 0}, rates[SUBJECTS] = {0, 1, 1, 0, 0};
    static const char *const names[] = {"hand-over, apart", "hand-over, together", "hand-over"};
    static const enum bench_place places[] = {APART, TOGETHER, ANYWHERE};
    mp_semaphore_options options = MP_SEMAPHORE_OPTIONS;
    double figures[SUBJECTS * ROUNDS];
    struct trip trip = {0, ANYWHERE};
    int i;

    bench_begin(argc, argv);
    page = bench_shared(sizeof *page);
    subjects[BOOST].absent = boost_semaphore_make == NULL;
    subjects[CPYTHON].absent = !bench_python_is_there();
    for (i = 0; i < 3; i++) {
        unsigned value = i == 2 ? 2 : 0;

        options.give_back = true;
        /* What one gives to another is not the taker's to give back. */
        if (mp_semaphore_new(&plain[i], value, NULL) < 0 ||
            (i == 2 && mp_semaphore_new(&accounted[i], value, &options) < 0) ||
            sem_init(&page->of[i].sem, 1, value) != 0)
            bench_die("setup");
        if (!subjects[BOOST].absent)
            boost_semaphore_make(page->of[i].boost, sizeof page->of[i].boost, value);
    }
    bench_head();
    if (bench_wanted("acquire + release")) {
        bench_rounds(measure_pairs, NULL, subjects, SUBJECTS, ROUNDS, figures, NULL);
        bench_rows("acquire + release", subjects, SUBJECTS, ROUNDS, figures, 1, "ns", false, LOW, marks);
    }
    for (i = 0; i < 3; i++) {
        if (!bench_wanted(names[i]))
            continue;
        trip.place = places[i];
        bench_rounds(measure_trips, &trip, subjects, ACCOUNTED, ROUNDS, figures, NULL);
        bench_rows(names[i], subjects, ACCOUNTED, ROUNDS, figures, 1e3, "us", false, LOW, marks);
    }
    if (bench_wanted("a slot for 8")) {
        trip.place = ANYWHERE;
        /* It would be the same as that of its hand-over. */
        subjects[CPYTHON].absent = true;
        bench_rounds(measure_race, &trip, subjects, SUBJECTS, ROUNDS, figures, NULL);
        bench_rows("a slot for 8", subjects, SUBJECTS, ROUNDS, figures, 1e6, "M/s", false, HIGH, rates);
    }
    for (i = 0; i < 3; i++)
        if (mp_semaphore_free(plain[i]) < 0 || (i == 2 && mp_semaphore_free(accounted[i]) < 0))
            bench_die("free");
    return 0;
}
