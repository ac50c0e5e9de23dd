/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill and meet everywhere: a pipe's descriptor. A child of the victim's polls the same pipe. See step.h. */
#include "test_step_pipe.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- a sender that is killed ---- */

/* Receives what comes next, if it is there. */
static int takes(mp_connection *c)
{
    mp_buffer *b;
    int s = CHECK_CLEAN(mp_connection_recv_buffer(c, &b, SIZE_MAX, NULL, MP_NO_WAIT)), fd;

    if (s == MP_OK)
        CHECK_OK(mp_buffer_free(b));
    if (s != MP_ERR_STATE)
        return s;
    CHECK_OK(mp_connection_recv_fd(c, &fd, MP_NO_WAIT));
    CHECK(close(fd) == 0);
    return MP_OK;
}

/* With the victim dead nobody says anything more: what is there the descriptor has told of, and then of nothing. */
static int is_told_of_what_is_there(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 1);
    struct pollfd polled = {0, POLLIN, 0};
    bool there = false;
    int s;

    (void)user;
    CHECK_OK(mp_connection_fileno(c, &polled.fd));
    flag_set(mp_child_value(self, 3), READY);
    flag_wait(mp_child_value(self, 2), 1);
    while (poll(&polled, 1, 0) == 1) {
        if ((s = takes(c)) == MP_ERR_TIMEOUT)
            continue;
        CHECK_OK(s);
        CHECK(!there);
        there = true;
    }
    CHECK_STATUS(mp_connection_poll(c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    flag_set(mp_child_value(self, 3), there ? THERE : NOT_THERE);
    return 0;
}

static void receiver_is_told(void)
{
    is_received_by(is_told_of_what_is_there);
}

static int sends_it(void)
{
    return CHECK_CLEAN(mp_connection_send(mine, bytes, length, MP_SEC(20)));
}

static int sends_a_descriptor(void)
{
    return CHECK_CLEAN(mp_connection_send_fd(mine, 0, MP_SEC(20)));
}

static int sends_a_flag(void)
{
    const void *handle = go;

    return CHECK_CLEAN(mp_connection_send_handles(mine, bytes, length, &handle, 1, MP_SEC(20)));
}

KILLED(pipe_polled_send, 0, a_short_message, receiver_is_told, sends_it)
KILLED(pipe_polled_send_fd, 0, a_short_message, receiver_is_told, sends_a_descriptor)
KILLED(pipe_polled_send_handles, 0, a_short_message, receiver_is_told, sends_a_flag)

/* ---- a sender that meets a receiver ---- */

static mp_connection *theirs;
static mp_process *helper;

/* Says whether its descriptor is readable. */
static int is_told(mp_child *self, void *user)
{
    struct pollfd polled = {0, POLLIN, 0};

    (void)user;
    CHECK_OK(mp_connection_fileno(mp_child_connection(self, 0), &polled.fd));
    flag_set(mp_child_value(self, 2), READY);
    flag_wait(mp_child_value(self, 1), 1);
    flag_set(mp_child_value(self, 2), poll(&polled, 1, 0) == 1 ? THERE : NOT_THERE);
    return 0;
}

static void one_is_there(void)
{
    values(1);
    CHECK_OK(mp_pipe_new(&mine, &theirs, NULL));
    helper = CHILD_START(is_told, mine, go, found);
    flag_wait(found, READY);
    send_text(theirs, "first");
}

static void receives_the_first(void)
{
    recv_text(mine, "first");
}

static void sends_the_second(void)
{
    send_text(theirs, "second");
}

static int does_receive(void)
{
    receives_the_first();
    return MP_OK;
}

static int does_send(void)
{
    sends_the_second();
    return MP_OK;
}

static void other_is_told_of_the_second(void)
{
    flag_set(go, 1);
    CHECK_INT(child_end(helper), 0);
    CHECK_INT(flag_get(found), THERE);
    recv_text(mine, "second");
    CHECK_STATUS(mp_connection_poll(mine, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(mine));
    CHECK_OK(mp_connection_free(theirs));
    CHECK_OK(mp_value_free(go));
    CHECK_OK(mp_value_free(found));
    CHECK_OK(mp_forkserver_stop());
}

/* What the one leaves of what is told, or the other relies on, another process's descriptor tells of. */
MEETING(pipe_polled_recv, 0, nothing, one_is_there, does_receive, sends_the_second,
        other_is_told_of_the_second)
MEETING(pipe_polled_send, 0, nothing, one_is_there, does_send, receives_the_first,
        other_is_told_of_the_second)
