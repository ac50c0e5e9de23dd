/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues in one process: arguments, messages of every size, their order, and none. */
#include "test_queue.h"

#include <stdlib.h>
#include <string.h>

mp_queue *queue_new(size_t ring, size_t maxsize)
{
    mp_queue_options o = MP_QUEUE_OPTIONS;
    mp_queue *q;

    o.ring = ring;
    o.maxsize = maxsize;
    CHECK_OK(mp_queue_new(&q, &o));
    return q;
}

size_t queue_size(mp_queue *q)
{
    size_t n = 77;
    bool empty;

    CHECK_OK(mp_queue_size(q, &n));
    CHECK_OK(mp_queue_empty(q, &empty));
    CHECK(empty == (n == 0));
    return n;
}

bool queue_full(mp_queue *q)
{
    bool full;

    CHECK_OK(mp_queue_full(q, &full));
    return full;
}

void pattern_fill(unsigned char *at, size_t len, unsigned seed)
{
    size_t i;

    for (i = 0; i < len; i++)
        at[i] = (unsigned char)(i * 7 + i / 251 + seed);
}

void pattern_check(const unsigned char *at, size_t len, unsigned seed)
{
    size_t i;

    for (i = 0; i < len; i++)
        CHECK(at[i] == (unsigned char)(i * 7 + i / 251 + seed));
}

int64_t number_get(mp_queue *q)
{
    int64_t x = -1;
    size_t len;
    bool none;

    CHECK_OK(mp_queue_get(q, &x, sizeof x, &len, &none, MP_SEC(30)));
    if (none)
        return INT64_MIN;
    CHECK_INT(len, sizeof x);
    return x;
}

void number_put(mp_queue *q, int64_t x)
{
    CHECK_OK(mp_queue_put(q, &x, sizeof x, MP_SEC(30)));
}

TEST(queue, null_arguments)
{
    mp_queue *q = queue_new(0, 0);
    mp_queue_options o = MP_QUEUE_OPTIONS;
    char c;
    bool none;

    CHECK_STATUS(mp_queue_new(NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_options_init(NULL, sizeof(mp_queue_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_put(q, NULL, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_put(q, "x", SIZE_MAX, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_get(q, NULL, 1, NULL, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_get(q, &c, SIZE_MAX, NULL, &none, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_get_buffer(q, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_size(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_empty(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_full(q, NULL), MP_ERR_INVALID);
    o.size = 3;
    CHECK_STATUS(mp_queue_new(&q, &o), MP_ERR_INVALID);
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_free(q));
}

static void refused(mp_queue *h)
{
    mp_buffer *buffer;
    size_t n;
    bool yes;

    CHECK_STATUS(mp_queue_put(h, "x", 1, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_put_none(h, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_get(h, &yes, 1, &n, &yes, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_get_buffer(h, &buffer, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_size(h, &n), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_empty(h, &yes), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_full(h, &yes), MP_ERR_BAD_HANDLE);
}

TEST(queue, bad_handles)
{
    mp_queue *q = queue_new(0, 0);
    mp_lock *l = lock_new();
    void *as_queue = l, *as_lock = q;

    refused(NULL);
    refused(as_queue);
    CHECK_STATUS(mp_queue_free(as_queue), MP_ERR_BAD_HANDLE);
    CHECK_SENTENCE(mp_lock_acquire(as_lock, MP_NO_WAIT), MP_ERR_BAD_HANDLE, "this is a queue");
    CHECK_OK(mp_queue_free(NULL));
    CHECK_OK(mp_queue_free(q));
    refused(q);
    CHECK_STATUS(mp_queue_free(q), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_lock_free(l));
}

TEST(queue, options)
{
    mp_queue_options o, d = MP_QUEUE_OPTIONS;
    mp_queue *q;

    memset(&o, 0xFF, sizeof o);
    CHECK_OK(mp_queue_options_init(&o, sizeof o));
    CHECK(memcmp(&o, &d, sizeof o) == 0);
    CHECK(o.size == sizeof o && o.maxsize == 0 && o.maxbytes == 0 && o.ring == 0);
    o.ring = ((size_t)1 << 30) + 1;
    CHECK_SENTENCE(mp_queue_new(&q, &o), MP_ERR_INVALID, "the most");
    o.ring = SIZE_MAX;
    CHECK_STATUS(mp_queue_new(&q, &o), MP_ERR_INVALID);
    o.ring = 1;
    CHECK_OK(mp_queue_new(&q, &o));
    CHECK_OK(mp_queue_put(q, "abc", 3, MP_NO_WAIT));
    CHECK_OK(mp_queue_free(q));
}

/* In the ring, at its edge, outside it; each length twice, by either way of getting. */
TEST(queue, messages_of_all_sizes)
{
    static const size_t sizes[] = {0,     1,     7,     8,     9,      100,     4095,   16383,  16384,
                                   16385, 20000, 32640, 65536, 100000, 1 << 20, 2 << 20, 3 << 20};
    unsigned char *in = malloc(3 << 20), *got = malloc(3 << 20);
    mp_queue *q = queue_new(0, 0);
    size_t i, len;
    bool none;

    CHECK(in != NULL && got != NULL);
    for (i = 0; i < COUNT(sizes); i++) {
        mp_buffer *buffer;

        pattern_fill(in, sizes[i], (unsigned)i);
        CHECK_OK(mp_queue_put(q, in, sizes[i], MP_NO_WAIT));
        memset(got, 0xEE, sizes[i]);
        len = 1;
        none = true;
        CHECK_OK(mp_queue_get(q, got, sizes[i], &len, &none, MP_NO_WAIT));
        CHECK_INT(len, sizes[i]);
        CHECK(!none);
        pattern_check(got, len, (unsigned)i);
        CHECK_OK(mp_queue_put(q, in, sizes[i], MP_NO_WAIT));
        CHECK_OK(mp_queue_get_buffer(q, &buffer, MP_NO_WAIT));
        CHECK(buffer != NULL);
        pattern_check(mp_buffer_data(buffer, &len), sizes[i], (unsigned)i);
        CHECK_INT(len, sizes[i]);
        CHECK_OK(mp_buffer_free(buffer));
    }
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_free(q));
    free(in);
    free(got);
}

TEST(queue, first_in_first_out)
{
    mp_queue *q = queue_new(4096, 0);
    unsigned char *bytes = malloc(10000);
    unsigned put = 0, got = 0;
    rng r = rng_new();

    CHECK(bytes != NULL);
    while (got < 20000) {
        size_t len = rng_below(&r, rng_below(&r, 20) == 0 ? 9000 : 200) + 4;

        if (put < 20000 && rng_below(&r, 2) == 0) {
            int status;

            pattern_fill(bytes, len, put);
            memcpy(bytes, &put, 4);
            status = mp_queue_put(q, bytes, len, MP_NO_WAIT);
            CHECK(status == MP_OK || status == MP_ERR_FULL);
            put += status == MP_OK;
        } else if (put > got) {
            unsigned number;

            CHECK_OK(mp_queue_get(q, bytes, 10000, &len, NULL, MP_NO_WAIT));
            memcpy(&number, bytes, 4);
            CHECK_INT(number, got);
            pattern_fill(bytes, 4, number);
            pattern_check(bytes, len, number);
            got++;
        } else {
            CHECK_STATUS(mp_queue_get(q, bytes, 10000, &len, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
        }
        CHECK_INT(queue_size(q), put - got);
    }
    CHECK_OK(mp_queue_free(q));
    free(bytes);
}

TEST(queue, none_is_not_empty)
{
    mp_queue *q = queue_new(0, 0);
    mp_buffer *buffer;
    size_t len = 5;
    bool none = false;
    char c = 'x';

    CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(q, NULL, 0, MP_NO_WAIT));
    CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(q, NULL, 0, MP_NO_WAIT));
    CHECK_INT(queue_size(q), 4);
    /* Without a place for it the sentinel is not lost. */
    CHECK_SENTENCE(mp_queue_get(q, &c, 1, &len, NULL, MP_NO_WAIT), MP_ERR_INVALID, "none");
    CHECK_OK(mp_queue_get(q, &c, 1, &len, &none, MP_NO_WAIT));
    CHECK(none && len == 0 && c == 'x');
    len = 5;
    CHECK_OK(mp_queue_get(q, NULL, 0, &len, &none, MP_NO_WAIT));
    CHECK(!none && len == 0);
    buffer = (mp_buffer *)&c;
    CHECK_OK(mp_queue_get_buffer(q, &buffer, MP_NO_WAIT));
    CHECK(buffer == NULL);
    CHECK_OK(mp_queue_get_buffer(q, &buffer, MP_NO_WAIT));
    CHECK(buffer != NULL && mp_buffer_data(buffer, &len) != NULL);
    CHECK_INT(len, 0);
    CHECK_OK(mp_buffer_free(buffer));
    CHECK_OK(mp_queue_free(q));
}

TEST(queue, too_small_keeps_the_message)
{
    static const size_t sizes[] = {1, 10, 16384, 100000, 3 << 20};
    unsigned char *bytes = malloc(3 << 20);
    mp_queue *q = queue_new(0, 0);
    size_t i, len;

    CHECK(bytes != NULL);
    for (i = 0; i < COUNT(sizes); i++) {
        pattern_fill(bytes, sizes[i], 3);
        CHECK_OK(mp_queue_put(q, bytes, sizes[i], MP_NO_WAIT));
        CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
        len = 0;
        CHECK_STATUS(mp_queue_get(q, bytes, sizes[i] - 1, &len, NULL, MP_SEC(1)), MP_ERR_TOO_SMALL);
        CHECK_INT(len, sizes[i]);
        len = 0;
        CHECK_STATUS(mp_queue_get(q, NULL, 0, &len, NULL, MP_NO_WAIT), MP_ERR_TOO_SMALL);
        CHECK_STATUS(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_TOO_SMALL);
        CHECK_INT(len, sizes[i]);
        CHECK_INT(queue_size(q), 2);
        memset(bytes, 0, sizes[i]);
        CHECK_OK(mp_queue_get(q, bytes, len, &len, NULL, MP_NO_WAIT));
        pattern_check(bytes, len, 3);
        CHECK_OK(mp_queue_get(q, NULL, 0, &len, &(bool){false}, MP_NO_WAIT));
    }
    CHECK_OK(mp_queue_free(q));
    free(bytes);
}
