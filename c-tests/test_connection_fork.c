/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections in forks that the program makes itself: each has its copy, as of a descriptor. */
#include "test_connection_fork.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct pair {
    mp_connection *a, *b;
} pair;

static pair pair_new(void)
{
    pair p;

    CHECK_OK(mp_pipe_new(&p.a, &p.b, NULL));
    return p;
}

static void pair_free(pair p)
{
    CHECK_OK(mp_connection_free(p.a));
    CHECK_OK(mp_connection_free(p.b));
}

void is_at_its_end(mp_connection *c)
{
    char byte;

    CHECK_STATUS(mp_connection_recv(c, &byte, 1, NULL, MP_FOREVER), MP_ERR_EOF);
}

/* ---- pipes ---- */

static int echoes_until_the_end(void *arg)
{
    pair *p = arg;
    char room[40];
    size_t len;

    CHECK_OK(mp_connection_free(p->a));
    CHECK_STATUS(mp_connection_free(p->a), MP_ERR_BAD_HANDLE);
    while (mp_connection_recv(p->b, room, sizeof room, &len, MP_FOREVER) == MP_OK)
        CHECK_OK(mp_connection_send(p->b, room, len, MP_FOREVER));
    is_at_its_end(p->b);
    CHECK_OK(mp_connection_free(p->b));
    return 5;
}

/* As with pipe(2): each side closes what is the other's, and the end comes. */
TEST(connection, a_fork_of_the_programs_own_has_a_copy)
{
    pair p = pair_new();
    pid_t child = fork_begin(echoes_until_the_end, &p);

    CHECK_OK(mp_connection_free(p.b));
    send_text(p.a, "down and up");
    recv_text(p.a, "down and up");
    CHECK_OK(mp_connection_free(p.a));
    CHECK_INT(fork_end(child), 5);
}

static int says_and_is_killed(void *arg)
{
    send_text(((pair *)arg)->b, "last");
    raise(SIGKILL);
    return 0;
}

TEST(connection, a_fork_that_is_killed_is_the_end)
{
    pair p = pair_new();
    pid_t child = fork_begin(says_and_is_killed, &p);

    CHECK_OK(mp_connection_free(p.b));
    recv_text(p.a, "last");
    is_at_its_end(p.a);
    CHECK_INT(fork_end(child), -SIGKILL);
    CHECK_OK(mp_connection_free(p.a));
}

static int closes_and_frees(void *arg)
{
    pair *p = arg;
    bool closed;

    CHECK_OK(mp_connection_close(p->a));
    CHECK_OK(mp_connection_closed(p->a, &closed));
    CHECK(closed);
    CHECK_OK(mp_connection_free(p->a));
    CHECK_OK(mp_connection_free(p->b));
    return 0;
}

/* What a fork does to its copies is nothing to its parent's. */
TEST(connection, a_forks_copies_are_its_own)
{
    pair p = pair_new();

    CHECK_INT(in_fork(closes_and_frees, &p), 0);
    send_text(p.a, "still here");
    recv_text(p.b, "still here");
    pair_free(p);
}

static int gets_what_is_left(void *arg)
{
    mp_connection *b = ((pair *)arg)->b;
    struct pollfd polled = {0, POLLIN, 0};
    mp_wait_item item = {b, 0, false};
    bool can;

    CHECK_OK(mp_connection_fileno(b, &polled.fd));
    CHECK_INT(poll(&polled, 1, -1), 1);
    CHECK_OK(mp_wait(&item, 1, NULL, MP_FOREVER));
    recv_text(b, "second");
    CHECK_OK(mp_connection_poll(b, MP_FOREVER));
    recv_text(b, "third");
    CHECK_STATUS(mp_connection_poll(b, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_INT(poll(&polled, 1, 0), 0);
    CHECK_OK(mp_connection_writable(b, &can));
    CHECK(can);
    send_text(b, "back");
    return 0;
}

TEST(connection, a_fork_goes_on_where_its_parent_was)
{
    pair p = pair_new();

    send_text(p.a, "first");
    send_text(p.a, "second");
    send_text(p.a, "third");
    recv_text(p.b, "first");
    CHECK_INT(in_fork(gets_what_is_left, &p), 0);
    recv_text(p.a, "back");
    pair_free(p);
}

static int sends_behind_its_parent(void *arg)
{
    mp_connection *b = ((pair *)arg)->b;

    CHECK_SENTENCE(mp_connection_send(b, "x", 1, MP_NO_WAIT), MP_ERR_TIMEOUT, "another process");
    send_text(b, "a fork's");
    return 0;
}

/* A message that the parent was in the middle of goes on; the fork's comes behind it. */
TEST(connection, a_fork_waits_for_its_parents_message)
{
    enum { LONG = 300000 };
    char *large = pattern_new(LONG, 1), *room = malloc(LONG);
    pair p = pair_new();
    bool sent = false;
    pid_t child;

    CHECK(room != NULL);
    CHECK_STATUS(mp_connection_send(p.b, large, LONG, MP_NO_WAIT), MP_ERR_TIMEOUT);
    child = fork_begin(sends_behind_its_parent, &p);
    while (mp_connection_recv(p.a, room, LONG, NULL, MP_MS(1)) == MP_ERR_TIMEOUT)
        sent = sent || mp_connection_send(p.b, large, LONG, MP_NO_WAIT) == MP_OK;
    if (!sent)
        CHECK_OK(mp_connection_send(p.b, large, LONG, MP_FOREVER));
    pattern_same(room, LONG, 1);
    recv_text(p.a, "a fork's");
    CHECK_INT(fork_end(child), 0);
    free(large);
    free(room);
    pair_free(p);
}

static void *receives_for_ever(void *connection)
{
    recv_text(connection, "for the thread");
    return NULL;
}

static int has_it_without_the_thread(void *arg)
{
    send_text(((pair *)arg)->b, "from the fork");
    return 0;
}

/* Another thread was at work with the end when the process was forked. */
TEST(connection, a_fork_beside_a_thread_that_receives)
{
    pair p = pair_new();
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, receives_for_ever, p.b) == 0);
    sleep_ms(20);
    CHECK_INT(in_fork(has_it_without_the_thread, &p), 0);
    recv_text(p.a, "from the fork");
    send_text(p.a, "for the thread");
    CHECK(pthread_join(thread, NULL) == 0);
    pair_free(p);
}

static int speaks_one_way(void *arg)
{
    pair *p = arg;

    CHECK_SENTENCE(mp_connection_send(p->a, "x", 1, MP_FOREVER), MP_ERR_STATE, "only receives");
    CHECK_STATUS(mp_connection_poll(p->b, MP_NO_WAIT), MP_ERR_STATE);
    send_text(p->b, "this way");
    recv_text(p->a, "this way");
    return 0;
}

TEST(connection, a_forks_copies_of_a_one_way_pipe)
{
    mp_pipe_options o = MP_PIPE_OPTIONS;
    pair p;

    o.duplex = false;
    CHECK_OK(mp_pipe_new(&p.a, &p.b, &o));
    CHECK_INT(in_fork(speaks_one_way, &p), 0);
    pair_free(p);
}

static int forks_at_once(void *arg)
{
    return in_fork(has_it_without_the_thread, arg);
}

static int forks_then(void *arg)
{
    pair *p = arg;

    recv_text(p->a, "before");
    return in_fork(has_it_without_the_thread, p);
}

TEST(connection, a_fork_of_a_fork)
{
    pair p = pair_new();

    CHECK_INT(in_fork(forks_at_once, &p), 0);
    recv_text(p.a, "from the fork");
    send_text(p.b, "before");
    CHECK_INT(in_fork(forks_then, &p), 0);
    recv_text(p.a, "from the fork");
    pair_free(p);
}

static int echoes_one(mp_child *self, void *user)
{
    (void)user;
    recv_text(mp_child_connection(self, 0), "down");
    send_text(mp_child_connection(self, 0), "up");
    return 0;
}

static int hands_it_on(void *arg)
{
    pair *p = arg;
    pair other = pair_new();
    mp_process *process = CHILD_START(echoes_one, p->b);
    const void *handles[] = {p->b};

    send_text(p->a, "down");
    recv_text(p->a, "up");
    CHECK_INT(child_end(process), 0);
    CHECK_OK(mp_connection_send_handles(other.a, "b", 1, handles, 1, MP_FOREVER));
    {
        mp_connection *again;
        mp_buffer *buffer;

        CHECK_OK(mp_connection_recv_buffer(other.b, &buffer, SIZE_MAX, NULL, MP_FOREVER));
        again = mp_buffer_handle(buffer, 0);
        send_text(again, "once more");
        recv_text(p->a, "once more");
        CHECK_OK(mp_connection_free(again));
        CHECK_OK(mp_buffer_free(buffer));
    }
    pair_free(other);
    return 0;
}

TEST(connection, a_fork_hands_its_copy_on)
{
    pair p = pair_new();

    CHECK_INT(in_fork(hands_it_on, &p), 0);
    pair_free(p);
}

/* ---- what a fork does not have ---- */

static int has_none(void *arg)
{
    mp_connection *c = arg;
    const char *why = "not handed over";
    bool answer;
    char byte;
    int fd;

    CHECK_SENTENCE(mp_connection_send(c, "x", 1, MP_NO_WAIT), MP_ERR_STATE, why);
    CHECK_SENTENCE(mp_connection_recv(c, &byte, 1, NULL, MP_NO_WAIT), MP_ERR_STATE, why);
    CHECK_SENTENCE(mp_connection_fileno(c, &fd), MP_ERR_STATE, why);
    CHECK_STATUS(mp_connection_readable(c, &answer), MP_ERR_STATE);
    CHECK_STATUS(mp_connection_writable(c, &answer), MP_ERR_STATE);
    CHECK_STATUS(mp_connection_closed(c, &answer), MP_ERR_STATE);
    CHECK_STATUS(mp_connection_close(c), MP_ERR_STATE);
    CHECK_STATUS(mp_connection_free(c), MP_ERR_STATE);
    return 0;
}

static int has_none_either(mp_child *self, void *user)
{
    mp_connection *given = mp_child_connection(self, 0), *c = *(mp_connection **)user;
    int fds[2];

    CHECK_INT(has_none(c), 0);
    /* Wherever there is another descriptor of the same file now. */
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    CHECK_INT(has_none(c), 0);
    close(fds[0]);
    close(fds[1]);
    send_text(given, "handed over");
    return 0;
}

/* Closed before; and in a child that libmp started, which has what it was handed, and under another handle. */
TEST(connection, what_was_closed_or_not_handed_over)
{
    static mp_connection *theirs;
    pair p = pair_new();
    mp_process *process;

    theirs = p.b;
    if (strcmp(test_start_method(), "fork") == 0) {
        CHECK_OK(mp_process_new(&process, has_none_either, &theirs, NULL));
        CHECK_OK(mp_process_add_handle(process, p.b));
        CHECK_OK(mp_process_start(process));
        recv_text(p.a, "handed over");
        CHECK_INT(child_end(process), 0);
    }
    CHECK_OK(mp_connection_close(p.b));
    CHECK_INT(in_fork(has_none, p.b), 0);
    pair_free(p);
}

/* ---- sockets ---- */

static int uses_a_socket(void *arg)
{
    mp_connection *c = arg;
    char room[10];

    recv_text(c, "for the");
    CHECK_STATUS(mp_connection_send(c, "too long", 8, MP_FOREVER), MP_ERR_INVALID);
    send_text(c, "back");
    CHECK_STATUS(mp_connection_recv(c, room, sizeof room, NULL, MP_FOREVER), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EBADMSG);
    return 0;
}

/* Its limit goes along. */
TEST(connection, a_forks_copy_of_a_socket)
{
    mp_connection_options o = MP_CONNECTION_OPTIONS;
    mp_connection *a, *b;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    CHECK_OK(mp_connection_from_fd(&a, fds[0], NULL));
    o.max_message = 7;
    CHECK_OK(mp_connection_from_fd(&b, fds[1], &o));
    raw_write(fds[0], "\0\0\0\7for the", 11);
    send_text(a, "12345678");
    CHECK_INT(in_fork(uses_a_socket, b), 0);
    recv_text(a, "back");
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

static int goes_on_the_other_way(void *arg)
{
    mp_connection *c = arg;
    char room[10];
    int fd;

    CHECK_SENTENCE(mp_connection_recv(c, room, sizeof room, NULL, MP_NO_WAIT), MP_ERR_STATE, "was forked");
    CHECK_STATUS(mp_connection_recv_fd(c, &fd, MP_NO_WAIT), MP_ERR_STATE);
    send_text(c, "the other way");
    CHECK_OK(mp_connection_free(c));
    return 0;
}

static int sends_no_more(void *arg)
{
    mp_connection *c = arg;

    CHECK_SENTENCE(mp_connection_send(c, "x", 1, MP_NO_WAIT), MP_ERR_STATE, "was forked");
    CHECK_STATUS(mp_connection_send_fd(c, 0, MP_NO_WAIT), MP_ERR_STATE);
    recv_text(c, "the other way");
    CHECK_OK(mp_connection_free(c));
    return 0;
}

enum { LARGE = 1 << 20 };

static void *reads_it_all(void *raw)
{
    static char room[4 + LARGE];

    CHECK(raw_read(*(int *)raw, room, sizeof room) && memcmp(room, "\0\20\0\0", 4) == 0);
    pattern_same(room + 4, LARGE, 1);
    return NULL;
}

/* A message that the parent was in the middle of stays its own. */
TEST(connection, a_fork_in_the_middle_of_a_sockets_message)
{
    half h = half_new();
    char *large = pattern_new(LARGE, 1), text[17];
    pthread_t thread;

    raw_write(h.raw, "\0\0\0\5he", 6);
    CHECK_STATUS(mp_connection_recv(h.c, text, sizeof text, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_INT(in_fork(goes_on_the_other_way, h.c), 0);
    CHECK(raw_read(h.raw, text, 17) && memcmp(text, "\0\0\0\15the other way", 17) == 0);
    raw_write(h.raw, "llo", 3);
    recv_text(h.c, "hello");

    CHECK_STATUS(mp_connection_send(h.c, large, LARGE, MP_NO_WAIT), MP_ERR_TIMEOUT);
    raw_frame(h.raw, "the other way", 13);
    CHECK_INT(in_fork(sends_no_more, h.c), 0);
    CHECK(pthread_create(&thread, NULL, reads_it_all, &h.raw) == 0);
    CHECK_OK(mp_connection_send(h.c, large, LARGE, MP_FOREVER));
    CHECK(pthread_join(thread, NULL) == 0);
    free(large);
    half_free(h);
}

static int finds_it_in_use(void *arg)
{
    char byte;

    CHECK_SENTENCE(mp_connection_recv(arg, &byte, 1, NULL, MP_NO_WAIT), MP_ERR_STATE, "was forked");
    send_text(arg, "out");
    return 0;
}

TEST(connection, a_fork_beside_a_thread_that_receives_from_a_socket)
{
    half h = half_new();
    pthread_t thread;
    char text[7];

    CHECK(pthread_create(&thread, NULL, receives_for_ever, h.c) == 0);
    sleep_ms(20);
    CHECK_INT(in_fork(finds_it_in_use, h.c), 0);
    CHECK(raw_read(h.raw, text, 7) && memcmp(text, "\0\0\0\3out", 7) == 0);
    raw_frame(h.raw, "for the thread", 14);
    CHECK(pthread_join(thread, NULL) == 0);
    half_free(h);
}
