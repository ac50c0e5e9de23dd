/* libmp's queue, with a ring of as much as the others hold. */
#include "kernel.h"
#include <mp.h>

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
