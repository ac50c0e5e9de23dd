/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections, listeners and descriptors that go to other processes. */
#include "test_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int echoes(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    mp_buffer *b;
    size_t len;

    (void)user;
    CHECK(c != NULL);
    CHECK(mp_child_connection(self, 0) == c);
    CHECK_NULL(mp_child_listener(self, 0));
    CHECK_NULL(mp_child_lock(self, 0));
    CHECK_NULL(mp_child_bytes(self, 0, NULL));
    CHECK_NULL(mp_child_connection(self, 1));
    while (mp_connection_recv_buffer(c, &b, SIZE_MAX, &len, MP_FOREVER) == MP_OK) {
        CHECK_OK(mp_connection_send(c, mp_buffer_data(b, NULL), len, MP_FOREVER));
        CHECK_OK(mp_buffer_free(b));
    }
    CHECK_CONTAINS(mp_last_error(), "was closed");
    return 0;
}

TEST(connection, in_a_child)
{
    static const size_t lengths[] = {0, 1, 100000, 0, 3 << 20};
    mp_connection *a, *b;
    mp_process *p;
    size_t i, len;
    char *room = malloc(3 << 20);

    CHECK(room != NULL);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(echoes, b);
    CHECK_OK(mp_connection_free(b));
    for (i = 0; i < COUNT(lengths); i++) {
        void *data = pattern_new(lengths[i], (unsigned)i);

        CHECK_OK(mp_connection_send(a, data, lengths[i], MP_FOREVER));
        CHECK_OK(mp_connection_recv(a, room, 3 << 20, &len, MP_FOREVER));
        CHECK_INT(len, lengths[i]);
        pattern_same(room, len, (unsigned)i);
        free(data);
    }
    CHECK_OK(mp_connection_free(a));
    CHECK_INT(child_end(p), 0);
    free(room);
}

/* Each child has one end of a pipe of its own and sees its end as soon as the parent closes the other one, while the
 * other children still run: so none of them has anything of the others'. */
TEST(connection, five_children_hold_what_they_were_handed)
{
    mp_connection *a[5], *b[5];
    mp_process *p[5];
    int i;

    for (i = 0; i < 5; i++)
        CHECK_OK(mp_pipe_new(&a[i], &b[i], NULL));
    for (i = 0; i < 5; i++)
        p[i] = CHILD_START(echoes, b[i]);
    for (i = 0; i < 5; i++)
        CHECK_OK(mp_connection_free(b[i]));
    for (i = 0; i < 5; i++) {
        send_text(a[i], "hello");
        recv_text(a[i], "hello");
        CHECK_OK(mp_connection_free(a[i]));
        CHECK_INT(child_end(p[i]), 0);
    }
}

/* The other way round: the parent sees the end when the only child that has it is gone. */
static int says_and_leaves(mp_child *self, void *user)
{
    (void)user;
    send_text(mp_child_connection(self, 0), "bye");
    return 0;
}

static int stays(mp_child *self, void *user)
{
    char c;

    (void)user;
    CHECK_STATUS(mp_connection_recv(mp_child_connection(self, 0), &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    return 0;
}

TEST(connection, a_child_that_is_gone_is_the_end)
{
    mp_connection *a, *b, *x, *y;
    mp_process *p, *other;
    char c;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_pipe_new(&x, &y, NULL));
    p = CHILD_START(says_and_leaves, b);
    other = CHILD_START(stays, y);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_free(y));
    recv_text(a, "bye");
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(x));
    CHECK_INT(child_end(other), 0);
    CHECK_OK(mp_connection_free(a));
}

/* A process that was not started gives back what it was given. */
TEST(connection, a_process_that_is_not_started_lets_go)
{
    mp_connection *a, *b;
    mp_process *p;
    char c;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_process_new(&p, echoes, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, b));
    CHECK_OK(mp_connection_free(b));
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_process_free(p));
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(a));
}

static int answers_here(mp_child *self, void *user)
{
    (void)user;
    recv_text(mp_child_connection(self, 0), "here");
    send_text(mp_child_connection(self, 0), "there");
    return 0;
}

TEST(connection, in_a_run_in_place)
{
    mp_connection *a, *b;
    mp_process *p;
    char c;
    int code;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_process_new(&p, answers_here, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, b));
    CHECK_OK(mp_connection_free(b));
    send_text(a, "here");
    CHECK_OK(mp_process_run(p, &code));
    CHECK_INT(code, 0);
    recv_text(a, "there");
    CHECK_OK(mp_process_free(p));
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(a));
}

TEST(connection, that_cannot_be_handed_on)
{
    half h = half_new();
    mp_process *p;
    char room[10];

    CHECK_OK(mp_process_new(&p, echoes, NULL, NULL));
    raw_write(h.raw, "\0\0\0", 3);
    CHECK_STATUS(mp_connection_recv(h.c, room, 10, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_SENTENCE(mp_process_add_handle(p, h.c), MP_ERR_STATE, "in the middle of a message");
    raw_write(h.raw, "\0", 1);
    CHECK_OK(mp_connection_recv(h.c, room, 10, NULL, MP_NO_WAIT));
    CHECK_OK(mp_process_add_handle(p, h.c));
    fill_descriptors(0);
    CHECK_STATUS(mp_process_add_handle(p, h.c), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EMFILE);
    release_descriptors();
    CHECK_OK(mp_connection_close(h.c));
    CHECK_STATUS(mp_process_add_handle(p, h.c), MP_ERR_CLOSED);
    CHECK_OK(mp_process_free(p));
    half_free(h);
}

static int uses_all_its_ends(mp_child *self, void *user)
{
    size_t i, n = mp_child_count(self);

    (void)user;
    for (i = 0; i < n; i++)
        send_text(mp_child_connection(self, i), "x");
    return 0;
}

/* More than one message between processes has room for (SCM_MAX_FD). */
TEST(connection, many_for_one_child)
{
    enum { MANY = 300 };
    mp_connection *a[MANY], *b;
    mp_process *p;
    int i;

    CHECK_OK(mp_process_new(&p, uses_all_its_ends, NULL, NULL));
    for (i = 0; i < MANY; i++) {
        CHECK_OK(mp_pipe_new(&a[i], &b, NULL));
        CHECK_OK(mp_process_add_handle(p, b));
        CHECK_OK(mp_connection_free(b));
    }
    CHECK_OK(mp_process_start(p));
    for (i = 0; i < MANY; i++)
        recv_text(a[i], "x");
    CHECK_INT(child_end(p), 0);
    for (i = 0; i < MANY; i++)
        CHECK_OK(mp_connection_free(a[i]));
}

static int passes_it_on(mp_child *self, void *user)
{
    mp_process *p;

    (void)user;
    p = CHILD_START(echoes, mp_child_connection(self, 0));
    CHECK_OK(mp_connection_free(mp_child_connection(self, 0)));
    return child_end(p);
}

TEST(connection, in_a_grandchild)
{
    mp_connection *a, *b;
    mp_process *p;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(passes_it_on, b);
    CHECK_OK(mp_connection_free(b));
    send_text(a, "down and up");
    recv_text(a, "down and up");
    CHECK_OK(mp_connection_free(a));
    CHECK_INT(child_end(p), 0);
}

/* ---- descriptors ---- */

static int writes_where_it_is_told(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    int fd;

    (void)user;
    recv_text(c, "before");
    CHECK_OK(mp_connection_recv_fd(c, &fd, MP_FOREVER));
    CHECK(fd > 2);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    recv_text(c, "after");
    CHECK(write(fd, "done", 4) == 4);
    close(fd);
    return 0;
}

TEST(connection, a_descriptor_goes_to_a_child)
{
    mp_connection *a, *b;
    mp_process *p;
    char room[10];
    int fds[2];

    CHECK(pipe(fds) == 0);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(writes_where_it_is_told, b);
    CHECK_OK(mp_connection_free(b));
    send_text(a, "before");
    CHECK_OK(mp_connection_send_fd(a, fds[1], MP_FOREVER));
    send_text(a, "after");
    close(fds[1]);
    CHECK_INT(read(fds[0], room, sizeof room), 4);
    CHECK_INT(child_end(p), 0);
    /* Nobody has the other end any more. */
    CHECK_INT(read(fds[0], room, sizeof room), 0);
    close(fds[0]);
    CHECK_OK(mp_connection_free(a));
}

TEST(connection, a_connection_goes_through_a_connection)
{
    mp_connection *a, *b, *z;
    half h = half_new();
    int fd;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_send_fd(a, h.raw, MP_FOREVER));
    CHECK_OK(mp_connection_recv_fd(b, &fd, MP_FOREVER));
    CHECK_OK(mp_connection_from_fd(&z, fd, NULL));
    send_text(h.c, "through both");
    recv_text(z, "through both");
    /* What a pipe stands on is no connection by itself. */
    CHECK_OK(mp_connection_fileno(b, &fd));
    CHECK_STATUS(mp_connection_from_fd(&z, fd, NULL), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_free(z));
    half_free(h);
}

TEST(connection, messages_and_descriptors_are_not_taken_for_each_other)
{
    mp_connection *a, *b;
    char c[10];
    int fd;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_STATUS(mp_connection_recv_fd(b, &fd, MP_NO_WAIT), MP_ERR_TIMEOUT);
    send_text(a, "message");
    CHECK_OK(mp_connection_send_fd(a, 0, MP_FOREVER));
    send_text(a, "another");
    CHECK_SENTENCE(mp_connection_recv_fd(b, &fd, MP_FOREVER), MP_ERR_STATE, "a message of 7 bytes");
    recv_text(b, "message");
    CHECK_SENTENCE(mp_connection_recv(b, c, 10, NULL, MP_FOREVER), MP_ERR_STATE, "is a descriptor");
    CHECK_OK(mp_connection_poll(b, MP_NO_WAIT));
    CHECK_OK(mp_connection_recv_fd(b, &fd, MP_FOREVER));
    close(fd);
    recv_text(b, "another");
    CHECK_STATUS(mp_connection_send_fd(a, -1, MP_FOREVER), MP_ERR_OS);
    CHECK_STATUS(mp_connection_send_fd(a, 99999, MP_FOREVER), MP_ERR_OS);
    CHECK_STATUS(mp_connection_recv_fd(b, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_OK(mp_connection_free(a));
    CHECK_STATUS(mp_connection_recv_fd(b, &fd, MP_FOREVER), MP_ERR_EOF);
    CHECK_STATUS(mp_connection_send_fd(b, 0, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(b));
}

TEST(connection, a_descriptor_that_there_is_no_room_for)
{
    mp_connection *a, *b;
    int fd, ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_send_fd(a, 0, MP_FOREVER));
    fill_descriptors(0);
    CHECK_SENTENCE(mp_connection_recv_fd(b, &fd, MP_FOREVER), MP_ERR_OS, "no room");
    CHECK_SENTENCE(mp_connection_recv_fd(b, &fd, MP_FOREVER), MP_ERR_OS, "they wait");
    release_descriptors();
    CHECK_OK(mp_connection_recv_fd(b, &fd, MP_FOREVER));
    close(fd);
    CHECK_STATUS(mp_connection_recv_fd(b, &fd, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));

    /* Over a socket it is lost. */
    CHECK_OK(mp_connection_from_fd(&a, ends[0], NULL));
    CHECK_OK(mp_connection_from_fd(&b, ends[1], NULL));
    CHECK_OK(mp_connection_send_fd(a, 0, MP_FOREVER));
    CHECK_OK(mp_connection_send_fd(a, 0, MP_FOREVER));
    fill_descriptors(0);
    CHECK_SENTENCE(mp_connection_recv_fd(b, &fd, MP_FOREVER), MP_ERR_OS, "no room for one more");
    release_descriptors();
    CHECK_OK(mp_connection_recv_fd(b, &fd, MP_FOREVER));
    close(fd);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* What comes where nothing of that kind is expected is closed: the runner counts descriptors. */
TEST(connection, descriptors_in_the_middle_of_a_message)
{
    half h = half_new();
    struct msghdr m = {0};
    struct iovec io = {"\0\0\0\2hi", 6};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(3 * sizeof(int))];
    } control;
    int fds[3] = {0, 0, 0}, before = open_descriptors();

    raw_write(h.raw, "\0\0\0\0\0\0", 6);
    m.msg_iov = &io;
    m.msg_iovlen = 1;
    m.msg_control = &control;
    m.msg_controllen = sizeof control.room;
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
    CHECK(sendmsg(h.raw, &m, 0) == 6);
    recv_text(h.c, "");
    /* Zero, zero and the first two bytes of what brought the descriptors: another empty message. */
    recv_text(h.c, "");
    CHECK_INT(open_descriptors(), before);
    half_free(h);
}

/* ---- listeners ---- */

static int accepts_one(mp_child *self, void *user)
{
    mp_listener *l = mp_child_listener(self, 0);
    mp_connection *c;

    (void)user;
    CHECK(l != NULL);
    CHECK_NULL(mp_child_connection(self, 0));
    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    send_text(c, "from the child");
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_free(l));
    return 0;
}

TEST(listener, in_a_child)
{
    mp_listener *l = listener_new("./socket", "a key");
    mp_connection *c;
    mp_process *p;
    int round;

    /* The child's end takes no file along. */
    for (round = 0; round < 2; round++) {
        p = CHILD_START(accepts_one, l);
        c = client_new("./socket", "a key");
        recv_text(c, "from the child");
        CHECK_OK(mp_connection_free(c));
        CHECK_INT(child_end(p), 0);
        CHECK(access("./socket", F_OK) == 0);
    }
    CHECK_OK(mp_listener_free(l));
    CHECK(access("./socket", F_OK) < 0);
}

static int calls_itself(mp_child *self, void *user)
{
    mp_listener *l = mp_child_listener(self, 0);
    caller c;

    (void)user;
    CHECK(l != NULL);
    call(&c, address_of(l).text, "a key", MP_OK);
    lets_in(l);
    called(&c);
    return 0;
}

/* Who was handed a listener is not who made it, and may be its own client. */
TEST(listener, in_a_child_that_is_its_own_client)
{
    static const char *const at[] = {NULL, "./socket", "127.0.0.1:0"};
    size_t i;

    for (i = 0; i < COUNT(at); i++) {
        mp_listener *l = listener_new(at[i], "a key");
        mp_process *p = CHILD_START(calls_itself, l);

        CHECK_INT(child_end(p), 0);
        CHECK_OK(mp_listener_free(l));
    }
}
