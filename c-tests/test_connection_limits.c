/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections where something is short: time, room, the other side's manners. */
#include "test_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- room ---- */

TEST(connection, a_message_that_does_not_fit_stays)
{
    half h = half_new();
    mp_buffer *b;
    char room[8];
    size_t len, i;

    raw_frame(h.raw, "0123456789", 10);
    for (i = 0; i < 10; i++) {
        len = 0;
        CHECK_STATUS(mp_connection_recv(h.c, i == 0 ? NULL : room, i < 8 ? i : 8, &len, MP_FOREVER),
                     MP_ERR_TOO_SMALL);
        CHECK_INT(len, 10);
        len = 0;
        CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, i, &len, MP_FOREVER), MP_ERR_TOO_SMALL);
        CHECK_INT(len, 10);
    }
    CHECK_OK(mp_connection_poll(h.c, MP_NO_WAIT));
    CHECK_OK(mp_connection_recv_buffer(h.c, &b, 10, &len, MP_FOREVER));
    CHECK(memcmp(mp_buffer_data(b, NULL), "0123456789", 10) == 0);
    CHECK_OK(mp_buffer_free(b));
    /* An empty one fits into nothing at all. */
    raw_frame(h.raw, NULL, 0);
    CHECK_OK(mp_connection_recv(h.c, NULL, 0, NULL, MP_FOREVER));
    half_free(h);
}

/* ---- time ---- */

TEST(connection, timeouts_hold)
{
    half h = half_new();
    int64_t began;
    mp_buffer *b;
    char c;

    CHECK_STATUS(mp_connection_recv(h.c, &c, 1, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_recv(h.c, &c, 1, NULL, INT64_MIN), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_poll(h.c, INT64_MIN), MP_ERR_TIMEOUT);
    alarms_start();
    began = now_ns();
    CHECK_STATUS(mp_connection_recv(h.c, &c, 1, NULL, MP_MS(60)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - began >= MP_MS(60));
    began = now_ns();
    CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, 1, NULL, MP_MS(60)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - began >= MP_MS(60));
    began = now_ns();
    CHECK_STATUS(mp_connection_poll(h.c, MP_MS(60)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - began >= MP_MS(60));
    CHECK(alarms_stop() > 0);
    half_free(h);
}

/* A message that comes byte by byte, with a try after each of them: into a buffer or as one, in turn. */
TEST(connection, a_timeout_does_not_lose_the_place)
{
    static const unsigned char message[] = {255, 255, 255, 255, 0, 0, 0, 0,   0,
                                            0,   0,   5,   'h', 'e', 'l', 'l', 'o'};
    half h = half_new();
    char room[5];
    mp_buffer *b;
    size_t i, round, len;

    for (round = 0; round < 4; round++) {
        /* The short beginning, too. */
        const unsigned char *from = round < 2 ? message : (const unsigned char *)"\0\0\0\5hello";
        size_t total = round < 2 ? sizeof message : 9;

        for (i = 0; i < total; i++) {
            if ((i + round) % 2 == 0)
                CHECK_STATUS(mp_connection_recv(h.c, room, 5, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
            else
                CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, 5, NULL, MP_NO_WAIT),
                             MP_ERR_TIMEOUT);
            raw_write(h.raw, from + i, 1);
        }
        memset(room, 0, sizeof room);
        if (round % 2 == 0) {
            CHECK_OK(mp_connection_recv(h.c, room, 5, &len, MP_NO_WAIT));
        } else {
            CHECK_OK(mp_connection_recv_buffer(h.c, &b, 5, &len, MP_NO_WAIT));
            memcpy(room, mp_buffer_data(b, NULL), 5);
            CHECK_OK(mp_buffer_free(b));
        }
        CHECK_INT(len, 5);
        CHECK(memcmp(room, "hello", 5) == 0);
    }
    half_free(h);
}

/* The part that came into a large buffer is there again in a small one, which is too small. */
TEST(connection, a_part_of_a_message_fits_or_not)
{
    half h = half_new();
    char room[16];
    size_t len;

    raw_write(h.raw, "\0\0\0\12" "0123456", 11);
    CHECK_STATUS(mp_connection_recv(h.c, room, sizeof room, &len, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_recv(h.c, room, 9, &len, MP_NO_WAIT), MP_ERR_TOO_SMALL);
    CHECK_INT(len, 10);
    raw_write(h.raw, "789", 3);
    memset(room, 0, sizeof room);
    CHECK_OK(mp_connection_recv(h.c, room, 10, &len, MP_NO_WAIT));
    CHECK(memcmp(room, "0123456789", 10) == 0);
    half_free(h);
}

enum { LARGE = 4 << 20 };

/* Sends until the time runs out in the middle of a message, and with it the other end's room. */
static void send_half(mp_connection *c, const void *data)
{
    CHECK_STATUS(mp_connection_send(c, data, LARGE, MP_MS(1)), MP_ERR_TIMEOUT);
}

static void *sends_large(void *arg)
{
    half *h = arg;
    void *data = pattern_new(LARGE, 1);

    CHECK_OK(mp_connection_send(h->c, data, LARGE, MP_FOREVER));
    free(data);
    send_text(h->c, "and another");
    return NULL;
}

/* The same message again goes on with it. */
TEST(connection, a_send_that_gave_up_goes_on)
{
    half h = half_new();
    mp_connection *other;
    mp_buffer *b;
    pthread_t thread;
    void *data = pattern_new(LARGE, 1);
    size_t len;

    CHECK_OK(mp_connection_from_fd(&other, dup(h.raw), NULL));
    send_half(h.c, data);
    send_half(h.c, data);
    CHECK(pthread_create(&thread, NULL, sends_large, &h) == 0);
    CHECK_OK(mp_connection_recv_buffer(other, &b, SIZE_MAX, &len, MP_FOREVER));
    CHECK_INT(len, LARGE);
    pattern_same(mp_buffer_data(b, NULL), len, 1);
    CHECK_OK(mp_buffer_free(b));
    recv_text(other, "and another");
    CHECK(pthread_join(thread, NULL) == 0);
    free(data);
    CHECK_OK(mp_connection_free(other));
    half_free(h);
}

static void *sends_another(void *arg)
{
    half *h = arg;

    send_text(h->c, "another");
    return NULL;
}

/* Another message goes behind it. */
TEST(connection, another_message_goes_behind_half_of_one)
{
    half h = half_new();
    mp_connection *other;
    mp_buffer *b;
    pthread_t thread;
    void *data = pattern_new(LARGE, 2);
    size_t len;

    CHECK_OK(mp_connection_from_fd(&other, dup(h.raw), NULL));
    send_half(h.c, data);
    CHECK_STATUS(mp_connection_send(h.c, "another", 7, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK(pthread_create(&thread, NULL, sends_another, &h) == 0);
    CHECK_OK(mp_connection_recv_buffer(other, &b, SIZE_MAX, &len, MP_FOREVER));
    CHECK_INT(len, LARGE);
    pattern_same(mp_buffer_data(b, NULL), len, 2);
    CHECK_OK(mp_buffer_free(b));
    recv_text(other, "another");
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_connection_poll(other, MP_NO_WAIT), MP_ERR_TIMEOUT);
    free(data);
    CHECK_OK(mp_connection_free(other));
    half_free(h);
}

/* ---- manners ---- */

/* The end in the middle of a message, wherever that is. */
TEST(connection, an_end_in_a_message)
{
    static const unsigned char message[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'};
    char room[5];
    mp_buffer *b;
    size_t i, k;

    for (i = 1; i < sizeof message; i++) {
        half h = half_new();

        raw_write(h.raw, message, i);
        CHECK(shutdown(h.raw, SHUT_WR) == 0);
        for (k = 0; k < 3; k++) {
            CHECK_SENTENCE(mp_connection_recv(h.c, room, 5, NULL, MP_FOREVER), MP_ERR_EOF,
                           i < 4 ? "into the beginning of a message" : "of 5 bytes came");
            CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, 5, NULL, MP_FOREVER), MP_ERR_EOF);
        }
        half_free(h);
    }
}

static int is_killed_in_a_message(mp_child *self, void *user)
{
    void *data = pattern_new(LARGE, 3);

    (void)user;
    CHECK_OK(mp_connection_send(mp_child_connection(self, 0), data, LARGE, MP_FOREVER));
    return 1;
}

/* The child sleeps in the middle of its message: nobody receives more than a part of that. */
TEST(connection, a_sender_killed_in_a_message)
{
    mp_connection *a, *b;
    mp_process *p;
    char *room = malloc(LARGE);
    size_t len;

    CHECK(room != NULL);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(is_killed_in_a_message, b);
    CHECK_OK(mp_connection_free(b));
    CHECK_STATUS(mp_connection_recv(a, NULL, 0, &len, MP_FOREVER), MP_ERR_TOO_SMALL);
    CHECK_INT(len, LARGE);
    CHECK_OK(mp_process_kill(p));
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_SENTENCE(mp_connection_recv(a, room, LARGE, NULL, MP_FOREVER), MP_ERR_EOF,
                   "of 4194304 bytes came");
    free(room);
    CHECK_OK(mp_connection_free(a));
}

static void is_nonsense(const void *bytes, size_t len)
{
    half h = half_new();
    mp_buffer *b;
    char c;
    int i;

    raw_write(h.raw, bytes, len);
    for (i = 0; i < 2; i++) {
        CHECK_SENTENCE(mp_connection_recv(h.c, &c, 1, NULL, MP_FOREVER), MP_ERR_OS,
                       "which no message has");
        CHECK_INT(mp_last_errno(), EBADMSG);
        CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, SIZE_MAX, NULL, MP_FOREVER), MP_ERR_OS);
    }
    /* The other direction has no part in it. */
    send_text(h.c, "x");
    half_free(h);
}

TEST(connection, lengths_that_are_none)
{
    static const unsigned char huge[] = {255, 255, 255, 255, 128, 0, 0, 0, 0, 0, 0, 0};
    static const unsigned char all[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

    is_nonsense("\377\377\377\376", 4);
    is_nonsense("\200\0\0\0", 4);
    is_nonsense(huge, sizeof huge);
    is_nonsense(all, sizeof all);
}

/* A length of an exbibyte costs nothing until the bytes come. */
TEST(connection, a_huge_length_takes_no_memory)
{
    static const unsigned char huge[] = {255, 255, 255, 255, 16, 0, 0, 0, 0, 0, 0, 0, 'x', 'y'};
    half h = half_new();
    mp_buffer *b;
    size_t len;

    raw_write(h.raw, huge, sizeof huge);
    CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, 1 << 20, &len, MP_FOREVER), MP_ERR_TOO_SMALL);
    CHECK_INT(len, (int64_t)1 << 60);
    /* Room for all of it there cannot be; for what has come there is. */
    CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, SIZE_MAX, &len, MP_MS(1)), MP_ERR_TIMEOUT);
    half_free(h);
}

/* ---- descriptors ---- */

TEST(connection, of_something_else)
{
    mp_connection_options o = MP_CONNECTION_OPTIONS;
    mp_connection *c;
    int fds[2], fd;

    CHECK_STATUS(mp_connection_from_fd(&c, -1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_from_fd(&c, 999999, NULL), MP_ERR_INVALID);
    CHECK(pipe(fds) == 0);
    CHECK_STATUS(mp_connection_from_fd(&c, fds[0], NULL), MP_ERR_UNSUPPORTED);
    o.readable = o.writable = false;
    CHECK_STATUS(mp_connection_from_fd(&c, fds[0], &o), MP_ERR_INVALID);
    close(fds[0]);
    close(fds[1]);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_STATUS(mp_connection_from_fd(&c, fd, NULL), MP_ERR_UNSUPPORTED);
    close(fd);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
    CHECK_STATUS(mp_connection_from_fd(&c, fds[0], NULL), MP_ERR_UNSUPPORTED);
    CHECK(fcntl(fds[0], F_GETFD) == 0);
    close(fds[0]);
    close(fds[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    o.readable = true;
    CHECK_OK(mp_connection_from_fd(&c, fds[0], &o));
    CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
    CHECK_STATUS(mp_connection_send(c, "x", 1, MP_FOREVER), MP_ERR_STATE);
    CHECK_OK(mp_connection_free(c));
    CHECK(fcntl(fds[0], F_GETFD) < 0);
    close(fds[1]);
}
