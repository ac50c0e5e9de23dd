/* Conditions beside those that one would use instead.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. In "hand-over" two processes take
 * turns: who has the lock and the turn gives the turn to the other one, notifies, and waits for it to
 * come back. The time is that of one turn there and back; both run where the kernel puts them, or each on
 * a CPU of its own ("apart"), or both on one ("together"). In "one of 8" seven processes wait, one
 * notifies one at a time, and who was notified tells it so by a semaphore of the same maker: the time is
 * that of one notification. Our condition has a Lock here, as the peers have a mutex; "of an RLock" is
 * the same with the lock that a condition makes for itself.
 */
#include "peers.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

enum { LIBMP, PLAIN, ROBUST, BOOST, CPYTHON, OF_RLOCK, SUBJECTS };
enum { ROUNDS = 11, TURNS = 4000, CROWD = 8, CALLS = 1500 };

static struct bench_subject subjects[SUBJECTS] = {{"libmp", false}, {"pthread", false}, {"robust", false},
                                                  {"Boost", false}, {"CPython", false}, {"of an RLock", false}};

static struct page {
    pthread_mutex_t mutex[2];           /* plain, robust */
    pthread_cond_t cond[2];
    char line1[BENCH_LINE];
    char boost[BOOST_SIZE];
    char line2[BENCH_LINE];
    sem_t told;
    char line3[BENCH_LINE];
    int turn;                           /* protected by the lock; of "one of 8": how many are to go on */
} *page;
static mp_lock *lock;
static mp_condition *condition[2];      /* with that lock, and with an RLock of its own */
static mp_semaphore *told;

static inline __attribute__((always_inline)) void acquire(int subject)
{
    if (subject == LIBMP ? mp_lock_acquire(lock, MP_FOREVER) < 0
        : subject == OF_RLOCK ? mp_condition_acquire(condition[1], MP_FOREVER) < 0
        : subject == BOOST ? (boost_condition_lock(page->boost), false)
                           : pthread_mutex_lock(&page->mutex[subject == ROBUST]) != 0)
        bench_die("acquire");
}

static inline __attribute__((always_inline)) void release(int subject)
{
    if (subject == LIBMP ? mp_lock_release(lock) < 0
        : subject == OF_RLOCK ? mp_condition_release(condition[1]) < 0
        : subject == BOOST ? (boost_condition_unlock(page->boost), false)
                           : pthread_mutex_unlock(&page->mutex[subject == ROBUST]) != 0)
        bench_die("release");
}

static inline __attribute__((always_inline)) void wait_for_it(int subject)
{
    if (subject == LIBMP || subject == OF_RLOCK ? mp_condition_wait(condition[subject == OF_RLOCK], MP_FOREVER) < 0
        : subject == BOOST ? (boost_condition_wait(page->boost), false)
                           : pthread_cond_wait(&page->cond[subject == ROBUST], &page->mutex[subject == ROBUST]) != 0)
        bench_die("wait");
}

static inline __attribute__((always_inline)) void notify(int subject)
{
    if (subject == LIBMP || subject == OF_RLOCK ? mp_condition_notify(condition[subject == OF_RLOCK], 1) < 0
        : subject == BOOST ? (boost_condition_notify(page->boost), false)
                           : pthread_cond_signal(&page->cond[subject == ROBUST]) != 0)
        bench_die("notify");
}

struct trip {
    int subject;
    enum bench_place place;
};

static void turns(void *user, int index)
{
    int subject = ((const struct trip *)user)->subject, i;

    acquire(subject);
    for (i = 0; i < TURNS; i++) {
        while (page->turn != index)
            wait_for_it(subject);
        page->turn = 1 - index;
        notify(subject);
    }
    release(subject);
}

static double measure_turns(void *user, int subject, double *second)
{
    struct trip *trip = user;

    (void)second;
    if (subject == CPYTHON)
        return bench_python("condition", trip->place);
    trip->subject = subject;
    page->turn = 0;
    return (double)bench_race(2, trip->place, 0, turns, trip) / TURNS;
}

static void crowd(void *user, int index)
{
    int subject = ((const struct trip *)user)->subject, i;
    bool ours = subject == LIBMP || subject == OF_RLOCK;

    if (index == 0) {
        for (i = 0; i < CALLS * (CROWD - 1); i++) {
            acquire(subject);
            page->turn++;
            notify(subject);
            release(subject);
            if (ours ? mp_semaphore_acquire(told, MP_FOREVER) < 0 : sem_wait(&page->told) != 0)
                bench_die("told");
        }
        return;
    }
    for (i = 0; i < CALLS; i++) {
        acquire(subject);
        while (page->turn == 0)
            wait_for_it(subject);
        page->turn--;
        release(subject);
        if (ours ? mp_semaphore_release(told, 1) < 0 : sem_post(&page->told) != 0)
            bench_die("told");
    }
}

static double measure_crowd(void *user, int subject, double *second)
{
    struct trip *trip = user;

    (void)second;
    trip->subject = subject;
    page->turn = 0;
    return (double)bench_race(CROWD, trip->place, 0, crowd, trip) / (CALLS * (CROWD - 1));
}

static void setup(void)
{
    mp_condition_options options = MP_CONDITION_OPTIONS;
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_cond;
    int i;

    page = bench_shared(sizeof *page);
    for (i = 0; i < 2; i++)
        if (pthread_mutexattr_init(&of_mutex) != 0 ||
            pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED) != 0 ||
            (i == 1 && pthread_mutexattr_setrobust(&of_mutex, PTHREAD_MUTEX_ROBUST) != 0) ||
            pthread_mutex_init(&page->mutex[i], &of_mutex) != 0 || pthread_condattr_init(&of_cond) != 0 ||
            pthread_condattr_setpshared(&of_cond, PTHREAD_PROCESS_SHARED) != 0 ||
            pthread_cond_init(&page->cond[i], &of_cond) != 0)
            bench_die("setup");
    if (sem_init(&page->told, 1, 0) != 0 || mp_lock_new(&lock, NULL) < 0 || mp_semaphore_new(&told, 0, NULL) < 0)
        bench_die("setup");
    options.lock = lock;
    if (mp_condition_new(&condition[0], &options) < 0 || mp_condition_new(&condition[1], NULL) < 0)
        bench_die("setup");
    subjects[BOOST].absent = boost_condition_make == NULL;
    if (!subjects[BOOST].absent)
        boost_condition_make(page->boost, sizeof page->boost);
    subjects[CPYTHON].absent = !bench_python_is_there();
}

int main(int argc, char **argv)
{
    static const double marks[SUBJECTS] = {0, 1.1, 1.1, 0, 0, 0};
    static const char *const names[] = {"hand-over, apart", "hand-over, together", "hand-over"};
    static const enum bench_place places[] = {APART, TOGETHER, ANYWHERE};
    double figures[SUBJECTS * ROUNDS];
    struct trip trip = {0, ANYWHERE};
    bool python;
    int i;

    bench_begin(argc, argv);
    setup();
    bench_head();
    for (i = 0; i < 3; i++) {
        if (!bench_wanted(names[i]))
            continue;
        trip.place = places[i];
        bench_rounds(measure_turns, &trip, subjects, SUBJECTS, ROUNDS, figures, NULL);
        bench_rows(names[i], subjects, SUBJECTS, ROUNDS, figures, 1e3, "us", false, LOW, marks);
    }
    if (bench_wanted("one of 8")) {
        trip.place = ANYWHERE;
        python = subjects[CPYTHON].absent;
        subjects[CPYTHON].absent = true;
        bench_rounds(measure_crowd, &trip, subjects, SUBJECTS, ROUNDS, figures, NULL);
        bench_rows("one of 8", subjects, CPYTHON, ROUNDS, figures, 1e3, "us", false, LOW, marks);
        subjects[CPYTHON].absent = python;
    }
    for (i = 0; i < 2; i++)
        if (mp_condition_free(condition[i]) < 0)
            bench_die("free");
    return mp_lock_free(lock) < 0 || mp_semaphore_free(told) < 0;
}
