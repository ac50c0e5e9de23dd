/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * How queues end: shutdown for everybody, close for a handle, free while somebody waits. */
#include "test_queue.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TEST(queue, shutdown_drains)
{
    mp_queue *q = queue_new(0, 0);
    mp_buffer *b;
    char c;

    CHECK_OK(mp_queue_put(q, "a", 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(q, "b", 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_shutdown(q, false));
    CHECK_SENTENCE(mp_queue_put(q, "c", 1, MP_NO_WAIT), MP_ERR_CLOSED, "shut down");
    CHECK_STATUS(mp_queue_put_none(q, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_INT(queue_size(q), 2);
    CHECK_OK(mp_queue_get(q, &c, 1, NULL, NULL, MP_FOREVER));
    CHECK_INT(c, 'a');
    CHECK_OK(mp_queue_shutdown(q, false));
    CHECK_OK(mp_queue_get(q, &c, 1, NULL, NULL, MP_NO_WAIT));
    CHECK_INT(c, 'b');
    CHECK_SENTENCE(mp_queue_get(q, &c, 1, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED, "shut down");
    CHECK_STATUS(mp_queue_get(q, &c, 1, NULL, NULL, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_get_buffer(q, &b, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q));
}

/* Whatever is in it, in rings or outside. */
TEST(queue, shutdown_at_once_drops_everything)
{
    static const size_t rings[] = {0, 1024};
    static char bytes[100000];
    uint64_t used = stats_now().bytes_used;
    size_t i, k;

    for (i = 0; i < COUNT(rings); i++) {
        mp_queue *q = queue_new(rings[i], 0);

        CHECK_OK(mp_queue_put(q, bytes, sizeof bytes, MP_NO_WAIT));
        for (k = 0; k < 40000; k++)
            if (CHECK_CLEAN(mp_queue_put(q, bytes, 200, MP_NO_WAIT)) == MP_ERR_FULL)
                break;
        CHECK(queue_size(q) > 4);
        CHECK_OK(mp_queue_shutdown(q, true));
        CHECK_INT(queue_size(q), 0);
        CHECK_STATUS(mp_queue_get(q, bytes, sizeof bytes, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED);
        CHECK_STATUS(mp_queue_put(q, bytes, 1, MP_FOREVER), MP_ERR_CLOSED);
        CHECK(stats_now().bytes_used <= used + (3 << 20));
        CHECK_OK(mp_queue_shutdown(q, true));
        CHECK_OK(mp_queue_free(q));
    }
}

/* ---- who sleeps wakes up ---- */

typedef struct waiter {
    pthread_t thread;
    mp_queue *q;
    bool puts;
    int got;
} waiter;

static void *waits(void *arg)
{
    waiter *w = arg;
    char c;

    w->got = w->puts ? mp_queue_put(w->q, "x", 1, MP_FOREVER)
                     : mp_queue_get(w->q, &c, 1, NULL, NULL, MP_FOREVER);
    return NULL;
}

static void waiter_start(waiter *w, mp_queue *q, bool puts)
{
    *w = (waiter){.q = q, .puts = puts};
    CHECK(pthread_create(&w->thread, NULL, waits, w) == 0);
}

static int waiter_end(waiter *w)
{
    CHECK(pthread_join(w->thread, NULL) == 0);
    return w->got;
}

static int puts_there(mp_child *self, void *user)
{
    int64_t before;

    (void)user;
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, &before));
    CHECK_STATUS(mp_queue_put(mp_child_queue(self, 0), "x", 1, MP_FOREVER), MP_ERR_CLOSED);
    return 7;
}

static int gets_there(mp_child *self, void *user)
{
    int64_t before;
    char c;

    (void)user;
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, &before));
    CHECK_STATUS(mp_queue_get(mp_child_queue(self, 0), &c, 1, NULL, NULL, MP_FOREVER),
                 MP_ERR_CLOSED);
    return 7;
}

TEST(queue, shutdown_wakes_all_who_wait)
{
    int round, i;

    for (round = 0; round < 8; round++) {
        bool puts = round % 2 == 0, at_once = round / 2 % 2 == 0;
        mp_queue *q = queue_new(0, 1);
        mp_value *ready = flag_new();
        uint64_t rescued = stats_now().rescued;
        mp_process *p[2];
        waiter w[2];

        if (puts)
            number_put(q, 1);
        for (i = 0; i < 2; i++)
            p[i] = CHILD_START(puts ? puts_there : gets_there, q, ready);
        flag_wait(ready, 2);
        for (i = 0; i < 2; i++)
            waiter_start(&w[i], q, puts);
        sleep_ms(round < 4 ? 20 : 0);
        CHECK_OK(mp_queue_shutdown(q, at_once));
        for (i = 0; i < 2; i++) {
            CHECK_INT(waiter_end(&w[i]), MP_ERR_CLOSED);
            CHECK_INT(child_end(p[i]), 7);
        }
        CHECK_INT(stats_now().rescued, rescued);
        CHECK_OK(mp_value_free(ready));
        CHECK_OK(mp_queue_free(q));
    }
}

/* Those who wait by another handle, here a child, go on waiting. */
static int waits_by_its_own(mp_child *self, void *user)
{
    int64_t before;

    (void)user;
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, &before));
    return (int)number_get(mp_child_queue(self, 0));
}

TEST(queue, close_is_this_handles)
{
    mp_queue *q = queue_new(0, 0);
    mp_value *ready = flag_new();
    mp_process *p = CHILD_START(waits_by_its_own, q, ready);
    waiter w;
    size_t n;
    bool yes;
    char c;

    flag_wait(ready, 1);
    waiter_start(&w, q, false);
    sleep_ms(20);
    CHECK_OK(mp_queue_close(q));
    CHECK_INT(waiter_end(&w), MP_ERR_CLOSED);
    CHECK_SENTENCE(mp_queue_put(q, "x", 1, MP_FOREVER), MP_ERR_CLOSED, "was closed");
    CHECK_STATUS(mp_queue_put_none(q, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_get(q, &c, 1, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_size(q, &n), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_empty(q, &yes), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_full(q, &yes), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_shutdown(q, true), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_close(q));
    CHECK_OK(mp_queue_free(q));
    CHECK_STATUS(mp_queue_close(q), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_free(q), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_put(q, "x", 1, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_OK(mp_value_free(ready));
}

/* A closed handle holds nothing, and a fork's copy of it neither. */
static mp_queue *closed;

static int frees_it(void *user)
{
    char c;

    (void)user;
    CHECK_STATUS(mp_queue_get(closed, &c, 1, NULL, NULL, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(closed));
    CHECK_STATUS(mp_queue_free(closed), MP_ERR_BAD_HANDLE);
    _exit(3);
}

TEST(queue, closed_handles_hold_nothing)
{
    uint64_t blocks;
    int i;

    CHECK_OK(mp_queue_free(queue_new(0, 0)));
    blocks = stats_now().blocks;
    for (i = 0; i < 3000; i++) {
        closed = queue_new(0, 0);
        CHECK_OK(mp_queue_put(closed, "x", 1, MP_NO_WAIT));
        CHECK_OK(mp_queue_close(closed));
        CHECK_INT(stats_now().blocks, blocks);
        if (i % 1000 == 0)
            CHECK_INT(in_fork(frees_it, NULL), 3);
        CHECK_OK(mp_queue_free(closed));
    }
}

TEST(queue, free_wakes_who_waits_by_the_handle)
{
    int round;

    for (round = 0; round < 20; round++) {
        bool puts = round % 2 == 0;
        mp_queue *q = queue_new(0, 1);
        waiter w;

        if (puts)
            number_put(q, 1);
        waiter_start(&w, q, puts);
        sleep_ms(round % 4 * 3);
        CHECK_OK(mp_queue_free(q));
        CHECK_INT(waiter_end(&w), MP_ERR_BAD_HANDLE);
    }
}
