/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * How many a notification releases, and which. */
#include "test_condition.h"

#include <pthread.h>
#include <stdlib.h>

enum { WAITERS = 24, PER_PROCESS = 6, ROUNDS = 60 };

typedef struct ring {
    mp_condition *c;
    mp_value *released, *round;
} ring;

/* Waits once in each round, and counts that it was released. */
static void *waits_in_rounds(void *arg)
{
    ring *r = arg;
    int i;

    for (i = 1; i <= ROUNDS; i++) {
        CHECK_OK(mp_condition_acquire(r->c, MP_FOREVER));
        CHECK_OK(mp_condition_wait(r->c, MP_FOREVER));
        CHECK_OK(mp_value_fetch_add(r->released, 1, NULL));
        CHECK_OK(mp_condition_release(r->c));
        flag_wait(r->round, i);
    }
    return NULL;
}

static int waits_with_threads(mp_child *self, void *user)
{
    ring r = {mp_child_condition(self, 0), mp_child_value(self, 1), mp_child_value(self, 2)};
    pthread_t threads[PER_PROCESS];
    int i;

    CHECK(user == NULL);
    for (i = 0; i < PER_PROCESS; i++)
        CHECK(pthread_create(&threads[i], NULL, waits_in_rounds, &r) == 0);
    for (i = 0; i < PER_PROCESS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}

/* Parts of all who wait, by one, by some, by all and by more than there are: always exactly so many. The
 * notifier holds the lock when it looks who waits, so whoever is counted as waiting was not released. */
TEST_T(condition, notify_is_exact, 120)
{
    mp_condition *c = condition_new();
    mp_value *released = flag_new(), *round = flag_new();
    mp_process *children[WAITERS / PER_PROCESS];
    rng r = rng_new();
    int i, left;
    size_t k;

    for (k = 0; k < COUNT(children); k++)
        children[k] = CHILD_START(waits_with_threads, c, released, round);
    for (i = 1; i <= ROUNDS; i++) {
        condition_await(c, WAITERS);
        for (left = WAITERS; left > 0;) {
            int n = 1 + (int)rng_below(&r, i % 3 == 0 ? 1 : (uint64_t)WAITERS), now;

            condition_notify(c, (size_t)n);
            now = left > n ? left - n : 0;
            condition_await(c, now);
            flag_wait(released, (int64_t)i * WAITERS - now);
            left = now;
        }
        flag_set(round, i);
    }
    for (k = 0; k < COUNT(children); k++)
        CHECK_INT(child_end(children[k]), 0);
    CHECK_INT(flag_get(released), (int64_t)ROUNDS * WAITERS);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(released));
    CHECK_OK(mp_value_free(round));
    CHECK_OK(mp_condition_free(c));
}

/* Writes its number to array 1 at the place that value 2 counts. */
static int notes_its_turn(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);
    int64_t place;

    CHECK(user == NULL);
    CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
    CHECK_OK(mp_condition_wait(c, MP_FOREVER));
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 2), 1, &place));
    CHECK_OK(mp_array_set_int(mp_child_array(self, 1), (size_t)place, child_number(self, 3)));
    CHECK_OK(mp_condition_release(c));
    return 0;
}

TEST(condition, longest_waiter_goes_first)
{
    enum { MANY = 6 };
    mp_condition *c = condition_new();
    mp_value *place = flag_new();
    mp_process *children[MANY];
    mp_array *turns;
    int64_t who;
    int i;

    CHECK_OK(mp_array_new(&turns, MP_INT64, MANY, NULL, NULL));
    for (i = 0; i < MANY; i++) {
        CHECK_OK(mp_process_new(&children[i], notes_its_turn, NULL, NULL));
        CHECK_OK(mp_process_add_handle(children[i], c));
        CHECK_OK(mp_process_add_handle(children[i], turns));
        CHECK_OK(mp_process_add_handle(children[i], place));
        child_add_number(children[i], i);
        CHECK_OK(mp_process_start(children[i]));
        condition_await(c, i + 1);
    }
    for (i = 0; i < MANY; i++) {
        condition_notify(c, 1);
        flag_wait(place, i + 1);
    }
    for (i = 0; i < MANY; i++) {
        CHECK_INT(child_end(children[i]), 0);
        CHECK_OK(mp_array_get_int(turns, (size_t)i, &who));
        CHECK_INT(who, i);
    }
    CHECK_OK(mp_array_free(turns));
    CHECK_OK(mp_value_free(place));
    CHECK_OK(mp_condition_free(c));
}

typedef struct tally {
    mp_condition *c;
    int64_t notified, late;
} tally;

static volatile bool stop_late;

static void *waits_shortly(void *arg)
{
    tally *t = arg;

    CHECK_OK(mp_condition_acquire(t->c, MP_FOREVER));
    while (!stop_late) {
        mp_status s = mp_condition_wait(t->c, 1 + (now_ns() & 0xFFFF));

        CHECK(s == MP_OK || s == MP_ERR_TIMEOUT);
        if (s == MP_OK)
            t->notified++;
        else
            t->late++;
    }
    CHECK_OK(mp_condition_release(t->c));
    return NULL;
}

/* Their time runs out all the time; still two go with each notification, or all there are. */
TEST_T(condition, timeouts_take_nothing_along, 60)
{
    mp_condition *c = condition_new();
    tally hasty[3];
    int64_t sent = 0, got = 0, late = 0;
    pthread_t threads[3];
    int i;

    for (i = 0; i < 3; i++) {
        hasty[i].c = c;
        hasty[i].notified = hasty[i].late = 0;
        CHECK(pthread_create(&threads[i], NULL, waits_shortly, &hasty[i]) == 0);
    }
    /* Until there was some of each. */
    for (i = 0; i < 300 || got == 0 || late == 0; i++) {
        char before[96], after[96];
        int had, have;

        CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
        /* Under the lock nobody begins to wait; a time may run out in between, but not more than these. */
        CHECK_OK(mp_condition_describe(c, before, sizeof before, NULL));
        CHECK_OK(mp_condition_notify(c, 2));
        CHECK_OK(mp_condition_describe(c, after, sizeof after, NULL));
        got = hasty[0].notified + hasty[1].notified + hasty[2].notified;
        late = hasty[0].late + hasty[1].late + hasty[2].late;
        CHECK_OK(mp_condition_release(c));
        if (i % 3 == 0)
            sleep_ms(1);
        had = before[sizeof "<Condition(<RLock(MainProcess, 1)>, " - 1] - '0';
        have = after[sizeof "<Condition(<RLock(MainProcess, 1)>, " - 1] - '0';
        CHECK(had >= 0 && had <= 3 && have >= 0 && have <= (had > 2 ? had - 2 : 0));
        sent += 2;
    }
    stop_late = true;
    for (i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    got = hasty[0].notified + hasty[1].notified + hasty[2].notified;
    CHECK(got <= sent);
    CHECK_OK(mp_condition_free(c));
}

/* More than there are nodes in the condition itself. */
static void *waits_once(void *arg)
{
    tally *t = arg;

    CHECK_OK(mp_condition_acquire(t->c, MP_FOREVER));
    CHECK_OK(mp_condition_wait(t->c, MP_FOREVER));
    t->notified++;
    CHECK_OK(mp_condition_release(t->c));
    return NULL;
}

TEST_T(condition, very_many_wait, 60)
{
    enum { MANY = 300 };
    uint64_t blocks = stats_now().blocks;
    tally t = {condition_new(), 0, 0};
    pthread_t *threads = calloc(MANY, sizeof *threads);
    pthread_attr_t small;
    int i;

    CHECK(threads != NULL && pthread_attr_init(&small) == 0);
    CHECK(pthread_attr_setstacksize(&small, 256 << 10) == 0);
    for (i = 0; i < MANY; i++)
        CHECK(pthread_create(&threads[i], &small, waits_once, &t) == 0);
    condition_await(t.c, MANY);
    condition_notify(t.c, 100);
    condition_await(t.c, MANY - 100);
    CHECK_OK(mp_condition_acquire(t.c, MP_FOREVER));
    CHECK(t.notified <= 100);
    CHECK_OK(mp_condition_notify_all(t.c));
    CHECK_OK(mp_condition_release(t.c));
    for (i = 0; i < MANY; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_INT(t.notified, MANY);
    free(threads);
    pthread_attr_destroy(&small);
    CHECK_OK(mp_condition_free(t.c));
    CHECK_INT(stats_now().blocks, blocks);
}

/* ---- eight processes hand things to each other ---- */

enum { WORKERS = 8, THINGS = 400 };

/* Condition 0 guards array 1: [0] is how many things there are, [1] how many were made, [2] how many used. */
static bool some(mp_condition *c, void *user)
{
    (void)c;
    return ((volatile int64_t *)user)[0] > 0;
}

static bool room(mp_condition *c, void *user)
{
    (void)c;
    return ((volatile int64_t *)user)[0] < 4;
}

static int makes_and_uses(mp_child *self, void *user)
{
    mp_condition *c = mp_child_condition(self, 0);
    bool makes = child_number(self, 2) % 2 == 0;
    volatile int64_t *store;
    void *data;
    int i;

    CHECK(user == NULL);
    CHECK_OK(mp_array_data(mp_child_array(self, 1), &data, NULL));
    store = data;
    for (i = 0; i < THINGS; i++) {
        CHECK_OK(mp_condition_acquire(c, MP_FOREVER));
        CHECK_OK(mp_condition_wait_for(c, makes ? room : some, data, MP_FOREVER));
        store[0] += makes ? 1 : -1;
        store[makes ? 1 : 2]++;
        CHECK(store[0] == store[1] - store[2] && store[0] >= 0 && store[0] <= 4);
        CHECK_OK(mp_condition_notify_all(c));
        CHECK_OK(mp_condition_release(c));
    }
    return 0;
}

TEST_T(condition, eight_processes, 120)
{
    mp_condition *c = condition_new();
    mp_process *children[WORKERS];
    mp_array *store;
    int64_t n;
    int i;

    CHECK_OK(mp_array_new(&store, MP_INT64, 3, NULL, NULL));
    for (i = 0; i < WORKERS; i++) {
        CHECK_OK(mp_process_new(&children[i], makes_and_uses, NULL, NULL));
        CHECK_OK(mp_process_add_handle(children[i], c));
        CHECK_OK(mp_process_add_handle(children[i], store));
        child_add_number(children[i], i);
        CHECK_OK(mp_process_start(children[i]));
    }
    for (i = 0; i < WORKERS; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_array_get_int(store, 0, &n));
    CHECK_INT(n, 0);
    CHECK_OK(mp_array_get_int(store, 2, &n));
    CHECK_INT(n, WORKERS / 2 * THINGS);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_array_free(store));
    CHECK_OK(mp_condition_free(c));
}
