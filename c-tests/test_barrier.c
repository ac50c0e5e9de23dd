/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Barriers while everybody lives. */
#include "test_barrier.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

mp_barrier *barrier_new(size_t parties)
{
    mp_barrier *b;

    CHECK_OK(mp_barrier_new(&b, parties, NULL));
    return b;
}

mp_barrier *barrier_with(size_t parties, mp_barrier_fn action, void *user)
{
    mp_barrier_options o = MP_BARRIER_OPTIONS;
    mp_barrier *b;

    o.action = action;
    o.user = user;
    CHECK_OK(mp_barrier_new(&b, parties, &o));
    return b;
}

bool barrier_broken(const mp_barrier *b)
{
    bool yes;

    CHECK_OK(mp_barrier_broken(b, &yes));
    return yes;
}

size_t barrier_waiting(const mp_barrier *b)
{
    size_t n;

    CHECK_OK(mp_barrier_waiting(b, &n));
    return n;
}

typedef struct crowd {
    const mp_barrier *b;
    size_t n;
} crowd;

static bool so_many_wait(void *arg)
{
    crowd *c = arg;

    return barrier_waiting(c->b) == c->n;
}

void barrier_await(const mp_barrier *b, size_t n)
{
    crowd c = {b, n};

    CHECK(wait_until(so_many_wait, &c));
}

int barrier_expects(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_STATUS(mp_barrier_wait(mp_child_barrier(self, 0), MP_FOREVER, NULL),
                 child_number(self, 1));
    return 0;
}

mp_process *barrier_child(mp_barrier *b, int want)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, barrier_expects, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, b));
    child_add_number(p, want);
    CHECK_OK(mp_process_start(p));
    return p;
}

TEST(barrier, one_party)
{
    mp_barrier *b = barrier_new(1);
    size_t index = 9, parties = 0;
    int i;

    CHECK_OK(mp_barrier_parties(b, &parties));
    CHECK_INT(parties, 1);
    for (i = 0; i < 100; i++) {
        CHECK_OK(mp_barrier_wait(b, MP_NO_WAIT, &index));
        CHECK_INT(index, 0);
    }
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK(!barrier_broken(b));
    CHECK_INT(barrier_waiting(b), 0);
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, number_of_parties)
{
    static const size_t bad[] = {0, 32768, 65536, (size_t)1 << 32, SIZE_MAX};
    uint64_t blocks = stats_now().blocks;
    size_t i, parties = 0;
    mp_barrier *b;

    for (i = 0; i < COUNT(bad); i++)
        CHECK_SENTENCE(mp_barrier_new(&b, bad[i], NULL), MP_ERR_INVALID, "32767");
    CHECK_OK(mp_barrier_new(&b, 32767, NULL));
    CHECK_OK(mp_barrier_parties(b, &parties));
    CHECK_INT(parties, 32767);
    CHECK_STATUS(mp_barrier_wait(b, MP_NO_WAIT, NULL), MP_ERR_BROKEN_BARRIER);
    CHECK_OK(mp_barrier_free(b));
    CHECK_INT(stats_now().blocks, blocks);
}

enum { PARTIES = 5, CYCLES = 200 };

/* Each cycle: adds one to the sum 1, waits, finds all of this cycle there, and waits again. The indices make a
 * sum as well, 2. */
static int goes_round(mp_child *self, void *user)
{
    mp_barrier *b = mp_child_barrier(self, 0);
    mp_value *sum = mp_child_value(self, 1);
    int i;

    CHECK(b != NULL && user == NULL);
    for (i = 1; i <= CYCLES; i++) {
        size_t index = 99;

        CHECK_OK(mp_value_fetch_add(sum, 1, NULL));
        CHECK_OK(mp_barrier_wait(b, MP_FOREVER, &index));
        CHECK(index < PARTIES);
        CHECK_OK(mp_value_fetch_add(mp_child_value(self, 2), (int64_t)1 << (8 * index), NULL));
        CHECK_INT(flag_get(sum), (int64_t)i * PARTIES);
        CHECK_OK(mp_barrier_wait(b, MP_SEC(20), NULL));
    }
    return 0;
}

TEST_T(barrier, all_go_together, 60)
{
    mp_barrier *b = barrier_new(PARTIES);
    mp_value *sum = flag_new(), *indices = flag_new();
    mp_process *children[PARTIES];
    int64_t each = 0;
    int i;

    for (i = 0; i < PARTIES; i++)
        children[i] = CHILD_START(goes_round, b, sum, indices);
    for (i = 0; i < PARTIES; i++)
        CHECK_INT(child_end(children[i]), 0);
    /* Every index came once in each cycle. */
    for (i = 0; i < PARTIES; i++)
        each += (int64_t)CYCLES << (8 * i);
    CHECK_INT(flag_get(indices), each);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(sum));
    CHECK_OK(mp_value_free(indices));
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, index_is_the_order_of_arrival)
{
    mp_barrier *b = barrier_new(4);
    mp_process *children[3];
    size_t index = 9;
    int i;

    for (i = 0; i < 3; i++) {
        children[i] = barrier_child(b, MP_OK);
        barrier_await(b, (size_t)i + 1);
    }
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, &index));
    CHECK_INT(index, 3);
    CHECK_INT(barrier_waiting(b), 0);
    for (i = 0; i < 3; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_barrier_free(b));
}

static void *goes_round_as_thread(void *barrier)
{
    int i;

    for (i = 0; i < 500; i++)
        CHECK_OK(mp_barrier_wait(barrier, MP_FOREVER, NULL));
    return NULL;
}

static int goes_round_with_a_thread(mp_child *self, void *user)
{
    mp_barrier *b = mp_child_barrier(self, 0);
    pthread_t thread;

    CHECK(user == NULL);
    CHECK(pthread_create(&thread, NULL, goes_round_as_thread, b) == 0);
    goes_round_as_thread(b);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}

/* Each thread of each process is a party. */
TEST_T(barrier, threads_and_processes_mixed, 60)
{
    mp_barrier *b = barrier_new(4);
    mp_process *p = CHILD_START(goes_round_with_a_thread, b);
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, goes_round_as_thread, b) == 0);
    goes_round_as_thread(b);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(child_end(p), 0);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, timeout_breaks_it_for_all)
{
    static const int64_t waits[] = {1, 20000000, 130000000};
    mp_barrier *b = barrier_new(3);
    size_t i;

    for (i = 0; i < COUNT(waits); i++) {
        mp_process *p = barrier_child(b, MP_ERR_BROKEN_BARRIER);
        size_t index = 77;
        int64_t before;

        barrier_await(b, 1);
        before = now_ns();
        alarms_start();
        CHECK_SENTENCE(mp_barrier_wait(b, waits[i], &index), MP_ERR_BROKEN_BARRIER, "in time");
        alarms_stop();
        CHECK(now_ns() - before >= waits[i]);
        CHECK_INT(index, 77);
        CHECK_INT(child_end(p), 0);
        CHECK(barrier_broken(b));
        CHECK_INT(barrier_waiting(b), 0);
        CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_BROKEN_BARRIER);
        CHECK_OK(mp_barrier_reset(b));
        CHECK(!barrier_broken(b));
    }
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, timeout_of_the_barrier)
{
    mp_barrier_options o = MP_BARRIER_OPTIONS;
    mp_barrier *b;
    int64_t before = now_ns();

    o.timeout = MP_MS(60);
    CHECK_OK(mp_barrier_new(&b, 2, &o));
    CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_BROKEN_BARRIER);
    CHECK(now_ns() - before >= MP_MS(60));
    CHECK_OK(mp_barrier_reset(b));
    CHECK_STATUS(mp_barrier_wait(b, MP_NO_WAIT, NULL), MP_ERR_BROKEN_BARRIER);
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, abort)
{
    mp_barrier *b = barrier_new(3);
    mp_process *first = barrier_child(b, MP_ERR_BROKEN_BARRIER);
    mp_process *second = barrier_child(b, MP_ERR_BROKEN_BARRIER);

    barrier_await(b, 2);
    CHECK_OK(mp_barrier_abort(b));
    CHECK(barrier_broken(b));
    CHECK_INT(child_end(first), 0);
    CHECK_INT(child_end(second), 0);
    CHECK_OK(mp_barrier_abort(b));
    CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_BROKEN_BARRIER);
    CHECK_OK(mp_barrier_reset(b));
    first = barrier_child(b, MP_OK);
    second = barrier_child(b, MP_OK);
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK_INT(child_end(first), 0);
    CHECK_INT(child_end(second), 0);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_barrier_free(b));
}

/* Those inside are told; the barrier itself is as good as new at once. */
TEST(barrier, reset_with_some_inside)
{
    mp_barrier *b = barrier_new(3);
    int round;

    for (round = 0; round < 10; round++) {
        mp_process *first = barrier_child(b, MP_ERR_BROKEN_BARRIER);
        mp_process *second = barrier_child(b, MP_ERR_BROKEN_BARRIER);

        barrier_await(b, 2);
        CHECK_OK(mp_barrier_reset(b));
        CHECK(!barrier_broken(b));
        CHECK_INT(barrier_waiting(b), 0);
        CHECK_INT(child_end(first), 0);
        CHECK_INT(child_end(second), 0);
    }
    CHECK_OK(mp_barrier_reset(b));
    CHECK(!barrier_broken(b));
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_barrier_free(b));
}

static int joins_twice(void *b)
{
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    return 0;
}

static void *meets(void *b)
{
    CHECK_INT(joins_twice(b), 0);
    return NULL;
}

TEST(barrier, inherited_through_plain_fork)
{
    mp_barrier *b = barrier_new(2);
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, meets, b) == 0);
    CHECK_INT(in_fork(joins_twice, b), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, describe)
{
    mp_barrier *b = barrier_new(5);
    mp_process *p;
    char text[96], want[96];
    size_t needed = 0;

    snprintf(want, sizeof want, "<Barrier at 0x%lx: waiters=0/5>", (unsigned long)(uintptr_t)b);
    CHECK_OK(mp_barrier_describe(b, text, sizeof text, &needed));
    CHECK(strcmp(text, want) == 0);
    CHECK_INT(needed, strlen(want) + 1);
    memset(text, 'x', sizeof text);
    CHECK_STATUS(mp_barrier_describe(b, text, needed - 1, &needed), MP_ERR_TOO_SMALL);
    CHECK_INT(needed, strlen(want) + 1);
    CHECK(text[0] == 'x');
    p = barrier_child(b, MP_ERR_BROKEN_BARRIER);
    barrier_await(b, 1);
    CHECK_OK(mp_barrier_describe(b, text, sizeof text, NULL));
    CHECK_CONTAINS(text, ": waiters=1/5>");
    CHECK_OK(mp_barrier_abort(b));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_barrier_describe(b, text, sizeof text, NULL));
    CHECK_CONTAINS(text, ": broken>");
    CHECK_OK(mp_barrier_free(b));
}

static int has_no_barrier(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_NULL(mp_child_barrier(self, 0));
    CHECK(mp_child_barrier(self, 1) != NULL);
    return 0;
}

TEST(barrier, argument_of_a_child)
{
    mp_barrier *b = barrier_new(2);
    mp_lock *l = lock_new();
    uint64_t blocks;

    CHECK_INT(child_end(CHILD_START(has_no_barrier, l, b)), 0);
    CHECK_OK(mp_lock_free(l));
    blocks = stats_now().blocks;
    CHECK_OK(mp_barrier_free(b));
    CHECK_INT(stats_now().blocks, blocks - 1);
}
