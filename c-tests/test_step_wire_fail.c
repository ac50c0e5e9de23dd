/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Fail everywhere: what is done with one end of a connection, each act by itself. With the other end is a thread of
 * the victim's whose own calls do not fail. Whatever the status was, the same call again goes on where that was, and
 * each message comes once. See step.h. */
#include "step.h"
#include "test_connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHORT = 100, LONG = 400000 };

static mp_connection *mine, *theirs;
static pthread_t helper;
static void *message, *room;
static size_t length;
/* Of the act. */
static int status;

static void nothing_stays(outcome_of how)
{
    (void)how;
}

/* Only the test fail.NAME: who is killed here is in test_step_pipe.c and test_step_wire.c. */
#define FAILS(name_, prepare_, act_, after_) FAILS_BUT(0, name_, prepare_, act_, after_)
#define FAILS_BUT(impossible_, name_, prepare_, act_, after_)                                      \
    static const operation name_##_operation = {.set_up = nothing,                                 \
                                                .prepare = prepare_,                               \
                                                .act = act_,                                       \
                                                .after = after_,                                   \
                                                .check = nothing_stays,                            \
                                                .impossible = impossible_};                        \
    TEST_DEFINE(fail, name_, 60, true)                                                             \
    {                                                                                              \
        fail_everywhere(&name_##_operation);                                                       \
    }

/* ---- the two ends, and who is at the other one ---- */

static void over_a_pipe(void)
{
    CHECK_OK(mp_pipe_new(&mine, &theirs, NULL));
}

static void over(const char *at)
{
    mp_listener *l = listener_new(at, NULL);

    mine = client_new(address_of(l).text, NULL);
    CHECK_OK(mp_listener_accept(l, &theirs, MP_SEC(20)));
    CHECK_OK(mp_listener_free(l));
}

static void over_a_socket(void)
{
    over(NULL);
}

static void over_tcp(void)
{
    over("127.0.0.1:0");
}

static void connected(void (*connect)(void), size_t len)
{
    connect();
    length = len;
    message = pattern_new(len, 1);
    CHECK((room = malloc(len)) != NULL);
}

static void disconnected(void)
{
    CHECK_OK(mp_connection_free(theirs));
    free(message);
    free(room);
}

static void begin(void (*connect)(void), size_t len, void *(*other)(void *))
{
    connected(connect, len);
    CHECK(pthread_create(&helper, NULL, other, NULL) == 0);
}

static void end(void)
{
    CHECK_OK(mp_connection_free(mine));
    CHECK(pthread_join(helper, NULL) == 0);
    disconnected();
}

static bool is_file(int fd)
{
    struct stat s;

    return fstat(fd, &s) == 0;
}

/* ---- send ---- */

static void *receives_once(void *arg)
{
    mp_buffer *b;
    size_t len;

    (void)arg;
    CHECK_OK(mp_connection_recv_buffer(theirs, &b, SIZE_MAX, &len, MP_FOREVER));
    CHECK_INT(len, length);
    pattern_same(mp_buffer_data(b, NULL), len, 1);
    CHECK_OK(mp_buffer_free(b));
    CHECK_STATUS(mp_connection_poll(theirs, MP_FOREVER), MP_OK);
    CHECK_STATUS(mp_connection_recv_buffer(theirs, &b, SIZE_MAX, &len, MP_FOREVER), MP_ERR_EOF);
    return NULL;
}

static int sends(void)
{
    return status = CHECK_CLEAN(mp_connection_send(mine, message, length, MP_SEC(20)));
}

static void sends_again(void)
{
    if (status != MP_OK)
        CHECK_OK(mp_connection_send(mine, message, length, MP_SEC(20)));
    end();
}

#define SENDS(name, connect, len)                                                                  \
    static void name##_prepare(void)                                                               \
    {                                                                                              \
        begin(connect, len, receives_once);                                                        \
    }                                                                                              \
    FAILS(name, name##_prepare, sends, sends_again)

SENDS(pipe_send, over_a_pipe, SHORT)
SENDS(pipe_send_long, over_a_pipe, LONG)
SENDS(socket_send, over_a_socket, SHORT)
SENDS(socket_send_long, over_a_socket, LONG)
SENDS(tcp_send_long, over_tcp, LONG)

/* To one who polls, and has to be told by a byte. */
static void *polls_and_receives_once(void *arg)
{
    struct pollfd p = {0, POLLIN, 0};

    CHECK_OK(mp_connection_fileno(theirs, &p.fd));
    while (mp_connection_poll(theirs, MP_NO_WAIT) != MP_OK)
        CHECK_INT(poll(&p, 1, -1), 1);
    return receives_once(arg);
}

static void pipe_send_to_a_poller_prepare(void)
{
    begin(over_a_pipe, SHORT, polls_and_receives_once);
}

FAILS(pipe_send_to_a_poller, pipe_send_to_a_poller_prepare, sends, sends_again)

/* ---- receive ---- */

/* While the other end sleeps, as a rule. */
static void *sends_once(void *arg)
{
    (void)arg;
    sleep_ms(1);
    CHECK_OK(mp_connection_send(theirs, message, length, MP_FOREVER));
    CHECK_OK(mp_connection_close(theirs));
    return NULL;
}

static void check_end(void)
{
    char c;

    CHECK_STATUS(mp_connection_recv(mine, &c, 1, NULL, MP_SEC(20)), MP_ERR_EOF);
    end();
}

static int receives(void)
{
    size_t len = 0;

    status = CHECK_CLEAN(mp_connection_recv(mine, room, length, &len, MP_SEC(20)));
    if (status == MP_OK) {
        CHECK_INT(len, length);
        pattern_same(room, len, 1);
    }
    return status;
}

static void receives_again(void)
{
    if (status != MP_OK)
        CHECK_OK(receives());
    check_end();
}

static int receives_a_buffer(void)
{
    mp_buffer *b;
    size_t len = 0;

    status = CHECK_CLEAN(mp_connection_recv_buffer(mine, &b, SIZE_MAX, &len, MP_SEC(20)));
    if (status == MP_OK) {
        CHECK_INT(len, length);
        pattern_same(mp_buffer_data(b, NULL), len, 1);
        CHECK_OK(mp_buffer_free(b));
    }
    return status;
}

static void receives_a_buffer_again(void)
{
    if (status != MP_OK)
        CHECK_OK(receives_a_buffer());
    check_end();
}

static int polls(void)
{
    return status = CHECK_CLEAN(mp_connection_poll(mine, MP_SEC(20)));
}

static void receives_what_was_polled_for(void)
{
    CHECK_OK(mp_connection_poll(mine, MP_SEC(20)));
    CHECK_OK(receives());
    check_end();
}

static int has_a_descriptor(void)
{
    int fd;

    return status = CHECK_CLEAN(mp_connection_fileno(mine, &fd));
}

static void polls_the_descriptor(void)
{
    struct pollfd p = {0, POLLIN, 0};

    CHECK_OK(mp_connection_fileno(mine, &p.fd));
    CHECK_INT(poll(&p, 1, -1), 1);
    receives_what_was_polled_for();
}

#define RECEIVES(wire, connect)                                                                    \
    static void wire##_short(void)                                                                 \
    {                                                                                              \
        begin(connect, SHORT, sends_once);                                                         \
    }                                                                                              \
    static void wire##_long(void)                                                                  \
    {                                                                                              \
        begin(connect, LONG, sends_once);                                                          \
    }                                                                                              \
    FAILS(wire##_recv, wire##_short, receives, receives_again)                                     \
    FAILS(wire##_recv_long, wire##_long, receives, receives_again)                                 \
    FAILS(wire##_recv_buffer, wire##_short, receives_a_buffer, receives_a_buffer_again)            \
    FAILS(wire##_recv_buffer_long, wire##_long, receives_a_buffer, receives_a_buffer_again)        \
    FAILS(wire##_poll, wire##_short, polls, receives_what_was_polled_for)

RECEIVES(pipe, over_a_pipe)
RECEIVES(socket, over_a_socket)
RECEIVES(tcp, over_tcp)
FAILS(pipe_fileno, pipe_short, has_a_descriptor, polls_the_descriptor)

/* ---- descriptors ---- */

static void *receives_a_descriptor_once(void *arg)
{
    char c;
    int fd;

    (void)arg;
    CHECK_OK(mp_connection_recv_fd(theirs, &fd, MP_FOREVER));
    CHECK(is_file(fd) && close(fd) == 0);
    CHECK_STATUS(mp_connection_recv(theirs, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    return NULL;
}

static int sends_a_descriptor(void)
{
    return status = CHECK_CLEAN(mp_connection_send_fd(mine, 0, MP_SEC(20)));
}

static void sends_a_descriptor_again(void)
{
    if (status != MP_OK)
        CHECK_OK(sends_a_descriptor());
    end();
}

static void *sends_a_descriptor_once(void *arg)
{
    (void)arg;
    sleep_ms(1);
    CHECK_OK(mp_connection_send_fd(theirs, 0, MP_FOREVER));
    CHECK_OK(mp_connection_close(theirs));
    return NULL;
}

static int receives_a_descriptor(void)
{
    int fd;

    status = CHECK_CLEAN(mp_connection_recv_fd(mine, &fd, MP_SEC(20)));
    if (status == MP_OK)
        CHECK(is_file(fd) && close(fd) == 0);
    return status;
}

static void receives_a_descriptor_again(void)
{
    if (status != MP_OK)
        CHECK_OK(receives_a_descriptor());
    check_end();
}

/* A descriptor that was told of and is not there was lost. */
#define DESCRIPTORS(wire, connect)                                                                 \
    static void wire##_to(void)                                                                    \
    {                                                                                              \
        begin(connect, SHORT, receives_a_descriptor_once);                                         \
    }                                                                                              \
    static void wire##_from(void)                                                                  \
    {                                                                                              \
        begin(connect, SHORT, sends_a_descriptor_once);                                            \
    }                                                                                              \
    FAILS(wire##_send_fd, wire##_to, sends_a_descriptor, sends_a_descriptor_again)                 \
    FAILS_BUT(EAGAIN, wire##_recv_fd, wire##_from, receives_a_descriptor, receives_a_descriptor_again)

DESCRIPTORS(pipe, over_a_pipe)
DESCRIPTORS(socket, over_a_socket)

static struct pollfd polled = {0, POLLIN, 0};

/* With a message's byte before it in the socket. Until it is received the descriptor of the pipe tells of it. */
static void tells_of_a_descriptor(void)
{
    connected(over_a_pipe, 1);
    CHECK_OK(mp_connection_fileno(mine, &polled.fd));
    CHECK_OK(mp_connection_send(theirs, message, length, MP_FOREVER));
    CHECK_OK(mp_connection_send_fd(theirs, 0, MP_FOREVER));
    CHECK_INT(poll(&polled, 1, 0), 1);
    CHECK_OK(receives());
    CHECK_INT(poll(&polled, 1, 0), 1);
}

static void is_told_of_the_descriptor(void)
{
    if (status != MP_OK) {
        CHECK_INT(poll(&polled, 1, 0), 1);
        CHECK_OK(receives_a_descriptor());
    }
    CHECK_INT(poll(&polled, 1, 0), 0);
    CHECK_OK(mp_connection_free(mine));
    disconnected();
}

FAILS_BUT(EAGAIN, pipe_recv_fd_of_a_poller, tells_of_a_descriptor, receives_a_descriptor,
          is_told_of_the_descriptor)

/* ---- handles ---- */

static mp_value *flag;

static int sends_the_flag_by(mp_connection *c)
{
    const void *handle = flag;

    return CHECK_CLEAN(mp_connection_send_handles(c, message, length, &handle, 1, MP_SEC(20)));
}

static int sends_the_flag(void)
{
    return status = sends_the_flag_by(mine);
}

static void is_the_flag(mp_buffer *b)
{
    mp_value *v;

    CHECK_INT(mp_buffer_handles(b), 1);
    CHECK((v = mp_buffer_handle(b, 0)) != NULL);
    CHECK_OK(mp_buffer_free(b));
    CHECK_INT(flag_get(v), 7);
    CHECK_OK(mp_value_free(v));
}

static void *receives_the_flag_once(void *arg)
{
    mp_buffer *b;

    (void)arg;
    CHECK_OK(mp_connection_recv_buffer(theirs, &b, SIZE_MAX, NULL, MP_FOREVER));
    is_the_flag(b);
    CHECK_STATUS(mp_connection_recv_buffer(theirs, &b, SIZE_MAX, NULL, MP_FOREVER), MP_ERR_EOF);
    return NULL;
}

static void has_a_flag(void *(*other)(void *))
{
    flag = flag_new();
    flag_set(flag, 7);
    begin(over_a_pipe, SHORT, other);
}

static void receiver_of_the_flag(void)
{
    has_a_flag(receives_the_flag_once);
}

static void sends_the_flag_again(void)
{
    if (status != MP_OK)
        CHECK_OK(sends_the_flag());
    CHECK_OK(mp_value_free(flag));
    end();
}

FAILS(pipe_send_handles, receiver_of_the_flag, sends_the_flag, sends_the_flag_again)

static void *sends_the_flag_once(void *arg)
{
    (void)arg;
    sleep_ms(1);
    CHECK_OK(sends_the_flag_by(theirs));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_connection_close(theirs));
    return NULL;
}

static mp_buffer *laden;

static int receives_the_flag(void)
{
    return status = CHECK_CLEAN(mp_connection_recv_buffer(mine, &laden, SIZE_MAX, NULL, MP_SEC(20)));
}

static void sender_of_the_flag(void)
{
    has_a_flag(sends_the_flag_once);
}

static void receives_the_flag_again(void)
{
    if (status != MP_OK)
        CHECK_OK(receives_the_flag());
    is_the_flag(laden);
    check_end();
}

FAILS(pipe_recv_handles, sender_of_the_flag, receives_the_flag, receives_the_flag_again)

/* ---- close ---- */

static void *sees_the_end(void *arg)
{
    char c;

    (void)arg;
    CHECK_STATUS(mp_connection_recv(theirs, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    return NULL;
}

static int closes(void)
{
    return status = CHECK_CLEAN(mp_connection_close(mine));
}

static void is_closed(void)
{
    CHECK_OK(status);
    end();
}

#define CLOSES(wire, connect)                                                                      \
    static void wire##_ends(void)                                                                  \
    {                                                                                              \
        begin(connect, SHORT, sees_the_end);                                                       \
    }                                                                                              \
    FAILS(wire##_close, wire##_ends, closes, is_closed)

CLOSES(pipe, over_a_pipe)
CLOSES(socket, over_a_socket)

/* ---- accept and connect ---- */

static mp_listener *door;
static address where;
static int inside;

/* Comes until it is let in, and has heard of it. */
static void *comes(void *arg)
{
    const char *key = arg;
    mp_client_options o = MP_CLIENT_OPTIONS;
    mp_connection *c;
    char word[2];
    size_t len;
    int s;

    o.key = key;
    o.key_size = key == NULL ? 0 : strlen(key);
    do {
        s = CHECK_CLEAN(mp_client_connect(&c, where.text, &o, MP_SEC(20)));
        if (s == MP_OK) {
            s = CHECK_CLEAN(mp_connection_recv(c, word, sizeof word, &len, MP_SEC(20)));
            CHECK_OK(mp_connection_free(c));
        }
    } while (s != MP_OK);
    __atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void opens(const char *at, const char *key)
{
    door = listener_new(at, key);
    where = address_of(door);
    inside = 0;
    CHECK(pthread_create(&helper, NULL, comes, (void *)(uintptr_t)key) == 0);
}

static int lets_one_in(void)
{
    mp_connection *c;

    status = CHECK_CLEAN(mp_listener_accept(door, &c, MP_SEC(20)));
    if (status == MP_OK) {
        (void)CHECK_CLEAN(mp_connection_send(c, "in", 2, MP_SEC(20)));
        CHECK_OK(mp_connection_free(c));
    }
    return status;
}

/* Also who had given up, and came again. */
static void lets_the_others_in(void)
{
    mp_connection *c;

    while (__atomic_load_n(&inside, __ATOMIC_ACQUIRE) == 0)
        if (CHECK_CLEAN(mp_listener_accept(door, &c, MP_MS(5))) == MP_OK) {
            (void)CHECK_CLEAN(mp_connection_send(c, "in", 2, MP_SEC(20)));
            CHECK_OK(mp_connection_free(c));
        }
    CHECK(pthread_join(helper, NULL) == 0);
    CHECK_OK(mp_listener_free(door));
}

#define ACCEPTS(name, at, key)                                                                     \
    static void name##_prepare(void)                                                               \
    {                                                                                              \
        opens(at, key);                                                                            \
    }                                                                                              \
    FAILS(name, name##_prepare, lets_one_in, lets_the_others_in)

ACCEPTS(socket_accept, NULL, NULL)
ACCEPTS(socket_accept_with_a_key, NULL, "key")
ACCEPTS(tcp_accept, "127.0.0.1:0", NULL)
