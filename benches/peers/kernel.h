/* The peers that are always there. */
#ifndef KERNEL_H
#define KERNEL_H

#include "peer.h"

extern const struct peer peer_libmp, peer_libmp_pipe, peer_libmp_pipe_lent, peer_pipe, peer_stream, peer_seqpacket, peer_mqueue;

#endif
