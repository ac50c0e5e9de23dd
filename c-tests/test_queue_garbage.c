/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A process that writes garbage over a queue's block in shared memory: the others get statuses. */
#include "test_queue.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Such a ring takes 2 KiB, which begin where a multiple of that is. */
enum { RING = 1024, BLOCK = 2048, WORDS = BLOCK / 8, ROUNDS = 300 };
/* The queue itself takes a block of a KiB, and says at two places 128 bytes apart where its ring is. */
enum { SELF = 1024, SELF_WORDS = SELF / 8, SIDE = 128 };

typedef struct blocks {
    volatile uint64_t *ring, *self;
} blocks;

/* Where the queue's blocks lie: its ring holds a message that is found by its bytes. */
static blocks blocks_of(mp_queue *q)
{
    blocks b = {NULL, NULL};
    static int number;
    char message[33], found[sizeof message];
    unsigned long at, base, place;

    /* A queue before this one may have left its own. */
    snprintf(message, sizeof message, "the only message with %10d", number++);
    CHECK_OK(mp_queue_put(q, message, 32, MP_NO_WAIT));
    place = message_place(message, 32, &base);
    CHECK_OK(mp_queue_get(q, found, sizeof found, NULL, NULL, MP_NO_WAIT));
    for (at = base; at < base + (8 << 20) - SELF; at += 8)
        if (*(uint64_t *)at == place - base && *(uint64_t *)(at + SIDE) == place - base)
            b.self = (volatile uint64_t *)(at & ~(unsigned long)(SELF - 1));
    CHECK(b.self != NULL);
    b.ring = (volatile uint64_t *)(place & ~(unsigned long)(BLOCK - 1));
    return b;
}

/* The status is one that the header names. */
static void check_known(int s)
{
    static const int known[] = {MP_OK,        MP_ERR_FULL,      MP_ERR_EMPTY,
                                MP_ERR_STATE, MP_ERR_TOO_SMALL, MP_ERR_NO_MEMORY,
                                MP_ERR_CLOSED, MP_ERR_INVALID};

    check_one_of(s, known, COUNT(known));
}

static void use(mp_queue *q, rng *r)
{
    static unsigned char bytes[3000], out[3000];
    size_t len = rng_below(r, rng_below(r, 4) == 0 ? sizeof bytes : 200);
    mp_buffer *b = NULL;
    bool none, full;

    switch (rng_below(r, 6)) {
    case 0:
    case 1:
        check_known(mp_queue_put(q, bytes, len, MP_NO_WAIT));
        break;
    case 2:
        check_known(mp_queue_put_none(q, MP_NO_WAIT));
        break;
    case 3:
    case 4:
        check_known(mp_queue_get(q, out, sizeof out, &len, &none, MP_NO_WAIT));
        break;
    default:
        check_known(mp_queue_get_buffer(q, &b, MP_NO_WAIT));
        CHECK_OK(mp_buffer_free(b));
    }
    check_known(mp_queue_full(q, &full));
    CHECK_OK(mp_queue_size(q, &len));
}

/* What is behind the block's head: locks, positions, carriers, lengths, the ring. */
TEST_COLD(queue, garbage_in_the_ring)
{
    rng r = rng_new();
    int round, i;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    for (round = 0; round < ROUNDS; round++) {
        mp_queue *q = queue_new(RING, 0);
        blocks b = blocks_of(q);

        for (i = 0; i < 30; i++) {
            int64_t began = now_ns();
            uint64_t n = rng_below(&r, 3);

            use(q, &r);
            /* A lock that seems to be somebody's takes the library's patience each time. */
            if (now_ns() - began > 10000000)
                break;
            while (n-- > 0)
                if (rng_below(&r, 2) == 0)
                    scribble(b.ring, &r, 5, WORDS);
                else
                    scribble(b.self, &r, 5, SELF_WORDS);
        }
        CHECK_OK(mp_queue_free(q));
    }
}

/* The head itself: how many hold the block, and where its data is. It may then never be freed, but
 * others' memory is not. */
TEST_COLD(queue, garbage_in_the_head)
{
    rng r = rng_new();
    int round, i;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    for (round = 0; round < ROUNDS / 4; round++) {
        mp_queue *q = queue_new(RING, 0);
        blocks b = blocks_of(q);

        for (i = 0; i < 10; i++) {
            use(q, &r);
            scribble(rng_below(&r, 2) == 0 ? b.ring : b.self, &r, 1, 5);
        }
        CHECK_OK(mp_queue_free(q));
        stats_now();
    }
}
