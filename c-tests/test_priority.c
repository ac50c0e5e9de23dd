/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Priority queues in one process: arguments, order, messages of every size, and none. */
#include "test_priority.h"

#include <pthread.h>
#include <string.h>

mp_priority_queue *priority_new(size_t maxsize)
{
    mp_priority_queue_options o = MP_PRIORITY_QUEUE_OPTIONS;
    mp_priority_queue *q;

    o.maxsize = maxsize;
    CHECK_OK(mp_priority_queue_new(&q, &o));
    return q;
}

size_t priority_size(mp_priority_queue *q)
{
    size_t n = 77;
    bool empty;

    CHECK_OK(mp_priority_queue_size(q, &n));
    CHECK_OK(mp_priority_queue_empty(q, &empty));
    CHECK(empty == (n == 0));
    return n;
}

size_t priority_leased(mp_priority_queue *q)
{
    size_t n = 77;

    CHECK_OK(mp_priority_queue_unacknowledged(q, &n));
    return n;
}

size_t priority_unfinished(mp_priority_queue *q)
{
    size_t n = 77;

    CHECK_OK(mp_priority_queue_unfinished(q, &n));
    return n;
}

static void fill(unsigned char *at, int number, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        at[i] = (unsigned char)(i * 7 + i / 251 + (unsigned)number);
}

enum { LONGEST = 300000 };
static unsigned char bytes[LONGEST], wanted[LONGEST];

void priority_put(mp_priority_queue *q, int64_t priority, int number, size_t len)
{
    fill(bytes, number, len);
    CHECK_OK(mp_priority_queue_put(q, bytes, len, priority, MP_SEC(20)));
}

static void check(size_t got, int number, size_t len)
{
    CHECK_INT(got, len);
    fill(wanted, number, len);
    CHECK(memcmp(bytes, wanted, len) == 0);
}

int64_t priority_get(mp_priority_queue *q, int number, size_t len)
{
    size_t got = 0;
    int64_t priority = 0;

    CHECK_OK(mp_priority_queue_get(q, bytes, sizeof bytes, &got, &priority, NULL, MP_SEC(30)));
    check(got, number, len);
    return priority;
}

uint64_t priority_lease(mp_priority_queue *q, int number, size_t len)
{
    size_t got = 0;
    uint64_t lease = 0;

    CHECK_OK(
        mp_priority_queue_lease(q, bytes, sizeof bytes, &got, NULL, NULL, &lease, MP_SEC(30)));
    CHECK(lease != 0);
    check(got, number, len);
    return lease;
}

uint64_t priority_deliveries(mp_priority_queue *q, uint64_t lease)
{
    uint64_t n = 0;

    CHECK_OK(mp_priority_queue_deliveries(q, lease, &n));
    return n;
}

TEST(priority, null_arguments)
{
    mp_priority_queue *q = priority_new(0);
    mp_buffer *b;
    uint64_t lease;
    char c;
    bool none;

    CHECK_STATUS(mp_priority_queue_new(NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_options_init(NULL, sizeof(mp_priority_queue_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_put(q, NULL, 1, 0, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_get(q, NULL, 1, NULL, NULL, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_get_buffer(q, NULL, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_lease(q, &c, 1, NULL, NULL, NULL, NULL, MP_NO_WAIT),
                 MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_lease(q, NULL, 1, NULL, NULL, NULL, &lease, MP_NO_WAIT),
                 MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_lease_buffer(q, &b, NULL, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_lease_buffer(q, NULL, NULL, &lease, MP_NO_WAIT),
                 MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_deliveries(q, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_size(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_empty(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_full(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_unacknowledged(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_unfinished(q, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_priority_queue_put(q, NULL, 0, 0, MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_get(q, NULL, 0, NULL, NULL, NULL, MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_put_none(q, 0, MP_NO_WAIT));
    CHECK_STATUS(mp_priority_queue_get(q, NULL, 0, NULL, NULL, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_lease(q, NULL, 0, NULL, NULL, NULL, &lease, MP_NO_WAIT),
                 MP_ERR_INVALID);
    CHECK_INT(priority_leased(q), 0);
    CHECK_OK(mp_priority_queue_get(q, NULL, 0, NULL, NULL, &none, MP_NO_WAIT));
    CHECK(none);
    CHECK_OK(mp_priority_queue_free(q));
    CHECK_OK(mp_priority_queue_free(NULL));
}

TEST(priority, bad_handles)
{
    mp_priority_queue *q = priority_new(0), *gone = priority_new(0), *bad[3];
    mp_buffer *b;
    uint64_t x;
    size_t n, i;
    bool yes;

    CHECK_OK(mp_priority_queue_free(gone));
    bad[0] = NULL;
    bad[1] = gone;
    bad[2] = (mp_priority_queue *)(void *)lock_new();
    for (i = 0; i < COUNT(bad); i++) {
        mp_priority_queue *p = bad[i];

        CHECK_STATUS(mp_priority_queue_put(p, "x", 1, 0, 0), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_put_none(p, 0, 0), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_get(p, NULL, 0, NULL, NULL, NULL, 0), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_get_buffer(p, &b, NULL, 0), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_lease(p, NULL, 0, NULL, NULL, NULL, &x, 0),
                     MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_lease_buffer(p, &b, NULL, &x, 0), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_acknowledge(p, 1), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_return(p, 1), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_deliveries(p, 1, &x), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_size(p, &n), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_empty(p, &yes), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_full(p, &yes), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_unacknowledged(p, &n), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_unfinished(p, &n), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_task_done(p), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_join(p, 0), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_priority_queue_shutdown(p, true), MP_ERR_BAD_HANDLE);
    }
    CHECK_STATUS(mp_priority_queue_free(gone), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_priority_queue_free(bad[2]), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_lock_free((mp_lock *)(void *)bad[2]));
    CHECK_OK(mp_priority_queue_free(q));
}

TEST(priority, lowest_first_and_oldest_among_equals)
{
    static const int64_t order[] = {5, -3, 5, INT64_MAX, 0, INT64_MIN, -3, 5, 0};
    static const int sorted[] = {5, 1, 6, 4, 8, 0, 2, 7, 3};
    mp_priority_queue *q = priority_new(0);
    size_t i;

    for (i = 0; i < COUNT(order); i++)
        priority_put(q, order[i], (int)i, i * 30);
    CHECK_INT(priority_size(q), COUNT(order));
    for (i = 0; i < COUNT(sorted); i++)
        CHECK_INT(priority_get(q, sorted[i], (size_t)sorted[i] * 30), order[sorted[i]]);
    CHECK_STATUS(mp_priority_queue_get(q, NULL, 0, NULL, NULL, NULL, MP_MS(5)), MP_ERR_EMPTY);
    CHECK_OK(mp_priority_queue_free(q));
}

/* In the entry, outside it, outside the small blocks. */
TEST(priority, messages_of_all_sizes)
{
    static const size_t more[] = {1000, 4096, 32703, 32704, 32705, 65536, 65537, 299999, 300000};
    mp_priority_queue *q = priority_new(0);
    uint64_t blocks = stats_now().blocks, lease;
    size_t n, len;

    for (n = 0; n < 260 + COUNT(more); n++) {
        len = n < 260 ? n : more[n - 260];
        priority_put(q, 1, (int)n, len);
        priority_put(q, 0, (int)n + 1, len);
        CHECK_INT(priority_get(q, (int)n + 1, len), 0);
        lease = priority_lease(q, (int)n, len);
        CHECK_OK(mp_priority_queue_return(q, lease));
        lease = priority_lease(q, (int)n, len);
        CHECK_INT(priority_deliveries(q, lease), 2);
        CHECK_OK(mp_priority_queue_acknowledge(q, lease));
    }
    /* One part of each table. */
    CHECK_INT(stats_now().blocks, blocks + 2);
    CHECK_OK(mp_priority_queue_free(q));
    CHECK_INT(stats_now().blocks, blocks - 1);
}

TEST(priority, too_small_a_buffer)
{
    static const size_t lengths[] = {20, 2000};
    mp_priority_queue *q = priority_new(0);
    char small[19];
    uint64_t lease = 5;
    size_t i, len = 0;

    for (i = 0; i < COUNT(lengths); i++) {
        priority_put(q, 0, 1, lengths[i]);
        CHECK_STATUS(mp_priority_queue_get(q, small, sizeof small, &len, NULL, NULL, MP_NO_WAIT),
                     MP_ERR_TOO_SMALL);
        CHECK_INT(len, lengths[i]);
        CHECK_STATUS(
            mp_priority_queue_lease(q, small, sizeof small, &len, NULL, NULL, &lease, MP_NO_WAIT),
            MP_ERR_TOO_SMALL);
        CHECK(lease == 5 && priority_leased(q) == 0 && priority_size(q) == 1);
        priority_get(q, 1, lengths[i]);
    }
    CHECK_OK(mp_priority_queue_free(q));
}

TEST(priority, buffers)
{
    mp_priority_queue *q = priority_new(0);
    mp_buffer *b;
    int64_t priority;
    uint64_t lease;
    size_t len;

    CHECK_OK(mp_priority_queue_put(q, "abc", 3, 7, MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_put_none(q, 8, MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_lease_buffer(q, &b, &priority, &lease, MP_NO_WAIT));
    CHECK(memcmp(mp_buffer_data(b, &len), "abc", 3) == 0 && len == 3 && priority == 7);
    CHECK_OK(mp_buffer_free(b));
    CHECK_OK(mp_priority_queue_return(q, lease));
    CHECK_OK(mp_priority_queue_get_buffer(q, &b, NULL, MP_NO_WAIT));
    CHECK(memcmp(mp_buffer_data(b, &len), "abc", 3) == 0 && len == 3);
    CHECK_OK(mp_buffer_free(b));
    CHECK_OK(mp_priority_queue_lease_buffer(q, &b, &priority, &lease, MP_NO_WAIT));
    CHECK(b == NULL && priority == 8);
    CHECK_OK(mp_priority_queue_acknowledge(q, lease));
    CHECK_STATUS(mp_priority_queue_lease_buffer(q, &b, NULL, &lease, MP_NO_WAIT), MP_ERR_EMPTY);
    CHECK_STATUS(mp_priority_queue_get_buffer(q, &b, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    CHECK_OK(mp_priority_queue_free(q));
}

static bool is_full(mp_priority_queue *q)
{
    bool full;

    CHECK_OK(mp_priority_queue_full(q, &full));
    return full;
}

TEST(priority, maxsize)
{
    mp_priority_queue *q = priority_new(2);
    uint64_t lease;

    priority_put(q, 1, 1, 8);
    CHECK(!is_full(q));
    priority_put(q, 2, 2, 800);
    CHECK(is_full(q));
    CHECK_STATUS(mp_priority_queue_put(q, "x", 1, 0, MP_MS(5)), MP_ERR_FULL);
    CHECK_STATUS(mp_priority_queue_put_none(q, 0, MP_NO_WAIT), MP_ERR_FULL);
    lease = priority_lease(q, 1, 8);
    CHECK(!is_full(q));
    priority_put(q, 3, 3, 8);
    /* What comes back is let in. */
    CHECK_OK(mp_priority_queue_return(q, lease));
    CHECK_INT(priority_size(q), 3);
    CHECK(is_full(q));
    CHECK_INT(priority_get(q, 1, 8), 1);
    CHECK(is_full(q));
    CHECK_INT(priority_get(q, 2, 800), 2);
    CHECK_INT(priority_get(q, 3, 8), 3);
    CHECK_OK(mp_priority_queue_free(q));
}

TEST(priority, leases)
{
    mp_priority_queue *q = priority_new(0);
    uint64_t a, b, again;

    priority_put(q, 0, 1, 8);
    priority_put(q, 0, 2, 500);
    priority_put(q, 0, 3, 8);
    a = priority_lease(q, 1, 8);
    b = priority_lease(q, 2, 500);
    CHECK(a != b);
    CHECK_INT(priority_leased(q), 2);
    CHECK_INT(priority_size(q), 1);
    CHECK_INT(priority_unfinished(q), 3);
    CHECK_INT(priority_deliveries(q, b), 1);
    /* Its old place is before the third's. */
    CHECK_OK(mp_priority_queue_return(q, b));
    CHECK_STATUS(mp_priority_queue_return(q, b), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_acknowledge(q, b), MP_ERR_INVALID);
    again = priority_lease(q, 2, 500);
    CHECK(again != b);
    CHECK_INT(priority_deliveries(q, again), 2);
    CHECK_OK(mp_priority_queue_acknowledge(q, again));
    CHECK_STATUS(mp_priority_queue_acknowledge(q, again), MP_ERR_INVALID);
    CHECK_OK(mp_priority_queue_return(q, a));
    priority_get(q, 1, 8);
    priority_get(q, 3, 8);
    CHECK_INT(priority_unfinished(q), 2);
    CHECK_STATUS(mp_priority_queue_join(q, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_priority_queue_task_done(q));
    CHECK_OK(mp_priority_queue_task_done(q));
    CHECK_STATUS(mp_priority_queue_task_done(q), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_priority_queue_join(q, MP_NO_WAIT));
    CHECK_STATUS(mp_priority_queue_acknowledge(q, 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_return(q, UINT64_MAX), MP_ERR_INVALID);
    CHECK_STATUS(mp_priority_queue_deliveries(q, a, &a), MP_ERR_INVALID);
    CHECK_OK(mp_priority_queue_free(q));
}

TEST(priority, shutdown)
{
    mp_priority_queue *q = priority_new(3);
    mp_buffer *b;
    uint64_t lease, x;

    priority_put(q, 1, 1, 8);
    priority_put(q, 2, 2, 900);
    lease = priority_lease(q, 1, 8);
    CHECK_OK(mp_priority_queue_shutdown(q, false));
    CHECK_STATUS(mp_priority_queue_put(q, "x", 1, 0, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_priority_queue_put_none(q, 0, MP_NO_WAIT), MP_ERR_CLOSED);
    priority_get(q, 2, 900);
    /* What this process has itself does not keep it waiting. */
    CHECK_STATUS(mp_priority_queue_get(q, NULL, 0, NULL, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_priority_queue_lease(q, NULL, 0, NULL, NULL, NULL, &x, MP_FOREVER),
                 MP_ERR_CLOSED);
    CHECK_STATUS(mp_priority_queue_get_buffer(q, &b, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_priority_queue_lease_buffer(q, &b, NULL, &x, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_priority_queue_return(q, lease));
    lease = priority_lease(q, 1, 8);
    CHECK_OK(mp_priority_queue_return(q, lease));
    CHECK_OK(mp_priority_queue_shutdown(q, true));
    CHECK_INT(priority_size(q), 0);
    CHECK_INT(priority_unfinished(q), 1);
    CHECK_OK(mp_priority_queue_task_done(q));
    CHECK_OK(mp_priority_queue_join(q, MP_FOREVER));
    CHECK_OK(mp_priority_queue_free(q));
}

/* Those who sleep when the queue is shut down. */
static void *waits_to_put(void *q)
{
    CHECK_STATUS(mp_priority_queue_put(q, "x", 1, 0, MP_FOREVER), MP_ERR_CLOSED);
    return NULL;
}

static void *waits_to_get(void *q)
{
    CHECK_STATUS(mp_priority_queue_get(q, NULL, 0, NULL, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED);
    return NULL;
}

static void *waits_to_join(void *q)
{
    CHECK_OK(mp_priority_queue_join(q, MP_FOREVER));
    return NULL;
}

TEST(priority, shutdown_wakes_all)
{
    mp_priority_queue *full = priority_new(1), *empty = priority_new(0);
    pthread_t threads[6];
    int i;

    priority_put(full, 0, 1, 8);
    for (i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[3 * i], NULL, waits_to_put, full) == 0);
        CHECK(pthread_create(&threads[3 * i + 1], NULL, waits_to_join, full) == 0);
        CHECK(pthread_create(&threads[3 * i + 2], NULL, waits_to_get, empty) == 0);
    }
    sleep_ms(20);
    CHECK_OK(mp_priority_queue_shutdown(full, true));
    CHECK_OK(mp_priority_queue_shutdown(empty, false));
    for (i = 0; i < 6; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_priority_queue_free(full));
    CHECK_OK(mp_priority_queue_free(empty));
}

/* Memory grows with the messages, and is given back. */
TEST(priority, memory_comes_back)
{
    enum { MANY = 100000 };
    mp_priority_queue *q = priority_new(0);
    uint64_t before = stats_now().bytes_used;
    int64_t last = INT64_MIN, priority;
    rng r = rng_new();
    uint64_t lease;
    int i;

    for (i = 0; i < MANY; i++) {
        int64_t x = (int64_t)rng_below(&r, 1000);

        CHECK_OK(mp_priority_queue_put(q, &x, sizeof x, x, MP_NO_WAIT));
    }
    CHECK(stats_now().bytes_used > before + (uint64_t)MANY * 64);
    for (i = 0; i < MANY / 4; i++)
        CHECK_OK(mp_priority_queue_lease(q, bytes, sizeof bytes, NULL, NULL, NULL, &lease,
                                         MP_NO_WAIT));
    for (i = MANY / 4; i < MANY; i++) {
        CHECK_OK(
            mp_priority_queue_get(q, bytes, sizeof bytes, NULL, &priority, NULL, MP_NO_WAIT));
        CHECK(priority >= last);
        last = priority;
    }
    CHECK_INT(priority_leased(q), MANY / 4);
    /* Their numbers count up. */
    for (i = MANY / 4; i-- > 0;)
        CHECK_OK(mp_priority_queue_return(q, lease - (uint64_t)i * 0x100000001u));
    for (i = 0, last = -1; i < MANY / 4; i++) {
        CHECK_OK(
            mp_priority_queue_get(q, bytes, sizeof bytes, NULL, &priority, NULL, MP_NO_WAIT));
        CHECK(priority >= last);
        last = priority;
    }
    CHECK_INT(priority_size(q), 0);
    CHECK(stats_now().bytes_used <= before + (1 << 20));
    CHECK_OK(mp_priority_queue_free(q));
}
