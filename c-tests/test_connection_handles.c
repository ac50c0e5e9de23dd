/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Handles through a pipe. */
#include "test_connection.h"
#include "test_nouns.h"
#include "test_queue.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEND(c, data, len, timeout, ...)                                                           \
    mp_connection_send_handles(c, data, len, (const void *const[]){__VA_ARGS__},                   \
                               COUNT(((const void *const[]){__VA_ARGS__})), timeout)

enum { ON_THE_WAY = 16, LONG = 300000 };

/* The next message, which has so many bytes and handles. */
static mp_buffer *got(mp_connection *c, size_t bytes, size_t handles)
{
    mp_buffer *b = NULL;
    size_t len;

    CHECK_OK(mp_connection_recv_buffer(c, &b, SIZE_MAX, &len, MP_SEC(30)));
    CHECK_INT(len, bytes);
    CHECK(b != NULL && mp_buffer_data(b, &len) != NULL);
    CHECK_INT(len, bytes);
    CHECK_INT(mp_buffer_handles(b), handles);
    return b;
}

/* A value with this number, and nobody's but the message's. */
static void send_value(mp_connection *c, int number)
{
    mp_value *v = flag_new();

    flag_set(v, number);
    CHECK_OK(SEND(c, &number, sizeof number, MP_FOREVER, v));
    CHECK_OK(mp_value_free(v));
}

static int recv_value(mp_connection *c)
{
    mp_buffer *b = got(c, sizeof(int), 1);
    mp_value *v = handle_of(b, 0);
    int number;

    memcpy(&number, mp_buffer_data(b, NULL), sizeof number);
    CHECK_OK(mp_buffer_free(b));
    CHECK_INT(flag_get(v), number);
    CHECK_OK(mp_value_free(v));
    return number;
}

TEST(connection, handles_that_no_connection_carries)
{
    mp_pipe_options one_way = MP_PIPE_OPTIONS;
    mp_value *v = flag_new(), *gone_one = flag_new();
    mp_queue *closed = queue_new(0, 0);
    mp_connection *a, *b, *receives, *sends;
    half h = half_new();
    uint64_t blocks;
    int i;

    one_way.duplex = false;
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_pipe_new(&receives, &sends, &one_way));
    CHECK_OK(mp_value_free(gone_one));
    CHECK_OK(mp_queue_close(closed));
    blocks = stats_now().blocks;
    CHECK_STATUS(SEND(NULL, NULL, 0, MP_NO_WAIT, v), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_send_handles(a, NULL, 0, NULL, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_send_handles(a, NULL, 0, (const void *const[]){v}, 65537, MP_NO_WAIT),
                 MP_ERR_INVALID);
    CHECK_STATUS(SEND(a, NULL, 1, MP_NO_WAIT, v), MP_ERR_INVALID);
    CHECK_STATUS(SEND(a, NULL, 0, MP_NO_WAIT, v, NULL), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(SEND(a, NULL, 0, MP_NO_WAIT, v, gone_one), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(SEND(a, NULL, 0, MP_NO_WAIT, v, closed), MP_ERR_CLOSED);
    CHECK_SENTENCE(SEND(a, NULL, 0, MP_NO_WAIT, v, a), MP_ERR_INVALID, "pipe itself");
    CHECK_SENTENCE(SEND(a, NULL, 0, MP_NO_WAIT, v, b), MP_ERR_INVALID, "pipe itself");
    CHECK_SENTENCE(SEND(h.c, NULL, 0, MP_NO_WAIT, v), MP_ERR_UNSUPPORTED, "pipes and queues");
    CHECK_STATUS(SEND(receives, NULL, 0, MP_NO_WAIT, v), MP_ERR_STATE);
    CHECK_STATUS(mp_connection_poll(b, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_INT(stats_now().blocks, blocks);

    /* So many are on the way, the value is in each of them, and one more holds nothing. */
    for (i = 0; i < ON_THE_WAY; i++)
        CHECK_OK(SEND(a, &i, sizeof i, MP_NO_WAIT, v));
    blocks = stats_now().blocks;
    CHECK_STATUS(SEND(a, &i, sizeof i, MP_NO_WAIT, v), MP_ERR_TIMEOUT);
    CHECK_STATUS(SEND(a, &i, sizeof i, MP_MS(5), v), MP_ERR_TIMEOUT);
    CHECK_INT(stats_now().blocks, blocks);
    CHECK_OK(mp_buffer_free(got(b, sizeof i, 1)));
    CHECK_OK(SEND(a, &i, sizeof i, MP_NO_WAIT, v));
    /* The other way has its own. */
    CHECK_OK(SEND(b, &i, sizeof i, MP_NO_WAIT, v));

    CHECK_OK(mp_connection_free(receives));
    CHECK_STATUS(SEND(sends, NULL, 0, MP_NO_WAIT, v), MP_ERR_EOF);
    CHECK_OK(mp_connection_close(sends));
    CHECK_STATUS(SEND(sends, NULL, 0, MP_NO_WAIT, v), MP_ERR_CLOSED);
    CHECK_OK(mp_connection_free(sends));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_queue_free(closed));
    CHECK_OK(mp_value_free(v));
    half_free(h);
}

TEST(connection, a_message_with_handles_is_not_received_without_them)
{
    mp_value *v = flag_new();
    mp_connection *a, *b;
    char room[64];
    size_t len = 0;
    mp_buffer *m;
    int fd, i;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    send_text(a, "plain");
    CHECK_OK(SEND(a, "laden", 5, MP_NO_WAIT, v, v));
    CHECK_OK(mp_connection_send_handles(a, "without", 7, NULL, 0, MP_NO_WAIT));
    recv_text(b, "plain");
    for (i = 0; i < 3; i++) {
        CHECK_SENTENCE(mp_connection_recv(b, room, sizeof room, &len, MP_NO_WAIT), MP_ERR_UNSUPPORTED,
                       "2 handles");
        CHECK_STATUS(mp_connection_recv_fd(b, &fd, MP_NO_WAIT), MP_ERR_STATE);
        CHECK_STATUS(mp_connection_recv_buffer(b, &m, 4, &len, MP_NO_WAIT), MP_ERR_TOO_SMALL);
        CHECK_INT(len, 5);
        CHECK_OK(mp_connection_poll(b, MP_NO_WAIT));
    }
    m = got(b, 5, 2);
    CHECK(memcmp(mp_buffer_data(m, NULL), "laden", 5) == 0);
    CHECK_NULL(mp_buffer_handle(m, 2));
    CHECK_OK(mp_buffer_free(m));
    recv_text(b, "without");
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_value_free(v));
}

/* Hands on what it has received. */
static int hands_on(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    static const size_t lengths[] = {0, 7, LONG};
    size_t i;

    CHECK(user == NULL);
    for (i = 0; i < COUNT(lengths); i++) {
        mp_buffer *b = got(c, lengths[i], NOUNS);
        void *all[NOUNS];

        nouns_take(b, all);
        nouns_use(all);
        CHECK_OK(mp_connection_send_handles(c, mp_buffer_data(b, NULL), lengths[i],
                                            (const void *const *)all, NOUNS, MP_FOREVER));
        CHECK_OK(mp_buffer_free(b));
        nouns_use(all);
        nouns_free(all);
    }
    return 0;
}

TEST(connection, every_handle_goes_through_a_pipe)
{
    static unsigned char bytes[LONG];
    static const size_t lengths[] = {0, 7, LONG};
    uint64_t blocks = stats_now().blocks;
    mp_connection *mine, *childs;
    mp_process *p;
    size_t i;

    CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
    p = CHILD_START(hands_on, childs);
    CHECK_OK(mp_connection_free(childs));
    for (i = 0; i < COUNT(lengths); i++) {
        void *all[NOUNS];
        mp_buffer *b;

        nouns_make(all);
        pattern_fill(bytes, lengths[i], (unsigned)i);
        CHECK_OK(mp_connection_send_handles(mine, bytes, lengths[i], (const void *const *)all, NOUNS,
                                            MP_FOREVER));
        /* From now on the message holds them, or whoever has received it. */
        nouns_free(all);
        b = got(mine, lengths[i], NOUNS);
        pattern_check(mp_buffer_data(b, NULL), lengths[i], (unsigned)i);
        nouns_take(b, all);
        CHECK_OK(mp_buffer_free(b));
        nouns_use(all);
        nouns_free(all);
    }
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(mine));
    CHECK_INT(stats_now().blocks, blocks);
}

/* ---- one behind the other ---- */

enum { MANY = 200 };

static int sends_many(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    void *bytes = pattern_new(LONG, 1);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < MANY; i++) {
        send_value(c, i);
        if (i % 3 == 0)
            send_text(c, "between");
        if (i % 40 == 0)
            CHECK_OK(mp_connection_send(c, bytes, LONG, MP_FOREVER));
    }
    free(bytes);
    return 0;
}

/* More than can be on the way, between short messages and long ones; each is told to who polls. */
TEST(connection, handles_come_in_order_and_are_waited_for)
{
    uint64_t blocks = stats_now().blocks;
    struct pollfd polled = {0, POLLIN, 0};
    mp_connection *mine, *childs;
    mp_process *p;
    mp_buffer *b;
    int i;

    CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
    p = CHILD_START(sends_many, childs);
    CHECK_OK(mp_connection_free(childs));
    CHECK_OK(mp_connection_fileno(mine, &polled.fd));
    for (i = 0; i < MANY; i++) {
        CHECK_INT(poll(&polled, 1, -1), 1);
        CHECK_INT(recv_value(mine), i);
        if (i % 3 == 0)
            recv_text(mine, "between");
        if (i % 40 == 0) {
            b = got(mine, LONG, 0);
            pattern_same(mp_buffer_data(b, NULL), LONG, 1);
            CHECK_OK(mp_buffer_free(b));
        }
    }
    CHECK_STATUS(mp_connection_recv_buffer(mine, &b, SIZE_MAX, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(mine));
    CHECK_INT(stats_now().blocks, blocks);
}

static int receives_its_share(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0), *to = mp_child_connection(self, 1);
    mp_buffer *b;

    CHECK(user == NULL);
    while (mp_connection_recv_buffer(c, &b, SIZE_MAX, NULL, MP_FOREVER) == MP_OK) {
        mp_value *v = handle_of(b, 0);

        CHECK_OK(SEND(to, mp_buffer_data(b, NULL), sizeof(int), MP_FOREVER, v));
        CHECK_OK(mp_value_free(v));
        CHECK_OK(mp_buffer_free(b));
    }
    return 0;
}

/* Processes that have the same end, of one pipe to receive and of another to send. */
TEST(connection, each_handle_goes_to_one_of_those_who_receive)
{
    uint64_t blocks = stats_now().blocks;
    mp_connection *to, *theirs_to, *from, *theirs_from;
    bool seen[MANY] = {false};
    mp_process *p[3];
    int i, out = 0;

    CHECK_OK(mp_pipe_new(&to, &theirs_to, NULL));
    CHECK_OK(mp_pipe_new(&from, &theirs_from, NULL));
    for (i = 0; i < 3; i++)
        p[i] = CHILD_START(receives_its_share, theirs_to, theirs_from);
    CHECK_OK(mp_connection_free(theirs_to));
    CHECK_OK(mp_connection_free(theirs_from));
    for (i = 0; i < MANY; i++) {
        int number;

        while (out < MANY && out < i + ON_THE_WAY)
            send_value(to, out++);
        number = recv_value(from);
        CHECK(number >= 0 && number < MANY && !seen[number]);
        seen[number] = true;
    }
    CHECK_OK(mp_connection_free(to));
    for (i = 0; i < 3; i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_OK(mp_connection_free(from));
    CHECK_INT(stats_now().blocks, blocks);
}

/* ---- who holds them ---- */

static int sends_and_dies(mp_child *self, void *user)
{
    int i;

    CHECK(user == NULL);
    for (i = 0; i < 3; i++)
        send_value(mp_child_connection(self, 0), i);
    kill(getpid(), SIGKILL);
    return 0;
}

static int sends_and_exits(mp_child *self, void *user)
{
    int i;

    CHECK(user == NULL);
    for (i = 0; i < 3; i++)
        send_value(mp_child_connection(self, 0), i);
    return 0;
}

TEST(connection, handles_outlive_who_sent_them)
{
    uint64_t blocks = stats_now().blocks;
    mp_connection *mine, *childs;
    mp_buffer *b;
    int i, killed;

    for (killed = 0; killed < 2; killed++) {
        mp_process *p;

        CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
        p = CHILD_START(killed ? sends_and_dies : sends_and_exits, childs);
        CHECK_OK(mp_connection_free(childs));
        CHECK_INT(child_end(p), killed ? -SIGKILL : 0);
        for (i = 0; i < 3; i++)
            CHECK_INT(recv_value(mine), i);
        CHECK_STATUS(mp_connection_recv_buffer(mine, &b, SIZE_MAX, NULL, MP_FOREVER), MP_ERR_EOF);
        CHECK_OK(mp_connection_free(mine));
        CHECK_INT(stats_now().blocks, blocks);
    }
}

static int receives_and_dies(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);

    CHECK(user == NULL);
    flag_set(handle_of(got(c, sizeof(int), 1), 0), 5);
    got(c, sizeof(int), 1);
    kill(getpid(), SIGKILL);
    return 0;
}

/* What it had received goes with it; what it had not, others receive that have the same end. */
TEST(connection, handles_of_a_killed_receiver_are_freed)
{
    uint64_t blocks = stats_now().blocks;
    mp_connection *mine, *others;
    int i;

    CHECK_OK(mp_pipe_new(&mine, &others, NULL));
    for (i = 0; i < 4; i++)
        send_value(mine, i);
    CHECK_INT(child_end(CHILD_START(receives_and_dies, others)), -SIGKILL);
    CHECK_INT(recv_value(others), 2);
    CHECK_INT(recv_value(others), 3);
    CHECK_OK(mp_connection_free(others));
    CHECK_OK(mp_connection_free(mine));
    CHECK_INT(stats_now().blocks, blocks);
}

/* In both ways of a pipe that nobody has any more, also a queue with a queue in it. */
TEST(connection, handles_that_nobody_receives_are_freed)
{
    uint64_t blocks = stats_now().blocks, before;
    mp_queue *outer = queue_new(256, 0), *inner = queue_new(256, 0);
    mp_connection *a, *b;
    mp_buffer *m;
    int i;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    before = stats_now().blocks;
    CHECK_OK(mp_queue_put_handles(outer, NULL, 0, (const void *const[]){inner}, 1, MP_NO_WAIT));
    CHECK_OK(SEND(b, NULL, 0, MP_NO_WAIT, outer, outer));
    CHECK_OK(mp_queue_free(inner));
    CHECK_OK(mp_queue_free(outer));
    for (i = 0; i < 10; i++) {
        send_value(a, i);
        send_value(b, i);
    }
    CHECK(stats_now().blocks >= before + 40);
    m = got(b, sizeof i, 1);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    /* The message, and the value with its lock. */
    CHECK_INT(stats_now().blocks, blocks + 3);
    CHECK_OK(mp_buffer_free(m));
    CHECK_INT(stats_now().blocks, blocks);
}
