/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A great many tasks through one pool, by every kind of call: afterwards memory is what it was, here, in the
 * segment and in the workers. MP_POOL_TASKS=n does n of them; give that time by --timeout-scale. */
#include "test_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { WORKERS = 2, TASKS = 200000, ROUND = 10000, BATCH = 500, WARM = 4 };

typedef struct holdings {
    mp_stats stats;
    pid_t pids[WORKERS];
    int descriptors;
    /* Of the heap bytes, of the process and of each worker pages. */
    long heap, pages, worker_pages[WORKERS];
} holdings;

static int64_t in[ROUND], out[ROUND];

static holdings now(mp_pool *pool)
{
    holdings h;
    size_t i;

    memset(&h, 0, sizeof h);
    h.stats = stats_now();
    h.descriptors = open_descriptors();
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    h.heap = (long)mallinfo2().uordblks;
#endif
    h.pages = pages_of(getpid());
    for (i = 0; i < WORKERS; i++) {
        mp_worker_stats worker = MP_WORKER_STATS;

        CHECK_OK(mp_pool_worker_stats(pool, i, &worker));
        h.pids[i] = worker.pid;
        h.worker_pages[i] = pages_of(worker.pid);
    }
    return h;
}

/* ---- so many tasks by each kind of call ---- */

static void by_map(mp_pool *pool)
{
    mp_map_options o = MP_MAP_OPTIONS;
    int i;

    o.chunk = 1;
    memset(out, 0, sizeof out);
    CHECK_OK(mp_pool_map_array(pool, square, NULL, in, 8, ROUND, out, 8, &o));
    for (i = 0; i < ROUND; i++)
        CHECK_INT(out[i], in[i] * in[i]);
}

static int counts(mp_bytes *item, void *user)
{
    int *next = user;

    if (*next == ROUND)
        return 0;
    item->data = &in[(*next)++];
    item->len = 8;
    return 1;
}

static int64_t number(mp_buffer *buffer)
{
    int64_t n;

    memcpy(&n, mp_buffer_data(buffer, NULL), sizeof n);
    CHECK_OK(mp_buffer_free(buffer));
    return n;
}

static void by_imap(mp_pool *pool)
{
    mp_buffer *result;
    int next = 0, i;
    mp_imap *imap;

    CHECK_OK(mp_pool_imap(pool, square, NULL, counts, &next, NULL, &imap));
    for (i = 0; i < ROUND; i++) {
        CHECK_OK(mp_imap_next(imap, MP_FOREVER, &result, NULL));
        CHECK_INT(number(result), in[i] * in[i]);
    }
    CHECK_STATUS(mp_imap_next(imap, MP_FOREVER, &result, NULL), MP_ERR_EOF);
    CHECK_OK(mp_imap_free(imap));
}

static void by_async(mp_pool *pool)
{
    mp_result *results[BATCH];
    mp_buffer *value;
    int i, k;

    for (i = 0; i < ROUND; i += BATCH) {
        for (k = 0; k < BATCH; k++)
            CHECK_OK(mp_pool_apply_async(pool, square, NULL, &in[i + k], 8, NULL, NULL, &results[k]));
        for (k = 0; k < BATCH; k++) {
            CHECK_OK(mp_result_get(results[k], MP_FOREVER, &value));
            CHECK_INT(number(value), in[i + k] * in[i + k]);
            CHECK_OK(mp_result_free(results[k]));
        }
    }
}

TEST_T(pool_long, tasks_leave_nothing, 90)
{
    static void (*const ways[])(mp_pool *pool) = {by_map, by_imap, by_async};
    const char *wanted = getenv("MP_POOL_TASKS");
    long tasks = wanted != NULL ? atol(wanted) : TASKS, done;
    mp_pool_stats stats = MP_POOL_STATS;
    mp_pool *pool = pool_new(WORKERS);
    holdings before, after;
    int i;

    CHECK(tasks > 0);
    for (i = 0; i < ROUND; i++)
        in[i] = i - ROUND / 2;
    for (i = 0; i < WARM * 3; i++)
        ways[i % 3](pool);
    before = now(pool);
    for (done = 0, i = 0; done < tasks; done += ROUND)
        ways[i++ % 3](pool);
    after = now(pool);
    fprintf(stderr, "%ld tasks: heap %+ld bytes, %+ld pages, in the workers %+ld and %+ld pages\n", done,
            after.heap - before.heap, after.pages - before.pages,
            after.worker_pages[0] - before.worker_pages[0], after.worker_pages[1] - before.worker_pages[1]);
    CHECK_INT(after.descriptors, before.descriptors);
    CHECK_INT(after.stats.blocks, before.stats.blocks);
    CHECK_INT(after.stats.bytes_used, before.stats.bytes_used);
    /* What the C library keeps for its threads may grow, a few bytes for every task may not. */
    CHECK(after.heap - before.heap < 524288);
    CHECK(after.pages - before.pages < 256);
    for (i = 0; i < WORKERS; i++) {
        CHECK_INT(after.pids[i], before.pids[i]);
        CHECK(after.worker_pages[i] - before.worker_pages[i] < 64);
    }
    CHECK_OK(mp_pool_stats_get(pool, &stats));
    CHECK_INT(stats.done, done + WARM * 3L * ROUND);
    CHECK_INT(stats.failed + stats.died + stats.replaced, 0);
    CHECK_OK(mp_pool_free(pool));
}
