/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Messages through a pipe: of every length, three ways out, in both directions, by several threads. */
#include "test_connection.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

half half_new(void)
{
    int ends[2];
    half h;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    CHECK_OK(mp_connection_from_fd(&h.c, ends[0], NULL));
    h.raw = ends[1];
    return h;
}

void half_free(half h)
{
    CHECK_OK(mp_connection_free(h.c));
    close(h.raw);
}

void raw_write(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        CHECK(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

bool raw_read(int fd, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);

        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void raw_frame(int fd, const void *data, uint32_t len)
{
    unsigned char head[4];
    int i;

    for (i = 0; i < 4; i++)
        head[i] = (unsigned char)(len >> (24 - 8 * i));
    raw_write(fd, head, 4);
    raw_write(fd, data, len);
}

unsigned char pattern_at(size_t i, unsigned n)
{
    return (unsigned char)(i * 31 + i / 253 + n * 7);
}

void *pattern_new(size_t len, unsigned n)
{
    unsigned char *data = malloc(len + 1);
    size_t i;

    CHECK(data != NULL);
    for (i = 0; i < len; i++)
        data[i] = pattern_at(i, n);
    return data;
}

void pattern_same(const void *data, size_t len, unsigned n)
{
    const unsigned char *bytes = data;
    size_t i;

    for (i = 0; i < len; i++)
        if (bytes[i] != pattern_at(i, n))
            CHECK_INT(bytes[i], pattern_at(i, n));
}

void recv_text(mp_connection *c, const char *text)
{
    char room[200];
    size_t len;

    CHECK_OK(mp_connection_recv(c, room, sizeof room, &len, MP_FOREVER));
    CHECK_INT(len, strlen(text));
    CHECK(memcmp(room, text, len) == 0);
}

void send_text(mp_connection *c, const char *text)
{
    CHECK_OK(mp_connection_send(c, text, strlen(text), MP_FOREVER));
}

/* ---- messages ---- */

TEST(connection, there_and_back)
{
    mp_connection *a, *b;
    bool answer;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    send_text(a, "hello");
    send_text(a, "");
    send_text(b, "and back");
    recv_text(b, "hello");
    recv_text(b, "");
    recv_text(a, "and back");
    CHECK_OK(mp_connection_readable(a, &answer));
    CHECK(answer);
    CHECK_OK(mp_connection_writable(a, &answer));
    CHECK(answer);
    CHECK_OK(mp_connection_closed(a, &answer));
    CHECK(!answer);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

TEST(connection, one_way)
{
    mp_pipe_options o = MP_PIPE_OPTIONS;
    mp_connection *in, *out;
    bool answer;
    char c;

    o.duplex = false;
    CHECK_OK(mp_pipe_new(&in, &out, &o));
    send_text(out, "x");
    recv_text(in, "x");
    CHECK_SENTENCE(mp_connection_send(in, "x", 1, MP_FOREVER), MP_ERR_STATE, "only receives");
    CHECK_SENTENCE(mp_connection_recv(out, &c, 1, NULL, MP_FOREVER), MP_ERR_STATE, "only sends");
    CHECK_STATUS(mp_connection_poll(out, MP_FOREVER), MP_ERR_STATE);
    CHECK_OK(mp_connection_writable(in, &answer));
    CHECK(!answer);
    CHECK_OK(mp_connection_readable(out, &answer));
    CHECK(!answer);
    CHECK_STATUS(mp_pipe_new(&in, &in, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_connection_free(in));
    CHECK_STATUS(mp_connection_send(out, "x", 1, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(out));
}

typedef struct sender {
    mp_connection *c;
    const size_t *lengths;
    size_t count;
} sender;

static void *sends(void *arg)
{
    sender *s = arg;
    size_t i;

    for (i = 0; i < s->count; i++) {
        void *data = pattern_new(s->lengths[i], (unsigned)i);

        CHECK_OK(mp_connection_send(s->c, data, s->lengths[i], MP_FOREVER));
        free(data);
    }
    return NULL;
}

static const size_t lengths[] = {0,     1,     2,     3,     4,      5,       11,      12,
                                 13,    127,   4095,  4096,  4097,   16384,   16385,   65535,
                                 65536, 65537, 65541, 99999, 300000, 1 << 20, 5 << 20, 70 << 20};

TEST(connection, lengths_into_a_buffer)
{
    sender s = {NULL, lengths, COUNT(lengths)};
    mp_connection *a;
    pthread_t thread;
    size_t i, len;
    char *room = malloc(70 << 20);

    CHECK(room != NULL);
    CHECK_OK(mp_pipe_new(&a, &s.c, NULL));
    CHECK(pthread_create(&thread, NULL, sends, &s) == 0);
    for (i = 0; i < s.count; i++) {
        CHECK_OK(mp_connection_recv(a, room, 70 << 20, &len, MP_FOREVER));
        CHECK_INT(len, lengths[i]);
        pattern_same(room, len, (unsigned)i);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    free(room);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(s.c));
}

TEST(connection, lengths_as_buffers)
{
    sender s = {NULL, lengths, COUNT(lengths)};
    mp_connection *a;
    pthread_t thread;
    mp_buffer *b;
    size_t i, len, size;

    CHECK_OK(mp_pipe_new(&a, &s.c, NULL));
    CHECK(pthread_create(&thread, NULL, sends, &s) == 0);
    for (i = 0; i < s.count; i++) {
        CHECK_OK(mp_connection_recv_buffer(a, &b, SIZE_MAX, &len, MP_FOREVER));
        CHECK_INT(len, lengths[i]);
        pattern_same(mp_buffer_data(b, &size), len, (unsigned)i);
        CHECK_INT(size, len);
        CHECK_OK(mp_buffer_free(b));
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(s.c));
}

/* What goes over the wire is what Python writes, byte for byte, and what Python writes is understood. */
TEST(connection, frames_byte_for_byte)
{
    static const unsigned char want[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0};
    /* Longer lengths have a beginning of 12 bytes, and nothing forbids it for shorter ones. */
    static const unsigned char longer[] = {255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 2, 'h', 'i'};
    unsigned char got[sizeof want];
    half h = half_new();

    send_text(h.c, "hello");
    send_text(h.c, "");
    CHECK(raw_read(h.raw, got, sizeof got));
    CHECK(memcmp(got, want, sizeof want) == 0);
    raw_write(h.raw, want, sizeof want);
    raw_write(h.raw, longer, sizeof longer);
    recv_text(h.c, "hello");
    recv_text(h.c, "");
    recv_text(h.c, "hi");
    half_free(h);
}

/* A small message is one write: whoever reads the socket gets its beginning and its end at once. */
TEST(connection, a_small_message_is_one_write)
{
    half h = half_new();
    char got[100];

    send_text(h.c, "hello");
    CHECK_INT(recv(h.raw, got, sizeof got, 0), 9);
    half_free(h);
}

/* ---- the end ---- */

TEST(connection, what_was_sent_comes_before_the_end)
{
    mp_connection *a, *b;
    char c;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    send_text(a, "last words");
    CHECK_OK(mp_connection_close(a));
    CHECK_OK(mp_connection_close(a));
    CHECK_OK(mp_connection_poll(b, MP_NO_WAIT));
    recv_text(b, "last words");
    CHECK_OK(mp_connection_poll(b, MP_FOREVER));
    CHECK_SENTENCE(mp_connection_recv(b, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF, "was closed");
    CHECK_STATUS(mp_connection_recv(b, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    /* SIGPIPE would end this process. */
    CHECK_STATUS(mp_connection_send(b, "x", 1, MP_FOREVER), MP_ERR_EOF);
    CHECK_INT(mp_last_errno(), EPIPE);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

TEST(connection, after_close)
{
    mp_connection *a, *b;
    mp_buffer *buffer;
    bool answer;
    char c;
    int fd;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_close(a));
    CHECK_OK(mp_connection_closed(a, &answer));
    CHECK(answer);
    CHECK_STATUS(mp_connection_send(a, "x", 1, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_recv_buffer(a, &buffer, 1, NULL, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_poll(a, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_fileno(a, &fd), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_send_fd(a, 0, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_recv_fd(a, &fd, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

static void *closes_soon(void *arg)
{
    sleep_ms(50);
    CHECK_OK(mp_connection_close(arg));
    return NULL;
}

TEST(connection, close_frees_whoever_waits)
{
    mp_connection *a, *b;
    pthread_t thread;
    char c;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK(pthread_create(&thread, NULL, closes_soon, a) == 0);
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_connection_recv(b, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

TEST(connection, fileno_is_readable_when_there_is_something)
{
    mp_connection *a, *b;
    struct pollfd p = {0, POLLIN, 0};

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_fileno(a, &p.fd));
    CHECK_INT(poll(&p, 1, 0), 0);
    send_text(b, "one");
    send_text(b, "two");
    CHECK_INT(poll(&p, 1, -1), 1);
    recv_text(a, "one");
    /* Nothing is read beyond what was asked for. */
    CHECK_INT(poll(&p, 1, 0), 1);
    recv_text(a, "two");
    CHECK_INT(poll(&p, 1, 0), 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}
