/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues and other objects where much happens at once: threads that make and free them, handles that go while
 * somebody sleeps, forks of the host's, peers that are stopped. */
#include "test_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, TURNS = 1500 };

/* ---- everything is made and freed by everybody ---- */

static void one_turn(rng *r)
{
    static const size_t lengths[] = {0, 100, 5000, 70000, 300000};
    static unsigned char bytes[300000];
    size_t len = lengths[rng_below(r, COUNT(lengths))], got;
    mp_buffer *b = NULL;
    mp_queue *q = queue_new(1024, 0);
    mp_lock *l = lock_new();
    mp_value *v = flag_new();
    mp_array *a;

    CHECK_OK(mp_array_new(&a, MP_UINT8, len, NULL, NULL));
    CHECK_OK(mp_queue_put(q, bytes, len, MP_NO_WAIT));
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    if (rng_below(r, 2) == 0) {
        CHECK_OK(mp_queue_get_buffer(q, &b, MP_NO_WAIT));
        mp_buffer_data(b, &got);
        CHECK_INT(got, len);
    }
    flag_set(v, 1);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_queue_free(q));
    CHECK_STATUS(mp_queue_free(q), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_buffer_free(b));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_lock_free(l));
}

static void *turns(void *arg)
{
    rng r = {(uint64_t)(uintptr_t)arg * 7919 + (uint64_t)getpid()};
    int i;

    for (i = 0; i < TURNS; i++)
        one_turn(&r);
    return NULL;
}

static void storm(void)
{
    pthread_t thread[THREADS];
    uintptr_t i;

    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&thread[i], NULL, turns, (void *)(i + 1)) == 0);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
}

static int storms(mp_child *self, void *user)
{
    CHECK(self != NULL && user == NULL);
    storm();
    return 0;
}

TEST(queue, storm_of_new_and_free)
{
    mp_stats before = stats_now(), after;
    mp_process *p;

    CHECK_OK(mp_process_new(&p, storms, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    storm();
    CHECK_INT(child_end(p), 0);
    after = stats_now();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.processes, before.processes);
    /* A unit of each size may stay. A leak would be thousands. */
    CHECK(after.bytes_used <= before.bytes_used + (4 << 20));
}

/* ---- a handle is freed while threads sleep in it ---- */

typedef struct sleep_in {
    mp_queue *q;
    int asleep;
} sleep_in;

static void *waits_for_a_message(void *arg)
{
    sleep_in *s = arg;

    __atomic_fetch_add(&s->asleep, 1, __ATOMIC_RELAXED);
    CHECK_FAILS(mp_queue_get(s->q, NULL, 0, NULL, NULL, MP_MS(100)));
    return NULL;
}

static void *waits_for_room(void *arg)
{
    sleep_in *s = arg;

    __atomic_fetch_add(&s->asleep, 1, __ATOMIC_RELAXED);
    CHECK_FAILS(mp_queue_put(s->q, "x", 1, MP_MS(100)));
    return NULL;
}

static bool all_asleep(void *arg)
{
    return __atomic_load_n(&((sleep_in *)arg)->asleep, __ATOMIC_RELAXED) == THREADS;
}

TEST(queue, freed_while_threads_sleep_in_it)
{
    int round, i;

    CHECK_OK(mp_queue_free(queue_new(0, 1)));
    for (round = 0; round < 10; round++) {
        bool full = round % 2 == 0;
        uint64_t blocks = stats_now().blocks;
        sleep_in s = {queue_new(0, 1), 0};
        pthread_t thread[THREADS];

        if (full)
            number_put(s.q, 1);
        for (i = 0; i < THREADS; i++)
            CHECK(pthread_create(&thread[i], NULL, full ? waits_for_room : waits_for_a_message,
                                 &s) == 0);
        CHECK(wait_until(all_asleep, &s));
        sleep_ms(round);
        CHECK_OK(mp_queue_free(s.q));
        CHECK_STATUS(mp_queue_put_none(s.q, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
        for (i = 0; i < THREADS; i++)
            CHECK(pthread_join(thread[i], NULL) == 0);
        CHECK_INT(stats_now().blocks, blocks);
    }
}

/* ---- the host forks while its threads put and get ---- */

typedef struct traffic {
    mp_queue *q;
    int stop;
    int64_t put, got;
} traffic;

static void *puts_all_the_time(void *arg)
{
    traffic *t = arg;

    while (__atomic_load_n(&t->stop, __ATOMIC_RELAXED) == 0) {
        number_put(t->q, 1);
        t->put++;
    }
    return NULL;
}

static void *gets_until_none(void *arg)
{
    traffic *t = arg;
    int64_t x;

    while ((x = number_get(t->q)) != INT64_MIN)
        t->got += x;
    return NULL;
}

TEST(queue, host_forks_in_the_middle_of_traffic)
{
    enum { FORKS = 60, EACH = 20 };
    traffic t = {queue_new(1024, 0), 0, 0, 0};
    pthread_t producer, consumer;
    int i, n, status;

    CHECK(pthread_create(&producer, NULL, puts_all_the_time, &t) == 0);
    CHECK(pthread_create(&consumer, NULL, gets_until_none, &t) == 0);
    for (i = 0; i < FORKS; i++) {
        pid_t child = fork();

        CHECK(child >= 0);
        if (child == 0) {
            for (n = 0; n < EACH; n++)
                number_put(t.q, 1000000);
            _exit(0);
        }
        CHECK_INT(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    t.stop = 1;
    CHECK(pthread_join(producer, NULL) == 0);
    CHECK_OK(mp_queue_put_none(t.q, MP_FOREVER));
    CHECK(pthread_join(consumer, NULL) == 0);
    CHECK_INT(t.got, t.put + (int64_t)FORKS * EACH * 1000000);
    CHECK_OK(mp_queue_free(t.q));
}

/* ---- the peer is stopped, and goes on ---- */

static int counts(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    mp_value *stop = mp_child_value(self, 1), *put = mp_child_value(self, 2);
    int64_t n = 0;

    CHECK(user == NULL);
    while (flag_get(stop) == 0)
        number_put(q, n++);
    flag_set(put, n);
    CHECK_OK(mp_queue_put_none(q, MP_FOREVER));
    return 0;
}

static bool is_stopped(void *pid)
{
    proc_info info;

    return proc_read(*(pid_t *)pid, &info) && info.state == 'T';
}

TEST(queue, stopped_producer)
{
    mp_queue *q = queue_new(1024, 0);
    mp_value *stop = flag_new(), *put = flag_new();
    mp_process *p = CHILD_START(counts, q, stop, put);
    pid_t pid = child_pid(p);
    int64_t next = 0, x;
    rng r = rng_new();
    int round, i, s;

    for (round = 0; round < 40; round++) {
        for (i = (int)rng_below(&r, 300); i > 0; i--)
            CHECK_INT(number_get(q), next++);
        CHECK(kill(pid, SIGSTOP) == 0);
        CHECK(wait_until(is_stopped, &pid));
        /* It may have stopped anywhere, also with the producers' lock: that keeps no consumer. */
        while ((s = CHECK_CLEAN(mp_queue_get(q, &x, sizeof x, NULL, NULL, MP_MS(1)))) == MP_OK)
            CHECK_INT(x, next++);
        CHECK_INT(s, MP_ERR_EMPTY);
        /* And no lock is taken from one who is not dead. */
        if (round % 10 == 0) {
            s = CHECK_CLEAN(mp_queue_put(q, NULL, 0, MP_MS(150)));
            CHECK(s == MP_OK || s == MP_ERR_FULL);
            if (s == MP_OK)
                CHECK_OK(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT));
        }
        CHECK(kill(pid, SIGCONT) == 0);
    }
    flag_set(stop, 1);
    while ((x = number_get(q)) != INT64_MIN)
        CHECK_INT(x, next++);
    CHECK_INT(next, flag_get(put));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(put));
    CHECK_OK(mp_value_free(stop));
    CHECK_OK(mp_queue_free(q));
}
