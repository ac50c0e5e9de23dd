/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections and listeners that go through a pipe, with other handles. */
#include "test_connection.h"
#include "test_nouns.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND(c, data, len, timeout, ...)                                                           \
    mp_connection_send_handles(c, data, len, (const void *const[]){__VA_ARGS__},                   \
                               COUNT(((const void *const[]){__VA_ARGS__})), timeout)

enum { MOST = 253 };

static mp_buffer *got(mp_connection *c, size_t handles)
{
    mp_buffer *b = NULL;

    CHECK_OK(mp_connection_recv_buffer(c, &b, SIZE_MAX, NULL, MP_SEC(30)));
    CHECK_INT(mp_buffer_handles(b), handles);
    return b;
}

static void eof(mp_connection *c)
{
    char x;

    CHECK_STATUS(mp_connection_recv(c, &x, 1, NULL, MP_SEC(30)), MP_ERR_EOF);
}

static int uses_them(mp_child *self, void *user)
{
    mp_buffer *b = got(mp_child_connection(self, 0), 7);
    mp_connection *c, *twice;
    bool readable, writable;
    mp_listener *l;
    mp_value *v;
    size_t len;

    CHECK(user == NULL);
    CHECK(memcmp(mp_buffer_data(b, &len), "all of them", 11) == 0 && len == 11);
    v = handle_of(b, 0);
    flag_set(v, 5);
    CHECK_OK(mp_value_free(v));
    /* A pipe's end, twice. */
    c = handle_of(b, 1);
    twice = handle_of(b, 1);
    CHECK(c != twice);
    recv_text(c, "first");
    recv_text(twice, "second");
    CHECK_OK(mp_connection_free(twice));
    send_text(c, "pipe");
    CHECK_OK(mp_connection_free(c));
    /* A socket's. */
    c = handle_of(b, 2);
    send_text(c, "socket");
    CHECK_OK(mp_connection_free(c));
    /* Listeners, one with a key. */
    l = handle_of(b, 3);
    talk(l, address_of(l).text);
    CHECK_OK(mp_listener_free(l));
    l = handle_of(b, 4);
    lets_in(l);
    CHECK_OK(mp_listener_free(l));
    /* The end of a pipe that goes one way. */
    c = handle_of(b, 5);
    CHECK_OK(mp_connection_readable(c, &readable));
    CHECK_OK(mp_connection_writable(c, &writable));
    CHECK(!readable && writable);
    send_text(c, "one way");
    CHECK_OK(mp_connection_free(c));
    v = handle_of(b, 6);
    CHECK_INT(flag_get(v), 5);
    CHECK_OK(mp_value_free(v));
    CHECK_NULL(mp_buffer_handle(b, 7));
    CHECK_OK(mp_buffer_free(b));
    return 0;
}

TEST(connection, passes_with_other_handles)
{
    uint64_t blocks = stats_now().blocks;
    int fds = open_descriptors();
    mp_pipe_options one_way = MP_PIPE_OPTIONS;
    mp_connection *mine, *childs, *a, *b, *receives, *sends, *socket, *other;
    mp_listener *open = listener_new(NULL, NULL), *locked = listener_new(NULL, "the key");
    mp_value *v = flag_new();
    mp_process *p;
    caller calls_it;
    int ends[2];

    one_way.duplex = false;
    CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_pipe_new(&receives, &sends, &one_way));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_OK(mp_connection_from_fd(&socket, ends[0], NULL));
    CHECK_OK(mp_connection_from_fd(&other, ends[1], NULL));
    CHECK_OK(SEND(mine, "all of them", 11, MP_NO_WAIT, v, b, socket, open, locked, sends, v));
    /* The message holds them from now on. */
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_free(socket));
    CHECK_OK(mp_connection_free(sends));
    send_text(a, "first");
    send_text(a, "second");
    p = CHILD_START(uses_them, childs);
    CHECK_OK(mp_connection_free(childs));
    recv_text(a, "pipe");
    recv_text(other, "socket");
    call(&calls_it, address_of(locked).text, "the key", MP_OK);
    called(&calls_it);
    recv_text(receives, "one way");
    CHECK_INT(child_end(p), 0);
    eof(a);
    eof(other);
    eof(receives);
    CHECK_INT(flag_get(v), 5);
    CHECK_OK(mp_connection_free(mine));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(other));
    CHECK_OK(mp_connection_free(receives));
    CHECK_OK(mp_listener_free(open));
    CHECK_OK(mp_listener_free(locked));
    CHECK_OK(mp_value_free(v));
    CHECK_INT(stats_now().blocks, blocks);
    CHECK_INT(open_descriptors(), fds);
}

TEST(connection, cannot_be_passed)
{
    const void *handles[MOST + 1];
    mp_connection *a, *b, *closed, *one, *other;
    mp_queue *q;
    mp_buffer *m;
    half h = half_new();
    char room[5];
    int i, fds;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_pipe_new(&closed, &one, NULL));
    CHECK_OK(mp_queue_new(&q, NULL));
    CHECK_OK(mp_connection_close(closed));
    fds = open_descriptors();
    CHECK_STATUS(SEND(a, NULL, 0, MP_NO_WAIT, closed), MP_ERR_CLOSED);
    CHECK_SENTENCE(mp_queue_put_handles(q, NULL, 0, (const void *const[]){one}, 1, MP_NO_WAIT),
                   MP_ERR_UNSUPPORTED, "only a pipe");
    CHECK_STATUS(SEND(h.c, NULL, 0, MP_NO_WAIT, one), MP_ERR_UNSUPPORTED);
    for (i = 0; i <= MOST; i++)
        handles[i] = h.c;
    CHECK_SENTENCE(mp_connection_send_handles(a, NULL, 0, handles, MOST + 1, MP_NO_WAIT), MP_ERR_INVALID, "253");
    CHECK_INT(open_descriptors(), fds);
    CHECK_OK(mp_connection_send_handles(a, NULL, 0, handles, MOST, MP_NO_WAIT));
    CHECK_INT(open_descriptors(), fds);
    m = got(b, MOST);
    CHECK_INT(open_descriptors(), fds + MOST);
    other = handle_of(m, MOST - 1);
    CHECK_OK(mp_buffer_free(m));
    CHECK_INT(open_descriptors(), fds + 1);
    raw_frame(h.raw, "still there", 11);
    recv_text(other, "still there");
    CHECK_OK(mp_connection_free(other));
    /* In the middle of a message it belongs to who receives that. */
    raw_write(h.raw, "\0\0\0\5ab", 6);
    CHECK_STATUS(mp_connection_recv(h.c, room, 5, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(SEND(a, NULL, 0, MP_NO_WAIT, h.c), MP_ERR_STATE);
    CHECK_STATUS(mp_connection_poll(b, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_free(one));
    CHECK_OK(mp_connection_free(closed));
    half_free(h);
}

/* No room for what comes: it waits, however often it is asked for, and others are not in its way before it. */
TEST(connection, passed_to_a_full_table)
{
    mp_connection *a, *b, *one, *other, *c;
    mp_value *v = flag_new();
    mp_buffer *m;
    int i, fd;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_pipe_new(&one, &other, NULL));
    CHECK_OK(SEND(a, "two", 3, MP_NO_WAIT, other, v, other));
    CHECK_OK(mp_connection_send_fd(a, 0, MP_NO_WAIT));
    CHECK_OK(mp_connection_free(other));
    for (i = 0; i < 3; i++) {
        fill_descriptors(i == 0 ? 0 : 1);
        CHECK_SENTENCE(mp_connection_recv_buffer(b, &m, 3, NULL, MP_NO_WAIT), MP_ERR_OS, "they wait");
        release_descriptors();
    }
    fill_descriptors(2);
    CHECK_OK(mp_connection_recv_buffer(b, &m, 3, NULL, MP_NO_WAIT));
    CHECK_NULL(mp_buffer_handle(m, 2));
    CHECK_STATUS(mp_connection_recv_fd(b, &fd, MP_NO_WAIT), MP_ERR_OS);
    release_descriptors();
    c = handle_of(m, 2);
    CHECK_OK(mp_buffer_free(m));
    CHECK_OK(mp_connection_recv_fd(b, &fd, MP_NO_WAIT));
    CHECK(close(fd) == 0);
    send_text(one, "through");
    recv_text(c, "through");
    CHECK_OK(mp_connection_free(c));
    eof(one);
    /* Nor for what goes. */
    fill_descriptors(0);
    CHECK_STATUS(SEND(a, NULL, 0, MP_NO_WAIT, one), MP_ERR_OS);
    release_descriptors();
    CHECK_STATUS(mp_connection_poll(b, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_free(one));
    CHECK_OK(mp_value_free(v));
}

/* ---- nobody receives it ---- */

static int passes_and_ends(mp_child *self, void *user)
{
    mp_connection *to = mp_child_connection(self, 0), *c = mp_child_connection(self, 1);

    CHECK(user == NULL);
    CHECK_OK(SEND(to, "one", 3, MP_FOREVER, c));
    CHECK_OK(SEND(to, "another", 7, MP_FOREVER, c));
    if (child_number(self, 2))
        kill(getpid(), SIGKILL);
    return 0;
}

static int takes_one_and_ends(mp_child *self, void *user)
{
    mp_connection *c;

    CHECK(user == NULL);
    c = handle_of(got(mp_child_connection(self, 0), 1), 0);
    send_text(c, "taken");
    if (child_number(self, 1))
        kill(getpid(), SIGKILL);
    return 0;
}

/* One of two was received, and then all are gone that had any of it. */
TEST(connection, passed_to_nobody)
{
    uint64_t blocks = stats_now().blocks;
    int killed;

    for (killed = 0; killed < 2; killed++) {
        mp_connection *from, *to, *mine, *passed;
        mp_process *first, *second;

        CHECK_OK(mp_pipe_new(&from, &to, NULL));
        CHECK_OK(mp_pipe_new(&mine, &passed, NULL));
        CHECK_OK(mp_process_new(&first, passes_and_ends, NULL, NULL));
        CHECK_OK(mp_process_add_handle(first, from));
        CHECK_OK(mp_process_add_handle(first, passed));
        child_add_number(first, killed);
        CHECK_OK(mp_process_new(&second, takes_one_and_ends, NULL, NULL));
        CHECK_OK(mp_process_add_handle(second, to));
        child_add_number(second, killed);
        CHECK_OK(mp_process_start(first));
        CHECK_OK(mp_process_start(second));
        CHECK_OK(mp_connection_free(from));
        CHECK_OK(mp_connection_free(to));
        CHECK_OK(mp_connection_free(passed));
        CHECK_INT(child_end(first), killed ? -SIGKILL : 0);
        CHECK_INT(child_end(second), killed ? -SIGKILL : 0);
        recv_text(mine, "taken");
        eof(mine);
        CHECK_OK(mp_connection_free(mine));
        CHECK_INT(stats_now().blocks, blocks);
    }
}

/* A pipe in a pipe, and so on, as deep as the kernel allows; with the outermost all of them go. */
TEST(connection, passed_in_each_other)
{
    uint64_t blocks = stats_now().blocks;
    int fds = open_descriptors();
    mp_connection *first, *inner, *outer, *goes;
    mp_queue *q;
    int depth, s = MP_OK;

    CHECK_OK(mp_pipe_new(&first, &inner, NULL));
    for (depth = 0; depth < 20 && s == MP_OK; depth++) {
        CHECK_OK(mp_pipe_new(&outer, &goes, NULL));
        CHECK_OK(mp_queue_new(&q, NULL));
        s = CHECK_CLEAN(SEND(outer, NULL, 0, MP_NO_WAIT, inner, q));
        CHECK_OK(mp_queue_free(q));
        CHECK_OK(mp_connection_free(outer));
        CHECK_OK(mp_connection_free(inner));
        inner = goes;
    }
    CHECK(depth >= 3);
    CHECK_OK(mp_connection_free(inner));
    eof(first);
    CHECK_OK(mp_connection_free(first));
    CHECK_INT(stats_now().blocks, blocks);
    CHECK_INT(open_descriptors(), fds);
}

static int passes_on(mp_child *self, void *user)
{
    mp_connection *from = mp_child_connection(self, 0), *to = mp_child_connection(self, 1);
    mp_buffer *b;

    CHECK(user == NULL);
    while (mp_connection_recv_buffer(from, &b, SIZE_MAX, NULL, MP_FOREVER) == MP_OK) {
        CHECK_OK(SEND(to, mp_buffer_data(b, NULL), sizeof(int), MP_FOREVER, handle_of(b, 0)));
        CHECK_OK(mp_buffer_free(b));
    }
    return 0;
}

/* More than can be on the way, between messages and descriptors, through a process that hands them on. */
TEST(connection, passed_one_behind_the_other)
{
    mp_connection *to, *theirs_to, *from, *theirs_from, *a, *b;
    mp_process *p;
    int i, k;

    CHECK_OK(mp_pipe_new(&to, &theirs_to, NULL));
    CHECK_OK(mp_pipe_new(&from, &theirs_from, NULL));
    p = CHILD_START(passes_on, theirs_to, theirs_from);
    CHECK_OK(mp_connection_free(theirs_to));
    CHECK_OK(mp_connection_free(theirs_from));
    for (i = 0; i < 20; i++) {
        mp_connection *mine[10];

        for (k = 0; k < 10; k++) {
            CHECK_OK(mp_pipe_new(&mine[k], &b, NULL));
            CHECK_OK(SEND(to, &k, sizeof k, MP_FOREVER, b));
            CHECK_OK(mp_connection_free(b));
        }
        for (k = 0; k < 10; k++) {
            mp_buffer *m = got(from, 1);

            CHECK(memcmp(mp_buffer_data(m, NULL), &k, sizeof k) == 0);
            a = handle_of(m, 0);
            CHECK_OK(mp_buffer_free(m));
            send_text(a, "far away");
            recv_text(mine[k], "far away");
            CHECK_OK(mp_connection_free(a));
        }
        for (k = 0; k < 10; k++)
            CHECK_OK(mp_connection_free(mine[k]));
    }
    CHECK_OK(mp_connection_free(to));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(from));
}
