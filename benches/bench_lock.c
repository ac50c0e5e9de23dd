/* The lock beside the mutexes that one would use instead.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. The robust mutex is the fair peer,
 * as it survives its owner's death like our lock; the plain one is the least that a lock can cost.
 *
 * "acquire + release" is one process that nobody disturbs. In "contended" 2 or 8 processes add to a
 * shared counter under the lock as fast as they can, where the kernel puts them or each on a CPU of
 * its own ("pinned"), and what counts is the rate of all together. A rate alone flatters a lock that
 * starves somebody, so below it stands the longest time between two turns of any one process: the
 * median of the rounds, and the worst of all in brackets; and what the unluckiest process got, as a
 * part of an even share. "held 20 us" is a lock with work under it and as
 * much work outside it; "held greedily" one that is held for 100 us and taken again at once.
 * "call on a handle" is what the library asks before it does anything.
 *
 * "100,000 locks" are made in one process and freed again: the memory, time and descriptors of one.
 * CPython's are POSIX semaphores with a name, a mapping and a page each.
 */
#include "peers.h"
#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CPython's is not in the races: only its rate is known. */
enum { LIBMP, PLAIN, ROBUST, BOOST, SEM, SUBJECTS, CPYTHON = SUBJECTS, ALL };
enum { RLOCK, RECURSIVE, ROBUST_RECURSIVE, R_SUBJECTS };
enum { PAIRS = 500000, PAIR_ROUNDS = 21, CALLS = 2000000, RACES = 9, LOCKS = 100000 };
#define RACE_NS (100 * 1000 * 1000)

static struct bench_subject subjects[ALL] = {
    {"libmp", false}, {"plain mutex", false}, {"robust", false}, {"Boost", false}, {"sem_t", false},
    {"CPython", false}};

/* What different processes write has lines of its own. */
static struct page {
    pthread_mutex_t plain, robust, recursive, robust_recursive;
    char line1[BENCH_LINE];
    char boost[BOOST_SIZE];
    char line2[BENCH_LINE];
    sem_t sem;
    char line3[BENCH_LINE];
    volatile int64_t counter;           /* protected by the lock that is measured */
    char line4[BENCH_LINE];
    struct {
        int64_t turns, longest;
        char line[BENCH_LINE];
    } racer[BENCH_MOST];
} *page;
static mp_lock *lock;
static mp_rlock *rlock;

static void make_mutex(pthread_mutex_t *mutex, bool robust, int type)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0 ||
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0 ||
        pthread_mutexattr_settype(&attributes, type) != 0 ||
        (robust && pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) != 0) ||
        pthread_mutex_init(mutex, &attributes) != 0)
        bench_die("pthread_mutex_init");
    pthread_mutexattr_destroy(&attributes);
}

/* Nobody dies here, so EOWNERDEAD would be a failure too. Inlined with a constant subject, so that
 * nothing but the call is measured. */
static inline __attribute__((always_inline)) void acquire(int subject)
{
    switch (subject) {
    case LIBMP:
        if (mp_lock_acquire(lock, MP_FOREVER) < 0)
            bench_die("acquire");
        break;
    case PLAIN:
    case ROBUST:
        if (pthread_mutex_lock(subject == PLAIN ? &page->plain : &page->robust) != 0)
            bench_die("pthread_mutex_lock");
        break;
    case BOOST:
        boost_mutex_lock(page->boost);
        break;
    default:
        if (sem_wait(&page->sem) != 0)
            bench_die("sem_wait");
    }
}

static inline __attribute__((always_inline)) void release(int subject)
{
    switch (subject) {
    case LIBMP:
        if (mp_lock_release(lock) < 0)
            bench_die("release");
        break;
    case PLAIN:
    case ROBUST:
        if (pthread_mutex_unlock(subject == PLAIN ? &page->plain : &page->robust) != 0)
            bench_die("pthread_mutex_unlock");
        break;
    case BOOST:
        boost_mutex_unlock(page->boost);
        break;
    default:
        if (sem_post(&page->sem) != 0)
            bench_die("sem_post");
    }
}

/* ---- one process ---- */

static inline __attribute__((always_inline)) double pairs(int subject)
{
    int64_t began = bench_now();
    int i;

    for (i = 0; i < PAIRS; i++) {
        acquire(subject);
        release(subject);
    }
    return (double)(bench_now() - began) / PAIRS;
}

static double measure_pairs(void *user, int subject, double *second)
{
    (void)user;
    (void)second;
    switch (subject) {
    case LIBMP:
        return pairs(LIBMP);
    case PLAIN:
        return pairs(PLAIN);
    case ROBUST:
        return pairs(ROBUST);
    case BOOST:
        return pairs(BOOST);
    case CPYTHON:
        return bench_python("lock", ANYWHERE);
    default:
        return pairs(SEM);
    }
}

/* Acquired once more by its holder where nested. */
static double measure_nested(void *user, int subject, double *second)
{
    pthread_mutex_t *mutex = subject == RECURSIVE ? &page->recursive : &page->robust_recursive;
    int64_t began = bench_now();
    int i, nested = *(int *)user, k;

    (void)second;
    for (i = 0; i < PAIRS; i++) {
        for (k = 0; k <= nested; k++)
            if (subject == RLOCK ? mp_rlock_acquire(rlock, MP_FOREVER) < 0 : pthread_mutex_lock(mutex) != 0)
                bench_die("acquire");
        for (k = 0; k <= nested; k++)
            if (subject == RLOCK ? mp_rlock_release(rlock) < 0 : pthread_mutex_unlock(mutex) != 0)
                bench_die("release");
    }
    return (double)(bench_now() - began) / PAIRS;
}

static mp_status empty(const mp_lock *unused, bool *locked)
{
    (void)unused;
    (void)locked;
    return MP_OK;
}

/* Both through a pointer, as a call into a shared library is. */
static double measure_call(void *user, int subject, double *second)
{
    mp_status (*volatile call)(const mp_lock *, bool *) = subject == LIBMP ? mp_lock_locked : empty;
    int64_t began = bench_now();
    bool locked;
    int i;

    (void)user;
    (void)second;
    for (i = 0; i < CALLS; i++)
        if (call(lock, &locked) < 0)
            bench_die("mp_lock_locked");
    return (double)(bench_now() - began) / CALLS;
}

static void undisturbed(void)
{
    static const double marks[ALL] = {0, 1.1, 0.8, 0, 0, 0};
    static const struct bench_subject call[] = {{"libmp", false}, {"empty call", false}};
    static const struct bench_subject recursive[R_SUBJECTS] = {
        {"libmp", false}, {"recursive", false}, {"robust, rec.", false}};
    double ns[ALL * PAIR_ROUNDS];
    int nested;

    if (!bench_wanted("acquire + release"))
        return;
    bench_rounds(measure_pairs, NULL, subjects, ALL, PAIR_ROUNDS, ns, NULL);
    bench_rows("acquire + release", subjects, ALL, PAIR_ROUNDS, ns, 1, "ns", false, LOW, marks);
    for (nested = 0; nested < 2; nested++) {
        bench_rounds(measure_nested, &nested, recursive, R_SUBJECTS, PAIR_ROUNDS, ns, NULL);
        bench_rows(nested ? "the same of an RLock, twice" : "the same of an RLock", recursive, R_SUBJECTS,
                   PAIR_ROUNDS, ns, 1, "ns", false, NO_MARK, NULL);
    }
    bench_rounds(measure_call, NULL, call, 2, PAIR_ROUNDS, ns, NULL);
    bench_rows("call on a handle", call, 2, PAIR_ROUNDS, ns, 1, "ns", false, NO_MARK, NULL);
}

/* ---- several processes ---- */

struct race {
    int subject, processes;
    int64_t work, rest;         /* nanoseconds with the lock, and without */
    enum bench_place place;
    double share[SUBJECTS];     /* the sum of the unluckiest's, of all rounds */
};

static void work_for(int64_t ns)
{
    int64_t until = bench_now() + ns;

    while (bench_now() < until)
        ;
}

static void racer(void *user, int index)
{
    const struct race *race = user;
    int64_t turns = 0, longest = 0, last, t;

    for (last = bench_now(); !bench_stopped(); last = t, turns++) {
        acquire(race->subject);
        page->counter = page->counter + 1;
        if (race->work > 0)
            work_for(race->work);
        release(race->subject);
        if (race->rest > 0)
            work_for(race->rest);
        t = bench_now();
        if (t - last > longest)
            longest = t - last;
    }
    page->racer[index].turns = turns;
    page->racer[index].longest = longest;
}

/* The rate of all together, per second; the second figure is the longest wait. */
static double measure_race(void *user, int subject, double *second)
{
    struct race *race = user;
    int64_t took, turns = 0, least = INT64_MAX;
    int i;

    race->subject = subject;
    page->counter = 0;
    took = bench_race(race->processes, race->place, RACE_NS, racer, race);
    *second = 0;
    for (i = 0; i < race->processes; i++) {
        turns += page->racer[i].turns;
        if (page->racer[i].turns < least)
            least = page->racer[i].turns;
        if ((double)page->racer[i].longest > *second)
            *second = (double)page->racer[i].longest;
    }
    if (turns != page->counter) {
        fprintf(stderr, "bench_lock: two held the %s at once: %lld turns, counted %lld\n",
                subjects[subject].name, (long long)turns, (long long)page->counter);
        exit(1);
    }
    if (turns > 0)
        race->share[subject] += (double)least * race->processes / (double)turns / RACES;
    return (double)turns * 1e9 / (double)took;
}

static void contended(int processes, enum bench_place place, int64_t work, int64_t rest, const char *how)
{
    static const double marks[SUBJECTS] = {0, 1, 1, 1, 1};
    struct race race = {0, processes, work, rest, place, {0}};
    double rates[SUBJECTS * RACES], waits[SUBJECTS * RACES];
    char name[64];

    snprintf(name, sizeof name, "contended, %d processes%s", processes, how);
    if (!bench_wanted(name))
        return;
    bench_rounds(measure_race, &race, subjects, SUBJECTS, RACES, rates, waits);
    if (work > 0)
        bench_rows(name, subjects, SUBJECTS, RACES, rates, 1e3, "k/s", false, HIGH, marks);
    else
        bench_rows(name, subjects, SUBJECTS, RACES, rates, 1e6, "M/s", false, HIGH, marks);
    if (work == 0 && place == ANYWHERE) {
        if (subjects[CPYTHON].absent)
            bench_missing(name, "CPython");
        else
            bench_row(name, rates[RACES / 2] / 1e6, NULL, "CPython",
                      1e3 / bench_python(processes == 2 ? "contended-2" : "contended-8", place), NULL, "M/s", NO_MARK, 0);
    }
    bench_rows("    its longest wait", subjects, SUBJECTS, RACES, waits, 1e6, "ms", true, LOW, marks);
    bench_rows("    the unluckiest's share", subjects, SUBJECTS, 1, race.share, 1, "", false, NO_MARK, NULL);
}

/* ---- many of them ---- */

static int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (directory == NULL)
        bench_die("/proc/self/fd");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* Bytes of this process's memory that are there, shared ones included. */
static double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages;

    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1)
        bench_die("/proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* How many CPython can have at once, up to LOCKS, and what one costs. */
static bool python(double *count, double *ns)
{
    static const char program[] =
        "python3 -c \"\n"
        "import multiprocessing, time\n"
        "locks = []\n"
        "began = time.monotonic_ns()\n"
        "try:\n"
        "    while len(locks) < 100000: locks.append(multiprocessing.Lock())\n"
        "except OSError: pass\n"
        "print(len(locks), (time.monotonic_ns() - began) / max(len(locks), 1))\n"
        "\" 2>/dev/null";
    FILE *pipe = popen(program, "r");
    bool good = pipe != NULL && fscanf(pipe, "%lf %lf", count, ns) == 2;

    if (pipe != NULL)
        pclose(pipe);
    return good;
}

static void many(void)
{
    static mp_lock *locks[LOCKS];
    int64_t began, made, freed;
    double before, bytes, count, ns;
    int fds, i;

    if (!bench_wanted("100,000 locks"))
        return;
    memset(locks, 1, sizeof locks);
    fds = descriptors();
    before = resident();
    began = bench_now();
    for (i = 0; i < LOCKS; i++)
        if (mp_lock_new(&locks[i], NULL) < 0)
            bench_die("mp_lock_new");
    made = bench_now() - began;
    bytes = resident() - before;
    fds = descriptors() - fds;
    began = bench_now();
    for (i = 0; i < LOCKS; i++)
        if (mp_lock_free(locks[i]) < 0)
            bench_die("mp_lock_free");
    freed = bench_now() - began;
    bench_limit("100,000 locks: to make one", (double)made / LOCKS, "ns", 1000);
    bench_limit("    to free one", (double)freed / LOCKS, "ns", 1000);
    bench_limit("    memory of all", bytes / 1048576, "MiB", 16);
    bench_limit("    descriptors", fds, "", 0);
    if (python(&count, &ns)) {
        bench_row("    to make one", (double)made / LOCKS, NULL, "CPython", ns, NULL, "ns", NO_MARK, 0);
        bench_row("    how many there can be", LOCKS, NULL, "CPython", count, NULL, "", NO_MARK, 0);
    } else {
        bench_missing("100,000 locks", "CPython");
    }
}

int main(int argc, char **argv)
{
    int i;

    bench_begin(argc, argv);
    if (mp_lock_new(&lock, NULL) < 0 || mp_rlock_new(&rlock, NULL) < 0)
        bench_die("setup");
    page = bench_shared(sizeof *page);
    make_mutex(&page->plain, false, PTHREAD_MUTEX_NORMAL);
    make_mutex(&page->robust, true, PTHREAD_MUTEX_NORMAL);
    make_mutex(&page->recursive, false, PTHREAD_MUTEX_RECURSIVE);
    make_mutex(&page->robust_recursive, true, PTHREAD_MUTEX_RECURSIVE);
    if (sem_init(&page->sem, 1, 1) != 0)
        bench_die("sem_init");
    subjects[BOOST].absent = boost_mutex_make == NULL;
    if (!subjects[BOOST].absent)
        boost_mutex_make(page->boost, sizeof page->boost);

    subjects[CPYTHON].absent = !bench_python_is_there();
    bench_head();
    undisturbed();
    for (i = 2; i <= 8; i += 6) {
        contended(i, ANYWHERE, 0, 0, "");
        contended(i, APART, 0, 0, ", pinned");
    }
    for (i = 2; i <= 8; i += 6) {
        contended(i, ANYWHERE, 20000, 20000, ", held 20 us");
        contended(i, ANYWHERE, 100000, 0, ", held greedily");
    }
    many();
    if (mp_rlock_free(rlock) < 0 || mp_lock_free(lock) < 0)
        bench_die("free");
    return 0;
}
