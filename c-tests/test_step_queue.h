/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the files share that kill and fail everywhere over queues. See step.h. */
#ifndef TEST_STEP_QUEUE_H
#define TEST_STEP_QUEUE_H

#include "step.h"
#include "test_queue.h"

enum { RING = 1024, LARGE = 5000, BIG = (2 << 20) + 1 };

static mp_queue *q;
/* What is in it: the lengths of the messages; each is a pattern of its number. */
static size_t lengths[64];
static int first, last;
static unsigned char bytes[BIG];
/* What a put of the victim's has. */
static size_t victims_length;

static inline void put_now(size_t len)
{
    pattern_fill(bytes, len, (unsigned)last);
    CHECK_OK(mp_queue_put(q, bytes, len, MP_NO_WAIT));
    lengths[last++] = len;
}

static inline void get_now(void)
{
    size_t len;

    CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
    CHECK_INT(len, lengths[first]);
    pattern_check(bytes, len, (unsigned)first++);
}

static inline void make_queue(size_t maxsize)
{
    q = queue_new(RING, maxsize);
    first = last = 0;
}

static inline void first_use(void)
{
    queue_size(q);
}

/* The queue has what it should have, works, and is freed. */
static inline void works(void)
{
    size_t len;

    CHECK_INT(queue_size(q), last - first);
    while (first < last)
        get_now();
    CHECK_STATUS(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    for (len = 0; len < 40; len++) {
        put_now(len * 6);
        if (len % 13 == 0)
            put_now(LARGE);
        while (first < last)
            get_now();
        if (last > 40)
            first = last = 0;
    }
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_free(q));
}

/* Not in what is attacked: it takes long. */
static inline void fill(void)
{
    first_use();
    pattern_fill(bytes, victims_length, (unsigned)last);
}

static inline int put_it(void)
{
    return CHECK_CLEAN(mp_queue_put(q, bytes, victims_length, MP_NO_WAIT));
}

static inline void put_or_not(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE       ? size == (size_t)(last - first) + 1
          : how == NOT_DONE ? size == (size_t)(last - first)
                            : size - (size_t)(last - first) <= 1);
    if (size > (size_t)(last - first))
        lengths[last++] = victims_length;
    works();
}

static inline void two_are_in(void)
{
    make_queue(0);
    put_now(10);
    put_now(0);
    victims_length = 50;
}

static inline void large_is_next(void)
{
    make_queue(0);
    put_now(10);
    victims_length = LARGE;
}

static inline void large_has_a_spare(void)
{
    make_queue(0);
    put_now(LARGE);
    put_now(LARGE);
    get_now();
    victims_length = LARGE + 1;
}

static inline void large_is_oldest(void)
{
    make_queue(0);
    put_now(LARGE);
    put_now(LARGE + 8);
    put_now(3);
}

/* All of them would take long. */
static inline unsigned char last_byte_of(int number)
{
    size_t i = lengths[number] - 1;

    return (unsigned char)(i * 7 + i / 251 + (unsigned)number);
}

static inline int get_it(void)
{
    size_t len;
    int s = CHECK_CLEAN(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));

    if (s == MP_OK) {
        CHECK_INT(len, lengths[first]);
        CHECK(len == 0 || bytes[len - 1] == last_byte_of(first));
    }
    return s;
}

static inline void got_or_not(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE       ? size == (size_t)(last - first) - 1
          : how == NOT_DONE ? size == (size_t)(last - first)
                            : (size_t)(last - first) - size <= 1);
    if (size < (size_t)(last - first))
        first++;
    works();
}

static inline void got_nothing(outcome_of how)
{
    CHECK(how != DONE);
    works();
}

#endif
