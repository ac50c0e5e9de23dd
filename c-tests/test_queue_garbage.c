/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A process that writes garbage over a queue's block in shared memory: the others get statuses. */
#include "test_queue.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A queue with such a ring takes 2 KiB, which begin where a multiple of that is. */
enum { RING = 1024, BLOCK = 2048, WORDS = BLOCK / 8, ROUNDS = 300 };

/* Where the queue's block lies: its ring holds a message that is found by its bytes. */
static volatile uint64_t *block_of(mp_queue *q)
{
    static const char message[] = "the only message of these bytes.";
    char line[400], found[sizeof message];
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, to, at, place = 0;

    CHECK(maps != NULL);
    CHECK_OK(mp_queue_put(q, message, 32, MP_NO_WAIT));
    while (fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "/memfd:libmp") != NULL && sscanf(line, "%lx-%lx", &from, &to) == 2)
            for (at = from; at < from + (8 << 20); at += 64)
                if (memcmp((void *)(at + 8), message, 32) == 0)
                    place = at;
    fclose(maps);
    CHECK(place != 0);
    CHECK_OK(mp_queue_get(q, found, sizeof found, NULL, NULL, MP_NO_WAIT));
    return (volatile uint64_t *)(place & ~(unsigned long)(BLOCK - 1));
}

/* Everything behind the first word, which says what the block is. */
static void scribble(volatile uint64_t *block, rng *r, size_t from, size_t to)
{
    size_t at = from + rng_below(r, to - from);

    switch (rng_below(r, 6)) {
    case 0:
        block[at] = rng_next(r);
        break;
    case 1:
        block[at] ^= (uint64_t)1 << rng_below(r, 64);
        break;
    case 2:
        block[at] += rng_below(r, 9) - 4;
        break;
    case 3:
        block[at] = block[from + rng_below(r, to - from)];
        break;
    case 4:
        block[at] = UINT64_MAX;
        break;
    default:
        block[at] = 0;
    }
}

/* The status is one that the header names. */
static void check_known(int s)
{
    static const int known[] = {MP_OK,        MP_ERR_FULL,      MP_ERR_EMPTY,
                                MP_ERR_STATE, MP_ERR_TOO_SMALL, MP_ERR_NO_MEMORY};
    size_t i;

    for (i = 0; i < COUNT(known); i++)
        if (s == known[i])
            return;
    CHECK_OK(s);
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
        volatile uint64_t *block = block_of(q);

        for (i = 0; i < 30; i++) {
            int64_t began = now_ns();
            uint64_t n = rng_below(&r, 3);

            use(q, &r);
            /* A lock that seems to be somebody's takes the library's patience each time. */
            if (now_ns() - began > 10000000)
                break;
            while (n-- > 0)
                scribble(block, &r, 5, WORDS);
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
    for (round = 0; round < ROUNDS; round++) {
        mp_queue *q = queue_new(RING, 0);
        volatile uint64_t *block = block_of(q);

        for (i = 0; i < 10; i++) {
            use(q, &r);
            scribble(block, &r, 1, 5);
        }
        CHECK_OK(mp_queue_free(q));
        stats_now();
    }
}
