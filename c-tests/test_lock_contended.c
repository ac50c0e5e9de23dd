/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Locks that many want at once. */
#include "test_util.h"

#include <pthread.h>
#include <sched.h>

static int holds_a_moment(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, NULL));
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    sleep_ms(3);
    CHECK_OK(mp_lock_release(l));
    return 0;
}

/* Sleepers in a row: each release must wake one of them, and remember that there are more. */
TEST(lock, every_sleeper_is_woken)
{
    mp_lock *l = lock_new();
    mp_value *there = flag_new();
    mp_process *children[8];
    int round;
    size_t i;

    for (round = 0; round < 20; round++) {
        flag_set(there, 0);
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        for (i = 0; i < COUNT(children); i++)
            children[i] = CHILD_START(holds_a_moment, l, there);
        flag_wait(there, COUNT(children));
        sleep_ms(5);
        CHECK_OK(mp_lock_release(l));
        for (i = 0; i < COUNT(children); i++)
            CHECK_INT(child_end(children[i]), 0);
    }
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(there));
    CHECK_OK(mp_lock_free(l));
}

/* What the child has come to; at first which CPU it is to run on, as -1 or less. */
enum { THERE = 1, HAD_IT };

static void run_on(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
}

static int wants_it_once(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);

    CHECK(user == NULL);
    run_on((int)(-1 - flag_get(mp_child_value(self, 1))));
    CHECK_OK(mp_value_set_int(mp_child_value(self, 1), THERE));
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_value_set_int(mp_child_value(self, 1), HAD_IT));
    CHECK_OK(mp_lock_release(l));
    return 0;
}

/* Once it is there the child sleeps for the lock only. */
static bool sleeps_or_has_been(void *pid_and_flag)
{
    void **both = pid_and_flag;
    proc_info info;

    return flag_get(both[1]) == HAD_IT || (proc_read(*(pid_t *)both[0], &info) && info.state == 'S');
}

/* Who gives the lock back only to take it again at once has it back before a sleeper on another CPU is awake; but not
 * for ever. Each turn begins with the child asleep, and ends as it may: so it takes some turns, but never many. */
TEST(lock, nobody_starves)
{
    enum { ROUNDS_OF_ALL = 10, MOST_TURNS = 30 };
    mp_lock *l = lock_new();
    mp_value *flag = flag_new();
    int cpus[2], count = 0, cpu, round, turn;
    cpu_set_t set;

    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    for (cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++)
        if (CPU_ISSET(cpu, &set))
            cpus[count++] = cpu;
    if (count < 2)
        SKIP("it takes two CPUs");
    run_on(cpus[0]);
    for (round = 0; round < ROUNDS_OF_ALL; round++) {
        mp_process *child;
        pid_t pid;
        void *both[] = {&pid, flag};

        flag_set(flag, -1 - cpus[1]);
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        child = CHILD_START(wants_it_once, l, flag);
        pid = child_pid(child);
        flag_wait(flag, THERE);
        for (turn = 0; flag_get(flag) != HAD_IT; turn++) {
            CHECK(turn < MOST_TURNS);
            CHECK(wait_until(sleeps_or_has_been, both));
            CHECK_OK(mp_lock_release(l));
            CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        }
        CHECK_OK(mp_lock_release(l));
        CHECK_INT(child_end(child), 0);
    }
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_lock_free(l));
}

enum { PROCESSES = 4, THREADS = 2, ROUNDS = 3000 };

typedef struct share {
    mp_lock *l;
    volatile int64_t *counter;
} share;

/* The increment is torn on purpose: two holders at once would lose one. */
static void *count_up(void *arg)
{
    share *s = arg;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        int64_t seen;

        CHECK_OK(mp_lock_acquire(s->l, MP_FOREVER));
        seen = *s->counter;
        if (i % 16 == 0)
            sched_yield();
        *s->counter = seen + 1;
        CHECK_OK(mp_lock_release(s->l));
    }
    return NULL;
}

static int counting_child(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 1);
    share s = {mp_child_lock(self, 0), NULL};
    pthread_t threads[THREADS];
    size_t bytes;
    void *data;
    int i;

    CHECK(user == NULL && s.l != NULL && a != NULL);
    CHECK_OK(mp_array_data(a, &data, &bytes));
    s.counter = data;
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, count_up, &s) == 0);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}

TEST_T(lock, excludes, 60)
{
    mp_lock *l = lock_new();
    mp_process *children[PROCESSES];
    mp_array *a;
    int64_t sum;
    int i;

    CHECK_OK(mp_array_new(&a, MP_INT64, 1, NULL, NULL));
    for (i = 0; i < PROCESSES; i++)
        children[i] = CHILD_START(counting_child, l, a);
    for (i = 0; i < PROCESSES; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_array_get_int(a, 0, &sum));
    CHECK_INT(sum, PROCESSES * THREADS * ROUNDS);
    /* Nobody was killed, so every sleeper was woken by somebody and none by its own clock. */
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_lock_free(l));
}
