/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pipes where something is short: room, time, the other end. */
#include "test_connection.h"

#include <stdlib.h>
#include <string.h>

/* Many times what goes through at once. */
enum { LONG = 1 << 20, PART = 1000 };

typedef struct sender {
    mp_connection *c;
    pthread_t thread;
    void *data;
    size_t len;
} sender;

static void *sends(void *arg)
{
    sender *s = arg;

    CHECK_OK(mp_connection_send(s->c, s->data, s->len, MP_FOREVER));
    send_text(s->c, "and another");
    return NULL;
}

/* A thread sends message number n, and another one behind it. */
static void sender_start(sender *s, mp_connection *c, size_t len, unsigned n)
{
    s->c = c;
    s->data = pattern_new(len, n);
    s->len = len;
    CHECK(pthread_create(&s->thread, NULL, sends, s) == 0);
}

static void sender_end(sender *s, mp_connection *other)
{
    recv_text(other, "and another");
    CHECK(pthread_join(s->thread, NULL) == 0);
    CHECK_STATUS(mp_connection_poll(other, MP_NO_WAIT), MP_ERR_TIMEOUT);
    free(s->data);
}

/* ---- room ---- */

static void does_not_fit(size_t size)
{
    const size_t less[] = {0, 1, size / 2, size - 1};
    mp_connection *a, *b;
    mp_buffer *buffer;
    void *room = malloc(size);
    sender s;
    size_t i, len;

    CHECK(room != NULL);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    sender_start(&s, b, size, 1);
    for (i = 0; i < COUNT(less); i++) {
        len = 0;
        CHECK_STATUS(mp_connection_recv(a, i == 0 ? NULL : room, less[i], &len, MP_FOREVER), MP_ERR_TOO_SMALL);
        CHECK_INT(len, size);
        len = 0;
        CHECK_STATUS(mp_connection_recv_buffer(a, &buffer, less[i], &len, MP_FOREVER), MP_ERR_TOO_SMALL);
        CHECK_INT(len, size);
    }
    CHECK_OK(mp_connection_poll(a, MP_NO_WAIT));
    CHECK_OK(mp_connection_recv(a, room, size, &len, MP_FOREVER));
    CHECK_INT(len, size);
    pattern_same(room, len, 1);
    sender_end(&s, a);
    free(room);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

TEST(pipe, a_message_that_does_not_fit_stays)
{
    does_not_fit(2);
    does_not_fit(PART);
    does_not_fit(LONG);
}

/* ---- time ---- */

#define HOLDS(call)                                                                                \
    do {                                                                                           \
        int64_t began = now_ns();                                                                  \
                                                                                                   \
        CHECK_STATUS(call, MP_ERR_TIMEOUT);                                                        \
        CHECK(now_ns() - began >= MP_MS(60));                                                      \
    } while (0)

TEST(pipe, timeouts_hold)
{
    void *data = pattern_new(LONG, 1);
    mp_connection *a, *b;
    mp_buffer *buffer;
    char c;
    int fd;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, INT64_MIN), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_poll(a, INT64_MIN), MP_ERR_TIMEOUT);
    alarms_start();
    HOLDS(mp_connection_recv(a, &c, 1, NULL, MP_MS(60)));
    HOLDS(mp_connection_recv_buffer(a, &buffer, 1, NULL, MP_MS(60)));
    HOLDS(mp_connection_recv_fd(a, &fd, MP_MS(60)));
    HOLDS(mp_connection_poll(a, MP_MS(60)));
    HOLDS(mp_connection_send(b, data, LONG, MP_MS(60)));
    HOLDS(mp_connection_send(b, data, LONG, MP_MS(60)));
    HOLDS(mp_connection_send_fd(b, 0, MP_MS(60)));
    CHECK(alarms_stop() > 0);
    free(data);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* A long message, with tries at all the moments in between: into a buffer or as one, in turn. */
TEST(pipe, a_timeout_does_not_lose_the_place)
{
    mp_connection *a, *b;
    mp_buffer *buffer;
    char *room = malloc(LONG);
    sender s;
    size_t len;
    int i, status;

    CHECK(room != NULL);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    sender_start(&s, b, LONG, 2);
    CHECK_OK(mp_connection_poll(a, MP_FOREVER));
    for (i = 0;; i++) {
        memset(room, 0, LONG);
        if (i % 2 == 0) {
            status = mp_connection_recv(a, room, LONG, &len, MP_NO_WAIT);
        } else {
            status = mp_connection_recv_buffer(a, &buffer, LONG, &len, MP_NO_WAIT);
            if (status == MP_OK) {
                memcpy(room, mp_buffer_data(buffer, NULL), LONG);
                CHECK_OK(mp_buffer_free(buffer));
            }
        }
        if (status == MP_OK)
            break;
        CHECK_STATUS(status, MP_ERR_TIMEOUT);
        CHECK_STATUS(mp_connection_recv(a, room, LONG - 1, &len, MP_NO_WAIT), MP_ERR_TOO_SMALL);
        CHECK_INT(len, LONG);
    }
    CHECK_INT(len, LONG);
    pattern_same(room, len, 2);
    sender_end(&s, a);
    free(room);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

static void receives_long(mp_connection *c, unsigned n)
{
    mp_buffer *buffer;
    size_t len;

    CHECK_OK(mp_connection_recv_buffer(c, &buffer, SIZE_MAX, &len, MP_FOREVER));
    CHECK_INT(len, LONG);
    pattern_same(mp_buffer_data(buffer, NULL), len, n);
    CHECK_OK(mp_buffer_free(buffer));
}

/* The same message again goes on with it; another, or a descriptor, goes behind it. */
static void gave_up(unsigned next)
{
    void *data = pattern_new(LONG, 1);
    mp_connection *a, *b;
    sender s;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_STATUS(mp_connection_send(b, data, LONG, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_send(b, data, LONG, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_send(b, "x", 1, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_send_fd(b, 0, MP_NO_WAIT), MP_ERR_TIMEOUT);
    sender_start(&s, b, LONG, next);
    receives_long(a, 1);
    if (next != 1)
        receives_long(a, next);
    sender_end(&s, a);
    free(data);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

TEST(pipe, a_send_that_gave_up_goes_on)
{
    gave_up(1);
}

TEST(pipe, another_message_goes_behind_half_of_one)
{
    gave_up(2);
}

/* ---- the other end ---- */

/* An end that is closed in a message: whoever has begun to receive that learns of it, and so does who has not. */
static void ends_in_a_message(bool begun)
{
    void *data = pattern_new(LONG, 1);
    mp_connection *a, *b;
    mp_buffer *buffer;
    int i;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_STATUS(mp_connection_send(b, data, LONG, MP_NO_WAIT), MP_ERR_TIMEOUT);
    if (begun)
        CHECK_STATUS(mp_connection_recv(a, data, LONG, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(b));
    for (i = 0; i < 2; i++) {
        CHECK_SENTENCE(mp_connection_recv(a, data, LONG, NULL, MP_FOREVER), MP_ERR_EOF, "of 1048576 bytes came");
        CHECK_STATUS(mp_connection_recv_buffer(a, &buffer, SIZE_MAX, NULL, MP_FOREVER), MP_ERR_EOF);
    }
    CHECK_STATUS(mp_connection_send(a, "x", 1, MP_NO_WAIT), MP_ERR_EOF);
    free(data);
    CHECK_OK(mp_connection_free(a));
}

TEST(pipe, an_end_in_a_message)
{
    ends_in_a_message(false);
    ends_in_a_message(true);
}

static int does_nothing(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    return 0;
}

/* As many have the pipe as before, and yet nobody has the other end. */
TEST(pipe, an_end_is_seen_whoever_else_comes)
{
    mp_connection *a, *b;
    mp_process *p;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    send_text(b, "first");
    recv_text(a, "first");
    CHECK_OK(mp_process_new(&p, does_nothing, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, b));
    CHECK_OK(mp_connection_free(a));
    CHECK_STATUS(mp_connection_send(b, "x", 1, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_connection_free(b));
}
