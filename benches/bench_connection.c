/* What a connection will stand beside: streams and messages between two processes, in one run.
 *
 * How to read it: bench.h says what rounds and ratios are, flow.h what is measured. In brackets stand the least
 * and the most of the five rounds. The first column is pipe(2): a connection is two of them.
 */
#include "flow.h"
#include "peers/kernel.h"
#include <stdio.h>

enum { RESTED_NS = 100000 };

int main(int argc, char **argv)
{
    static const struct flow_subject subjects[] = {
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
    const int count = (int)(sizeof subjects / sizeof *subjects);
    char name[64];
    size_t i;

    bench_begin(argc, argv);
    bench_head_of(subjects[0].name);
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(name, sizeof name, "one way, %s", rows[i].name);
        flow_rate(name, subjects, count, rows[i].size, 1, 1, ANYWHERE);
    }
    flow_trip("round trip, rested", subjects, count, RESTED_NS, ANYWHERE);
    flow_trip("round trip, at once", subjects, count, 0, APART);
    return 0;
}
