/* libmp's queue, with a ring of as much as the others hold, and its pipe. */
#include "kernel.h"
#include <mp.h>
#include <stdlib.h>

static const char *libmp_open(struct peer_channel *channel)
{
    mp_queue_options options = MP_QUEUE_OPTIONS;
    mp_queue *queue;

    options.ring = PEER_RING;
    if (mp_queue_new(&queue, &options) < 0)
        return mp_last_error();
    channel->state = queue;
    return NULL;
}

static bool libmp_put(struct peer_channel *channel, const void *message)
{
    return mp_queue_put(channel->state, message, channel->size, MP_FOREVER) == MP_OK;
}

static bool libmp_get(struct peer_channel *channel, void *message)
{
    return mp_queue_get(channel->state, message, channel->size, NULL, NULL, MP_FOREVER) == MP_OK;
}

static void libmp_close(struct peer_channel *channel)
{
    mp_queue_free(channel->state);
}

const struct peer peer_libmp = {
    .open = libmp_open, .put = libmp_put, .get = libmp_get, .close = libmp_close};

/* ---- the pipe ---- */

static const char *libmp_pipe_open(struct peer_channel *channel)
{
    mp_connection **ends = calloc(2, sizeof *ends); /* who gets and who puts */

    channel->state = ends;
    return ends == NULL || mp_pipe_new(&ends[0], &ends[1], NULL) < 0 ? "no pipe" : NULL;
}

static const void *libmp_pipe_end(struct peer_channel *channel, bool puts)
{
    return ((mp_connection **)channel->state)[puts];
}

static bool libmp_pipe_put(struct peer_channel *channel, const void *message)
{
    return mp_connection_send(channel->given, message, channel->size, MP_FOREVER) == MP_OK;
}

static bool libmp_pipe_get(struct peer_channel *channel, void *message)
{
    return mp_connection_recv(channel->given, message, channel->size, NULL, MP_FOREVER) == MP_OK;
}

static void libmp_pipe_close(struct peer_channel *channel)
{
    mp_connection **ends = channel->state;

    mp_connection_free(ends[0]);
    mp_connection_free(ends[1]);
    free(ends);
}

static void *libmp_pipe_lend(struct peer_channel *channel)
{
    return mp_connection_reserve(channel->given, channel->size, &channel->place) == MP_OK ? channel->place : NULL;
}

static bool libmp_pipe_commit(struct peer_channel *channel)
{
    return mp_connection_commit(channel->given, channel->place, channel->size, MP_FOREVER) == MP_OK;
}

static const void *libmp_pipe_peek(struct peer_channel *channel)
{
    const void *message;
    size_t size;

    if (mp_connection_peek(channel->given, &message, &size, MP_FOREVER) < 0)
        return NULL;
    channel->place = (void *)message;
    return message;
}

static void libmp_pipe_release(struct peer_channel *channel)
{
    mp_connection_release(channel->given, channel->place);
}

const struct peer peer_libmp_pipe_lent = {.open = libmp_pipe_open,
                                          .end = libmp_pipe_end,
                                          .lend = libmp_pipe_lend,
                                          .commit = libmp_pipe_commit,
                                          .peek = libmp_pipe_peek,
                                          .release = libmp_pipe_release,
                                          .close = libmp_pipe_close};

const struct peer peer_libmp_pipe = {.open = libmp_pipe_open,
                                     .end = libmp_pipe_end,
                                     .put = libmp_pipe_put,
                                     .get = libmp_pipe_get,
                                     .close = libmp_pipe_close};
