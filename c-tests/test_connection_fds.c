/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Descriptors of the program's that go with a message through a pipe, beside handles. */
#include "test_connection.h"
#include "test_nouns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 253 };

#define FDS(...) (const int[]){__VA_ARGS__}, COUNT(((const int[]){__VA_ARGS__}))

static mp_buffer *got(mp_connection *c, size_t handles, size_t fds)
{
    mp_buffer *b = NULL;

    CHECK_OK(mp_connection_recv_buffer(c, &b, SIZE_MAX, NULL, MP_FOREVER));
    CHECK_INT(mp_buffer_handles(b), handles);
    CHECK_INT(mp_buffer_fds(b), fds);
    return b;
}

static int fd_of(mp_buffer *b, size_t index)
{
    int fd = -1;

    CHECK_OK(mp_buffer_fd(b, index, &fd));
    CHECK(fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    return fd;
}

static void writes_and_closes(int fd, char what)
{
    CHECK(write(fd, &what, 1) == 1);
    close(fd);
}

static int writes_to_all(mp_child *self, void *user)
{
    mp_buffer *b = got(mp_child_connection(self, 0), 2, 2);
    mp_connection *c = handle_of(b, 1);
    mp_value *flag = handle_of(b, 0);
    int fd;

    (void)user;
    CHECK(memcmp(mp_buffer_data(b, NULL), "mixed", 5) == 0);
    CHECK_NULL(mp_buffer_handle(b, 2));
    CHECK_STATUS(mp_buffer_fd(b, 2, &fd), MP_ERR_INVALID);
    flag_set(flag, 5);
    send_text(c, "through");
    writes_and_closes(fd_of(b, 1), '1');
    writes_and_closes(fd_of(b, 0), '0');
    /* Another one at each call. */
    writes_and_closes(fd_of(b, 0), 'o');
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_buffer_free(b));
    return 0;
}

static void reads(int fd, const char *text)
{
    char room[10];
    size_t have = 0;

    while (have < strlen(text)) {
        ssize_t n = read(fd, room + have, strlen(text) - have);

        CHECK(n > 0);
        have += (size_t)n;
    }
    CHECK(memcmp(room, text, have) == 0);
    /* Nobody has the other end any more. */
    CHECK_INT(read(fd, room, 1), 0);
}

TEST(connection, descriptors_beside_handles)
{
    int before = open_descriptors(), first[2], second[2];
    mp_connection *mine, *childs, *a, *b;
    mp_value *flag = flag_new();
    mp_process *p;
    char c;

    CHECK(pipe(first) == 0 && pipe(second) == 0);
    CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_send_fds(mine, "mixed", 5, (const void *const[]){flag, b}, 2,
                                    FDS(first[1], second[1]), MP_NO_WAIT));
    CHECK(close(first[1]) == 0 && close(second[1]) == 0);
    CHECK_OK(mp_connection_free(b));
    CHECK_STATUS(mp_connection_recv(childs, &c, 1, NULL, MP_NO_WAIT), MP_ERR_UNSUPPORTED);
    p = CHILD_START(writes_to_all, childs);
    CHECK_OK(mp_connection_free(childs));
    recv_text(a, "through");
    reads(first[0], "0o");
    reads(second[0], "1");
    CHECK_INT(child_end(p), 0);
    CHECK_INT(flag_get(flag), 5);
    close(first[0]);
    close(second[0]);
    CHECK_OK(mp_connection_free(mine));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_value_free(flag));
    CHECK_INT(open_descriptors(), before);
}

TEST(connection, descriptors_that_do_not_go)
{
    int fds[MOST + 1], i, fd, before;
    mp_connection *a, *b;
    half h = half_new();
    mp_buffer *m;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    before = open_descriptors();
    for (i = 0; i <= MOST; i++)
        fds[i] = STDERR_FILENO;
    CHECK_STATUS(mp_connection_send_fds(a, NULL, 0, NULL, 0, FDS(2, -1), MP_NO_WAIT), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EBADF);
    CHECK_STATUS(mp_connection_send_fds(a, NULL, 0, NULL, 0, FDS(99999), MP_NO_WAIT), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EBADF);
    CHECK_STATUS(mp_connection_send_fds(a, NULL, 0, NULL, 0, NULL, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_send_fds(a, NULL, 0, NULL, 0, fds, SIZE_MAX, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_SENTENCE(mp_connection_send_fds(a, NULL, 0, NULL, 0, fds, MOST + 1, MP_NO_WAIT), MP_ERR_INVALID,
                   "253");
    /* A connection counts, too. */
    CHECK_SENTENCE(mp_connection_send_fds(a, NULL, 0, (const void *const[]){h.c}, 1, fds, MOST, MP_NO_WAIT),
                   MP_ERR_INVALID, "253");
    CHECK_STATUS(mp_connection_send_fds(h.c, NULL, 0, NULL, 0, fds, 1, MP_NO_WAIT), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_connection_poll(b, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_INT(open_descriptors(), before);
    CHECK_OK(mp_connection_send_fds(a, NULL, 0, NULL, 0, fds, MOST, MP_NO_WAIT));
    m = got(b, 0, MOST);
    CHECK_INT(open_descriptors(), before + MOST);
    close(fd_of(m, MOST - 1));
    CHECK_STATUS(mp_buffer_fd(m, 0, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_buffer_free(m));
    CHECK_INT(open_descriptors(), before);
    /* None is a message like any other. */
    CHECK_OK(mp_connection_send_fds(a, "plain", 5, NULL, 0, NULL, 0, MP_NO_WAIT));
    recv_text(b, "plain");
    CHECK_OK(mp_buffer_new(&m, "x", 1));
    CHECK_INT(mp_buffer_fds(m), 0);
    CHECK_STATUS(mp_buffer_fd(m, 0, &fd), MP_ERR_INVALID);
    CHECK_OK(mp_buffer_free(m));
    CHECK_STATUS(mp_buffer_fd(m, 0, &fd), MP_ERR_BAD_HANDLE);
    CHECK_INT(mp_buffer_fds(m), 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    half_free(h);
}

TEST(connection, descriptors_to_a_full_table)
{
    mp_connection *a, *b;
    mp_buffer *m;
    int ends[2], fd;

    CHECK(pipe(ends) == 0);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    fill_descriptors(0);
    CHECK_STATUS(mp_connection_send_fds(a, "x", 1, NULL, 0, FDS(ends[1]), MP_NO_WAIT), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EMFILE);
    release_descriptors();
    CHECK_OK(mp_connection_send_fds(a, "x", 1, NULL, 0, FDS(ends[1]), MP_NO_WAIT));
    close(ends[1]);
    fill_descriptors(0);
    CHECK_SENTENCE(mp_connection_recv_buffer(b, &m, SIZE_MAX, NULL, MP_NO_WAIT), MP_ERR_OS, "they wait");
    release_descriptors();
    fill_descriptors(1);
    CHECK_OK(mp_connection_recv_buffer(b, &m, SIZE_MAX, NULL, MP_NO_WAIT));
    CHECK_STATUS(mp_buffer_fd(m, 0, &fd), MP_ERR_OS);
    release_descriptors();
    writes_and_closes(fd_of(m, 0), 'x');
    CHECK_OK(mp_buffer_free(m));
    reads(ends[0], "x");
    close(ends[0]);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

static int gets_and_is_killed(mp_child *self, void *user)
{
    (void)user;
    close(fd_of(got(mp_child_connection(self, 0), 0, 1), 0));
    raise(SIGKILL);
    return 0;
}

/* One was received by a process that is gone, and one by nobody. */
TEST(connection, descriptors_of_the_killed_are_closed)
{
    mp_connection *a, *b;
    mp_process *p;
    int ends[2];

    CHECK(pipe(ends) == 0);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_send_fds(a, "x", 1, NULL, 0, FDS(ends[1]), MP_NO_WAIT));
    CHECK_OK(mp_connection_send_fds(a, "y", 1, NULL, 0, FDS(ends[1]), MP_NO_WAIT));
    close(ends[1]);
    p = CHILD_START(gets_and_is_killed, b);
    CHECK_OK(mp_connection_free(b));
    CHECK_INT(child_end(p), -SIGKILL);
    reads(ends[0], "");
    close(ends[0]);
    CHECK_OK(mp_connection_free(a));
}
