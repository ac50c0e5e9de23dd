/* The queue beside what one would use instead, in one run: what processes can hand to others in a second, and
 * how long a message takes there and back.
 *
 * How to read it: bench.h says what rounds, ratios and marks are, flow.h what is measured. In brackets stand the
 * least and the most of the five rounds. A peer's mark is its row's mark in the design; where the design says
 * "best of", each of those peers has it.
 *
 * "1 to 1" and "4 to 4" tell the producers and consumers, each a process, put where the kernel likes; they block
 * where there is no room, or no message. libmp's ring has 64 KiB, which is a pipe's size, and the others hold as
 * much, or 16 messages, where they can be told. "iceoryx2" is copied in and out and waits for an event;
 * "lent" is written and read in place, and both of its sides poll and never sleep.
 *
 * "round trip, rested" has both sides asleep for 100 us before each message; "at once" has one after the
 * other, with each process on a CPU of its own.
 */
#include "flow.h"
#include "peers/kernel.h"
#include <stdio.h>

enum { SIZES = 7, RESTED_NS = 100000 };

#define LIBMP {.name = "libmp", .peer = &peer_libmp}
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(int argc, char **argv)
{
    static const struct {
        size_t size;
        const char *name;
        double best, python;
    } rows[SIZES] = {
        {8, "8 B", 5, 20},          {64, "64 B", 4, 20},      {256, "256 B", 4, 20},      {1024, "1 KiB", 4, 20},
        {4096, "4 KiB", 3.5, 20}, {65536, "64 KiB", 1.3, 10}, {1 << 20, "1 MiB", 1.1, 10}};
    static const struct {
        size_t size;
        const char *name;
        double best;
    } crowds[] = {{8, "8 B", 2.5}, {256, "256 B", 2.5}, {4096, "4 KiB", 4}};
    char name[64];
    size_t i;

    bench_begin(argc, argv);
    bench_head();
    for (i = 0; i < SIZES; i++) {
        double best = rows[i].best, python = rows[i].python;
        const struct flow_subject one[] = {
            LIBMP,
            {.name = "pipe(2)", .peer = &peer_pipe, .mark = best},
            {.name = "seqpacket", .peer = &peer_seqpacket},
            {.name = "mqueue", .peer = &peer_mqueue},
            {.name = "ZeroMQ", .file = "zeromq", .symbol = "peer", .mark = best},
            {.name = "nng", .file = "nng", .symbol = "peer"},
            {.name = "Boost", .file = "boost", .symbol = "peer", .mark = best},
            {.name = "iceoryx2", .file = "rust", .symbol = "peer_iceoryx2", .mark = best},
            {.name = "lent", .file = "rust", .symbol = "peer_iceoryx2_lent"},
            {.name = "ipc-channel", .file = "rust", .symbol = "peer_ipc_channel"},
            {.name = "py Queue", .file = "queues", .symbol = "queue", .python = true, .mark = python},
            {.name = "py Simple", .file = "queues", .symbol = "simple_queue", .python = true, .mark = python},
            {.name = "py Pipe", .file = "queues", .symbol = "pipe", .python = true},
            {.name = "faster-fifo", .file = "queues", .symbol = "faster_fifo", .python = true, .mark = python}};

        snprintf(name, sizeof name, "1 to 1, %s", rows[i].name);
        flow_rate(name, one, COUNT(one), rows[i].size, 1, 1, ANYWHERE);
    }
    for (i = 0; i < sizeof crowds / sizeof *crowds; i++) {
        double best = crowds[i].best;
        const struct flow_subject four[] = {
            LIBMP,
            {.name = "seqpacket", .peer = &peer_seqpacket, .mark = best},
            {.name = "mqueue", .peer = &peer_mqueue},
            {.name = "ZeroMQ", .file = "zeromq", .symbol = "peer", .mark = best},
            {.name = "nng", .file = "nng", .symbol = "peer"},
            {.name = "Boost", .file = "boost", .symbol = "peer", .mark = best},
            {.name = "py Queue", .file = "queues", .symbol = "queue", .python = true},
            {.name = "faster-fifo", .file = "queues", .symbol = "faster_fifo", .python = true}};

        snprintf(name, sizeof name, "4 to 4, %s", crowds[i].name);
        flow_rate(name, four, COUNT(four), crowds[i].size, 4, 4, ANYWHERE);
    }
    for (i = 0; i < 2; i++) {
        const struct flow_subject trip[] = {
            LIBMP,
            {.name = "pipe(2)", .peer = &peer_pipe, .mark = i == 0 ? 1 : 0.1},
            {.name = "seqpacket", .peer = &peer_seqpacket},
            {.name = "mqueue", .peer = &peer_mqueue},
            {.name = "ZeroMQ", .file = "zeromq", .symbol = "peer"},
            {.name = "nng", .file = "nng", .symbol = "peer"},
            {.name = "Boost", .file = "boost", .symbol = "peer"},
            {.name = "iceoryx2", .file = "rust", .symbol = "peer_iceoryx2"},
            {.name = "lent", .file = "rust", .symbol = "peer_iceoryx2_lent"},
            {.name = "ipc-channel", .file = "rust", .symbol = "peer_ipc_channel"},
            {.name = "py Simple", .file = "queues", .symbol = "simple_queue", .python = true}};

        if (i == 0)
            flow_trip("round trip, rested", trip, COUNT(trip), 8, RESTED_NS, ANYWHERE);
        else
            flow_trip("round trip, at once", trip, COUNT(trip), 8, 0, APART);
    }
    return 0;
}
