/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A process that writes garbage over a priority queue's block and its entries: the others get statuses. */
#include "test_priority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The queue takes 2 KiB, and so does the first part of its heap, which begins with 64 bytes of head. */
enum { BLOCK = 2048, WORDS = BLOCK / 8, ROUNDS = 200, HEAD = 64, BYTES = 40 };

/* Finds in the segment what `is` says yes to, at every multiple of 2 KiB. */
static volatile uint64_t *find(bool (*is)(const unsigned char *))
{
    char line[400];
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, to, at, place = 0;

    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "/memfd:libmp") != NULL && sscanf(line, "%lx-%lx", &from, &to) == 2)
            for (at = (from + BLOCK - 1) & ~(unsigned long)(BLOCK - 1); at < from + (8 << 20);
                 at += BLOCK)
                if (is((const unsigned char *)at))
                    place = at;
    fclose(maps);
    CHECK(place != 0);
    return (volatile uint64_t *)place;
}

static const char message[] = "the only message of these bytes.";
static const uint64_t maxsize = 0x0123456789ABCDEF;

static bool is_part(const unsigned char *at)
{
    return memcmp(at + HEAD + BYTES, message, 32) == 0;
}

/* Behind the head, which are five words. */
static bool is_queue(const unsigned char *at)
{
    return memcmp(at + 40, &maxsize, sizeof maxsize) == 0;
}

/* The status is one that the header names. */
static void check_known(int s)
{
    static const int known[] = {MP_OK,          MP_ERR_FULL,      MP_ERR_EMPTY,
                                MP_ERR_STATE,   MP_ERR_TOO_SMALL, MP_ERR_NO_MEMORY,
                                MP_ERR_INVALID, MP_ERR_CLOSED,    MP_ERR_OVER_RELEASE};

    check_one_of(s, known, COUNT(known));
}

static void use(mp_priority_queue *q, rng *r, uint64_t *lease)
{
    static unsigned char bytes[3000], out[3000];
    size_t len = rng_below(r, rng_below(r, 3) == 0 ? sizeof bytes : 100);
    mp_buffer *b = NULL;
    bool none, full;

    switch (rng_below(r, 8)) {
    case 0:
    case 1:
    case 2:
        check_known(mp_priority_queue_put(q, bytes, len, (int64_t)rng_below(r, 5), MP_NO_WAIT));
        break;
    case 3:
        check_known(mp_priority_queue_get(q, out, sizeof out, &len, NULL, &none, MP_NO_WAIT));
        break;
    case 4:
        check_known(mp_priority_queue_get_buffer(q, &b, NULL, MP_NO_WAIT));
        CHECK_OK(mp_buffer_free(b));
        break;
    case 5:
        check_known(
            mp_priority_queue_lease(q, out, sizeof out, &len, NULL, &none, lease, MP_NO_WAIT));
        break;
    case 6:
        check_known(mp_priority_queue_acknowledge(q, *lease));
        break;
    default:
        check_known(mp_priority_queue_return(q, *lease));
    }
    check_known(mp_priority_queue_full(q, &full));
    check_known(mp_priority_queue_size(q, &len));
}

static void rounds(bool (*is)(const unsigned char *), size_t from, size_t to)
{
    rng r = rng_new();
    int round, i;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    for (round = 0; round < ROUNDS; round++) {
        mp_priority_queue *q = priority_new(maxsize);
        volatile uint64_t *block;
        uint64_t lease = 0;

        CHECK_OK(mp_priority_queue_put(q, message, 32, 0, MP_NO_WAIT));
        block = find(is);
        for (i = 0; i < 40; i++) {
            int64_t began = now_ns();
            uint64_t n = i < 10 ? 0 : rng_below(&r, 3);

            use(q, &r, &lease);
            /* A lock that seems to be somebody's takes the library's patience each time. */
            if (now_ns() - began > 10000000)
                break;
            while (n-- > 0)
                scribble(block, &r, from, to);
        }
        CHECK_OK(mp_priority_queue_free(q));
    }
}

/* All that is behind the block's head. The lock is a lock as any other. */
TEST_COLD(priority, garbage_in_the_queue)
{
    rounds(is_queue, 10, WORDS);
}

TEST_COLD(priority, garbage_in_the_entries)
{
    rounds(is_part, HEAD / 8, WORDS);
}

/* The heads themselves: how many hold the block, and where its data is. */
TEST_COLD(priority, garbage_in_the_heads)
{
    rounds(is_part, 1, 5);
}
