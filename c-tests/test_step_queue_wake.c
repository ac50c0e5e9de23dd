/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Who changes a queue's state and then does not run for longer than a sleep's slice, wherever in its call that is:
 * its wake comes late, and is not taken for one that was lost. */
#include "step.h"
#include "test_queue.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAUSE_MS = 200 };

static mp_queue *q;
static pthread_t sleeper;
static pid_t sleeper_id;
static uint64_t rescued;

static void *gets_one(void *unused)
{
    int64_t x;

    (void)unused;
    __atomic_store_n(&sleeper_id, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    CHECK_OK(mp_queue_get(q, &x, sizeof x, NULL, NULL, MP_FOREVER));
    return NULL;
}

static void *puts_one(void *unused)
{
    (void)unused;
    __atomic_store_n(&sleeper_id, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    number_put(q, 2);
    return NULL;
}

static bool sleeps(void *unused)
{
    mp_queue_stats s = MP_QUEUE_STATS;
    proc_info info;

    (void)unused;
    CHECK_OK(mp_queue_stats_get(q, &s));
    return s.put_waits + s.get_waits == 1 &&
           proc_read(__atomic_load_n(&sleeper_id, __ATOMIC_ACQUIRE), &info) && info.state == 'S';
}

/* Of one place. */
static void begin(void *(*fn)(void *), bool full)
{
    q = queue_new(0, 1);
    if (full)
        number_put(q, 1);
    rescued = stats_now().rescued;
    sleeper_id = 0;
    CHECK(pthread_create(&sleeper, NULL, fn, NULL) == 0);
    CHECK(wait_until(sleeps, NULL));
}

static void getter_sleeps(void)
{
    begin(gets_one, false);
}

static void putter_sleeps(void)
{
    begin(puts_one, true);
    /* First it hopes for half of the room. */
    usleep(20000);
}

static void pause_of_the_other(void)
{
    usleep(PAUSE_MS * 1000);
}

static void nobody_was_rescued(void)
{
    CHECK(pthread_join(sleeper, NULL) == 0);
    CHECK_INT(stats_now().rescued, rescued);
    CHECK_OK(mp_queue_free(q));
}

static int put_slowly(void)
{
    int64_t x = 1;

    return mp_queue_put(q, &x, sizeof x, MP_FOREVER);
}

static int get_slowly(void)
{
    int64_t x;

    return mp_queue_get(q, &x, sizeof x, NULL, NULL, MP_FOREVER);
}

MEETING_WITH(queue_put_beside_a_sleeper, 0, nothing, getter_sleeps, put_slowly, pause_of_the_other,
             nobody_was_rescued, .patience = 10 * PAUSE_MS)

MEETING_WITH(queue_got_beside_a_sleeper, 0, nothing, putter_sleeps, get_slowly, pause_of_the_other,
             nobody_was_rescued, .patience = 10 * PAUSE_MS)
