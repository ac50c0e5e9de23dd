/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The limits of queues: bytes, messages, time, memory. */
#include "test_queue.h"

#include <stdlib.h>

TEST(queue, maxsize)
{
    size_t n, i;

    for (n = 1; n <= 5; n++) {
        mp_queue *q = queue_new(0, n);

        for (i = 0; i < n; i++) {
            CHECK(!queue_full(q));
            CHECK_OK(mp_queue_put(q, &i, sizeof i, MP_NO_WAIT));
        }
        CHECK(queue_full(q));
        CHECK_INT(queue_size(q), n);
        CHECK_STATUS(mp_queue_put(q, "x", 1, MP_NO_WAIT), MP_ERR_FULL);
        CHECK_STATUS(mp_queue_put_none(q, MP_NO_WAIT), MP_ERR_FULL);
        CHECK_STATUS(mp_queue_put(q, NULL, 0, -5), MP_ERR_FULL);
        CHECK_OK(mp_queue_get(q, &i, sizeof i, NULL, NULL, MP_NO_WAIT));
        CHECK_INT(i, 0);
        CHECK(!queue_full(q));
        CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
        CHECK_STATUS(mp_queue_put(q, "x", 1, MP_MS(1)), MP_ERR_FULL);
        CHECK_OK(mp_queue_free(q));
    }
}

/* The bytes are a limit, too, and all of them can be used again and again. */
TEST(queue, bytes_are_a_limit)
{
    mp_queue *q = queue_new(1024, 0);
    char bytes[120] = {0};
    size_t round, n, len;

    for (round = 0; round < 100; round++) {
        for (n = 0; mp_queue_put(q, bytes, sizeof bytes, MP_NO_WAIT) == MP_OK; n++)
            continue;
        CHECK_CONTAINS(mp_last_error(), "mp_queue_put");
        CHECK(n == 8 || n == 7);
        CHECK_INT(queue_size(q), n);
        while (n-- > 0)
            CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
        /* Each time the ring begins elsewhere. */
        CHECK_OK(mp_queue_put(q, bytes, round % 100, MP_NO_WAIT));
        CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
        CHECK_INT(queue_size(q), 0);
    }
    for (n = 0; mp_queue_put(q, NULL, 0, MP_NO_WAIT) == MP_OK; n++)
        CHECK(n < 128);
    CHECK_INT(n, 128);
    CHECK(queue_full(q));
    CHECK_OK(mp_queue_free(q));
}

TEST(queue, large_messages_have_their_own_limit)
{
    char *bytes = calloc(1, 1 << 20);
    mp_queue *q = queue_new(4096, 0);
    size_t n;

    CHECK(bytes != NULL);
    for (n = 0; mp_queue_put(q, bytes, 2000, MP_NO_WAIT) == MP_OK; n++)
        continue;
    CHECK_INT(n, 16);
    CHECK_OK(mp_queue_put(q, bytes, 100, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_put(q, bytes, 1025, MP_MS(2)), MP_ERR_FULL);
    for (n = 0; n < 17; n++)
        CHECK_OK(mp_queue_get(q, bytes, 2000, NULL, NULL, MP_NO_WAIT));
    for (n = 0; mp_queue_put(q, bytes, 300000, MP_NO_WAIT) == MP_OK; n++)
        continue;
    CHECK_INT(n, 3);
    CHECK_OK(mp_queue_free(q));
    free(bytes);
}

TEST(queue, timeouts_hold)
{
    mp_queue *q = queue_new(0, 1);
    int64_t began;
    char c;

    CHECK_STATUS(mp_queue_get(q, &c, 1, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    CHECK_STATUS(mp_queue_get(q, &c, 1, NULL, NULL, INT64_MIN), MP_ERR_EMPTY);
    began = now_ns();
    CHECK_STATUS(mp_queue_get(q, &c, 1, NULL, NULL, MP_MS(60)), MP_ERR_EMPTY);
    CHECK(now_ns() - began >= MP_MS(60));
    alarms_start();
    began = now_ns();
    CHECK_STATUS(mp_queue_get(q, &c, 1, NULL, NULL, MP_MS(60)), MP_ERR_EMPTY);
    CHECK(now_ns() - began >= MP_MS(60));
    CHECK_OK(mp_queue_put(q, "x", 1, MP_FOREVER));
    began = now_ns();
    CHECK_STATUS(mp_queue_put(q, "y", 1, MP_MS(60)), MP_ERR_FULL);
    CHECK(now_ns() - began >= MP_MS(60));
    CHECK(alarms_stop() > 0);
    CHECK_OK(mp_queue_get(q, &c, 1, NULL, NULL, MP_FOREVER));
    CHECK_INT(c, 'x');
    CHECK_OK(mp_queue_free(q));
}

/* More than there can be is refused before a byte of it is read, and the queue goes on. */
TEST(queue, absurd_lengths)
{
    mp_queue *q = queue_new(0, 0);
    char c = 0;

    CHECK_STATUS(mp_queue_put(q, &c, (size_t)1 << 44, MP_NO_WAIT), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_queue_put(q, &c, SIZE_MAX / 2, MP_NO_WAIT), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_queue_put(q, &c, SIZE_MAX / 2 + 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_put(q, &c, 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_get(q, &c, 1, NULL, NULL, MP_NO_WAIT));
    CHECK_OK(mp_queue_free(q));
}

/* What is in a queue goes with it; the runner counts blocks, and here are their bytes. */
TEST(queue, free_takes_the_messages_along)
{
    char *bytes = calloc(1, 3 << 20);
    uint64_t before = stats_now().bytes_used;
    int i, k;

    CHECK(bytes != NULL);
    for (i = 0; i < 20; i++) {
        mp_queue *q = queue_new(0, 0);

        for (k = 0; k < 6; k++)
            CHECK_OK(mp_queue_put(q, bytes, i % 2 == 0 ? 100000 : 100, MP_NO_WAIT));
        CHECK_OK(mp_queue_free(q));
        q = queue_new(0, 0);
        CHECK_OK(mp_queue_put(q, bytes, 3 << 20, MP_NO_WAIT));
        CHECK_OK(mp_queue_free(q));
    }
    CHECK(stats_now().bytes_used <= before + (1 << 20));
    free(bytes);
}
