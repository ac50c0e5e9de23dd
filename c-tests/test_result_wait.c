/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Results among the things that mp_wait waits for, and their descriptors. */
#include "test_result.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static mp_wait_item item(const void *handle)
{
    mp_wait_item i;

    memset(&i, 0, sizeof i);
    i.handle = handle;
    i.descriptor = -1;
    return i;
}

static bool readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, 0) == 1;
}

static void wait_readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    CHECK_INT(poll(&p, 1, -1), 1);
}

/* What a forked worker finds in its copy of this memory. */
static mp_event *gate;

static void waits(mp_task *task, void *user)
{
    CHECK_OK(mp_event_wait(gate, MP_FOREVER));
    square(task, user);
}

TEST(result_wait, beside_other_things)
{
    mp_wait_item items[4];
    mp_event *event;
    mp_queue *queue;
    mp_result *result;
    mp_pool *pool;
    size_t ready;
    int ends[2];

    if (strcmp(test_start_method(), "fork") != 0)
        return; /* the worker needs the gate */
    CHECK_OK(mp_event_new(&gate, NULL));
    CHECK_OK(mp_event_new(&event, NULL));
    CHECK_OK(mp_queue_new(&queue, NULL));
    CHECK(pipe(ends) == 0);
    pool = pool_new(1);
    result = result_begin(pool, waits, 7);
    items[0] = item(event);
    items[1] = item(result);
    items[2] = item(queue);
    items[3] = item(NULL);
    items[3].descriptor = ends[0];
    CHECK_STATUS(mp_wait(items, 3, &ready, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_wait(items, 4, &ready, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_event_set(gate));
    CHECK_OK(mp_wait(items, 3, &ready, MP_FOREVER));
    CHECK_INT(ready, 1);
    CHECK(items[1].ready && !items[0].ready && !items[2].ready);
    CHECK_OK(mp_wait(items, 4, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[1].ready);
    CHECK_INT(result_get(result), 49);
    /* It stays so. */
    CHECK_OK(mp_wait(&items[1], 1, NULL, MP_NO_WAIT));
    CHECK_OK(mp_result_free(result));
    CHECK_STATUS(mp_wait(items, 3, NULL, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(mp_pool_free(pool));
    CHECK_OK(mp_queue_free(queue));
    CHECK_OK(mp_event_free(event));
    CHECK_OK(mp_event_free(gate));
}

/* All of many, as they come; nobody had to be found by a look at the end of a slice. */
TEST_T(result_wait, two_thousand_at_once, 60)
{
    enum { MANY = 2000 };
    static mp_result *results[MANY];
    static mp_wait_item items[MANY];
    mp_pool *pool = pool_new(2);
    size_t left, ready, i;
    int64_t sum = 0;

    for (i = 0; i < MANY; i++) {
        results[i] = result_begin(pool, square, (int64_t)i);
        items[i] = item(results[i]);
    }
    for (left = MANY; left > 0;) {
        size_t kept = 0, taken = 0;

        CHECK_OK(mp_wait(items, left, &ready, MP_FOREVER));
        CHECK(ready > 0);
        for (i = 0; i < left; i++) {
            if (items[i].ready) {
                mp_result *one = (mp_result *)items[i].handle;

                sum += result_get(one);
                CHECK_OK(mp_result_free(one));
                taken++;
            } else {
                items[kept++] = items[i];
            }
        }
        CHECK_INT(taken, ready);
        left = kept;
    }
    CHECK_INT(sum, (int64_t)(MANY - 1) * MANY * (2 * MANY - 1) / 6);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST(result_wait, descriptor)
{
    int before = open_descriptors(), fd, again;
    mp_pool *pool = pool_new(1);
    mp_result *slow = result_begin(pool, result_sleeps, 100), *over = result_begin(pool, square, 3);

    CHECK_OK(mp_descriptor(slow, &fd));
    CHECK_OK(mp_descriptor(slow, &again));
    CHECK_INT(fd, again);
    CHECK(!readable(fd));
    wait_readable(fd);
    CHECK_INT(result_get(slow), 10000);
    /* It is ready for good. */
    CHECK(readable(fd));
    CHECK_INT(result_get(over), 9);
    CHECK_OK(mp_descriptor(over, &again));
    CHECK(readable(again));
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_result_free(slow));
    CHECK_OK(mp_result_free(over));
    CHECK_OK(mp_pool_free(pool));
    CHECK_INT(open_descriptors(), before);
}

/* However the call ends, and whoever ends it, who waits knows. */
TEST(result_wait, failures_too)
{
    mp_pool *pool = pool_new(1);
    mp_result *failed = result_begin(pool, result_fails, 1), *killed, *ended;
    mp_worker_stats worker = MP_WORKER_STATS;
    mp_wait_item one = item(failed);
    int fd;

    CHECK_OK(mp_wait(&one, 1, NULL, MP_FOREVER));
    CHECK_STATUS(mp_result_get(failed, MP_NO_WAIT, NULL), MP_ERR_TASK_FAILED);

    killed = result_begin(pool, result_sleeps, 100000);
    do {
        CHECK_OK(mp_pool_worker_stats(pool, 0, &worker));
    } while (!worker.running);
    CHECK_OK(mp_descriptor(killed, &fd));
    CHECK(kill(worker.pid, SIGKILL) == 0);
    wait_readable(fd);
    CHECK_STATUS(mp_result_get(killed, MP_NO_WAIT, NULL), MP_ERR_WORKER_DIED);

    ended = result_begin(pool, result_sleeps, 100000);
    CHECK_OK(mp_descriptor(ended, &fd));
    CHECK(!readable(fd));
    CHECK_OK(mp_pool_terminate(pool));
    one = item(ended);
    CHECK_OK(mp_wait(&one, 1, NULL, MP_FOREVER));
    wait_readable(fd);
    CHECK_STATUS(mp_result_get(ended, MP_NO_WAIT, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(failed));
    CHECK_OK(mp_result_free(killed));
    CHECK_OK(mp_result_free(ended));
    CHECK_OK(mp_pool_free(pool));
}

/* A callback comes before everybody else knows; in it the result is ready. */
static void looks(mp_result *result, void *user)
{
    mp_wait_item one = item(result);

    CHECK_OK(mp_wait(&one, 1, NULL, MP_NO_WAIT));
    *(bool *)user = one.ready;
}

TEST(result_wait, in_a_callback)
{
    mp_async_options o = MP_ASYNC_OPTIONS;
    mp_pool *pool = pool_new(1);
    bool was_ready = false;
    mp_result *result;
    int64_t x = 2;

    o.done = looks;
    o.user = &was_ready;
    CHECK_OK(mp_pool_apply_async(pool, square, NULL, &x, sizeof x, NULL, &o, &result));
    CHECK_INT(result_get(result), 4);
    CHECK(was_ready);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

static int in_child(void *result)
{
    mp_wait_item one = item(result);
    int fd;

    CHECK_STATUS(mp_wait(&one, 1, NULL, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_STATUS(mp_descriptor(result, &fd), MP_ERR_STATE);
    return 0;
}

TEST(result_wait, belongs_to_its_process)
{
    mp_pool *pool = pool_new(1);
    mp_result *result = result_begin(pool, square, 1);

    CHECK_INT(in_fork(in_child, result), 0);
    CHECK_INT(result_get(result), 1);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}
