/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues between processes: arguments, forks, who wakes whom. */
#include "test_queue.h"

#include <string.h>
#include <unistd.h>

static int doubler(mp_child *self, void *user)
{
    mp_queue *in = mp_child_queue(self, 0), *out = mp_child_queue(self, 1);
    int64_t x;

    CHECK(in != NULL && out != NULL && user == NULL);
    CHECK(mp_child_queue(self, 0) == in);
    CHECK_NULL(mp_child_queue(self, 2));
    CHECK_NULL(mp_child_queue(self, 3));
    CHECK_NULL(mp_child_lock(self, 0));
    while ((x = number_get(in)) != INT64_MIN)
        number_put(out, 2 * x);
    CHECK_OK(mp_queue_put_none(out, MP_NO_WAIT));
    return 0;
}

/* The parent's own handles may go before the child runs. */
TEST(queue, as_an_argument)
{
    mp_queue *in = queue_new(0, 0), *out = queue_new(256, 2), *gone = queue_new(0, 0);
    mp_process *p;
    int64_t i;

    CHECK_OK(mp_process_new(&p, doubler, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, in));
    CHECK_OK(mp_process_add_handle(p, out));
    CHECK_OK(mp_process_add_bytes(p, "x", 1));
    CHECK_OK(mp_process_add_handle(p, gone));
    CHECK_OK(mp_queue_free(gone));
    CHECK_STATUS(mp_process_add_handle(p, gone), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_process_free(p));

    CHECK_OK(mp_process_new(&p, doubler, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, in));
    CHECK_OK(mp_process_add_handle(p, out));
    CHECK_OK(mp_process_add_bytes(p, "x", 1));
    CHECK_OK(mp_process_start(p));
    for (i = 0; i < 100; i++) {
        number_put(in, i);
        CHECK_INT(number_get(out), 2 * i);
    }
    CHECK_OK(mp_queue_put_none(in, MP_NO_WAIT));
    CHECK_OK(mp_queue_free(in));
    CHECK_INT(number_get(out), INT64_MIN);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_queue_free(out));
}

/* ---- plain fork ---- */

static mp_queue *inherited;
static const char big[200000] = {1, 2, 3};

static int puts_and_leaves(void *user)
{
    (void)user;
    number_put(inherited, 7);
    CHECK_OK(mp_queue_put(inherited, big, sizeof big, MP_NO_WAIT));
    number_put(inherited, 8);
    _exit(5);
}

TEST(queue, producer_exits_right_after_put)
{
    mp_buffer *b;
    size_t len;

    inherited = queue_new(0, 0);
    CHECK_INT(in_fork(puts_and_leaves, NULL), 5);
    CHECK_INT(number_get(inherited), 7);
    CHECK_OK(mp_queue_get_buffer(inherited, &b, MP_NO_WAIT));
    CHECK(memcmp(mp_buffer_data(b, &len), big, sizeof big) == 0);
    CHECK_INT(len, sizeof big);
    CHECK_INT(number_get(inherited), 8);
    CHECK_OK(mp_buffer_free(b));
    CHECK_OK(mp_queue_free(inherited));
}

/* ---- who sleeps, and who wakes it ---- */

static int gets_one(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    mp_value *ready = mp_child_value(self, 1);
    int64_t before;

    (void)user;
    CHECK_OK(mp_value_fetch_add(ready, 1, &before));
    return (int)number_get(q);
}

static int puts_one(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    mp_value *ready = mp_child_value(self, 1);
    int64_t before;

    (void)user;
    CHECK_OK(mp_value_fetch_add(ready, 1, &before));
    number_put(q, 9);
    return 0;
}

/* With or without its small buffer, it answers what came of it. */
static int gets_little(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    mp_value *ready = mp_child_value(self, 1);
    int64_t before;
    char c;

    (void)user;
    CHECK_OK(mp_value_fetch_add(ready, 1, &before));
    return mp_queue_get(q, &c, 1, NULL, NULL, MP_SEC(30)) == MP_ERR_TOO_SMALL ? 3 : 4;
}

TEST(queue, every_sleeping_consumer_gets_its_message)
{
    mp_queue *q = queue_new(0, 0);
    mp_value *ready = flag_new();
    uint64_t rescued = stats_now().rescued;
    mp_process *p[4];
    int i, sum = 0;

    for (i = 0; i < 4; i++)
        p[i] = CHILD_START(gets_one, q, ready);
    flag_wait(ready, 4);
    sleep_ms(30);
    for (i = 0; i < 4; i++)
        number_put(q, 1 << i);
    for (i = 0; i < 4; i++)
        sum += child_end(p[i]);
    CHECK_INT(sum, 15);
    CHECK_INT(stats_now().rescued, rescued);
    CHECK_OK(mp_value_free(ready));
    CHECK_OK(mp_queue_free(q));
}

TEST(queue, every_sleeping_producer_gets_its_room)
{
    mp_queue *q = queue_new(0, 1);
    mp_value *ready = flag_new();
    uint64_t rescued = stats_now().rescued;
    mp_process *p[4];
    int i;

    number_put(q, 9);
    for (i = 0; i < 4; i++)
        p[i] = CHILD_START(puts_one, q, ready);
    flag_wait(ready, 4);
    sleep_ms(30);
    for (i = 0; i < 5; i++)
        CHECK_INT(number_get(q), 9);
    for (i = 0; i < 4; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(stats_now().rescued, rescued);
    CHECK_OK(mp_value_free(ready));
    CHECK_OK(mp_queue_free(q));
}

/* Whoever of the two the wake reaches, the one with room for the message ends up with it. */
TEST(queue, a_wake_that_is_of_no_use_is_passed_on)
{
    uint64_t rescued = stats_now().rescued;
    int round;

    for (round = 0; round < 10; round++) {
        mp_queue *q = queue_new(0, 0);
        mp_value *ready = flag_new();
        mp_process *little = CHILD_START(gets_little, q, ready), *one;

        flag_wait(ready, 1);
        sleep_ms(5);
        one = CHILD_START(gets_one, q, ready);
        flag_wait(ready, 2);
        sleep_ms(5);
        number_put(q, 11);
        CHECK_INT(child_end(one), 11);
        /* The message may be gone before the other one looks: then it waits for the next. */
        number_put(q, 12);
        CHECK_INT(child_end(little), 3);
        CHECK_OK(mp_value_free(ready));
        CHECK_OK(mp_queue_free(q));
    }
    CHECK_INT(stats_now().rescued, rescued);
}

/* A large and a small producer wait; room for the small one is used although the large one came first. */
TEST(queue, room_for_a_small_message_is_not_kept_for_a_large_one)
{
    mp_queue *q = queue_new(1024, 0);
    mp_value *ready = flag_new();
    char bytes[128];
    mp_process *p;
    size_t n;

    for (n = 0; mp_queue_put(q, bytes, 16, MP_NO_WAIT) == MP_OK; n++)
        continue;
    p = CHILD_START(puts_one, q, ready);
    flag_wait(ready, 1);
    CHECK_STATUS(mp_queue_put(q, bytes, sizeof bytes, MP_MS(20)), MP_ERR_FULL);
    CHECK_OK(mp_queue_get(q, bytes, 16, NULL, NULL, MP_NO_WAIT));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_value_free(ready));
    CHECK_OK(mp_queue_free(q));
}
