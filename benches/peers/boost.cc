/* Boost.Interprocess: its message_queue. */
extern "C" {
#include "peer.h"
}
#include <boost/interprocess/ipc/message_queue.hpp>
#include <string>
#include <unistd.h>

using namespace boost::interprocess;

static message_queue *queue_of(peer_channel *channel)
{
    return static_cast<message_queue *>(channel->state);
}

/* Its name goes at once; children inherit the mapping. */
static const char *boost_open(peer_channel *channel)
{
    std::string name = "bench-" + std::to_string(getpid()) + "-" + std::to_string(channel->number);

    try {
        channel->state = new message_queue(create_only, name.c_str(), peer_depth(channel->size, 16, 1024), channel->size);
    } catch (...) {
        return "message_queue fails";
    }
    message_queue::remove(name.c_str());
    return NULL;
}

static bool boost_put(peer_channel *channel, const void *message)
{
    queue_of(channel)->send(message, channel->size, 0);
    return true;
}

static bool boost_get(peer_channel *channel, void *message)
{
    message_queue::size_type size;
    unsigned priority;

    queue_of(channel)->receive(message, channel->size, size, priority);
    return size == channel->size;
}

static void boost_close(peer_channel *channel)
{
    delete queue_of(channel);
}

extern "C" {
extern const struct peer peer;
const struct peer peer = {boost_open, NULL, boost_put, boost_get, NULL, NULL, NULL, NULL, NULL, boost_close};
}
