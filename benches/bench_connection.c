/* A pipe of connections beside what one would use instead: messages between two processes, in one run.
 *
 * How to read it: bench.h says what rounds, ratios and marks are, flow.h what is measured. In brackets stand the
 * least and the most of the five rounds. A peer's mark is its row's mark in the design.
 *
 * "in place" is reserve, commit, peek and release, beside send and receive of the same pipe.
 *
 * "round trip, rested" has both sides asleep for 100 us before each message; "at once" has one after the other, with
 * each process on a CPU of its own.
 */
#include "flow.h"
#include "peers/kernel.h"
#include <stdio.h>

enum { RESTED_NS = 100000 };

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static void trips(const char *name, size_t size, int64_t rest, enum bench_place place, double mark)
{
    const struct flow_subject subjects[] = {
        {.name = "libmp", .peer = &peer_libmp_pipe},
        {.name = "pipe(2)", .peer = &peer_pipe, .mark = mark},
        {.name = "socketpair", .peer = &peer_stream},
        {.name = "ZeroMQ", .file = "zeromq", .symbol = "peer"},
        {.name = "nng", .file = "nng", .symbol = "peer"}};

    flow_trip(name, subjects, COUNT(subjects), size, rest, place);
}

int main(int argc, char **argv)
{
    static const struct flow_subject subjects[] = {
        {.name = "libmp", .peer = &peer_libmp_pipe},
        {.name = "pipe(2)", .peer = &peer_pipe},
        {.name = "socketpair", .peer = &peer_stream},
        {.name = "seqpacket", .peer = &peer_seqpacket},
        {.name = "ZeroMQ", .file = "zeromq", .symbol = "peer"},
        {.name = "nng", .file = "nng", .symbol = "peer"},
        {.name = "py Pipe", .file = "queues", .symbol = "pipe", .python = true}};
    static const struct {
        size_t size;
        const char *name;
    } rows[] = {{8, "8 B"}, {256, "256 B"}, {4096, "4 KiB"}, {65536, "64 KiB"}, {1 << 20, "1 MiB"}};
    static const struct flow_subject in_place[] = {{.name = "in place", .peer = &peer_libmp_pipe_lent},
                                                   {.name = "copied", .peer = &peer_libmp_pipe}};
    char name[64];
    size_t i;

    bench_begin(argc, argv);
    bench_head();
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(name, sizeof name, "one way, %s", rows[i].name);
        flow_rate(name, subjects, COUNT(subjects), rows[i].size, 1, 1, ANYWHERE);
    }
    for (i = 2; i < sizeof rows / sizeof *rows; i++) {
        snprintf(name, sizeof name, "in place, %s", rows[i].name);
        flow_rate(name, in_place, COUNT(in_place), rows[i].size, 1, 1, ANYWHERE);
    }
    trips("round trip, rested", 8, RESTED_NS, ANYWHERE, 1);
    trips("round trip, at once", 8, 0, APART, 0.1);
    trips("round trip, 64 KiB", 65536, 0, APART, 0);
    trips("round trip, 1 MiB", 1 << 20, 0, APART, 0);
    return 0;
}
