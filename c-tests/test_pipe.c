/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What only pipes do: one end in several processes, deaths in the middle of messages, descriptors that are polled
 * although messages do not go through them, and what a pipe costs. */
#include "test_connection.h"
#include "test_util.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CHILDREN = 5, EACH = 200, LONGEST = 100000, LONG = 4 << 20 };

static char bytes[LONG];

/* ---- several processes at one end ---- */

static size_t some_length(rng *r)
{
    return 1 + rng_below(r, rng_below(r, 8) == 0 ? LONGEST : 300);
}

/* Each message is the same byte all over. */
static int sends_as_number(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    int number = child_number(self, 1), i;
    rng r = rng_new();

    (void)user;
    memset(bytes, number, LONGEST);
    for (i = 0; i < EACH; i++)
        CHECK_OK(mp_connection_send(c, bytes, some_length(&r), MP_FOREVER));
    return 0;
}

static mp_process *start_at(mp_process_fn fn, mp_connection *c, int number)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, c));
    child_add_number(p, number);
    CHECK_OK(mp_process_start(p));
    return p;
}

static void is_one_senders(const char *message, size_t len)
{
    CHECK(len > 0 && memcmp(message, message + 1, len - 1) == 0);
}

/* All children send through the same end: their messages come whole, and the end when the last of them is gone. */
TEST(pipe, senders_do_not_mix)
{
    mp_connection *a, *b;
    mp_process *p[CHILDREN];
    int counts[CHILDREN + 1] = {0}, i;
    char *room = malloc(LONGEST);
    size_t len;

    CHECK(room != NULL);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    for (i = 0; i < CHILDREN; i++)
        p[i] = start_at(sends_as_number, b, i + 1);
    CHECK_OK(mp_connection_free(b));
    for (i = 0; i < CHILDREN * EACH; i++) {
        CHECK_OK(mp_connection_recv(a, room, LONGEST, &len, MP_FOREVER));
        is_one_senders(room, len);
        counts[(int)room[0]]++;
    }
    for (i = 1; i <= CHILDREN; i++)
        CHECK_INT(counts[i], EACH);
    CHECK_STATUS(mp_connection_recv(a, room, LONGEST, NULL, MP_FOREVER), MP_ERR_EOF);
    for (i = 0; i < CHILDREN; i++)
        CHECK_INT(child_end(p[i]), 0);
    free(room);
    CHECK_OK(mp_connection_free(a));
}

/* Gives how many messages came. */
static int receives_until_the_end(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    char *room = malloc(LONGEST);
    int count = 0, s;
    size_t len;

    (void)user;
    CHECK(room != NULL);
    while ((s = mp_connection_recv(c, room, LONGEST, &len, MP_FOREVER)) == MP_OK) {
        is_one_senders(room, len);
        count++;
    }
    CHECK_INT(s, MP_ERR_EOF);
    CHECK_OK(mp_child_return(self, &count, sizeof count));
    free(room);
    return 0;
}

/* All children receive from the same end: each message goes to one of them, whole, and all see the end. */
TEST(pipe, receivers_share)
{
    mp_connection *a, *b;
    mp_process *p[CHILDREN];
    mp_buffer *result;
    int sum = 0, count, i;
    rng r = rng_new();
    size_t len;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    for (i = 0; i < CHILDREN; i++)
        p[i] = start_at(receives_until_the_end, b, i);
    CHECK_OK(mp_connection_free(b));
    for (i = 0; i < CHILDREN * EACH; i++) {
        len = some_length(&r);
        memset(bytes, i, len);
        CHECK_OK(mp_connection_send(a, bytes, len, MP_FOREVER));
    }
    CHECK_OK(mp_connection_free(a));
    for (i = 0; i < CHILDREN; i++) {
        CHECK_OK(mp_process_join(p[i], MP_FOREVER));
        CHECK_OK(mp_process_result(p[i], &result));
        memcpy(&count, mp_buffer_data(result, NULL), sizeof count);
        CHECK_OK(mp_buffer_free(result));
        sum += count;
        CHECK_INT(child_end(p[i]), 0);
    }
    CHECK_INT(sum, CHILDREN * EACH);
}

/* ---- deaths ---- */

static int sends_long(mp_child *self, void *user)
{
    (void)user;
    CHECK_OK(mp_connection_send(mp_child_connection(self, 0), bytes, LONG, MP_FOREVER));
    return 1;
}

/* Another process has the end whose sender is killed in a message: of that nothing is received, and what the other one
 * sends is. It does not matter whether the receiver had begun to receive it. */
static void killed_in_a_message(bool begun)
{
    mp_connection *a, *b;
    mp_process *p;
    char *room = malloc(LONG);
    size_t len;

    CHECK(room != NULL);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(sends_long, b);
    CHECK_OK(mp_connection_poll(a, MP_FOREVER));
    if (begun) {
        CHECK_STATUS(mp_connection_recv(a, room, LONG, &len, MP_MS(0)), MP_ERR_TIMEOUT);
        CHECK_INT(len, LONG);
    }
    CHECK_OK(mp_process_kill(p));
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_STATUS(mp_connection_recv(a, room, LONG, &len, MP_MS(1)), MP_ERR_TIMEOUT);
    send_text(b, "after it");
    send_text(b, "and another");
    CHECK_OK(mp_connection_recv(a, room, LONG, &len, MP_FOREVER));
    CHECK(len == 8 && memcmp(room, "after it", 8) == 0);
    recv_text(a, "and another");
    /* The other way was not touched. */
    send_text(a, "back");
    recv_text(b, "back");
    CHECK_OK(mp_connection_free(b));
    CHECK_STATUS(mp_connection_recv(a, room, LONG, &len, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(a));
    free(room);
}

TEST(pipe, a_torn_message_is_dropped)
{
    killed_in_a_message(true);
}

TEST(pipe, a_torn_message_that_nobody_has_begun_is_dropped)
{
    killed_in_a_message(false);
}

static int receives_a_part(mp_child *self, void *user)
{
    char *room = malloc(LONG);

    (void)user;
    CHECK(room != NULL);
    /* The sender waits for room, so the message does not end. */
    CHECK_STATUS(mp_connection_recv(mp_child_connection(self, 0), room, LONG, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
    flag_set(mp_child_value(self, 1), 1);
    pause();
    return 0;
}

static int sends_half(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);

    (void)user;
    CHECK_STATUS(mp_connection_send(c, bytes, LONG, MP_NO_WAIT), MP_ERR_TIMEOUT);
    flag_wait(mp_child_value(self, 1), 1);
    /* The rest of it, and another. */
    CHECK_OK(mp_connection_send(c, bytes, LONG, MP_FOREVER));
    send_text(c, "next");
    return 0;
}

/* A receiver that is killed in a message takes that along; the next message goes to another one that has the end. */
TEST(pipe, a_receiver_killed_in_a_message)
{
    mp_connection *a, *b;
    mp_process *sender, *receiver;
    mp_value *begun = flag_new();

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    sender = CHILD_START(sends_half, b, begun);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_poll(a, MP_FOREVER));
    receiver = CHILD_START(receives_a_part, a, begun);
    flag_wait(begun, 1);
    CHECK_OK(mp_process_kill(receiver));
    CHECK_INT(child_end(receiver), -SIGKILL);
    recv_text(a, "next");
    CHECK_INT(child_end(sender), 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_value_free(begun));
}

static int sends_some_and_dies(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    int i;

    (void)user;
    for (i = 0; i < 100; i++)
        send_text(c, "one of a hundred");
    raise(SIGKILL);
    return 0;
}

/* What was sent comes before the end, whoever sent it. */
TEST(pipe, what_the_killed_have_sent_is_received)
{
    mp_connection *a, *b;
    mp_process *p;
    char c;
    int i;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(sends_some_and_dies, b);
    CHECK_OK(mp_connection_free(b));
    CHECK_INT(child_end(p), -SIGKILL);
    for (i = 0; i < 100; i++)
        recv_text(a, "one of a hundred");
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_NO_WAIT), MP_ERR_EOF);
    CHECK_STATUS(mp_connection_send(a, "x", 1, MP_NO_WAIT), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(a));
}

static int waits_to_be_killed(mp_child *self, void *user)
{
    (void)user;
    send_text(mp_child_connection(self, 0), "here");
    pause();
    return 0;
}

/* Who waits for room learns that nobody will make any. */
TEST(pipe, a_sender_that_waits_sees_the_end)
{
    mp_connection *a, *b;
    mp_process *p;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(waits_to_be_killed, b);
    CHECK_OK(mp_connection_free(b));
    recv_text(a, "here");
    CHECK_STATUS(mp_connection_send(a, bytes, LONG, MP_MS(10)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_process_kill(p));
    CHECK_STATUS(mp_connection_send(a, bytes, LONG, MP_FOREVER), MP_ERR_EOF);
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_OK(mp_connection_free(a));
}

/* ---- polling ---- */

static bool readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, 0) == 1;
}

/* The descriptor says what is so, also where messages had come before it was asked for, and whatever lies between. */
TEST(pipe, descriptors_say_what_is_so)
{
    mp_connection *a, *b;
    int fd, again, got, i;
    char c;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    send_text(b, "before it was asked for");
    CHECK_OK(mp_connection_fileno(a, &fd));
    CHECK(readable(fd));
    recv_text(a, "before it was asked for");
    CHECK(!readable(fd));
    for (i = 0; i < 100; i++) {
        send_text(b, "one");
        CHECK_OK(mp_connection_send_fd(b, 0, MP_FOREVER));
        send_text(b, "two");
        CHECK(readable(fd));
        recv_text(a, "one");
        CHECK(readable(fd));
        CHECK_OK(mp_connection_recv_fd(a, &got, MP_FOREVER));
        close(got);
        CHECK(readable(fd));
        recv_text(a, "two");
        CHECK(!readable(fd));
        CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    }
    CHECK_OK(mp_connection_fileno(a, &again));
    CHECK_INT(again, fd);
    CHECK_OK(mp_connection_free(b));
    CHECK(readable(fd));
    CHECK_STATUS(mp_connection_recv(a, &c, 1, NULL, MP_NO_WAIT), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(a));
}

static int answers_until_the_end(mp_child *self, void *user)
{
    mp_connection *c = mp_child_connection(self, 0);
    char room[100];
    size_t len;
    int s;

    (void)user;
    while ((s = mp_connection_recv(c, room, sizeof room, &len, MP_FOREVER)) == MP_OK)
        CHECK_OK(mp_connection_send(c, room, len, MP_FOREVER));
    return s == MP_ERR_EOF ? 0 : 1;
}

/* Each answer is waited for by its descriptor, in another process's time. */
TEST(pipe, each_message_is_told_to_who_polls)
{
    mp_connection *a, *b;
    mp_process *p;
    struct pollfd polled = {0, POLLIN, 0};
    int i;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(answers_until_the_end, b);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_fileno(a, &polled.fd));
    for (i = 0; i < 2000; i++) {
        send_text(a, "x");
        CHECK_INT(poll(&polled, 1, -1), 1);
        CHECK_OK(mp_connection_poll(a, MP_NO_WAIT));
        recv_text(a, "x");
    }
    CHECK_OK(mp_connection_free(a));
    CHECK_INT(child_end(p), 0);
}

/* One wait for pipes, a queue and a foreign descriptor, again and again. */
TEST(pipe, among_other_things)
{
    mp_connection *a[3], *b;
    mp_process *p[3];
    mp_queue *q;
    mp_wait_item items[5];
    size_t ready;
    int fds[2], i, k;
    char room[10];

    CHECK_OK(mp_queue_new(&q, NULL));
    CHECK(pipe(fds) == 0);
    memset(items, 0, sizeof items);
    for (k = 0; k < 3; k++) {
        CHECK_OK(mp_pipe_new(&a[k], &b, NULL));
        p[k] = CHILD_START(answers_until_the_end, b);
        CHECK_OK(mp_connection_free(b));
        items[k].handle = a[k];
    }
    items[3].handle = q;
    items[4].descriptor = fds[0];
    CHECK_STATUS(mp_wait(items, 5, &ready, MP_MS(1)), MP_ERR_TIMEOUT);
    for (i = 0; i < 500; i++) {
        send_text(a[i % 3], "x");
        do
            CHECK_OK(mp_wait(items, 5, &ready, MP_FOREVER));
        while (ready == 0);
        CHECK_INT(ready, 1);
        CHECK(items[i % 3].ready);
        recv_text(a[i % 3], "x");
        CHECK_STATUS(mp_wait(items, 3, &ready, MP_NO_WAIT), MP_ERR_TIMEOUT);
    }
    CHECK_OK(mp_queue_put(q, "x", 1, MP_FOREVER));
    CHECK_OK(mp_wait(items, 5, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[3].ready);
    CHECK(write(fds[1], "x", 1) == 1);
    CHECK_OK(mp_wait(items, 5, &ready, MP_FOREVER));
    CHECK(ready == 2 && items[4].ready);
    CHECK_OK(mp_queue_get(q, room, 1, NULL, NULL, MP_FOREVER));
    CHECK(read(fds[0], room, 1) == 1);
    CHECK_OK(mp_process_kill(p[1]));
    CHECK_OK(mp_wait(items, 5, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[1].ready);
    CHECK_STATUS(mp_connection_recv(a[1], room, 1, NULL, MP_NO_WAIT), MP_ERR_EOF);
    CHECK_INT(child_end(p[1]), -SIGKILL);
    for (k = 0; k < 3; k++)
        CHECK_OK(mp_connection_free(a[k]));
    CHECK_INT(child_end(p[0]), 0);
    CHECK_INT(child_end(p[2]), 0);
    CHECK_OK(mp_queue_free(q));
    close(fds[0]);
    close(fds[1]);
}

/* ---- what it costs ---- */

/* As many as descriptors allow, at most 10,000. Each works, and the memory goes back. */
TEST_T(pipe, ten_thousand, 60)
{
    mp_pipe_options one_way = MP_PIPE_OPTIONS;
    static mp_connection *ends[10000][2];
    struct rlimit limit;
    uint64_t before;
    int count, i;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < 21000 ? limit.rlim_max : 21000;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    count = limit.rlim_cur >= 21000 ? 10000 : (int)(limit.rlim_cur - 200) / 2;
    one_way.duplex = false;
    CHECK_OK(mp_pipe_new(&ends[0][0], &ends[0][1], &one_way));
    before = stats_now().bytes_used;
    for (i = 1; i < count; i++)
        CHECK_OK(mp_pipe_new(&ends[i][0], &ends[i][1], &one_way));
    for (i = 0; i < count; i++)
        send_text(ends[i][1], "hello");
    /* A ring of 128 KiB, a block of 1 KiB, and what the ledger has of it. */
    CHECK((stats_now().bytes_used - before) / (uint64_t)count < 130 << 10);
    for (i = 0; i < count; i++)
        recv_text(ends[i][0], "hello");
    for (i = 1; i < count; i++) {
        CHECK_OK(mp_connection_free(ends[i][0]));
        CHECK_OK(mp_connection_free(ends[i][1]));
    }
    CHECK(stats_now().bytes_used < before + (4 << 20));
    CHECK_OK(mp_connection_free(ends[0][0]));
    CHECK_OK(mp_connection_free(ends[0][1]));
}

TEST_COLD(pipe, memory_that_is_used_up)
{
    mp_connection *ends[200][2];
    int count = 0, s;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    while ((s = mp_pipe_new(&ends[count][0], &ends[count][1], NULL)) == MP_OK)
        CHECK(++count < 200);
    CHECK_INT(s, MP_ERR_NO_MEMORY);
    CHECK(count > 25);
    /* Those that there are work, and for one that goes there is another. */
    send_text(ends[0][0], "hello");
    recv_text(ends[0][1], "hello");
    CHECK_OK(mp_connection_free(ends[0][0]));
    CHECK_OK(mp_connection_free(ends[0][1]));
    CHECK_OK(mp_pipe_new(&ends[0][0], &ends[0][1], NULL));
    while (--count >= 0) {
        CHECK_OK(mp_connection_free(ends[count][0]));
        CHECK_OK(mp_connection_free(ends[count][1]));
    }
}
