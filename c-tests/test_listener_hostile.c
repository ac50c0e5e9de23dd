/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Keys, where somebody listens in, sends back what it was sent, is another user, or a listener that is none. */
#include "test_connection.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what was heard, said again ---- */

enum { CHALLENGE = 11 + 8 + 40 };

static void read_frame(int fd, char *data, size_t len)
{
    unsigned char head[4];

    CHECK(raw_read(fd, head, 4));
    CHECK_INT(head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3], len);
    CHECK(raw_read(fd, data, len));
}

/* An eavesdropper stands between a client and its listener, and repeats later what the client said. */
TEST(listener, an_answer_that_was_heard_is_worth_nothing)
{
    mp_listener *l = with_key("key", MP_SEC(10));
    char challenge[CHALLENGE], other[CHALLENGE], answer[40];
    int ear, victim, fd;
    address a;
    caller c;

    ear = raw_listener(&a);
    call(&c, a.text, "key", MP_ERR_EOF);
    CHECK((victim = accept(ear, NULL, NULL)) >= 0);
    fd = raw_client(l);
    CHECK_STATUS(mp_listener_accept(l, (mp_connection *[]){NULL}, MP_NO_WAIT), MP_ERR_TIMEOUT);
    read_frame(fd, challenge, CHALLENGE);
    CHECK(memcmp(challenge, "#CHALLENGE#{sha256}", 19) == 0);
    raw_frame(victim, "#CHALLENGE#{sha256}0123456789012345678901234567890123456789", CHALLENGE);
    read_frame(victim, answer, 40);
    CHECK(memcmp(answer, "{sha256}", 8) == 0);
    close(victim);
    called(&c);
    raw_frame(fd, answer, 40);
    keeps_out(l, "does not know the key");
    close(fd);
    /* And each time the challenge is another one. */
    fd = raw_client(l);
    CHECK_STATUS(mp_listener_accept(l, (mp_connection *[]){NULL}, MP_NO_WAIT), MP_ERR_TIMEOUT);
    read_frame(fd, other, CHALLENGE);
    CHECK(memcmp(challenge, other, CHALLENGE) != 0);
    raw_frame(fd, answer, 40);
    keeps_out(l, "does not know the key");
    close(fd);
    close(ear);
    CHECK_OK(mp_listener_free(l));
}

/* This process listens and calls. Somebody else, a child, whom it calls sends its own challenge back to it, to have
 * the answer from it. */
typedef struct thief {
    int ear, door;
} thief;

static int reflects(thief t)
{
    char challenge[CHALLENGE], c;
    int victim = accept(t.ear, NULL, NULL);

    CHECK(victim >= 0);
    read_frame(t.door, challenge, CHALLENGE);
    raw_frame(victim, challenge, CHALLENGE);
    /* No answer comes. */
    CHECK(!raw_read(victim, &c, 1));
    return 0;
}

static void *waits_for_none(void *arg)
{
    mp_connection *c;

    CHECK_STATUS(mp_listener_accept(arg, &c, MP_FOREVER), MP_ERR_CLOSED);
    return NULL;
}

static int thief_run(mp_child *self, void *user)
{
    thief t;

    (void)user;
    CHECK_OK(mp_connection_recv_fd(mp_child_connection(self, 0), &t.ear, MP_FOREVER));
    CHECK_OK(mp_connection_recv_fd(mp_child_connection(self, 0), &t.door, MP_FOREVER));
    /* From now on the kernel says that it is this process that listens. */
    CHECK(listen(t.ear, 10) == 0);
    send_text(mp_child_connection(self, 0), "ready");
    return reflects(t);
}

TEST(listener, a_reflected_challenge_gets_no_answer)
{
    mp_listener *l = with_key("key", MP_FOREVER);
    mp_client_options o = MP_CLIENT_OPTIONS;
    mp_connection *a, *b, *c;
    pthread_t thread;
    mp_process *p;
    address at;
    int ear, door;

    /* The thief has called, and is a client that takes its time. */
    CHECK(pthread_create(&thread, NULL, waits_for_none, l) == 0);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(thief_run, b);
    ear = raw_listener(&at);
    CHECK_OK(mp_connection_send_fd(a, ear, MP_FOREVER));
    door = raw_client(l);
    CHECK_OK(mp_connection_send_fd(a, door, MP_FOREVER));
    recv_text(a, "ready");
    o.key = "key";
    o.key_size = 3;
    CHECK_SENTENCE(mp_client_connect(&c, at.text, &o, MP_FOREVER), MP_ERR_AUTH, "of this process's own");
    CHECK_INT(child_end(p), 0);
    close(ear);
    CHECK_OK(mp_listener_close(l));
    CHECK(pthread_join(thread, NULL) == 0);
    close(door);
    CHECK_OK(mp_listener_free(l));
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* ---- listeners with no manners ---- */

static void answers_with(const void *bytes, uint32_t len, int want)
{
    address a;
    int fd, ear = raw_listener(&a);
    caller c;
    char byte;

    call(&c, a.text, "key", want);
    CHECK((fd = accept(ear, NULL, NULL)) >= 0);
    if (len > 0)
        raw_frame(fd, bytes, len);
    CHECK(shutdown(fd, SHUT_WR) == 0);
    while (raw_read(fd, &byte, 1))
        continue;
    called(&c);
    close(fd);
    close(ear);
}

TEST(listener, listeners_that_speak_something_else)
{
    char much[300] = {0};

    answers_with("", 0, MP_ERR_EOF);
    answers_with("hello", 5, MP_ERR_AUTH);
    answers_with(much, 300, MP_ERR_AUTH);
    answers_with("#CHALLENGE#0123456789", 21, MP_ERR_AUTH);
    /* As CPython up to 3.11 asks, which has to be allowed. */
    answers_with("#CHALLENGE#01234567890123456789", 31, MP_ERR_AUTH);
    answers_with("#CHALLENGE#{md5}0123456789012345678901234567890123456789", 56, MP_ERR_AUTH);
    /* It asks well, and then says neither yes nor no. */
    answers_with("#CHALLENGE#{sha256}0123456789012345678901234567890123456789", 59, MP_ERR_EOF);
}

/* ---- by hand ---- */

static void *answers(void *arg)
{
    mp_connection *c = arg;
    bool yes;

    CHECK_OK(mp_connection_answer_challenge(c, "key", 3, false, MP_FOREVER));
    CHECK_STATUS(mp_connection_answer_challenge(c, "kex", 3, false, MP_FOREVER), MP_ERR_AUTH);
    CHECK_STATUS(mp_connection_answer_challenge(c, "key", 3, false, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_closed(c, &yes));
    CHECK(!yes);
    return NULL;
}

TEST(connection, challenges_by_hand)
{
    mp_connection *a, *b;
    pthread_t thread;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_STATUS(mp_connection_deliver_challenge(a, NULL, 0, false, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_answer_challenge(a, "key", 0, false, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_answer_challenge(a, "key", 3, false, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_connection_deliver_challenge(NULL, "key", 3, false, MP_NO_WAIT),
                 MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_answer_challenge(NULL, "key", 3, false, MP_NO_WAIT),
                 MP_ERR_BAD_HANDLE);
    CHECK(pthread_create(&thread, NULL, answers, b) == 0);
    CHECK_OK(mp_connection_deliver_challenge(a, "key", 3, false, MP_FOREVER));
    CHECK_STATUS(mp_connection_deliver_challenge(a, "key", 3, false, MP_FOREVER), MP_ERR_AUTH);
    CHECK_OK(mp_connection_close(a));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_connection_deliver_challenge(a, "key", 3, false, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_answer_challenge(a, "key", 3, false, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    /* Nobody answers. */
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_STATUS(mp_connection_deliver_challenge(a, "key", 3, false, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(b));
    CHECK_STATUS(mp_connection_deliver_challenge(a, "key", 3, false, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(a));
}

/* ---- other users ---- */

static int connects_as_nobody(mp_child *self, void *user)
{
    mp_connection *c;
    size_t len;
    mp_buffer *b;

    (void)user;
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    CHECK_OK(mp_client_connect(&c, mp_child_bytes(self, 0, NULL), NULL, MP_FOREVER));
    if (child_number(self, 1) != 0)
        recv_text(c, "welcome");
    else
        CHECK_STATUS(mp_connection_recv_buffer(c, &b, 100, &len, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(c));
    return 0;
}

static int listens_as_nobody(mp_child *self, void *user)
{
    mp_listener *l;
    mp_connection *c;
    address a;

    (void)user;
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    l = listener_new(NULL, NULL);
    a = address_of(l);
    send_text(mp_child_connection(self, 0), a.text);
    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    send_text(c, "welcome");
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_free(l));
    return 0;
}

TEST(listener, other_users)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_client_options k = MP_CLIENT_OPTIONS;
    mp_connection *c, *a, *b;
    mp_listener *l;
    mp_process *p;
    address at;
    size_t len;
    int any;

    if (geteuid() != 0)
        SKIP("only root can be another user");
    for (any = 0; any < 2; any++) {
        o.any_user = any != 0;
        CHECK_OK(mp_listener_new(&l, NULL, &o));
        at = address_of(l);
        CHECK_OK(mp_process_new(&p, connects_as_nobody, NULL, NULL));
        CHECK_OK(mp_process_add_bytes(p, at.text, strlen(at.text) + 1));
        child_add_number(p, any);
        CHECK_OK(mp_process_start(p));
        if (any) {
            CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
            send_text(c, "welcome");
            CHECK_OK(mp_connection_free(c));
        } else {
            keeps_out(l, "another user's");
        }
        CHECK_INT(child_end(p), 0);
        CHECK_OK(mp_listener_free(l));
    }
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(listens_as_nobody, b);
    CHECK_OK(mp_connection_recv(a, at.text, sizeof at.text - 1, &len, MP_FOREVER));
    at.text[len] = '\0';
    CHECK_SENTENCE(mp_client_connect(&c, at.text, NULL, MP_FOREVER), MP_ERR_AUTH, "another user");
    k.any_user = true;
    CHECK_OK(mp_client_connect(&c, at.text, &k, MP_FOREVER));
    recv_text(c, "welcome");
    CHECK_OK(mp_connection_free(c));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}
