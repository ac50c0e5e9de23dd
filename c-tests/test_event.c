/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Events while everybody lives. */
#include "test_util.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static mp_event *event_new(void)
{
    mp_event *e;

    CHECK_OK(mp_event_new(&e, NULL));
    return e;
}

static bool is_set(const mp_event *e)
{
    bool yes;

    CHECK_OK(mp_event_is_set(e, &yes));
    return yes;
}

TEST(event, set_and_clear)
{
    mp_event *e = event_new();

    CHECK(!is_set(e));
    CHECK_OK(mp_event_clear(e));
    CHECK(!is_set(e));
    CHECK_OK(mp_event_set(e));
    CHECK(is_set(e));
    CHECK_OK(mp_event_set(e));
    CHECK(is_set(e));
    /* Waiting does not use it up. */
    CHECK_OK(mp_event_wait(e, MP_NO_WAIT));
    CHECK_OK(mp_event_wait(e, MP_FOREVER));
    CHECK_OK(mp_event_clear(e));
    CHECK(!is_set(e));
    CHECK_STATUS(mp_event_wait(e, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_event_free(e));
}

TEST(event, timeout_waits_its_time)
{
    static const int64_t waits[] = {1, 1000000, 20000000, 130000000, 250000001};
    mp_event *e = event_new();
    size_t i;

    alarms_start();
    for (i = 0; i < COUNT(waits); i++) {
        int64_t before = now_ns();

        CHECK_STATUS(mp_event_wait(e, waits[i]), MP_ERR_TIMEOUT);
        CHECK(now_ns() - before >= waits[i]);
    }
    CHECK(alarms_stop() > 1);
    CHECK_STATUS(mp_event_wait(e, -1), MP_ERR_TIMEOUT);
    CHECK_OK(mp_event_free(e));
}

TEST(event, describe)
{
    mp_event *e = event_new();
    char text[64], want[64];
    size_t needed = 0;

    snprintf(want, sizeof want, "<Event at 0x%lx unset>", (unsigned long)(uintptr_t)e);
    CHECK_OK(mp_event_describe(e, text, sizeof text, &needed));
    CHECK(strcmp(text, want) == 0);
    CHECK_INT(needed, strlen(want) + 1);
    CHECK_OK(mp_event_describe(e, text, needed, NULL));
    memset(text, 'x', sizeof text);
    CHECK_STATUS(mp_event_describe(e, text, needed - 1, &needed), MP_ERR_TOO_SMALL);
    CHECK_INT(needed, strlen(want) + 1);
    CHECK(text[0] == 'x');
    CHECK_OK(mp_event_set(e));
    CHECK_OK(mp_event_describe(e, text, sizeof text, NULL));
    CHECK_CONTAINS(text, " set>");
    CHECK_OK(mp_event_free(e));
}

enum { WAITERS = 6, ROUNDS = 300 };

/* Waits for event 0, round after round; counts in 1 that it is about to wait, in 2 that it was released. */
static int waits_often(mp_child *self, void *user)
{
    mp_event *e = mp_child_event(self, 0);
    int i;

    CHECK(e != NULL && user == NULL);
    for (i = 0; i < ROUNDS; i++) {
        CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, NULL));
        CHECK_OK(mp_event_wait(e, MP_FOREVER));
        CHECK_OK(mp_value_fetch_add(mp_child_value(self, 2), 1, NULL));
        flag_wait(mp_child_value(self, 3), i + 1);
    }
    return 0;
}

/* Every waiter of a round is released by the set before any begins the next. */
TEST_T(event, releases_all, 60)
{
    mp_event *e = event_new();
    mp_value *there = flag_new(), *released = flag_new(), *go = flag_new();
    mp_process *children[WAITERS];
    int i;

    for (i = 0; i < WAITERS; i++)
        children[i] = CHILD_START(waits_often, e, there, released, go);
    for (i = 1; i <= ROUNDS; i++) {
        flag_wait(there, (int64_t)i * WAITERS);
        if (i % 100 == 0)
            sleep_ms(80); /* longer than a slice of sleep */
        CHECK_INT(flag_get(released), (int64_t)(i - 1) * WAITERS);
        CHECK_OK(mp_event_set(e));
        flag_wait(released, (int64_t)i * WAITERS);
        CHECK_OK(mp_event_clear(e));
        flag_set(go, i);
    }
    for (i = 0; i < WAITERS; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(there));
    CHECK_OK(mp_value_free(released));
    CHECK_OK(mp_value_free(go));
    CHECK_OK(mp_event_free(e));
}

static int waits_once(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, NULL));
    CHECK_OK(mp_event_wait(mp_child_event(self, 0), MP_FOREVER));
    return 0;
}

static bool asleep(void *p)
{
    proc_info info;

    return proc_read(child_pid(p), &info) && info.state == 'S';
}

/* Nobody gets to look while it is set: the set itself has to release them. */
TEST_T(event, set_and_cleared_at_once_releases_all, 60)
{
    mp_event *e = event_new();
    mp_value *there = flag_new();
    mp_process *children[WAITERS];
    int round, i;

    for (round = 0; round < 15; round++) {
        flag_set(there, 0);
        for (i = 0; i < WAITERS; i++)
            children[i] = CHILD_START(waits_once, e, there);
        flag_wait(there, WAITERS);
        for (i = 0; i < WAITERS; i++)
            CHECK(wait_until(asleep, children[i]));
        CHECK_OK(mp_event_set(e));
        CHECK_OK(mp_event_clear(e));
        for (i = 0; i < WAITERS; i++)
            CHECK_INT(child_end(children[i]), 0);
        CHECK(!is_set(e));
    }
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(there));
    CHECK_OK(mp_event_free(e));
}

/* A ball between two, back and forth over two events. */
typedef struct sides {
    mp_event *mine, *yours;
} sides;

enum { HITS = 5000 };

static void *plays(void *arg)
{
    sides *s = arg;
    int i;

    for (i = 0; i < HITS; i++) {
        CHECK_OK(mp_event_wait(s->mine, MP_FOREVER));
        CHECK_OK(mp_event_clear(s->mine));
        CHECK_OK(mp_event_set(s->yours));
    }
    return NULL;
}

static int plays_in_a_child(mp_child *self, void *user)
{
    sides s = {mp_child_event(self, 1), mp_child_event(self, 0)};

    CHECK(user == NULL);
    plays(&s);
    return 0;
}

TEST_T(event, between_two_processes, 60)
{
    mp_event *a = event_new(), *b = event_new();
    sides s = {a, b};
    mp_process *p = CHILD_START(plays_in_a_child, a, b);

    CHECK_OK(mp_event_set(a));
    plays(&s);
    CHECK_INT(child_end(p), 0);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_event_free(a));
    CHECK_OK(mp_event_free(b));
}

TEST_T(event, between_two_threads, 60)
{
    mp_event *a = event_new(), *b = event_new();
    sides s = {a, b}, other = {b, a};
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, plays, &other) == 0);
    CHECK_OK(mp_event_set(a));
    plays(&s);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_event_free(a));
    CHECK_OK(mp_event_free(b));
}

static int sets_in_a_fork(void *e)
{
    CHECK(!is_set(e));
    CHECK_OK(mp_event_set(e));
    return 0;
}

TEST(event, inherited_through_plain_fork)
{
    mp_event *e = event_new();

    CHECK_INT(in_fork(sets_in_a_fork, e), 0);
    CHECK_OK(mp_event_wait(e, MP_NO_WAIT));
    CHECK_OK(mp_event_free(e));
}

static int has_no_event(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_NULL(mp_child_event(self, 0));
    CHECK_NULL(mp_child_event(self, 2));
    CHECK(mp_child_event(self, 1) != NULL);
    CHECK(mp_child_event(self, 1) == mp_child_event(self, 1));
    CHECK_NULL(mp_child_lock(self, 1));
    return 0;
}

TEST(event, argument_of_a_child)
{
    mp_event *e = event_new();
    mp_lock *l = lock_new();

    CHECK_INT(child_end(CHILD_START(has_no_event, l, e)), 0);
    CHECK_OK(mp_event_free(e));
    CHECK_OK(mp_lock_free(l));
}

TEST(event, made_and_freed_in_a_loop)
{
    uint64_t blocks = stats_now().blocks;
    int i;

    for (i = 0; i < 100; i++) {
        mp_event *e = event_new();

        CHECK_OK(mp_event_set(e));
        CHECK_OK(mp_event_free(e));
    }
    CHECK_INT(stats_now().blocks, blocks);
}
