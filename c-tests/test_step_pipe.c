/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere: messages through a pipe. A child of the victim's has both ends as well. It finds the victim's message
 * whole or not at all, and then that the pipe works and ends. See step.h; kill.pipe and fail.pipe are in
 * test_step_wire.c, messages outside the ring in test_step_pipe_more.c. */
#include "test_step_pipe.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

mp_value *go, *found;
mp_connection *mine;
void *bytes;
size_t length;

void values(size_t len)
{
    go = flag_new();
    found = flag_new();
    length = len;
}

static void helped_by(mp_process_fn fn, mp_connection *sends, mp_connection *receives)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, sends));
    CHECK_OK(mp_process_add_handle(p, receives));
    CHECK_OK(mp_process_add_handle(p, go));
    CHECK_OK(mp_process_add_handle(p, found));
    child_add_number(p, (int)length);
    CHECK_OK(mp_process_start(p));
    flag_wait(found, READY);
}

/* What the helper has found, with the victim dead. */
void found_or_not(outcome_of how)
{
    int64_t what;

    flag_set(go, 1);
    while ((what = flag_get(found)) == READY || what == 0)
        sleep_ms(1);
    CHECK(how == DONE ? what == THERE : how == NOT_DONE ? what == NOT_THERE : what == THERE || what == NOT_THERE);
    CHECK_OK(mp_value_free(go));
    CHECK_OK(mp_value_free(found));
}

/* ---- send ---- */

void *sends_after(void *arg)
{
    mp_child *self = arg;

    flag_wait(mp_child_value(self, 2), 1);
    send_text(mp_child_connection(self, 0), "after");
    return NULL;
}

static int finds_what_was_sent(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 1);
    size_t want = (size_t)child_number(self, 4), len;
    char *room = malloc(want + 5);
    bool there = false;
    pthread_t thread;

    (void)user;
    CHECK(room != NULL);
    CHECK(pthread_create(&thread, NULL, sends_after, self) == 0);
    flag_set(mp_child_value(self, 3), READY);
    for (;;) {
        CHECK_OK(mp_connection_recv(c, room, want + 5, &len, MP_FOREVER));
        if (len == 5 && memcmp(room, "after", 5) == 0)
            break;
        CHECK(!there && len == want);
        pattern_same(room, len, 1);
        there = true;
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_connection_free(mp_child_connection(self, 0)));
    CHECK_STATUS(mp_connection_recv(c, room, want, &len, MP_FOREVER), MP_ERR_EOF);
    free(room);
    flag_set(mp_child_value(self, 3), there ? THERE : NOT_THERE);
    return 0;
}

void a_short_message(void)
{
    values(100);
}

/* More than the ring holds. */
void a_long_message(void)
{
    values(40000);
}

void is_received_by(mp_process_fn fn)
{
    mp_connection *other;

    bytes = pattern_new(length, 1);
    CHECK_OK(mp_pipe_new(&mine, &other, NULL));
    helped_by(fn, mine, other);
    CHECK_OK(mp_connection_free(other));
}

void receiver_waits(void)
{
    is_received_by(finds_what_was_sent);
}

static int sends_it(void)
{
    return CHECK_CLEAN(mp_connection_send(mine, bytes, length, MP_SEC(20)));
}

KILLED(pipe_send, 16, a_short_message, receiver_waits, sends_it)
KILLED(pipe_send_long, 50, a_long_message, receiver_waits, sends_it)

/* ---- send, to who polls ---- */

/* The descriptor tells of what comes after the victim whatever that has left, and of nothing once that was received. */
static int finds_by_the_descriptor(mp_child *self, void *user)
{
    mp_connection *sends = mp_child_connection(self, 0), *c = mp_child_connection(self, 1);
    struct pollfd polled = {0, POLLIN, 0};
    bool there = false;
    pthread_t thread;
    char room[100];
    size_t len;
    int s, fd;

    (void)user;
    CHECK_OK(mp_connection_fileno(c, &polled.fd));
    CHECK(pthread_create(&thread, NULL, sends_after, self) == 0);
    flag_set(mp_child_value(self, 3), READY);
    for (;;) {
        CHECK_INT(poll(&polled, 1, -1), 1);
        s = mp_connection_recv(c, room, sizeof room, &len, MP_NO_WAIT);
        if (s == MP_ERR_TIMEOUT)
            continue;
        if (s == MP_OK && len == 5 && memcmp(room, "after", 5) == 0)
            break;
        CHECK(!there);
        there = true;
        if (s == MP_ERR_STATE) {
            CHECK_OK(mp_connection_recv_fd(c, &fd, MP_NO_WAIT));
            close(fd);
        } else {
            CHECK_OK(s);
            pattern_same(room, len, 1);
        }
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_connection_poll(c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_INT(poll(&polled, 1, 0), 0);
    CHECK_OK(mp_connection_free(sends));
    CHECK_INT(poll(&polled, 1, -1), 1);
    CHECK_STATUS(mp_connection_recv(c, room, sizeof room, &len, MP_NO_WAIT), MP_ERR_EOF);
    flag_set(mp_child_value(self, 3), there ? THERE : NOT_THERE);
    return 0;
}

static void receiver_polls(void)
{
    is_received_by(finds_by_the_descriptor);
}

static int sends_a_descriptor(void)
{
    return CHECK_CLEAN(mp_connection_send_fd(mine, 0, MP_SEC(20)));
}

KILLED(pipe_send_to_a_poller, 0, a_short_message, receiver_polls, sends_it)
KILLED(pipe_send_fd, 0, a_short_message, receiver_polls, sends_a_descriptor)

/* ---- receive ---- */

static int finds_what_was_left(mp_child *self, void *user)
{
    mp_connection *sends = mp_child_connection(self, 0), *c = mp_child_connection(self, 1);
    size_t want = (size_t)child_number(self, 4), len;
    void *data = pattern_new(want, 1), *room = malloc(want);
    bool there = false;
    int s;

    (void)user;
    CHECK(room != NULL);
    CHECK_OK(mp_connection_send(sends, data, want, MP_SEC(20)));
    send_text(sends, "after");
    flag_set(mp_child_value(self, 3), READY);
    flag_wait(mp_child_value(self, 2), 1);
    CHECK_OK(mp_connection_free(sends));
    while ((s = mp_connection_recv(c, room, want, &len, MP_FOREVER)) == MP_OK && len == want) {
        CHECK(!there);
        pattern_same(room, len, 1);
        there = true;
    }
    CHECK(s == MP_OK && len == 5 && memcmp(room, "after", 5) == 0);
    CHECK_STATUS(mp_connection_recv(c, room, want, &len, MP_FOREVER), MP_ERR_EOF);
    free(data);
    free(room);
    flag_set(mp_child_value(self, 3), there ? NOT_THERE : THERE);
    return 0;
}

void is_sent_by(mp_process_fn fn)
{
    mp_connection *other;

    bytes = malloc(length);
    CHECK(bytes != NULL);
    CHECK_OK(mp_pipe_new(&other, &mine, NULL));
    helped_by(fn, other, mine);
    CHECK_OK(mp_connection_free(other));
}

static void message_waits(void)
{
    is_sent_by(finds_what_was_left);
}

static int receives_it(void)
{
    size_t len = 0;
    int s = CHECK_CLEAN(mp_connection_recv(mine, bytes, length, &len, MP_SEC(20)));

    if (s == MP_OK) {
        CHECK_INT(len, length);
        pattern_same(bytes, len, 1);
    }
    return s;
}

KILLED(pipe_recv, 6, a_short_message, message_waits, receives_it)

/* Of the only message: once nothing is there, the descriptor says so. */
static int polls_for_what_was_left(mp_child *self, void *user)
{
    mp_connection *sends = mp_child_connection(self, 0), *c = mp_child_connection(self, 1);
    size_t want = (size_t)child_number(self, 4), len;
    void *data = pattern_new(want, 1), *room = malloc(want);
    struct pollfd polled = {0, POLLIN, 0};
    int s;

    (void)user;
    CHECK(room != NULL);
    CHECK_OK(mp_connection_fileno(c, &polled.fd));
    CHECK_OK(mp_connection_send(sends, data, want, MP_SEC(20)));
    flag_set(mp_child_value(self, 3), READY);
    flag_wait(mp_child_value(self, 2), 1);
    s = mp_connection_poll(c, MP_NO_WAIT);
    if (s == MP_OK) {
        CHECK_INT(poll(&polled, 1, 0), 1);
        CHECK_OK(mp_connection_recv(c, room, want, &len, MP_NO_WAIT));
        CHECK_INT(len, want);
        pattern_same(room, len, 1);
    } else {
        CHECK_STATUS(s, MP_ERR_TIMEOUT);
    }
    CHECK_INT(poll(&polled, 1, 0), 0);
    free(data);
    free(room);
    flag_set(mp_child_value(self, 3), s == MP_OK ? NOT_THERE : THERE);
    return 0;
}

static void message_is_polled_for(void)
{
    is_sent_by(polls_for_what_was_left);
}

KILLED(pipe_recv_beside_a_poller, 0, a_short_message, message_is_polled_for, receives_it)
