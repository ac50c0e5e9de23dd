/* Messages through channels of many kinds, peers/peer.h says what one is: how many get through in a second,
 * and how long one takes there and back.
 *
 * Every byte of a message is written before it is put, and read after it was got, by the same code for all;
 * what was got has to be what was put. A rate is what consumers got in 150 ms, after the stream has run for
 * 30 ms. A round trip is a message to another process and one of the same size back through a second channel, the median of as many
 * as are done in that time.
 */
#ifndef FLOW_H
#define FLOW_H

#include "bench.h"
#include "peers/peer.h"

/* A peer that is compiled in; or one in FILE.so under a symbol; or one in Python, which FILE.py knows by
 * the symbol. */
struct flow_subject {
    const char *name;
    const struct peer *peer;
    const char *file, *symbol;
    bool python;
    double mark;                        /* 0: none */
};

enum { FLOW_MOST = 16, FLOW_ROUNDS=5 };

/* Rows of one name: each peer beside the first subject. A subject with nothing at all but a name is one
 * that does not exist yet. */
void flow_rate(const char *name, const struct flow_subject *subjects, int count, size_t size, int producers,
               int consumers, enum bench_place place);
/* rest: nanoseconds that both sleep before each. */
void flow_trip(const char *name, const struct flow_subject *subjects, int count, size_t size, int64_t rest,
               enum bench_place place);

#endif
