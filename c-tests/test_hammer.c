/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The hammer: eight processes use one primitive as fast as they can, and one after the other is killed at
 * a random moment and replaced. Nobody hangs, nobody gets in where he should not, and at the end the
 * counts of the survivors are exact. Then the same without kills: no sleeper had to find its work
 * by itself.
 *
 * A row of the table is a PRIMITIVE. MP_HAMMER=n kills n times; give that time by --timeout-scale. */
#include "test_util.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 8, KILLS = 150, ROUNDS = 2000 };

/* In memory that libmp knows nothing of. What a worker counts in its own place only it writes. */
typedef struct board {
    volatile int64_t first, second, holder, recoveries;
    volatile int64_t count[WORKERS], taken[WORKERS];
    int64_t index[WORKERS];
    /* A bit for each worker who is in, and, from bit 16 on, for each who is about to be killed. */
    uint32_t inside;
    uint32_t stop;
    int violations;
    /* How many each worker does. */
    int64_t rounds;
} board;

typedef struct primitive {
    void (*make)(void);
    /* What worker `me` does again and again. */
    void (*round)(int me);
    /* Those who wait for others come to their ends: the board says stop. */
    void (*stop)(void);
    /* With all workers gone, of whom so many were killed: the counts, and the primitive still works. */
    void (*check)(int kills);
    void (*end)(void);
    /* At times, while they work. */
    void (*mend)(void);
    /* This one was killed just now, and has no successor yet. */
    void (*killed)(int victim);
} primitive;

static board *b;

static void violation(const char *what)
{
    fprintf(stderr, "%s: first %lld, second %lld, holder %lld, inside %x\n", what, (long long)b->first,
            (long long)b->second, (long long)b->holder, (unsigned)b->inside);
    __atomic_fetch_add(&b->violations, 1, __ATOMIC_SEQ_CST);
}

static bool stopping(void)
{
    return __atomic_load_n(&b->stop, __ATOMIC_SEQ_CST) != 0;
}

static int64_t sum(const volatile int64_t *list)
{
    int64_t total = 0;
    int i;

    for (i = 0; i < WORKERS; i++)
        total += list[i];
    return total;
}

/* ---- the workers ---- */

static pid_t start_worker(const primitive *p, int me)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        int64_t i;

        for (i = 0; i < b->rounds && !stopping(); i++)
            p->round(me);
        fflush(stdout);
        _exit(0);
    }
    return pid;
}

static int reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The workers are forks under any start method. */
static int some(int number)
{
    return strcmp(test_start_method(), "fork") == 0 ? number : number / 10;
}

static int kills_wanted(void)
{
    const char *text = getenv("MP_HAMMER");
    int wanted = text == NULL ? some(KILLS) : atoi(text);

    CHECK(wanted > 0);
    return wanted;
}

static void kill_one(const primitive *p, pid_t *workers, int victim)
{
    uint32_t bits = UINT32_C(0x10001) << victim;

    __atomic_fetch_or(&b->inside, UINT32_C(0x10000) << victim, __ATOMIC_SEQ_CST);
    CHECK(kill(workers[victim], SIGKILL) == 0);
    CHECK_INT(reap(workers[victim]), -SIGKILL);
    __atomic_fetch_and(&b->inside, ~bits, __ATOMIC_SEQ_CST);
    if (p->killed != NULL)
        p->killed(victim);
    workers[victim] = start_worker(p, victim);
    if (p->mend != NULL)
        p->mend();
}

static bool went_on(void *before)
{
    return sum(b->count) > *(int64_t *)before + 4;
}

static void hammer_with_kills(const primitive *p)
{
    int kills = kills_wanted(), i;
    pid_t workers[WORKERS];
    rng r = rng_new();

    b = shared_new(sizeof *b);
    b->rounds = INT64_MAX;
    p->make();
    for (i = 0; i < WORKERS; i++)
        workers[i] = start_worker(p, i);
    for (i = 0; i < kills; i++) {
        if (rng_below(&r, 4) != 0)
            usleep((useconds_t)rng_below(&r, 1500));
        kill_one(p, workers, (int)rng_below(&r, WORKERS));
        /* The others go on, without anybody's help but the mend's. */
        if (i % 32 == 0) {
            int64_t before = sum(b->count);
            int64_t guard = now_ns() + INT64_C(30000000000);

            while (!went_on(&before)) {
                CHECK(now_ns() < guard);
                if (p->mend != NULL)
                    p->mend();
                usleep(200);
            }
        }
    }
    __atomic_store_n(&b->stop, 1, __ATOMIC_SEQ_CST);
    if (p->stop != NULL)
        p->stop();
    for (i = 0; i < WORKERS; i++)
        CHECK_INT(reap(workers[i]), 0);
    printf("%d kills, %lld rounds, %lld recoveries\n", kills, (long long)sum(b->count),
           (long long)b->recoveries);
    CHECK_INT(b->violations, 0);
    CHECK(sum(b->count) > 0);
    p->check(kills);
    p->end();
    shared_free(b, sizeof *b);
}

static void hammer_without_kills(const primitive *p)
{
    pid_t workers[WORKERS];
    int i;

    b = shared_new(sizeof *b);
    b->rounds = some(ROUNDS);
    p->make();
    for (i = 0; i < WORKERS; i++)
        workers[i] = start_worker(p, i);
    for (i = 0; i < WORKERS; i++)
        CHECK_INT(reap(workers[i]), 0);
    CHECK_INT(b->violations, 0);
    CHECK_INT(sum(b->count), WORKERS * b->rounds);
    p->check(0);
    CHECK_INT(stats_now().rescued, 0);
    p->end();
    shared_free(b, sizeof *b);
}

#define PRIMITIVE(name_, ...)                                                                      \
    static const primitive name_##_primitive = {__VA_ARGS__};                                      \
    TEST_T(hammer, name_##_with_kills, 120)                                                        \
    {                                                                                              \
        hammer_with_kills(&name_##_primitive);                                                     \
    }                                                                                              \
    TEST_T(hammer, name_##_without_kills, 60)                                                      \
    {                                                                                              \
        hammer_without_kills(&name_##_primitive);                                                  \
    }

/* ---- what whoever holds a lock does ---- */

/* A count, mine, and another count: who was not told of a death finds all three as they should be. */
static void count_guarded(int me, bool told)
{
    int64_t total = sum(b->count);

    if (told) {
        if (b->first < total || b->first > total + 1 || b->second > total || b->second < total - 1)
            violation("a death explains less than this");
        b->first = b->second = total;
        b->recoveries++;
    } else if (b->holder != 0 || b->first != total || b->second != total) {
        violation("torn without a death");
    }
    b->holder = me + 1;
    b->first++;
    b->count[me]++;
    if (b->holder != me + 1)
        violation("two holders");
    b->second++;
    b->holder = 0;
}

/* The last who died may have left it in the middle. */
static void check_guarded(bool told)
{
    int64_t total = sum(b->count);

    CHECK(told || (b->first == total && b->second == total && b->holder == 0));
}

/* ---- lock ---- */

static mp_lock *lock;

static void make_lock(void)
{
    lock = lock_new();
}

static void lock_round(int me)
{
    bool told;

    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    CHECK_OK(mp_lock_recovered(lock, &told));
    count_guarded(me, told);
    CHECK_OK(mp_lock_release(lock));
}

static void check_lock(int kills)
{
    bool told;

    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    CHECK_OK(mp_lock_recovered(lock, &told));
    CHECK(!told || kills > 0);
    check_guarded(told);
    CHECK_OK(mp_lock_release(lock));
}

static void end_lock(void)
{
    CHECK_OK(mp_lock_free(lock));
}

PRIMITIVE(lock, .make = make_lock, .round = lock_round, .check = check_lock, .end = end_lock)

/* Some want it for a moment only, or at once. */
static void impatient_round(int me)
{
    bool told;

    for (;;) {
        int s = mp_lock_acquire(lock, me % 4 == 0 ? MP_NO_WAIT : me % 4 == 1 ? 20000 : MP_FOREVER);

        if (s == MP_OK)
            break;
        CHECK_INT(s, MP_ERR_TIMEOUT);
        if (stopping())
            return;
    }
    CHECK_OK(mp_lock_recovered(lock, &told));
    count_guarded(me, told);
    CHECK_OK(mp_lock_release(lock));
}

PRIMITIVE(lock_in_time, .make = make_lock, .round = impatient_round, .check = check_lock,
          .end = end_lock)

/* ---- rlock ---- */

static mp_rlock *rlock;

static void make_rlock(void)
{
    CHECK_OK(mp_rlock_new(&rlock, NULL));
}

static void rlock_round(int me)
{
    bool told;
    int i;

    for (i = 0; i < 3; i++)
        CHECK_OK(mp_rlock_acquire(rlock, MP_FOREVER));
    CHECK_OK(mp_rlock_recovered(rlock, &told));
    count_guarded(me, told);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_rlock_release(rlock));
    CHECK(mp_rlock_release(rlock) == MP_ERR_NOT_OWNER);
}

static void check_rlock(int kills)
{
    bool told;

    CHECK_OK(mp_rlock_acquire(rlock, MP_FOREVER));
    CHECK_OK(mp_rlock_recovered(rlock, &told));
    CHECK(!told || kills > 0);
    check_guarded(told);
    CHECK_OK(mp_rlock_release(rlock));
    CHECK_STATUS(mp_rlock_release(rlock), MP_ERR_NOT_OWNER);
}

static void end_rlock(void)
{
    CHECK_OK(mp_rlock_free(rlock));
}

PRIMITIVE(rlock, .make = make_rlock, .round = rlock_round, .check = check_rlock, .end = end_rlock)

/* ---- semaphore ---- */

enum { SLOTS = 3 };

static mp_semaphore *semaphore;

static void make_semaphore(void)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;

    o.give_back = true;
    CHECK_OK(mp_semaphore_new(&semaphore, SLOTS, &o));
}

static void semaphore_round(int me)
{
    uint32_t now;
    int in = 0, i;

    CHECK_OK(mp_semaphore_acquire(semaphore, MP_FOREVER));
    now = __atomic_or_fetch(&b->inside, UINT32_C(1) << me, __ATOMIC_SEQ_CST);
    for (i = 0; i < WORKERS; i++)
        in += (now >> i & 1) != 0 && (now >> (16 + i) & 1) == 0;
    if (in > SLOTS)
        violation("more are in than there are slots");
    b->count[me]++;
    __atomic_fetch_and(&b->inside, ~(UINT32_C(1) << me), __ATOMIC_SEQ_CST);
    CHECK_OK(mp_semaphore_release(semaphore, 1));
}

/* Whatever the dead had is there again, and no more. */
static void check_semaphore(int kills)
{
    int i;

    (void)kills;
    for (i = 0; i < SLOTS; i++)
        CHECK_OK(mp_semaphore_acquire(semaphore, MP_SEC(20)));
    CHECK_STATUS(mp_semaphore_acquire(semaphore, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_release(semaphore, SLOTS));
}

static void end_semaphore(void)
{
    CHECK_OK(mp_semaphore_free(semaphore));
}

PRIMITIVE(semaphore, .make = make_semaphore, .round = semaphore_round, .check = check_semaphore,
          .end = end_semaphore)

/* ---- event ---- */

static mp_event *event;

static void make_event(void)
{
    CHECK_OK(mp_event_new(&event));
}

/* Half of them set it and clear it at once, and as long as they do, each wait ends. The last of them, and whoever
 * finds that all is over, leaves it set. */
static void event_round(int me)
{
    int64_t sets = b->rounds == INT64_MAX ? INT64_MAX : b->rounds * WORKERS / 2;

    if (me % 2 == 0) {
        CHECK_OK(mp_event_set(event));
        CHECK_OK(mp_event_clear(event));
        __atomic_fetch_add(&b->taken[me], 1, __ATOMIC_SEQ_CST);
        if (stopping() || sum(b->taken) >= sets)
            CHECK_OK(mp_event_set(event));
    } else if (sum(b->taken) < sets) {
        CHECK_OK(mp_event_wait(event, MP_SEC(60)));
    }
    b->count[me]++;
}

static void stop_event(void)
{
    CHECK_OK(mp_event_set(event));
}

static void check_event(int kills)
{
    (void)kills;
    CHECK_OK(mp_event_set(event));
    CHECK_OK(mp_event_wait(event, MP_NO_WAIT));
    CHECK_OK(mp_event_clear(event));
    CHECK_STATUS(mp_event_wait(event, MP_NO_WAIT), MP_ERR_TIMEOUT);
}

static void end_event(void)
{
    CHECK_OK(mp_event_free(event));
}

PRIMITIVE(event, .make = make_event, .round = event_round, .stop = stop_event, .check = check_event,
          .end = end_event)

/* ---- condition ---- */

enum { ROOM = 2 };

static mp_condition *filled, *emptied;

static void make_condition(void)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;

    make_lock();
    o.lock = lock;
    CHECK_OK(mp_condition_new(&filled, &o));
    CHECK_OK(mp_condition_new(&emptied, &o));
}

static int64_t things(void)
{
    int64_t put = 0, taken = 0;
    int i;

    for (i = 0; i < WORKERS; i++)
        *(i % 2 == 0 ? &put : &taken) += b->count[i];
    return put - taken;
}

static void notify_all(void)
{
    CHECK_OK(mp_condition_notify_all(filled));
    CHECK_OK(mp_condition_notify_all(emptied));
}

/* The dead one may have counted and told nobody. */
static void told_of_a_death(void)
{
    bool told;

    CHECK_OK(mp_lock_recovered(lock, &told));
    if (!told)
        return;
    b->recoveries++;
    notify_all();
}

/* Half of them put, the others take. How many things there are follows from what each has counted. */
static void condition_round(int me)
{
    bool puts = me % 2 == 0;

    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    told_of_a_death();
    while (puts ? things() >= ROOM : things() <= 0) {
        if (stopping()) {
            CHECK_OK(mp_lock_release(lock));
            return;
        }
        CHECK_OK(mp_condition_wait(puts ? emptied : filled, MP_SEC(60)));
        told_of_a_death();
    }
    b->count[me]++;
    if (things() < 0 || things() > ROOM)
        violation("a thing was lost, or taken twice");
    CHECK_OK(mp_condition_notify(puts ? filled : emptied, 1));
    CHECK_OK(mp_lock_release(lock));
}

static void stop_condition(void)
{
    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    notify_all();
    CHECK_OK(mp_lock_release(lock));
}

/* Nobody is in it any more. */
static void check_condition(int kills)
{
    CHECK(things() >= 0 && things() <= ROOM);
    CHECK(kills > 0 || things() == 0);
    CHECK_OK(mp_lock_acquire(lock, MP_SEC(20)));
    notify_all();
    CHECK_STATUS(mp_condition_wait(filled, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(lock));
}

static void end_condition(void)
{
    CHECK_OK(mp_condition_free(filled));
    CHECK_OK(mp_condition_free(emptied));
    end_lock();
}

PRIMITIVE(condition, .make = make_condition, .round = condition_round, .stop = stop_condition,
          .check = check_condition, .end = end_condition)

/* ---- barrier ---- */

static mp_barrier *barrier;

static void make_barrier(void)
{
    CHECK_OK(mp_barrier_new(&barrier, WORKERS, NULL));
}

/* b->first counts the resets; b->taken has the number, one higher, of the last after which this one has passed. */
static void barrier_round(int me)
{
    int64_t resets = b->first;
    size_t index;
    int s = mp_barrier_wait(barrier, MP_SEC(60), &index);

    if (s == MP_OK) {
        CHECK(index < WORKERS);
        __atomic_fetch_add(&b->index[index], 1, __ATOMIC_SEQ_CST);
        b->taken[me] = resets + 1;
        b->count[me]++;
    } else {
        CHECK_INT(s, MP_ERR_BROKEN_BARRIER);
        usleep(50);
    }
}

static void mend_barrier(void)
{
    bool broken;

    CHECK_OK(mp_barrier_broken(barrier, &broken));
    if (broken) {
        CHECK_OK(mp_barrier_reset(barrier));
        b->first++;
    }
}

static bool is_broken(void *nothing)
{
    bool broken;

    (void)nothing;
    CHECK_OK(mp_barrier_broken(barrier, &broken));
    return broken;
}

/* It had taken part, so the others find out that it is missing. That takes a moment; so not each time. */
static void killed_party(int victim)
{
    if (b->taken[victim] == b->first + 1 && b->recoveries++ % 8 == 0)
        CHECK(wait_until(is_broken, NULL));
}

static void stop_barrier(void)
{
    CHECK_OK(mp_barrier_abort(barrier));
}

/* In each cycle there was one of each number, but for those that were killed before they had counted. */
static void check_barrier(int kills)
{
    size_t waiting;
    int i;

    for (i = 0; i < WORKERS; i++)
        CHECK(b->index[i] >= b->index[0] - kills && b->index[i] <= b->index[0] + kills);
    CHECK_OK(mp_barrier_reset(barrier));
    CHECK_OK(mp_barrier_waiting(barrier, &waiting));
    CHECK_INT(waiting, 0);
}

static void end_barrier(void)
{
    CHECK_OK(mp_barrier_free(barrier));
}

PRIMITIVE(barrier, .make = make_barrier, .round = barrier_round, .stop = stop_barrier,
          .check = check_barrier, .end = end_barrier, .mend = mend_barrier,
          .killed = killed_party)

/* ---- value ---- */

static mp_value *value;

static void make_value(void)
{
    value = flag_new();
}

static void value_round(int me)
{
    int64_t before, mine = b->count[me];

    CHECK_OK(mp_value_fetch_add(value, 1, &before));
    if (before < mine)
        violation("an addition was lost");
    b->count[me] = mine + 1;
}

/* Each of the killed may have added and not counted. */
static void check_value(int kills)
{
    int64_t more = flag_get(value) - sum(b->count);

    CHECK(more >= 0 && more <= kills);
}

static void end_value(void)
{
    CHECK_OK(mp_value_free(value));
}

PRIMITIVE(value, .make = make_value, .round = value_round, .check = check_value, .end = end_value)
