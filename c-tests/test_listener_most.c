/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The longest message of a connection that a listener accepted or a client made. */
#include "test_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1000 };

static mp_listener *with_most(size_t most)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_listener *l;

    o.max_message = most;
    CHECK_OK(mp_listener_new(&l, NULL, &o));
    return l;
}

static mp_connection *accepted(mp_listener *l)
{
    mp_connection *c;

    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    return c;
}

/* The beginning of a message in 12 bytes, whatever its length is. */
static void raw_long(int fd, uint64_t len)
{
    unsigned char head[12] = {255, 255, 255, 255};
    int i;

    for (i = 0; i < 8; i++)
        head[4 + i] = (unsigned char)(len >> (56 - 8 * i));
    raw_write(fd, head, sizeof head);
}

/* Nothing is received any more, and nothing is waited for; the other direction has no part in it. */
static void is_refused(mp_connection *c, int raw, const char *why)
{
    size_t len = 77;
    mp_buffer *b;
    char got[5];
    int i, fd;

    for (i = 0; i < 2; i++) {
        CHECK_OK(mp_connection_poll(c, MP_FOREVER));
        CHECK_SENTENCE(mp_connection_recv(c, NULL, 0, &len, MP_FOREVER), MP_ERR_OS, why);
        CHECK_INT(mp_last_errno(), EBADMSG);
        CHECK_SENTENCE(mp_connection_recv_buffer(c, &b, SIZE_MAX, &len, MP_FOREVER), MP_ERR_OS, why);
        CHECK_SENTENCE(mp_connection_recv_fd(c, &fd, MP_FOREVER), MP_ERR_OS, why);
    }
    CHECK_INT(len, 77);
    CHECK_OK(mp_connection_send(c, "x", 1, MP_FOREVER));
    CHECK(raw_read(raw, got, 5));
    CHECK(memcmp(got, "\0\0\0\1x", 5) == 0);
}

static void listener_refuses(size_t most, uint64_t len, bool in_12, const char *why)
{
    unsigned char head[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
                             (unsigned char)(len >> 8), (unsigned char)len};
    mp_listener *l = with_most(most);
    int raw = raw_client(l);
    mp_connection *c = accepted(l);

    if (in_12)
        raw_long(raw, len);
    else
        raw_write(raw, head, sizeof head);
    is_refused(c, raw, why);
    close(raw);
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, lengths_beyond_the_limit)
{
    listener_refuses(MOST, MOST + 1, false, "a length of 1001 bytes, and 1000 are allowed");
    listener_refuses(MOST, MOST + 1, true, "a length of 1001 bytes, and 1000 are allowed");
    listener_refuses(MOST, (uint64_t)1 << 60, true, "and 1000 are allowed");
    listener_refuses(0, ((uint64_t)1 << 30) + 1, false, "and 1073741824 are allowed");
    listener_refuses(0, (uint64_t)1 << 40, true, "and 1073741824 are allowed");
}

/* Other lengths pass: the limit itself in both forms, and with no limit whatever there is. */
TEST(listener, lengths_up_to_the_limit)
{
    mp_listener *l = with_most(MOST), *any = with_most(SIZE_MAX), *usual = with_most(0);
    int raw = raw_client(l), raw_any = raw_client(any), raw_usual = raw_client(usual);
    mp_connection *c = accepted(l), *c_any = accepted(any), *c_usual = accepted(usual);
    void *data = pattern_new(MOST, 1);
    char room[MOST];
    size_t len;
    int i;

    for (i = 0; i < 2; i++) {
        if (i == 0) {
            raw_frame(raw, data, MOST);
        } else {
            raw_long(raw, MOST);
            raw_write(raw, data, MOST);
        }
        CHECK_OK(mp_connection_recv(c, room, sizeof room, &len, MP_FOREVER));
        CHECK_INT(len, MOST);
        pattern_same(room, MOST, 1);
    }
    raw_long(raw_any, (uint64_t)1 << 60);
    CHECK_STATUS(mp_connection_recv(c_any, room, sizeof room, &len, MP_FOREVER), MP_ERR_TOO_SMALL);
    CHECK_INT(len, (int64_t)1 << 60);
    raw_long(raw_usual, (uint64_t)1 << 30);
    CHECK_STATUS(mp_connection_recv(c_usual, room, sizeof room, &len, MP_FOREVER), MP_ERR_TOO_SMALL);
    CHECK_INT(len, (int64_t)1 << 30);
    free(data);
    close(raw);
    close(raw_any);
    close(raw_usual);
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_connection_free(c_any));
    CHECK_OK(mp_connection_free(c_usual));
    CHECK_OK(mp_listener_free(l));
    CHECK_OK(mp_listener_free(any));
    CHECK_OK(mp_listener_free(usual));
}

/* A client has a limit of its own. What proves the key is not a message that it holds for. */
TEST(listener, a_clients_limit)
{
    mp_listener_options lo = MP_LISTENER_OPTIONS;
    mp_client_options o = MP_CLIENT_OPTIONS;
    mp_connection *client, *server;
    mp_listener *l;
    address a;
    int ear = raw_listener(&a), raw;
    caller c;

    o.max_message = 3;
    CHECK_OK(mp_client_connect(&client, a.text, &o, MP_FOREVER));
    CHECK((raw = accept(ear, NULL, NULL)) >= 0);
    raw_frame(raw, "four", 4);
    is_refused(client, raw, "a length of 4 bytes, and 3 are allowed");
    CHECK_OK(mp_connection_free(client));
    close(raw);
    close(ear);
    lo.key = "key";
    lo.key_size = 3;
    lo.max_message = 3;
    CHECK_OK(mp_listener_new(&l, NULL, &lo));
    call(&c, address_of(l).text, "key", MP_OK);
    server = accepted(l);
    recv_text(server, "in");
    CHECK_STATUS(mp_connection_send(server, "byes", 4, MP_FOREVER), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_deliver_challenge(server, "key", 3, false, MP_FOREVER), MP_ERR_INVALID);
    send_text(server, "bye");
    called(&c);
    CHECK_OK(mp_connection_free(server));
    CHECK_OK(mp_listener_free(l));
}

/* One that is made of a descriptor has what it is given. */
TEST(connection, a_descriptors_limit)
{
    mp_connection_options o = MP_CONNECTION_OPTIONS;
    mp_connection *c;
    int ends[2];

    o.max_message = 3;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_OK(mp_connection_from_fd(&c, ends[0], &o));
    CHECK_STATUS(mp_connection_send(c, "four", 4, MP_FOREVER), MP_ERR_INVALID);
    raw_frame(ends[1], "two", 3);
    recv_text(c, "two");
    raw_frame(ends[1], "four", 4);
    is_refused(c, ends[1], "a length of 4 bytes, and 3 are allowed");
    CHECK_OK(mp_connection_free(c));
    close(ends[1]);
}

/* It is known at once, and nothing was sent. */
TEST(listener, a_send_beyond_the_limit)
{
    mp_listener *l = with_most(MOST);
    mp_connection *c, *client = client_new(address_of(l).text, NULL);
    void *data = pattern_new(MOST + 1, 1);
    char room[MOST];
    size_t len;

    c = accepted(l);
    CHECK_SENTENCE(mp_connection_send(c, data, MOST + 1, MP_NO_WAIT), MP_ERR_INVALID,
                   "the message has 1001 bytes, and 1000 are allowed");
    CHECK_STATUS(mp_connection_recv(client, room, sizeof room, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_send(c, data, MOST, MP_FOREVER));
    CHECK_OK(mp_connection_recv(client, room, sizeof room, &len, MP_FOREVER));
    CHECK_INT(len, MOST);
    pattern_same(room, MOST, 1);
    /* The other side has said nothing of a limit. */
    CHECK_OK(mp_connection_send(client, data, MOST + 1, MP_FOREVER));
    CHECK_STATUS(mp_connection_recv(c, room, sizeof room, NULL, MP_FOREVER), MP_ERR_OS);
    free(data);
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_connection_free(client));
    CHECK_OK(mp_listener_free(l));
}

static int is_limited(mp_child *self, void *user)
{
    mp_listener *l = mp_child_listener(self, 0);
    mp_connection *c = mp_child_connection(self, 1), *another;
    char room[MOST + 1];

    (void)user;
    CHECK_STATUS(mp_connection_recv(c, room, sizeof room, NULL, MP_FOREVER), MP_ERR_OS);
    CHECK_OK(mp_listener_accept(l, &another, MP_FOREVER));
    CHECK_STATUS(mp_connection_recv(another, room, sizeof room, NULL, MP_FOREVER), MP_ERR_OS);
    CHECK_OK(mp_connection_free(another));
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_free(l));
    return 0;
}

TEST(listener, the_limit_goes_to_a_child)
{
    mp_listener *l = with_most(MOST);
    int raw = raw_client(l), another;
    mp_connection *c = accepted(l);
    mp_process *p = CHILD_START(is_limited, l, c);
    void *data = pattern_new(MOST + 1, 1);

    raw_frame(raw, data, MOST + 1);
    another = raw_client(l);
    raw_frame(another, data, MOST + 1);
    CHECK_INT(child_end(p), 0);
    free(data);
    close(raw);
    close(another);
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_free(l));
}
