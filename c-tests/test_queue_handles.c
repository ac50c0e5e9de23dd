/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues: messages that carry handles. */
#include "test_nouns.h"
#include "test_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUT(q, data, len, timeout, ...)                                                            \
    mp_queue_put_handles(q, data, len, (const void *const[]){__VA_ARGS__},                         \
                         COUNT(((const void *const[]){__VA_ARGS__})), timeout)

/* The oldest message of a queue, which has so many bytes and handles. */
static mp_buffer *got(mp_queue *q, size_t bytes, size_t handles)
{
    mp_buffer *b = NULL;
    size_t len;

    CHECK_OK(mp_queue_get_buffer(q, &b, MP_SEC(30)));
    CHECK(b != NULL && mp_buffer_data(b, &len) != NULL);
    CHECK_INT(len, bytes);
    CHECK_INT(mp_buffer_handles(b), handles);
    return b;
}

TEST(queue, handles_that_no_message_carries)
{
    mp_queue *q = queue_new(0, 0), *closed = queue_new(0, 0), *again;
    mp_queue_options o = MP_QUEUE_OPTIONS;
    mp_value *v = flag_new(), *gone = flag_new();
    mp_connection *a, *b;
    mp_process *p;
    mp_buffer *m;
    char name[64];
    uint64_t blocks;

    CHECK_STATUS(PUT(NULL, NULL, 0, MP_NO_WAIT, v), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_put_handles(q, NULL, 0, NULL, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_put_handles(q, NULL, 0, (const void *const[]){v}, 65537, MP_NO_WAIT),
                 MP_ERR_INVALID);
    CHECK_STATUS(PUT(q, NULL, 1, MP_NO_WAIT, v), MP_ERR_INVALID);
    CHECK_STATUS(PUT(q, NULL, 0, MP_NO_WAIT, v, NULL), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_value_free(gone));
    CHECK_STATUS(PUT(q, NULL, 0, MP_NO_WAIT, v, gone), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_queue_close(closed));
    CHECK_STATUS(PUT(q, NULL, 0, MP_NO_WAIT, v, closed), MP_ERR_CLOSED);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_SENTENCE(PUT(q, NULL, 0, MP_NO_WAIT, v, a), MP_ERR_UNSUPPORTED, "handle 1");
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_process_new(&p, child_waits, NULL, NULL));
    CHECK_STATUS(PUT(q, NULL, 0, MP_NO_WAIT, p), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_buffer_new(&m, "x", 1));
    CHECK_STATUS(PUT(q, NULL, 0, MP_NO_WAIT, m), MP_ERR_UNSUPPORTED);
    CHECK_INT(mp_buffer_handles(m), 0);
    CHECK_NULL(mp_buffer_handle(m, 0));
    CHECK_OK(mp_buffer_free(m));
    CHECK_NULL(mp_buffer_handle(NULL, 0));
    CHECK_INT(mp_buffer_handles(NULL), 0);
    /* It would hold itself, also by another handle. */
    CHECK_SENTENCE(PUT(q, NULL, 0, MP_NO_WAIT, v, q), MP_ERR_INVALID, "itself");
    again = queue_new(0, 0);
    CHECK_OK(PUT(again, NULL, 0, MP_NO_WAIT, q));
    m = got(again, 0, 1);
    CHECK_OK(mp_queue_free(again));
    again = handle_of(m, 0);
    CHECK_OK(mp_buffer_free(m));
    CHECK_SENTENCE(PUT(q, NULL, 0, MP_NO_WAIT, again), MP_ERR_INVALID, "itself");
    CHECK_OK(mp_queue_free(again));

    snprintf(name, sizeof name, "test-%ld-carried", (long)getpid());
    o.name = name;
    CHECK_OK(mp_queue_new(&again, &o));
    CHECK_SENTENCE(PUT(q, NULL, 0, MP_NO_WAIT, again), MP_ERR_UNSUPPORTED, "name");
    CHECK_SENTENCE(PUT(again, NULL, 0, MP_NO_WAIT, v), MP_ERR_UNSUPPORTED, "name");
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_queue_free(again));
    CHECK_INT(queue_size(q), 0);

    /* What could not be put holds nothing. */
    blocks = stats_now().blocks;
    CHECK_OK(mp_queue_shutdown(q, false));
    CHECK_STATUS(PUT(q, "x", 1, MP_FOREVER, v), MP_ERR_CLOSED);
    CHECK_INT(stats_now().blocks, blocks);
    CHECK_OK(mp_queue_free(q));
    q = queue_new(1024, 1);
    CHECK_OK(PUT(q, "x", 1, MP_NO_WAIT, v));
    blocks = stats_now().blocks;
    CHECK_STATUS(PUT(q, "x", 1, MP_MS(1), v), MP_ERR_FULL);
    CHECK_INT(stats_now().blocks, blocks);
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_queue_free(closed));
    CHECK_OK(mp_value_free(v));
}

TEST(queue, a_message_with_handles_is_not_got_without_them)
{
    mp_queue *q = queue_new(0, 0);
    mp_value *v = flag_new();
    char bytes[64];
    const void *data;
    size_t len, lens[4], count;
    mp_buffer *b;

    CHECK_OK(mp_queue_put(q, "plain", 5, MP_NO_WAIT));
    CHECK_OK(PUT(q, "laden", 5, MP_NO_WAIT, v, v));
    CHECK_OK(mp_queue_get_many(q, bytes, sizeof bytes, lens, 4, &count, MP_NO_WAIT));
    CHECK(count == 1 && lens[0] == 5 && memcmp(bytes, "plain", 5) == 0);
    CHECK_SENTENCE(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT),
                   MP_ERR_UNSUPPORTED, "2 handles");
    CHECK_STATUS(mp_queue_get_many(q, bytes, sizeof bytes, lens, 4, &count, MP_NO_WAIT),
                 MP_ERR_UNSUPPORTED);
    CHECK_INT(count, 0);
    CHECK_STATUS(mp_queue_peek(q, &data, &len, NULL, MP_NO_WAIT), MP_ERR_UNSUPPORTED);
    CHECK_INT(queue_size(q), 1);
    b = got(q, 5, 2);
    CHECK(memcmp(mp_buffer_data(b, NULL), "laden", 5) == 0);
    CHECK_NULL(mp_buffer_handle(b, 2));
    CHECK_OK(mp_buffer_free(b));
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_value_free(v));
}

/* ---- every noun ---- */

enum { LONG = 300000 };

/* Hands on what it has got, with an answer for who asked. */
static int hands_on(mp_child *self, void *user)
{
    mp_queue *in = mp_child_queue(self, 0), *out = mp_child_queue(self, 1);
    static const size_t lengths[] = {0, 7, LONG};
    size_t i;

    CHECK(user == NULL);
    for (i = 0; i < COUNT(lengths); i++) {
        mp_buffer *b = got(in, lengths[i], NOUNS);
        void *all[NOUNS];

        nouns_take(b, all);
        nouns_use(all);
        CHECK_OK(mp_queue_put_handles(out, mp_buffer_data(b, NULL), lengths[i],
                                      (const void *const *)all, NOUNS, MP_FOREVER));
        CHECK_OK(mp_buffer_free(b));
        nouns_use(all);
        nouns_free(all);
    }
    return 0;
}

TEST(queue, every_handle_goes_through_it)
{
    static unsigned char bytes[LONG];
    static const size_t lengths[] = {0, 7, LONG};
    uint64_t blocks = stats_now().blocks;
    mp_queue *in = queue_new(0, 0), *out = queue_new(0, 0);
    mp_process *p = CHILD_START(hands_on, in, out);
    size_t i;

    for (i = 0; i < COUNT(lengths); i++) {
        void *all[NOUNS];
        mp_buffer *b;

        nouns_make(all);
        pattern_fill(bytes, lengths[i], (unsigned)i);
        CHECK_OK(mp_queue_put_handles(in, bytes, lengths[i], (const void *const *)all, NOUNS,
                                      MP_FOREVER));
        /* From now on the message holds them, or whoever has got it. */
        nouns_free(all);
        b = got(out, lengths[i], NOUNS);
        pattern_check(mp_buffer_data(b, NULL), lengths[i], (unsigned)i);
        nouns_take(b, all);
        CHECK_OK(mp_buffer_free(b));
        nouns_use(all);
        nouns_free(all);
    }
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_queue_free(in));
    CHECK_OK(mp_queue_free(out));
    CHECK_INT(stats_now().blocks, blocks);
}

/* A request with its own queue for the answer. */
static int answers(mp_child *self, void *user)
{
    mp_queue *requests = mp_child_queue(self, 0);
    mp_buffer *b;

    CHECK(user == NULL);
    while (mp_queue_get_buffer(requests, &b, MP_FOREVER) == MP_OK) {
        const int64_t *x = mp_buffer_data(b, NULL);
        mp_queue *reply = handle_of(b, 0);

        number_put(reply, *x * *x);
        CHECK_OK(mp_queue_free(reply));
        CHECK_OK(mp_buffer_free(b));
    }
    return 0;
}

TEST(queue, a_request_brings_the_queue_for_its_answer)
{
    mp_queue *requests = queue_new(4096, 0);
    uint64_t blocks;
    mp_process *p = CHILD_START(answers, requests);
    int64_t x;

    blocks = stats_now().blocks;
    for (x = 0; x < 300; x++) {
        mp_queue *reply = queue_new(0, 0);

        CHECK_OK(PUT(requests, &x, sizeof x, MP_FOREVER, reply));
        CHECK_INT(number_get(reply), x * x);
        CHECK_OK(mp_queue_free(reply));
    }
    CHECK_OK(mp_queue_shutdown(requests, false));
    CHECK_INT(child_end(p), 0);
    CHECK(stats_now().blocks <= blocks);
    CHECK_OK(mp_queue_free(requests));
}

/* ---- who holds them ---- */

static void put_values(mp_queue *q, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        mp_value *v = flag_new();

        CHECK_OK(PUT(q, &i, sizeof i, MP_NO_WAIT, v));
        CHECK_OK(mp_value_free(v));
    }
}

TEST(queue, handles_that_nobody_gets_are_freed)
{
    enum { MANY = 100 };
    uint64_t blocks = stats_now().blocks;
    mp_queue *q = queue_new(0, 0);
    mp_buffer *b;

    put_values(q, MANY);
    CHECK(stats_now().blocks >= blocks + 2 * MANY);
    b = got(q, sizeof(int), 1);
    CHECK_OK(mp_queue_free(q));
    /* The message, and the value with its lock. */
    CHECK_INT(stats_now().blocks, blocks + 3);
    CHECK_OK(mp_buffer_free(b));
    CHECK_INT(stats_now().blocks, blocks);

    q = queue_new(0, 0);
    put_values(q, MANY);
    CHECK_OK(mp_queue_shutdown(q, true));
    CHECK(stats_now().blocks <= blocks + 3);
    CHECK_OK(mp_queue_free(q));
    CHECK_INT(stats_now().blocks, blocks);
}

static int gets_and_dies(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    mp_value *v;

    CHECK(user == NULL);
    v = handle_of(got(q, sizeof(int), 1), 0);
    got(q, sizeof(int), 1);
    put_values(q, 3);
    CHECK_OK(mp_value_set_int(v, 5));
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(queue, handles_of_the_killed_are_freed)
{
    uint64_t blocks = stats_now().blocks;
    mp_queue *q = queue_new(0, 0);
    mp_buffer *b;
    int i;

    put_values(q, 3);
    CHECK_INT(child_end(CHILD_START(gets_and_dies, q)), -SIGKILL);
    CHECK_INT(queue_size(q), 4);
    for (i = 0; i < 4; i++) {
        mp_value *v;

        b = got(q, sizeof(int), 1);
        v = handle_of(b, 0);
        CHECK_OK(mp_buffer_free(b));
        CHECK_INT(flag_get(v), 0);
        CHECK_OK(mp_value_free(v));
    }
    CHECK_OK(mp_queue_free(q));
    CHECK_INT(stats_now().blocks, blocks);
}

static void *frees(void *q)
{
    CHECK_OK(mp_queue_free(q));
    return NULL;
}

/* Queues in messages in queues, and so on: freed one after the other, on a short stack. */
TEST(queue, queues_in_messages_are_freed_however_deep_they_lie)
{
    enum { DEPTH = 3000 };
    uint64_t blocks = stats_now().blocks;
    mp_queue *outer, *inner = queue_new(256, 0);
    pthread_attr_t small;
    pthread_t thread;
    int i;

    for (i = 0; i < DEPTH; i++) {
        mp_value *v = flag_new();

        outer = queue_new(256, 0);
        CHECK_OK(PUT(outer, NULL, 0, MP_NO_WAIT, v, inner));
        CHECK_OK(PUT(outer, NULL, 0, MP_NO_WAIT, inner, v, inner));
        CHECK_OK(mp_value_free(v));
        CHECK_OK(mp_queue_free(inner));
        inner = outer;
    }
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 128 << 10) == 0);
    CHECK(pthread_create(&thread, &small, frees, outer) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_attr_destroy(&small) == 0);
    CHECK_INT(stats_now().blocks, blocks);
}
