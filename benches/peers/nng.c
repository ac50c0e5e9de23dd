/* nng over ipc: as ZeroMQ, pipelines from each producer to each consumer. */
#include "peer.h"
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void address(char *text, size_t size, const struct peer_channel *channel, int consumer)
{
    snprintf(text, size, "ipc:///tmp/bench-%d-%d-%d", channel->fd[0], channel->number, consumer);
}

static const char *nng_channel_open(struct peer_channel *channel)
{
    channel->fd[0] = (int)getpid();
    return NULL;
}

/* Its threads are made here: they would not outlive fork. */
static bool nng_join(struct peer_channel *channel, bool puts, int index)
{
    nng_socket *socket = malloc(sizeof *socket);
    char text[64];
    int i;

    channel->state = socket;
    if (socket == NULL || (puts ? nng_push0_open(socket) : nng_pull0_open(socket)) != 0)
        return false;
    /* 0, its default, hands each message over by itself; a full buffer is the best for a stream. */
    if (puts && nng_socket_set_int(*socket, NNG_OPT_SENDBUF, (int)peer_depth(channel->size, 16, 1024)) != 0)
        return false;
    if (nng_socket_set_size(*socket, NNG_OPT_RECVMAXSZ, 0) != 0)
        return false;
    if (!puts) {
        address(text, sizeof text, channel, index);
        return nng_listen(*socket, text, NULL, 0) == 0;
    }
    /* It goes on trying in the background until there is somebody. */
    for (i = 0; i < channel->consumers; i++) {
        address(text, sizeof text, channel, i);
        if (nng_socket_set_ms(*socket, NNG_OPT_RECONNMINT, 1) != 0 ||
            nng_dial(*socket, text, NULL, NNG_FLAG_NONBLOCK) != 0)
            return false;
    }
    return true;
}

static bool nng_put(struct peer_channel *channel, const void *message)
{
    return nng_send(*(nng_socket *)channel->state, (void *)(uintptr_t)message, channel->size, 0) == 0;
}

static bool nng_get(struct peer_channel *channel, void *message)
{
    size_t size = channel->size;

    return nng_recv(*(nng_socket *)channel->state, message, &size, 0) == 0 && size == channel->size;
}

/* The names of sockets stay behind whoever was killed. */
static void nng_channel_close(struct peer_channel *channel)
{
    char text[64];
    int i;

    for (i = 0; i < channel->consumers; i++) {
        address(text, sizeof text, channel, i);
        unlink(text + 6);
    }
}

const struct peer peer = {
    .open = nng_channel_open, .join = nng_join, .put = nng_put, .get = nng_get, .close = nng_channel_close};
