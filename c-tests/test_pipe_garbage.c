/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A process that writes garbage over a pipe's block in shared memory: the others get statuses. */
#include "test_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Both rings, and the block that says how far its sides are. */
enum { RINGS = 262144, RING_WORDS = RINGS / 8, BLOCK_WORDS = 832 / 8, ROUNDS = 300 };
/* The block's head: what it is, who has it, where its data is. */
enum { HEAD = 5, DATA = 3 };

typedef struct blocks {
    volatile uint64_t *rings, *self;
} blocks;

/* Where they lie: a message is found by its bytes, and the block by where its data is. */
static blocks blocks_of(mp_connection *a, mp_connection *b)
{
    blocks found = {NULL, NULL};
    static int number;
    char message[33];
    unsigned long at, base, place;

    snprintf(message, sizeof message, "the only message with %10d", number++);
    send_text(a, message);
    place = message_place(message, 32, &base);
    recv_text(b, message);
    for (at = base; at < base + (8 << 20) - 16; at += 8)
        if (*(uint64_t *)at == place - base && *(uint64_t *)(at + 8) == RINGS)
            found.self = (volatile uint64_t *)at - DATA;
    CHECK(found.self != NULL);
    found.rings = (volatile uint64_t *)place;
    return found;
}

/* The status is one that the header names. */
static int check_known(int s)
{
    static const int known[] = {MP_OK,     MP_ERR_TIMEOUT,   MP_ERR_STATE, MP_ERR_TOO_SMALL,
                                MP_ERR_OS, MP_ERR_NO_MEMORY, MP_ERR_EOF};

    return check_one_of(s, known, COUNT(known));
}

static void use(mp_connection *from, mp_connection *to, rng *r)
{
    static unsigned char bytes[40000], out[40000];
    size_t len = rng_below(r, rng_below(r, 4) == 0 ? sizeof bytes : 200);
    mp_wait_item item = {0};
    mp_buffer *b = NULL;
    int fd;

    switch (rng_below(r, 8)) {
    case 0:
    case 1:
        check_known(mp_connection_send(from, bytes, len, MP_NO_WAIT));
        break;
    case 2:
        check_known(mp_connection_send_fd(from, 0, MP_NO_WAIT));
        break;
    case 3:
        check_known(mp_connection_recv(to, out, sizeof out, &len, MP_NO_WAIT));
        break;
    case 4:
        if (check_known(mp_connection_recv_buffer(to, &b, SIZE_MAX, &len, MP_NO_WAIT)) == MP_OK)
            CHECK_OK(mp_buffer_free(b));
        break;
    case 5:
        if (check_known(mp_connection_recv_fd(to, &fd, MP_NO_WAIT)) == MP_OK)
            close(fd);
        break;
    case 6:
        item.handle = to;
        check_known(mp_wait(&item, 1, NULL, MP_NO_WAIT));
        break;
    default:
        check_known(mp_connection_poll(to, MP_NO_WAIT));
    }
}

static void rounds(size_t count, size_t from, size_t to, bool rings)
{
    rng r = rng_new();
    mp_connection *a, *b;
    size_t round;
    int i, fd;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    for (round = 0; round < count; round++) {
        blocks found;

        CHECK_OK(mp_pipe_new(&a, &b, NULL));
        found = blocks_of(a, b);
        if (rng_below(&r, 2) == 0)
            CHECK_OK(mp_connection_fileno(b, &fd));
        for (i = 0; i < 40; i++) {
            if (rng_below(&r, 2) == 0)
                use(a, b, &r);
            else
                use(b, a, &r);
            /* The rings are near their beginnings. */
            if (rings && rng_below(&r, 2) == 0)
                scribble(found.rings + rng_below(&r, 2) * RING_WORDS / 2, &r, 0, 64);
            else if (rng_below(&r, 2) == 0)
                scribble(found.self, &r, from, to);
        }
        CHECK_OK(mp_connection_free(a));
        CHECK_OK(mp_connection_free(b));
    }
}

/* Locks, positions, bells, and what lies in the rings. */
TEST_COLD(pipe, garbage_in_the_rings)
{
    rounds(ROUNDS, HEAD, BLOCK_WORDS, true);
}

/* How many hold the block, and where its data is. It may then never be freed, but others' memory is not. */
TEST_COLD(pipe, garbage_in_the_head)
{
    rounds(ROUNDS / 10, 1, HEAD, false);
    stats_now();
}

/* Nobody will ever make room in a ring that holds more than it can: who sends does not wait for it. */
TEST_COLD(pipe, garbage_does_not_hold_a_sender_up)
{
    /* Of the first way: the sender's position, and the receiver's. */
    enum { SENDERS = 8 + 8, RECEIVERS = SENDERS + 16 };
    mp_connection *a, *b;
    blocks found;
    int s;
    char c;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    found = blocks_of(a, b);
    CHECK_INT(found.self[SENDERS], found.self[RECEIVERS]);
    found.self[RECEIVERS] += RINGS;
    /* What is known to be free is used first. */
    while ((s = mp_connection_send(a, "x", 1, MP_FOREVER)) == MP_OK)
        continue;
    CHECK_SENTENCE(s, MP_ERR_STATE, "damaged");
    CHECK_SENTENCE(mp_connection_recv(b, &c, 1, NULL, MP_FOREVER), MP_ERR_STATE, "damaged");
    /* The other way is not. */
    send_text(b, "back");
    recv_text(a, "back");
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}
