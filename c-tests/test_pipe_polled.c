/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Several processes poll the same end of a pipe, each by poll or epoll and for ever: none sleeps while there is
 * something to receive. */
#include "test_connection.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ONE_BY_ONE = 3000, STREAM = 4000, POLLERS = 3 };

/* The arguments of a child: an end, and how many were received, or of one that only looks whether that is over. */
enum { END, COUNT };

static void wait_by_poll(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    CHECK_INT(poll(&p, 1, -1), 1);
}

static void wait_by_epoll(int fd)
{
    struct epoll_event e;
    int many = epoll_create1(EPOLL_CLOEXEC);

    memset(&e, 0, sizeof e);
    e.events = EPOLLIN;
    CHECK(many >= 0 && epoll_ctl(many, EPOLL_CTL_ADD, fd, &e) == 0);
    CHECK_INT(epoll_wait(many, &e, 1, -1), 1);
    close(many);
}

/* Receives what comes next, if it is there: a message or a descriptor. */
static int takes(mp_connection *c)
{
    static char room[50000];
    int s = CHECK_CLEAN(mp_connection_recv(c, room, sizeof room, NULL, MP_NO_WAIT)), fd;

    if (s != MP_ERR_STATE)
        return s;
    s = CHECK_CLEAN(mp_connection_recv_fd(c, &fd, MP_NO_WAIT));
    if (s == MP_OK)
        CHECK(close(fd) == 0);
    /* Another process has received the descriptor meanwhile. */
    return s == MP_ERR_STATE ? MP_ERR_TIMEOUT : s;
}

static void polls_until_the_end(mp_connection *c, mp_value *count, void wait(int fd))
{
    int fd, s;

    CHECK_OK(mp_connection_fileno(c, &fd));
    do {
        wait(fd);
        s = takes(c);
        if (s == MP_OK)
            CHECK_OK(mp_value_fetch_add(count, 1, NULL));
        else
            CHECK(s == MP_ERR_TIMEOUT || s == MP_ERR_EOF);
    } while (s != MP_ERR_EOF);
}

static int polls(mp_child *self, void *user)
{
    (void)user;
    polls_until_the_end(mp_child_connection(self, END), mp_child_value(self, COUNT), wait_by_poll);
    return 0;
}

static int polls_by_epoll(mp_child *self, void *user)
{
    (void)user;
    polls_until_the_end(mp_child_connection(self, END), mp_child_value(self, COUNT), wait_by_epoll);
    return 0;
}

/* Looks again and again, and leaves what is there to others. */
static int looks(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, END);
    mp_value *over = mp_child_value(self, COUNT);

    (void)user;
    while (flag_get(over) == 0) {
        int s = CHECK_CLEAN(mp_connection_poll(c, MP_NO_WAIT));

        CHECK(s == MP_OK || s == MP_ERR_TIMEOUT);
    }
    return 0;
}

/* Each when the one before was received: so nothing else comes that could tell of it. */
static int sends_one_by_one(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, END);
    mp_value *count = mp_child_value(self, COUNT);
    int i;

    (void)user;
    for (i = 0; i < ONE_BY_ONE; i++) {
        if (i % 8 == 7)
            CHECK_OK(mp_connection_send_fd(c, 0, MP_FOREVER));
        else
            CHECK_OK(mp_connection_send(c, &i, sizeof i, MP_FOREVER));
        while (flag_get(count) == i)
            sched_yield();
        CHECK_INT(flag_get(count), i + 1);
    }
    return 0;
}

/* Short ones, descriptors, and some that come in parts. */
static int sends_a_stream(mp_child *self, void *user)
{
    static char message[40000];
    mp_connection *c = mp_child_connection(self, END);
    rng r = rng_new();
    int i;

    (void)user;
    for (i = 0; i < STREAM; i++) {
        uint64_t kind = rng_below(&r, 16);

        if (kind == 0)
            CHECK_OK(mp_connection_send_fd(c, 0, MP_FOREVER));
        else
            CHECK_OK(mp_connection_send(c, message, kind == 1 ? sizeof message : 100, MP_FOREVER));
        if (rng_below(&r, 4) == 0)
            sched_yield();
    }
    return 0;
}

static void polled_while(mp_process_fn sends, int messages)
{
    mp_process *p[POLLERS], *sender, *looker;
    mp_connection *mine, *others;
    mp_value *count = flag_new(), *over = flag_new();
    int i;

    CHECK_OK(mp_pipe_new(&mine, &others, NULL));
    for (i = 0; i < POLLERS; i++)
        p[i] = CHILD_START(i % 2 == 0 ? polls : polls_by_epoll, mine, count);
    looker = CHILD_START(looks, mine, over);
    sender = CHILD_START(sends, others, count);
    CHECK_OK(mp_connection_free(others));
    polls_until_the_end(mine, count, wait_by_poll);
    flag_set(over, 1);
    CHECK_INT(child_end(sender), 0);
    CHECK_INT(child_end(looker), 0);
    for (i = 0; i < POLLERS; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(flag_get(count), messages);
    CHECK_OK(mp_connection_free(mine));
    CHECK_OK(mp_value_free(count));
    CHECK_OK(mp_value_free(over));
}

TEST_T(pipe, polled_by_several_for_one_message_at_a_time, 60)
{
    polled_while(sends_one_by_one, ONE_BY_ONE);
}

TEST_T(pipe, polled_by_several_for_many_messages, 60)
{
    polled_while(sends_a_stream, STREAM);
}
