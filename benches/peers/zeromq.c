/* ZeroMQ over ipc: each consumer binds a PULL, and each producer's PUSH connects to all of them. */
#include "peer.h"
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

static void address(char *text, size_t size, const struct peer_channel *channel, int consumer)
{
    snprintf(text, size, "ipc://@bench-%d-%d-%d", channel->fd[0], channel->number, consumer);
}

static const char *zeromq_open(struct peer_channel *channel)
{
    channel->fd[0] = (int)getpid();
    return NULL;
}

/* Its threads are made here: they would not outlive fork. Its limit is a number of messages, 1000
 * unless told. */
static bool zeromq_join(struct peer_channel *channel, bool puts, int index)
{
    int most = (int)peer_depth(channel->size, 16, 1000), linger = 0, i;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, puts ? ZMQ_PUSH : ZMQ_PULL);
    char text[64];

    channel->state = socket;
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) != 0)
        return false;
    if (channel->size >= 1024 && (zmq_setsockopt(socket, ZMQ_SNDHWM, &most, sizeof most) != 0 ||
                                  zmq_setsockopt(socket, ZMQ_RCVHWM, &most, sizeof most) != 0))
        return false;
    if (!puts) {
        address(text, sizeof text, channel, index);
        return zmq_bind(socket, text) == 0;
    }
    for (i = 0; i < channel->consumers; i++) {
        address(text, sizeof text, channel, i);
        if (zmq_connect(socket, text) != 0)
            return false;
    }
    return true;
}

static bool zeromq_put(struct peer_channel *channel, const void *message)
{
    return zmq_send(channel->state, message, channel->size, 0) == (int)channel->size;
}

static bool zeromq_get(struct peer_channel *channel, void *message)
{
    return zmq_recv(channel->state, message, channel->size, 0) == (int)channel->size;
}

const struct peer peer = {
    .open = zeromq_open, .join = zeromq_join, .put = zeromq_put, .get = zeromq_get};
