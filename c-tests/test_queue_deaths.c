/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Deaths that are not at random: sleepers that are killed, and the last processes of a queue. */
#include "test_queue.h"

#include <signal.h>

static void killed(mp_process *p)
{
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
}

static int waits(mp_child *self, void *user)
{
    size_t len;
    char c;

    (void)user;
    CHECK_OK(mp_queue_get(mp_child_queue(self, 0), &c, 1, &len, NULL, MP_SEC(30)));
    return c;
}

/* A consumer that is killed in its sleep, or just woken, does not take others' wakes along. */
TEST(queue, killed_sleepers_do_no_harm)
{
    mp_process *p[3];
    mp_queue *q;
    int round, i, sum;

    CHECK_OK(mp_queue_new(&q, NULL));
    for (round = 0; round < 20; round++) {
        for (i = 0; i < 3; i++)
            p[i] = CHILD_START(waits, q);
        sleep_ms(5);
        /* The wake of the first put may be for the one that dies. */
        if (round % 2 == 0)
            CHECK(kill(child_pid(p[0]), SIGSTOP) == 0);
        else
            killed(p[0]);
        CHECK_OK(mp_queue_put(q, "\1", 1, MP_NO_WAIT));
        CHECK_OK(mp_queue_put(q, "\2", 1, MP_NO_WAIT));
        for (i = 1, sum = 0; i < 3; i++)
            sum += child_end(p[i]);
        CHECK_INT(sum, 3);
        if (round % 2 == 0)
            killed(p[0]);
    }
    CHECK_STATUS(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    CHECK_OK(mp_queue_free(q));
}

/* The last handles to a queue are those of processes that are killed: it goes, and what is in it. */
static int fills(mp_child *self, void *user)
{
    static char bytes[50000];
    mp_queue *q = mp_child_queue(self, 0);

    (void)user;
    for (;;)
        CHECK_OK(mp_queue_put(q, bytes, sizeof bytes, MP_FOREVER));
    return 0;
}

TEST(queue, goes_with_its_last_process)
{
    uint64_t blocks = stats_now().blocks;
    int round;

    for (round = 0; round < 20; round++) {
        mp_process *p, *other;
        mp_queue *q;

        CHECK_OK(mp_queue_new(&q, NULL));
        p = CHILD_START(fills, q);
        other = CHILD_START(fills, q);
        CHECK_OK(mp_queue_free(q));
        sleep_ms(round % 5);
        killed(p);
        killed(other);
        CHECK_INT(stats_now().blocks, blocks);
    }
}
