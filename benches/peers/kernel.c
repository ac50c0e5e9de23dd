/* What the kernel itself has: pipe(2), socket pairs, and the POSIX message queue. */
#include "kernel.h"
#include <errno.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static bool write_all(struct peer_channel *channel, const void *message)
{
    const char *at = message;
    size_t left = channel->size;

    while (left > 0) {
        ssize_t n = write(channel->fd[1], at, left);

        if (n <= 0)
            return false;
        at += n;
        left -= (size_t)n;
    }
    return true;
}

static bool read_all(struct peer_channel *channel, void *message)
{
    char *at = message;
    size_t left = channel->size;

    while (left > 0) {
        ssize_t n = read(channel->fd[0], at, left);

        if (n <= 0)
            return false;
        at += n;
        left -= (size_t)n;
    }
    return true;
}

static void close_both(struct peer_channel *channel)
{
    close(channel->fd[0]);
    close(channel->fd[1]);
}

static const char *pipe_open(struct peer_channel *channel)
{
    return pipe(channel->fd) == 0 ? NULL : "pipe fails";
}

const struct peer peer_pipe = {.open = pipe_open, .put = write_all, .get = read_all, .close = close_both};

static const char *stream_open(struct peer_channel *channel)
{
    return socketpair(AF_UNIX, SOCK_STREAM, 0, channel->fd) == 0 ? NULL : "socketpair fails";
}

const struct peer peer_stream = {.open = stream_open, .put = write_all, .get = read_all, .close = close_both};

/* A message is at most what the sender's buffer holds; only root may have one for a MiB. */
static const char *seqpacket_open(struct peer_channel *channel)
{
    int room = 4 * (int)channel->size;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel->fd) != 0)
        return "socketpair fails";
    if (channel->size <= PEER_RING)
        return NULL;
    if (setsockopt(channel->fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) == 0)
        return NULL;
    close_both(channel);
    return "the message is longer than the buffer";
}

static bool seqpacket_put(struct peer_channel *channel, const void *message)
{
    return send(channel->fd[1], message, channel->size, MSG_NOSIGNAL) == (ssize_t)channel->size;
}

static bool seqpacket_get(struct peer_channel *channel, void *message)
{
    return recv(channel->fd[0], message, channel->size, 0) == (ssize_t)channel->size;
}

const struct peer peer_seqpacket = {
    .open = seqpacket_open, .put = seqpacket_put, .get = seqpacket_get, .close = close_both};

/* Beyond 10 messages of 8 KiB one has to be root. */
static const char *mqueue_open(struct peer_channel *channel)
{
    static const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    struct mq_attr attributes = {0};
    char name[64];

    snprintf(name, sizeof name, "/bench-%ld-%d", (long)getpid(), channel->number);
    attributes.mq_maxmsg = (long)peer_depth(channel->size, 10, 1024);
    attributes.mq_msgsize = (long)channel->size;
    (void)setrlimit(RLIMIT_MSGQUEUE, &all);
    channel->fd[0] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (channel->fd[0] < 0 && errno == EINVAL) {
        attributes.mq_maxmsg = 10;
        channel->fd[0] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    }
    if (channel->fd[0] < 0)
        return "the system's limits for message queues";
    mq_unlink(name);
    return NULL;
}

static bool mqueue_put(struct peer_channel *channel, const void *message)
{
    return mq_send(channel->fd[0], message, channel->size, 0) == 0;
}

static bool mqueue_get(struct peer_channel *channel, void *message)
{
    return mq_receive(channel->fd[0], message, channel->size, NULL) == (ssize_t)channel->size;
}

static void mqueue_close(struct peer_channel *channel)
{
    mq_close(channel->fd[0]);
}

const struct peer peer_mqueue = {
    .open = mqueue_open, .put = mqueue_put, .get = mqueue_get, .close = mqueue_close};
