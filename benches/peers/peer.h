/* What a peer of the queue and of the connection is: a few functions in a table.
 *
 * A channel carries messages of one size from its producers to its consumers. It is opened in one
 * process, which then forks the others; each of those joins it first, at one end, and then puts or
 * gets until it is stopped. Whoever opened it closes it when all others are gone. They may have been
 * killed, in the middle of a call.
 *
 * A peer that needs something to be installed is a shared object of its own, build/benches/peers/FILE.so, with the
 * symbol "peer" or another as its table; build.sh makes those that it can.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_RING = 65536 };             /* bytes that a channel holds, where that is one's choice */

struct peer_channel {
    size_t size;                        /* of each message */
    int producers, consumers;
    int number;                         /* no two channels of a run have the same; names have it and the pid */
    void *state;                        /* the peer's, as is the next */
    int fd[2];
    void *given;                        /* in a process that was given an end */
    void *place;                        /* the message that is being written or read in place */
    bool (*stopped)(void);              /* asked by a peer that cannot be killed without leaving something */
};

struct peer {
    /* NULL, or why there can be no such channel. */
    const char *(*open)(struct peer_channel *channel);
    /* In a process that will put (or get). index: which of them. May be NULL, as close may be. */
    bool (*join)(struct peer_channel *channel, bool puts, int index);
    /* False: stopped, or an error, with errno. */
    bool (*put)(struct peer_channel *channel, const void *message);
    bool (*get)(struct peer_channel *channel, void *message);
    /* In the place of put and get, where messages are written and read in place; NULL otherwise. */
    void *(*lend)(struct peer_channel *channel);
    bool (*commit)(struct peer_channel *channel);
    const void *(*peek)(struct peer_channel *channel);
    void (*release)(struct peer_channel *channel);
    /* In a process that ends by itself. */
    void (*leave)(struct peer_channel *channel);
    void (*close)(struct peer_channel *channel);
    /* What a process that will put (or get) is to be given as a libmp connection; NULL: a fork has all it needs. */
    const void *(*end)(struct peer_channel *channel, bool puts);
};

/* Messages that fit, at least some. */
static inline size_t peer_depth(size_t size, size_t least, size_t most)
{
    size_t depth = PEER_RING / size;

    return depth < least ? least : depth > most ? most : depth;
}

#endif
