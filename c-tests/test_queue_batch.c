/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues: several messages at once, what is to be known of a queue, and messages as tasks. */
#include "test_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 100 };

static mp_queue_stats stats_of(mp_queue *q)
{
    mp_queue_stats s = MP_QUEUE_STATS;

    CHECK_OK(mp_queue_stats_get(q, &s));
    CHECK_INT(s.messages, s.put_messages - s.got_messages);
    CHECK_INT(s.bytes, s.put_bytes - s.got_bytes);
    CHECK(s.most_messages >= s.messages && s.most_bytes >= s.bytes);
    return s;
}

TEST(queue, many_arguments)
{
    mp_queue *q = queue_new(0, 0);
    mp_message m[3] = {{"a", 1}, {NULL, 3}, {"b", 1}};
    size_t n = 9, len;
    char c[4];

    CHECK(mp_none() == MP_NONE);
    CHECK_STATUS(mp_queue_put_many(NULL, m, 1, &n, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_INT(n, 0);
    CHECK_STATUS(mp_queue_put_many(q, NULL, 1, &n, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_OK(mp_queue_put_many(q, NULL, 0, &n, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_put_many(q, m, 3, &n, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_INT(n, 1);
    CHECK_INT(queue_size(q), 1);
    CHECK_STATUS(mp_queue_get_many(q, c, 4, NULL, 1, &n, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_get_many(q, c, 4, &len, 0, &n, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_get_many(q, c, 4, &len, 1, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_get_many(q, NULL, 4, &len, 1, &n, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_get_many(NULL, c, 4, &len, 1, &n, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_get_many(q, NULL, 0, &len, 1, &n, MP_NO_WAIT), MP_ERR_TOO_SMALL);
    CHECK_INT(len, 1);
    CHECK_INT(n, 0);
    CHECK_OK(mp_queue_get_many(q, c, 4, &len, 1, &n, MP_NO_WAIT));
    CHECK(n == 1 && len == 1 && c[0] == 'a');
    CHECK_STATUS(mp_queue_get_many(q, c, 4, &len, 1, &n, MP_MS(1)), MP_ERR_EMPTY);
    CHECK_OK(mp_queue_shutdown(q, false));
    CHECK_STATUS(mp_queue_get_many(q, c, 4, &len, 1, &n, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_put_many(q, m, 1, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q));
}

/* Lengths of all kinds, by both ways of putting and getting, of one that grows and of one that
 * does not. */
TEST(queue, many_at_once)
{
    static unsigned char bytes[MANY][3000], out[40000];
    static const size_t rings[] = {0, 4096, 65536};
    size_t i, k, lens[MANY], put, got, done, at;
    mp_message m[MANY];
    rng r = rng_new();

    for (k = 0; k < COUNT(rings); k++) {
        mp_queue *q = queue_new(rings[k], 0);
        int round;

        for (round = 0; round < 50; round++) {
            for (i = 0; i < MANY; i++) {
                size_t len = rng_below(&r, rng_below(&r, 9) == 0 ? 3000 : 60);

                pattern_fill(bytes[i], len, (unsigned)i);
                m[i] = (mp_message){bytes[i], rng_below(&r, 20) == 0 ? MP_NONE : len};
            }
            for (put = done = 0; done < MANY; done += got) {
                if (put < MANY) {
                    size_t n = 77;
                    int s = CHECK_CLEAN(
                        mp_queue_put_many(q, m + put, MANY - put, &n, MP_NO_WAIT));

                    CHECK(s == MP_OK ? n == MANY - put : s == MP_ERR_FULL && n < MANY - put);
                    put += n;
                }
                CHECK_INT(queue_size(q), put - done);
                CHECK_OK(mp_queue_get_many(q, out, sizeof out, lens, 1 + rng_below(&r, MANY), &got,
                                           MP_NO_WAIT));
                CHECK(got > 0 && done + got <= put);
                for (i = at = 0; i < got; i++) {
                    CHECK_INT(lens[i], m[done + i].len);
                    if (lens[i] == MP_NONE)
                        continue;
                    pattern_check(out + at, lens[i], (unsigned)(done + i));
                    at += lens[i];
                }
            }
        }
        CHECK_INT(stats_of(q).put_messages, 50 * MANY);
        CHECK_OK(mp_queue_free(q));
    }
}

/* What does not fit stays for the next call. */
TEST(queue, many_stop_where_the_buffer_ends)
{
    mp_queue *q = queue_new(0, 0);
    mp_message m[3] = {{"abcd", 4}, {"efgh", 4}, {"ijklmnop", 8}};
    char out[10];
    size_t lens[3], n;

    CHECK_OK(mp_queue_put_many(q, m, 3, NULL, MP_NO_WAIT));
    CHECK_OK(mp_queue_get_many(q, out, 10, lens, 3, &n, MP_NO_WAIT));
    CHECK(n == 2 && memcmp(out, "abcdefgh", 8) == 0);
    CHECK_STATUS(mp_queue_get_many(q, out, 7, lens, 3, &n, MP_NO_WAIT), MP_ERR_TOO_SMALL);
    CHECK_INT(lens[0], 8);
    CHECK_OK(mp_queue_get_many(q, out, 8, lens, 3, &n, MP_NO_WAIT));
    CHECK(n == 1 && memcmp(out, "ijklmnop", 8) == 0);
    CHECK_OK(mp_queue_free(q));
}

/* ---- what is to be known ---- */

TEST(queue, stats)
{
    mp_queue_stats s, d = MP_QUEUE_STATS;
    mp_queue *q = queue_new(0, 3);
    char out[200];
    int i;

    memset(&s, 0xFF, sizeof s);
    CHECK_OK(mp_queue_stats_init(&s, sizeof s));
    CHECK(memcmp(&s, &d, sizeof s) == 0);
    CHECK_STATUS(mp_queue_stats_init(NULL, sizeof(mp_queue_stats)), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_stats_get(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_stats_get(NULL, &s), MP_ERR_BAD_HANDLE);
    s.size = 7;
    CHECK_STATUS(mp_queue_stats_get(q, &s), MP_ERR_INVALID);
    s = (mp_queue_stats){.size = offsetof(mp_queue_stats, bytes), .bytes = 42};
    CHECK_OK(mp_queue_put(q, out, 100, MP_NO_WAIT));
    CHECK_OK(mp_queue_stats_get(q, &s));
    CHECK(s.messages == 1 && s.bytes == 42);

    CHECK_OK(mp_queue_put(q, out, 20, MP_NO_WAIT));
    CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
    /* On a busy machine the time may be over before there was any sleep. */
    do {
        CHECK_STATUS(mp_queue_put(q, out, 20, MP_MS(2)), MP_ERR_FULL);
        s = stats_of(q);
    } while (s.put_waits == 0);
    CHECK(s.messages == 3 && s.bytes == 120 && s.put_messages == 3 && s.put_bytes == 120);
    CHECK(s.got_messages == 0 && s.unfinished == 3 && s.put_waits == 1 && s.get_waits == 0);
    CHECK(s.memory > 1000 && s.memory < 10000);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_queue_get(q, out, sizeof out, NULL, &(bool){false}, MP_NO_WAIT));
    do {
        CHECK_STATUS(mp_queue_get(q, out, sizeof out, NULL, NULL, MP_MS(2)), MP_ERR_EMPTY);
        s = stats_of(q);
    } while (s.get_waits == 0);
    CHECK(s.messages == 0 && s.bytes == 0 && s.most_messages == 3 && s.most_bytes == 120);
    CHECK(s.got_messages == 3 && s.got_bytes == 120 && s.unfinished == 3 && s.get_waits == 1);
    CHECK_OK(mp_queue_put(q, out, 50, MP_NO_WAIT));
    CHECK_OK(mp_queue_shutdown(q, true));
    s = stats_of(q);
    CHECK(s.messages == 0 && s.dropped == 1 && s.got_messages == 4 && s.unfinished == 3);
    CHECK_OK(mp_queue_free(q));
}

/* The numbers are exact whoever was killed on the way. */
static int puts_and_gets(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    char out[100];

    (void)user;
    for (;;) {
        CHECK_OK(mp_queue_put(q, out, 70, MP_FOREVER));
        CHECK_OK(mp_queue_get(q, out, sizeof out, NULL, NULL, MP_FOREVER));
    }
    return 0;
}

TEST(queue, stats_are_exact_after_kills)
{
    mp_queue *q = queue_new(0, 0);
    uint64_t n = 0;
    char out[100];
    int round, i;

    for (round = 0; round < 30; round++) {
        mp_process *p[2];

        for (i = 0; i < 2; i++)
            p[i] = CHILD_START(puts_and_gets, q);
        sleep_ms(2);
        for (i = 0; i < 2; i++)
            CHECK(kill(child_pid(p[i]), SIGKILL) == 0);
        for (i = 0; i < 2; i++)
            CHECK_INT(child_end(p[i]), -SIGKILL);
    }
    CHECK(stats_of(q).put_messages > 0);
    CHECK_INT(stats_of(q).bytes, stats_of(q).messages * 70);
    CHECK_INT(stats_of(q).put_bytes, stats_of(q).put_messages * 70);
    for (n = stats_of(q).messages; n > 0; n--)
        CHECK_OK(mp_queue_get(q, out, sizeof out, NULL, NULL, MP_NO_WAIT));
    CHECK_INT(stats_of(q).bytes, 0);
    CHECK_OK(mp_queue_free(q));
}

/* ---- tasks ---- */

TEST(queue, task_done)
{
    mp_queue *q = queue_new(0, 0);
    char c;

    CHECK_OK(mp_queue_join(q, MP_NO_WAIT));
    CHECK_SENTENCE(mp_queue_task_done(q), MP_ERR_OVER_RELEASE, "are done");
    CHECK_OK(mp_queue_put(q, "x", 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(q, "y", 1, MP_NO_WAIT));
    CHECK_SENTENCE(mp_queue_join(q, MP_MS(2)), MP_ERR_TIMEOUT, "2 messages");
    CHECK_OK(mp_queue_get(q, &c, 1, NULL, NULL, MP_NO_WAIT));
    CHECK_OK(mp_queue_task_done(q));
    CHECK_STATUS(mp_queue_join(q, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_queue_get(q, &c, 1, NULL, NULL, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_join(q, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_queue_task_done(q));
    CHECK_OK(mp_queue_join(q, MP_FOREVER));
    CHECK_STATUS(mp_queue_task_done(q), MP_ERR_OVER_RELEASE);
    CHECK_STATUS(mp_queue_task_done(NULL), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_join(NULL, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    /* What is dropped is done. */
    CHECK_OK(mp_queue_put(q, "x", 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(q, "y", 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_get(q, &c, 1, NULL, NULL, MP_NO_WAIT));
    CHECK_OK(mp_queue_shutdown(q, true));
    CHECK_STATUS(mp_queue_join(q, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_queue_task_done(q));
    CHECK_OK(mp_queue_join(q, MP_NO_WAIT));
    CHECK_OK(mp_queue_close(q));
    CHECK_STATUS(mp_queue_join(q, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_task_done(q), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q));
}

static int works_off(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    mp_value *sum = mp_child_value(self, 1);
    int64_t x, before;

    (void)user;
    while ((x = number_get(q)) != INT64_MIN) {
        CHECK_OK(mp_value_fetch_add(sum, x, &before));
        CHECK_OK(mp_queue_task_done(q));
    }
    return 0;
}

/* When join returns, all work is done; whoever waits is woken. */
TEST(queue, join_waits_for_all_work)
{
    uint64_t rescued = stats_now().rescued;
    mp_queue *q = queue_new(0, 0);
    mp_value *sum = flag_new();
    mp_process *p[3];
    int64_t want = 0, i, round;

    for (i = 0; i < 3; i++)
        p[i] = CHILD_START(works_off, q, sum);
    for (round = 0; round < 200; round++) {
        for (i = 0; i < 30; i++) {
            number_put(q, i);
            want += i;
        }
        CHECK_OK(mp_queue_join(q, MP_FOREVER));
        CHECK_INT(flag_get(sum), want);
    }
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
    for (i = 0; i < 3; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(stats_now().rescued, rescued);
    CHECK_OK(mp_value_free(sum));
    CHECK_OK(mp_queue_free(q));
}

static void *joins(void *q)
{
    return (void *)(intptr_t)mp_queue_join(q, MP_FOREVER);
}

TEST(queue, join_ends_with_the_handle_or_the_queue)
{
    int round;

    for (round = 0; round < 12; round++) {
        mp_queue *q = queue_new(0, 0);
        pthread_t thread;
        void *s;

        CHECK_OK(mp_queue_put(q, "x", 1, MP_NO_WAIT));
        CHECK(pthread_create(&thread, NULL, joins, q) == 0);
        sleep_ms(round);
        if (round % 3 == 0)
            CHECK_OK(mp_queue_close(q));
        else if (round % 3 == 1)
            CHECK_OK(mp_queue_shutdown(q, true));
        else
            CHECK_OK(mp_queue_free(q));
        CHECK(pthread_join(thread, &s) == 0);
        CHECK_INT((intptr_t)s, round % 3 == 0   ? MP_ERR_CLOSED
                               : round % 3 == 1 ? MP_OK
                                                : MP_ERR_BAD_HANDLE);
        if (round % 3 != 2)
            CHECK_OK(mp_queue_free(q));
    }
}
