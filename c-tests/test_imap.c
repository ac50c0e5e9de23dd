/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * imap: sources, windows, order, timeouts, and what ends an iterator early. */
#include "test_pool.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Numbers from 0, and how often it was asked. */
typedef struct counter {
    int64_t next, end, item;
    int fails_at;
} counter;

static int counts(mp_bytes *item, void *user)
{
    counter *c = user;

    if (c->next == c->fails_at)
        return -5;
    if (c->next == c->end)
        return 0;
    c->item = c->next++;
    item->data = &c->item;
    item->len = sizeof c->item;
    return 1;
}

static mp_imap *imap_new(mp_pool *pool, mp_task_fn fn, counter *c, int64_t end,
                         const mp_imap_options *o)
{
    mp_imap *imap;

    memset(c, 0, sizeof *c);
    c->end = end;
    c->fails_at = -1;
    CHECK_OK(mp_pool_imap(pool, fn, NULL, counts, c, o, &imap));
    CHECK_INT(c->next, 0);
    return imap;
}

static void is_end(mp_imap *imap)
{
    mp_buffer *result = (mp_buffer *)imap;

    CHECK_STATUS(mp_imap_next(imap, MP_FOREVER, &result, NULL), MP_ERR_EOF);
    CHECK(result == NULL);
}

static void is_square(mp_buffer *result, size_t index)
{
    int64_t got;
    size_t len;

    CHECK(result != NULL);
    memcpy(&got, mp_buffer_data(result, &len), sizeof got);
    CHECK_INT(len, sizeof got);
    CHECK_INT(got, index * index);
    CHECK_OK(mp_buffer_free(result));
}

/* Takes n results that shall be there, in order or each once. */
static void takes(mp_imap *imap, size_t from, size_t to, bool ordered)
{
    static unsigned char seen[20000];
    size_t i;

    memset(seen, 0, sizeof seen);
    for (i = from; i < to; i++) {
        mp_buffer *result;
        size_t index = SIZE_MAX;

        CHECK_OK(mp_imap_next(imap, MP_FOREVER, &result, &index));
        CHECK(index >= from && index < to && !seen[index]);
        CHECK(!ordered || index == i);
        seen[index] = 1;
        is_square(result, index);
    }
}

TEST(imap, in_order)
{
    static const size_t chunks[] = {0, 1, 2, 7, 5000};
    mp_imap_options o = MP_IMAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    counter c;
    size_t i;

    for (i = 0; i < COUNT(chunks); i++) {
        mp_imap *imap;

        o.chunk = chunks[i];
        o.window = i % 2 == 0 ? 0 : 3;
        imap = imap_new(pool, square, &c, 1000, &o);
        takes(imap, 0, 1000, true);
        is_end(imap);
        is_end(imap);
        CHECK_OK(mp_imap_free(imap));
    }
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST(imap, unordered)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    size_t workers;

    o.unordered = true;
    for (workers = 1; workers <= 3; workers++) {
        mp_pool *pool = pool_new(workers);
        counter c;
        mp_imap *imap = imap_new(pool, square, &c, 2000, &o);

        /* One worker keeps the order. */
        takes(imap, 0, 2000, workers == 1);
        is_end(imap);
        CHECK_OK(mp_imap_free(imap));
        CHECK_OK(mp_pool_free(pool));
    }
}

TEST(imap, of_nothing)
{
    mp_pool *pool = pool_new(1);
    counter c;
    mp_imap *imap = imap_new(pool, square, &c, 0, NULL);

    is_end(imap);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
}

/* The source is never further ahead of the taker than the window. */
TEST(imap, window_bounds_the_source)
{
    static const size_t windows[] = {1, 2, 10};
    mp_imap_options o = MP_IMAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    counter c;
    size_t i, k;

    for (k = 0; k < COUNT(windows); k++) {
        mp_imap *imap;

        o.window = windows[k];
        imap = imap_new(pool, square, &c, 1 << 30, &o);
        for (i = 0; i < 200; i++) {
            takes(imap, i, i + 1, true);
            CHECK(c.next <= (int64_t)(i + windows[k]));
        }
        CHECK_OK(mp_imap_free(imap));
    }
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* Tasks are of `chunk` items, from the first one to the last. */
TEST(imap, chunks_stay_whole)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    mp_pool_stats s = MP_POOL_STATS;
    mp_pool *pool = pool_new(2);
    counter c;
    mp_imap *imap;

    o.chunk = 10;
    o.window = 35;
    imap = imap_new(pool, square, &c, 1005, &o);
    takes(imap, 0, 1005, true);
    is_end(imap);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_stats_get(pool, &s));
    CHECK_INT(s.done, 101);
    CHECK_OK(mp_pool_free(pool));
}

static void is_slow_on_0(mp_task *task, void *user)
{
    if (mp_task_index(task) == 0)
        sleep_ms(300);
    square(task, user);
}

/* Whoever is not there yet comes later; what is there does not wait for it, unless order is wanted. */
TEST(imap, timeout_loses_nothing)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    mp_buffer *result;
    size_t index = 7;
    counter c;
    mp_imap *imap = imap_new(pool, is_slow_on_0, &c, 20, NULL);

    CHECK_STATUS(mp_imap_next(imap, MP_MS(10), &result, &index), MP_ERR_TIMEOUT);
    CHECK(result == NULL);
    CHECK_INT(index, 7);
    CHECK_STATUS(mp_imap_next(imap, MP_NO_WAIT, &result, NULL), MP_ERR_TIMEOUT);
    takes(imap, 0, 20, true);
    is_end(imap);
    CHECK_OK(mp_imap_free(imap));
    o.unordered = true;
    imap = imap_new(pool, is_slow_on_0, &c, 20, &o);
    CHECK_OK(mp_imap_next(imap, MP_FOREVER, &result, &index));
    CHECK(index != 0);
    is_square(result, index);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
}

TEST(imap, source_that_fails)
{
    mp_pool *pool = pool_new(2);
    mp_buffer *result;
    size_t index = 0;
    counter c;
    mp_imap *imap = imap_new(pool, square, &c, 100, NULL);

    c.fails_at = 30;
    takes(imap, 0, 30, true);
    CHECK_SENTENCE(mp_imap_next(imap, MP_FOREVER, &result, &index), MP_ERR_TASK_FAILED,
                   "item 30: the source failed with -5");
    CHECK_INT(index, 30);
    is_end(imap);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
}

static int gives_nothing(mp_bytes *item, void *user)
{
    (void)user;
    item->data = NULL;
    item->len = 5;
    return 1;
}

TEST(imap, source_without_bytes)
{
    mp_pool *pool = pool_new(1);
    mp_buffer *result;
    mp_imap *imap;

    CHECK_OK(mp_pool_imap(pool, square, NULL, gives_nothing, NULL, NULL, &imap));
    CHECK_STATUS(mp_imap_next(imap, MP_FOREVER, &result, NULL), MP_ERR_INVALID);
    is_end(imap);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
}

static mp_imap *own;

static int asks_itself(mp_bytes *item, void *user)
{
    mp_buffer *result;

    (void)item;
    (void)user;
    CHECK_STATUS(mp_imap_next(own, MP_FOREVER, &result, NULL), MP_ERR_STATE);
    return 0;
}

TEST(imap, source_that_takes)
{
    mp_pool *pool = pool_new(1);

    CHECK_OK(mp_pool_imap(pool, square, NULL, asks_itself, NULL, NULL, &own));
    is_end(own);
    CHECK_OK(mp_imap_free(own));
    CHECK_OK(mp_pool_free(pool));
}

TEST(imap, bad_arguments)
{
    mp_pool *pool = pool_new(1);
    mp_imap *imap;
    counter c;

    CHECK_STATUS(mp_pool_imap(pool, NULL, NULL, counts, NULL, NULL, &imap), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_imap(pool, square, NULL, NULL, NULL, NULL, &imap), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_imap(pool, square, NULL, counts, NULL, NULL, NULL), MP_ERR_INVALID);
    imap = imap_new(pool, square, &c, 3, NULL);
    CHECK_STATUS(mp_imap_next(imap, MP_NO_WAIT, NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_imap_free(NULL));
    if (strcmp(test_start_method(), "fork") != 0)
        CHECK_STATUS(mp_pool_imap(pool, square, &c, counts, NULL, NULL, &imap), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_pool_free(pool));
}

/* Join would wait for results that nobody takes. */
TEST(imap, join_of_an_open_one)
{
    mp_pool *pool = pool_new(2);
    counter c;
    mp_imap *imap = imap_new(pool, square, &c, 100, NULL);

    takes(imap, 0, 10, true);
    CHECK_OK(mp_pool_close(pool));
    CHECK_SENTENCE(mp_pool_join(pool, MP_FOREVER), MP_ERR_STATE, "iterator");
    takes(imap, 10, 100, true);
    is_end(imap);
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
}

/* The iterator outlives the pool's handle, and has nothing more to give. */
TEST(imap, freed_pool)
{
    mp_pool *pool = pool_new(2);
    mp_buffer *result;
    counter c;
    mp_imap *imap = imap_new(pool, square, &c, 100, NULL);

    takes(imap, 0, 10, true);
    CHECK_OK(mp_pool_free(pool));
    CHECK_STATUS(mp_imap_next(imap, MP_FOREVER, &result, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_imap_free(imap));
}

static void sleeps_and_squares(mp_task *task, void *user)
{
    sleep_ms(5);
    square(task, user);
}

/* What came back for an iterator, and lies there until somebody takes it, keeps no other call from the workers. */
TEST(imap, at_rest_while_others_work)
{
    mp_pool *pool = pool_new(2);
    mp_imap *imap;
    counter c;
    size_t i;

    imap = imap_new(pool, sleeps_and_squares, &c, 60, NULL);
    for (i = 0; i < 20; i++) {
        takes(imap, i, i + 1, true);
        check_squares(pool, 20, NULL);
    }
    takes(imap, 20, 60, true);
    is_end(imap);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
}

/* Several calls share the workers, and each has its own results. */
static void *maps_beside(void *pool)
{
    int i;

    for (i = 0; i < 20; i++)
        check_squares(pool, 500, NULL);
    return NULL;
}

TEST(imap, beside_maps)
{
    mp_pool *pool = pool_new(2);
    pthread_t thread;
    counter c, d;
    mp_imap *one = imap_new(pool, square, &c, 500, NULL), *two = imap_new(pool, square, &d, 500, NULL);
    size_t i;

    CHECK(pthread_create(&thread, NULL, maps_beside, pool) == 0);
    for (i = 0; i < 500; i++) {
        takes(one, i, i + 1, true);
        takes(two, i, i + 1, true);
    }
    is_end(one);
    is_end(two);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_imap_free(one));
    CHECK_OK(mp_imap_free(two));
    CHECK_OK(mp_pool_free(pool));
}

/* Workers are killed while the taker takes: each item comes once, with a result or a death. */
TEST_T(imap, kills, 90)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    rng r = rng_new();
    mp_pool *pool = pool_new(3);
    int round;

    for (round = 0; round < 6; round++) {
        counter c;
        mp_imap *imap;
        size_t i;

        o.unordered = round % 2 == 1;
        o.chunk = round % 3 + 1;
        imap = imap_new(pool, square, &c, 600, &o);
        for (i = 0; i < 600; i++) {
            mp_buffer *result;
            size_t index = SIZE_MAX;
            int s = mp_imap_next(imap, MP_FOREVER, &result, &index);

            CHECK(o.unordered || index == i);
            if (s == MP_OK) {
                is_square(result, index);
            } else {
                CHECK_STATUS(s, MP_ERR_WORKER_DIED);
                CHECK(index < 600 && result == NULL);
            }
            if (rng_below(&r, 30) == 0) {
                pid_t pids[3];
                size_t n = children_of(getpid(), pids, 3);

                if (n > 0)
                    signal_child(pids[rng_below(&r, n)], SIGKILL);
            }
        }
        is_end(imap);
        CHECK_OK(mp_imap_free(imap));
    }
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}
