/* The lock beside process-shared pthread mutexes, plain and robust, in one run.
 *
 * How to read it. Each row compares libmp with one peer. All of them are measured in turn, round
 * after round, so that whatever else the machine does hits all alike; the figures are medians of the
 * rounds. The ratio is libmp's figure divided by the peer's: of times it should be low, of rates it
 * should be high, and the mark, held against the ratio as printed, says how far. The robust mutex is
 * the fair peer, as it survives its owner's death like our lock; the plain one is the least that a
 * lock can cost.
 *
 * "acquire + release" is one process that nobody disturbs. In "contended" 2 or 8 processes add to a
 * shared counter under the lock as fast as they can, and what counts is the rate of all together. A
 * rate alone flatters a lock that starves somebody, so below it stands the longest time between two
 * turns of any one process: the median of the rounds, and the worst of all in brackets. "call on a
 * handle" is what the library asks before it does anything: guard, handle check, process check.
 */
#include <mp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIBMP, PLAIN, ROBUST, SUBJECTS };
enum { PAIRS = 500000, PAIR_ROUNDS = 21, CALLS = 2000000, RACES = 9, MOST = 8 };
#define RACE_NS (200 * 1000 * 1000)

/* Lives in a shared array. What different processes write has cache lines of its own. */
struct page {
    pthread_mutex_t mutex[SUBJECTS];    /* LIBMP's is not used */
    char line1[64];
    volatile int64_t counter;           /* protected by the lock that is measured */
    char line2[64];
    int ready, go, stop;
    struct {
        int64_t turns, longest;
        char line[64];
    } racer[MOST];
};
struct racer {
    int subject, index;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_lock: %s: %s\n", what, mp_last_error());
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

/* Sorts the figures: the last is the worst. */
static double median(double *figures, size_t count)
{
    qsort(figures, count, sizeof *figures, by_value);
    return figures[count / 2];
}

static void make_mutex(pthread_mutex_t *mutex, int robust)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0 ||
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0 ||
        (robust && pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) != 0) ||
        pthread_mutex_init(mutex, &attributes) != 0)
        die("pthread_mutex_init");
    pthread_mutexattr_destroy(&attributes);
}

/* Nobody dies here, so EOWNERDEAD would be a failure too. */
static inline void acquire(int subject, mp_lock *lock, struct page *page)
{
    if (subject == LIBMP ? mp_lock_acquire(lock, MP_FOREVER) < 0
                         : pthread_mutex_lock(&page->mutex[subject]) != 0)
        die("acquire");
}

static inline void release(int subject, mp_lock *lock, struct page *page)
{
    if (subject == LIBMP ? mp_lock_release(lock) < 0
                         : pthread_mutex_unlock(&page->mutex[subject]) != 0)
        die("release");
}

/* ---- one process ---- */

static double pair_ns(int subject, mp_lock *lock, struct page *page)
{
    int64_t began = now();
    int i;

    for (i = 0; i < PAIRS; i++) {
        acquire(subject, lock, page);
        release(subject, lock, page);
    }
    return (double)(now() - began) / PAIRS;
}

static mp_status empty(const mp_lock *lock, bool *locked)
{
    (void)lock;
    (void)locked;
    return MP_OK;
}

/* Both through a pointer, as a call into a shared library is. */
static double call_ns(mp_status (*volatile call)(const mp_lock *, bool *), const mp_lock *lock)
{
    int64_t began = now();
    bool locked;
    int i;

    for (i = 0; i < CALLS; i++)
        if (call(lock, &locked) < 0)
            die("mp_lock_locked");
    return (double)(now() - began) / CALLS;
}

/* ---- several processes ---- */

static int race(mp_child *self, void *user)
{
    mp_lock *lock = mp_child_lock(self, 0);
    mp_array *array = mp_child_array(self, 1);
    const void *bytes = mp_child_bytes(self, 2, NULL);
    int64_t turns = 0, longest = 0, last, t;
    struct racer racer;
    struct page *page;
    void *data;

    (void)user;
    if (lock == NULL || array == NULL || bytes == NULL || mp_array_data(array, &data, NULL) < 0)
        die("a racer's arguments");
    page = data;
    memcpy(&racer, bytes, sizeof racer);
    __atomic_fetch_add(&page->ready, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&page->go, __ATOMIC_ACQUIRE))
        sched_yield();
    for (last = now(); !__atomic_load_n(&page->stop, __ATOMIC_RELAXED); last = t, turns++) {
        acquire(racer.subject, lock, page);
        page->counter = page->counter + 1;
        release(racer.subject, lock, page);
        t = now();
        if (t - last > longest)
            longest = t - last;
    }
    page->racer[racer.index].turns = turns;
    page->racer[racer.index].longest = longest;
    return 0;
}

/* Sets the rate of all racers together, per second, and the longest wait of any, in ms. */
static void run_race(int subject, int racers, mp_lock *lock, mp_array *array, struct page *page,
                     double *rate, double *longest)
{
    const struct timespec tick = {0, 1000000}, length = {0, RACE_NS};
    mp_process *process[MOST];
    int64_t turns = 0, began, took;
    int i, code;

    page->counter = 0;
    page->ready = page->go = page->stop = 0;
    for (i = 0; i < racers; i++) {
        struct racer racer = {subject, i};

        if (mp_process_new(&process[i], race, NULL, NULL) < 0 ||
            mp_process_add_handle(process[i], lock) < 0 ||
            mp_process_add_handle(process[i], array) < 0 ||
            mp_process_add_bytes(process[i], &racer, sizeof racer) < 0 ||
            mp_process_start(process[i]) < 0)
            die("start");
    }
    while (__atomic_load_n(&page->ready, __ATOMIC_ACQUIRE) < racers)
        nanosleep(&tick, NULL);
    began = now();
    __atomic_store_n(&page->go, 1, __ATOMIC_RELEASE);
    nanosleep(&length, NULL);
    __atomic_store_n(&page->stop, 1, __ATOMIC_RELEASE);
    took = now() - began;

    *longest = 0;
    for (i = 0; i < racers; i++) {
        if (mp_process_join(process[i], MP_FOREVER) < 0 ||
            mp_process_exitcode(process[i], &code) < 0 || mp_process_free(process[i]) < 0)
            die("join");
        if (code != 0)
            exit(1);
        turns += page->racer[i].turns;
        if ((double)page->racer[i].longest / 1e6 > *longest)
            *longest = (double)page->racer[i].longest / 1e6;
    }
    if (turns != page->counter) {
        fprintf(stderr, "bench_lock: two held the lock at once: %lld turns, counted %lld\n",
                (long long)turns, (long long)page->counter);
        exit(1);
    }
    *rate = (double)turns * 1e9 / (double)took;
}

/* ---- the table ---- */

static void row(const char *name, const char *ours, const char *peer, double ratio, int low,
                double mark)
{
    double shown = (double)(int64_t)(ratio * 100 + 0.5) / 100;
    int met = low ? shown <= mark : shown >= mark;

    printf("%-44s | %16s | %16s | %5.2f | %s %.1f %s\n", name, ours, peer, ratio, low ? "<=" : ">=",
           mark, met ? "met" : "MISSED");
    fflush(stdout);
}

static void undisturbed(mp_lock *lock, struct page *page)
{
    static double ns[SUBJECTS][PAIR_ROUNDS], handle[PAIR_ROUNDS], nothing[PAIR_ROUNDS];
    char text[SUBJECTS][32];
    double figure[SUBJECTS];
    int round, s;

    for (round = 0; round < PAIR_ROUNDS; round++) {
        for (s = 0; s < SUBJECTS; s++)
            ns[s][round] = pair_ns(s, lock, page);
        handle[round] = call_ns(mp_lock_locked, lock);
        nothing[round] = call_ns(empty, lock);
    }
    for (s = 0; s < SUBJECTS; s++) {
        figure[s] = median(ns[s], PAIR_ROUNDS);
        snprintf(text[s], sizeof text[s], "%.1f ns", figure[s]);
    }
    row("acquire + release, beside plain", text[LIBMP], text[PLAIN], figure[LIBMP] / figure[PLAIN], 1, 1.1);
    row("acquire + release, beside robust", text[LIBMP], text[ROBUST], figure[LIBMP] / figure[ROBUST], 1, 0.8);
    figure[0] = median(handle, PAIR_ROUNDS);
    figure[1] = median(nothing, PAIR_ROUNDS);
    printf("%-44s | %13.1f ns | %13.1f ns | %+4.1f ns | <= 3 ns more %s\n",
           "call on a handle, beside an empty function", figure[0], figure[1], figure[0] - figure[1],
           figure[0] - figure[1] <= 3 ? "met" : "MISSED");
}

static void contended(int racers, mp_lock *lock, mp_array *array, struct page *page)
{
    static const char *const peer[SUBJECTS] = {"", "plain", "robust"};
    static double rates[SUBJECTS][RACES], waits[SUBJECTS][RACES];
    char rate_text[SUBJECTS][32], wait_text[SUBJECTS][32], name[64];
    double rate[SUBJECTS], wait[SUBJECTS];
    int round, s;

    for (round = 0; round < RACES; round++)
        for (s = 0; s < SUBJECTS; s++)
            run_race(s, racers, lock, array, page, &rates[s][round], &waits[s][round]);
    for (s = 0; s < SUBJECTS; s++) {
        rate[s] = median(rates[s], RACES);
        wait[s] = median(waits[s], RACES);
        snprintf(rate_text[s], sizeof rate_text[s], "%.2f M/s", rate[s] / 1e6);
        snprintf(wait_text[s], sizeof wait_text[s], "%.1f (%.1f) ms", wait[s], waits[s][RACES - 1]);
    }
    for (s = PLAIN; s < SUBJECTS; s++) {
        snprintf(name, sizeof name, "contended, %d processes, beside %s", racers, peer[s]);
        row(name, rate_text[LIBMP], rate_text[s], rate[LIBMP] / rate[s], 0, 1);
        row("    its longest wait", wait_text[LIBMP], wait_text[s], wait[LIBMP] / wait[s], 1, 1);
    }
}

int main(int argc, char **argv)
{
    struct page *page;
    mp_array *array;
    mp_lock *lock;
    void *data;

    if (mp_bootstrap(argc, argv) < 0 || mp_lock_new(&lock, NULL) < 0 ||
        mp_array_new(&array, MP_UINT8, sizeof *page, NULL) < 0 || mp_array_data(array, &data, NULL) < 0)
        die("setup");
    page = data;
    make_mutex(&page->mutex[PLAIN], 0);
    make_mutex(&page->mutex[ROBUST], 1);

    printf("%-44s | %16s | %16s | %5s | %s\n", "row", "libmp", "peer", "ratio", "mark");
    undisturbed(lock, page);
    contended(2, lock, array, page);
    contended(8, lock, array, page);

    if (mp_array_free(array) < 0 || mp_lock_free(lock) < 0)
        die("free");
    return 0;
}
