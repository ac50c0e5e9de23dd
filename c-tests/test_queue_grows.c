/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues without a fixed ring: what they hold, what they cost, and that they give it back. */
#include "test_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static mp_queue *limited(size_t maxsize, size_t maxbytes)
{
    mp_queue_options o = MP_QUEUE_OPTIONS;
    mp_queue *q;

    o.maxsize = maxsize;
    o.maxbytes = maxbytes;
    CHECK_OK(mp_queue_new(&q, &o));
    return q;
}

/* Far more than any ring holds, in order, of many lengths; then its memory is back. */
TEST(queue, holds_what_is_put_into_it)
{
    static const size_t lengths[] = {8, 100, 0, 3000, 1, 15000, 17, 40000, 8, 300000};
    enum { ROUNDS = 3, MANY = 2000 };
    unsigned char *bytes = malloc(300000);
    mp_queue *q = queue_new(0, 0);
    uint64_t used = stats_now().bytes_used;
    int round;
    unsigned i;
    size_t len;

    CHECK(bytes != NULL);
    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < MANY; i++) {
            len = lengths[i % 100 == 99 ? 9 : i % 9];
            pattern_fill(bytes, len, i);
            CHECK_OK(mp_queue_put(q, bytes, len, MP_NO_WAIT));
            CHECK(!queue_full(q));
        }
        CHECK_INT(queue_size(q), MANY);
        CHECK(stats_now().bytes_used > used + (10 << 20));
        for (i = 0; i < MANY; i++) {
            CHECK_OK(mp_queue_get(q, bytes, 300000, &len, NULL, MP_NO_WAIT));
            CHECK_INT(len, lengths[i % 100 == 99 ? 9 : i % 9]);
            pattern_check(bytes, len, i);
        }
        CHECK_STATUS(mp_queue_get(q, bytes, 1, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
        CHECK(stats_now().bytes_used < used + (4 << 20));
    }
    CHECK_OK(mp_queue_free(q));
    free(bytes);
}

TEST(queue, maxbytes)
{
    static char bytes[2000];
    mp_queue *q = limited(0, 1000);
    size_t i;

    CHECK_SENTENCE(mp_queue_put(q, bytes, 1001, MP_NO_WAIT), MP_ERR_INVALID, "1000");
    CHECK_STATUS(mp_queue_put(q, bytes, 1001, MP_FOREVER), MP_ERR_INVALID);
    CHECK_OK(mp_queue_put(q, bytes, 1000, MP_NO_WAIT));
    CHECK(queue_full(q));
    CHECK_STATUS(mp_queue_put(q, bytes, 1, MP_MS(2)), MP_ERR_FULL);
    CHECK_OK(mp_queue_put(q, NULL, 0, MP_NO_WAIT));
    CHECK_OK(mp_queue_get(q, bytes, 2000, NULL, NULL, MP_NO_WAIT));
    CHECK(!queue_full(q));
    for (i = 0; i < 100; i++)
        CHECK_OK(mp_queue_put(q, bytes, 10, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_put(q, bytes, 1, MP_NO_WAIT), MP_ERR_FULL);
    CHECK_INT(queue_size(q), 101);
    CHECK_OK(mp_queue_free(q));
    /* With a ring, the tighter of the two limits counts. */
    q = queue_new(256, 0);
    CHECK_OK(mp_queue_put(q, bytes, 2000, MP_NO_WAIT));
    CHECK_OK(mp_queue_free(q));
}

TEST(queue, maxsize_of_one_that_grows)
{
    static char bytes[50000];
    mp_queue *q = limited(300, 0);
    int i, k;

    for (k = 0; k < 5; k++) {
        for (i = 0; i < 300; i++)
            CHECK_OK(mp_queue_put(q, bytes, i % 100 == 0 ? sizeof bytes : 1000, MP_NO_WAIT));
        CHECK(queue_full(q));
        CHECK_STATUS(mp_queue_put(q, NULL, 0, MP_NO_WAIT), MP_ERR_FULL);
        for (i = 0; i < 300; i++)
            CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, NULL, NULL, MP_NO_WAIT));
    }
    CHECK_OK(mp_queue_free(q));
}

/* Where there is no memory for more, a put says so, and what is in the queue can be got. */
TEST_COLD(queue, no_memory_for_another_ring)
{
    static char bytes[1000];
    mp_queue *q;
    size_t n, k, len;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    q = queue_new(0, 0);
    for (k = 0; k < 3; k++) {
        int s;

        for (n = 0; (s = CHECK_CLEAN(mp_queue_put(q, bytes, sizeof bytes, MP_FOREVER))) == MP_OK; n++)
            continue;
        CHECK_INT(s, MP_ERR_NO_MEMORY);
        CHECK(n > 2000);
        CHECK_INT(queue_size(q), n);
        while (n-- > 0)
            CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
    }
    CHECK_OK(mp_queue_free(q));
}

/* ---- streams ---- */

/* Pieces to stream: some MiB, or MP_STREAM GiB, for which the timeout needs --timeout-scale. */
static int64_t stream_pieces(void)
{
    const char *text = getenv("MP_STREAM");

    return text != NULL ? atol(text) * 21475 * 2 : 4000;
}

/* Every other one is as long as this, the others are a fiftieth. */
static const size_t PIECE = 50000;

static int streams(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    unsigned char *bytes = malloc(PIECE);
    int64_t n, pieces = flag_get(mp_child_value(self, 1));

    (void)user;
    CHECK(bytes != NULL);
    pattern_fill(bytes, PIECE, 0);
    for (n = 0; n < pieces; n++) {
        memcpy(bytes, &n, sizeof n);
        CHECK_OK(mp_queue_put(q, bytes, n % 2 == 0 ? PIECE : PIECE / 50, MP_FOREVER));
    }
    CHECK_OK(mp_queue_put_none(q, MP_FOREVER));
    free(bytes);
    return 0;
}

static void drain(mp_queue *q, int64_t pieces, bool slowly)
{
    unsigned char *bytes = malloc(PIECE), *want = malloc(PIECE);
    int64_t n, number;
    size_t len;
    bool none;

    CHECK(bytes != NULL && want != NULL);
    pattern_fill(want, PIECE, 0);
    for (n = 0;; n++) {
        CHECK_OK(mp_queue_get(q, bytes, PIECE, &len, &none, MP_SEC(30)));
        if (none)
            break;
        memcpy(&number, bytes, sizeof number);
        CHECK_INT(number, n);
        CHECK_INT(len, n % 2 == 0 ? PIECE : PIECE / 50);
        CHECK(memcmp(bytes + 8, want + 8, len - 8) == 0);
        if (slowly && n % 200 == 0)
            sleep_ms(1);
    }
    CHECK_INT(n, pieces);
    free(bytes);
    free(want);
}

/* A slow consumer behind a bound: never more memory than that. */
TEST_T(queue, stream_through_a_bound, 60)
{
    mp_queue *q = limited(0, 1 << 20);
    uint64_t used = stats_now().bytes_used;
    mp_value *pieces = flag_new();
    mp_process *p;

    flag_set(pieces, stream_pieces());
    p = CHILD_START(streams, q, pieces);
    drain(q, stream_pieces(), true);
    CHECK_INT(child_end(p), 0);
    CHECK(stats_now().bytes_used < used + (8 << 20));
    CHECK_OK(mp_value_free(pieces));
    CHECK_OK(mp_queue_free(q));
}

/* Without a bound it all is in memory before the first piece is got; and then no more. A hundred
 * megabytes at a time. */
TEST_T(queue, stream_without_a_bound, 60)
{
    mp_queue *q = limited(0, 0);
    uint64_t used = stats_now().bytes_used;
    mp_value *pieces = flag_new();
    int64_t left;

    flag_set(pieces, 4000);
    for (left = stream_pieces(); left > 0; left -= 4000) {
        mp_process *p = CHILD_START(streams, q, pieces);

        CHECK_INT(child_end(p), 0);
        CHECK(stats_now().bytes_used > used + 4000 / 2 * PIECE);
        drain(q, 4000, false);
        CHECK_STATUS(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
        CHECK(stats_now().bytes_used < used + (8 << 20));
    }
    CHECK_OK(mp_value_free(pieces));
    CHECK_OK(mp_queue_free(q));
}

/* Several producers and consumers while rings come and go. */
static int puts_numbers(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    int64_t i, who, x[500] = {0};
    rng r = rng_new();

    (void)user;
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 2), 1, &who));
    for (i = 0; i < 20000; i++) {
        x[0] = i * 4 + who;
        CHECK_OK(mp_queue_put(q, x, 8 + rng_below(&r, rng_below(&r, 8) == 0 ? 3000 : 40), MP_FOREVER));
    }
    return 0;
}

static int gets_numbers(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    mp_value *sum = mp_child_value(self, 1);
    int64_t last[4] = {-1, -1, -1, -1}, x[500], before;
    size_t len;
    bool none;

    (void)user;
    for (;;) {
        CHECK_OK(mp_queue_get(q, x, sizeof x, &len, &none, MP_FOREVER));
        if (none)
            return 0;
        CHECK(x[0] / 4 > last[x[0] % 4]);
        last[x[0] % 4] = x[0] / 4;
        CHECK_OK(mp_value_fetch_add(sum, x[0], &before));
    }
}

TEST(queue, many_to_many_while_rings_come_and_go)
{
    mp_queue *q = queue_new(0, 0);
    mp_value *sum = flag_new(), *who = flag_new();
    uint64_t rescued = stats_now().rescued;
    mp_process *p[4], *c[4];
    int64_t want = 0, i;

    for (i = 0; i < 20000; i++)
        want += 4 * i * 4 + 6;
    for (i = 0; i < 4; i++)
        p[i] = CHILD_START(puts_numbers, q, sum, who);
    for (i = 0; i < 4; i++)
        c[i] = CHILD_START(gets_numbers, q, sum);
    for (i = 0; i < 4; i++)
        CHECK_INT(child_end(p[i]), 0);
    for (i = 0; i < 4; i++)
        CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
    for (i = 0; i < 4; i++)
        CHECK_INT(child_end(c[i]), 0);
    CHECK_INT(flag_get(sum), want);
    CHECK_INT(stats_now().rescued, rescued);
    CHECK_OK(mp_value_free(who));
    CHECK_OK(mp_value_free(sum));
    CHECK_OK(mp_queue_free(q));
}
