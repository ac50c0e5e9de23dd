/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Keys: who is let in, who is not, and that the others do not wait for those who take their time. */
#include "test_connection.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static mp_listener *with_key(const char *key, int64_t patience)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_listener *l;

    o.key = key;
    o.key_size = strlen(key);
    o.handshake_timeout = patience;
    CHECK_OK(mp_listener_new(&l, NULL, &o));
    return l;
}

/* A socket that is connected, and says nothing yet. */
static int raw_client(mp_listener *l)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    address a = address_of(l);
    size_t len = strlen(a.text);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && a.text[0] == '@' && len < sizeof to.sun_path);
    memcpy(to.sun_path + 1, a.text + 1, len - 1);
    CHECK(connect(fd, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0);
    return fd;
}

/* A listening socket of the test's own, and its address. */
static int raw_listener(address *a)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    static int count;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a->text, sizeof a->text, "@raw-%ld-%d", (long)getpid(), count++);
    memcpy(at.sun_path + 1, a->text + 1, strlen(a->text) - 1);
    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *)&at,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(a->text))) == 0);
    CHECK(listen(fd, 10) == 0);
    return fd;
}

typedef struct caller {
    address to;
    const char *key;
    int want;
    int64_t timeout;
    pthread_t thread;
} caller;

static void *calls(void *arg)
{
    caller *me = arg;
    mp_client_options o = MP_CLIENT_OPTIONS;
    mp_connection *c;

    o.key = me->key;
    o.key_size = strlen(me->key);
    if (me->want == MP_OK) {
        CHECK_OK(mp_client_connect(&c, me->to.text, &o, me->timeout));
        send_text(c, "in");
        recv_text(c, "bye");
        CHECK_OK(mp_connection_free(c));
    } else {
        CHECK_STATUS(mp_client_connect(&c, me->to.text, &o, me->timeout), me->want);
    }
    return NULL;
}

static void call(caller *c, const char *to, const char *key, int want)
{
    snprintf(c->to.text, sizeof c->to.text, "%s", to);
    c->key = key;
    c->want = want;
    c->timeout = MP_FOREVER;
    CHECK(pthread_create(&c->thread, NULL, calls, c) == 0);
}

static void called(caller *c)
{
    CHECK(pthread_join(c->thread, NULL) == 0);
}

/* The next client gets in. */
static void lets_in(mp_listener *l)
{
    mp_connection *c;

    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    recv_text(c, "in");
    send_text(c, "bye");
    CHECK_OK(mp_connection_free(c));
}

static void keeps_out(mp_listener *l, const char *why)
{
    mp_connection *c;

    CHECK_SENTENCE(mp_listener_accept(l, &c, MP_FOREVER), MP_ERR_AUTH, why);
}

static void still_works(mp_listener *l, const char *key)
{
    caller c;

    call(&c, address_of(l).text, key, MP_OK);
    lets_in(l);
    called(&c);
}

/* ---- keys ---- */

TEST(listener, the_right_key)
{
    char longest[65537];
    mp_listener *l;
    mp_connection *c;

    memset(longest, 'k', 65536);
    longest[65536] = '\0';
    l = with_key("key", MP_SEC(10));
    still_works(l, "key");
    still_works(l, "key");
    CHECK_STATUS(mp_listener_accept(l, &c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_listener_free(l));
    l = with_key(longest, MP_SEC(10));
    still_works(l, longest);
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, the_wrong_key)
{
    mp_listener *l = with_key("key", MP_SEC(10));
    address a = address_of(l);
    caller c;

    call(&c, a.text, "kex", MP_ERR_AUTH);
    keeps_out(l, "does not know the key");
    called(&c);
    call(&c, a.text, "key and more", MP_ERR_AUTH);
    keeps_out(l, "does not know the key");
    called(&c);
    still_works(l, "key");
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, the_right_key_over_tcp)
{
    mp_listener *l = listener_new("127.0.0.1:0", "key");

    still_works(l, "key");
    CHECK_OK(mp_listener_free(l));
}

/* A listener without a key says nothing; a client with one does not wait for ever. */
TEST(listener, no_key)
{
    mp_listener *l = listener_new(NULL, NULL);
    mp_connection *c;
    caller k;

    call(&k, address_of(l).text, "key", MP_ERR_EOF);
    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    CHECK_OK(mp_connection_free(c));
    called(&k);
    k.timeout = MP_MS(30);
    k.want = MP_ERR_TIMEOUT;
    CHECK(calls(&k) == NULL);
    CHECK_OK(mp_listener_free(l));
}

/* ---- clients with no manners ---- */

/* The silent ones come first and stay; whoever knows the key gets in before any of them has had its time. */
TEST(listener, silent_clients_hold_nobody_up)
{
    mp_listener *l = with_key("key", MP_SEC(25));
    int silent[20], slow, i;
    char c;

    for (i = 0; i < 20; i++)
        silent[i] = raw_client(l);
    still_works(l, "key");
    slow = raw_client(l);
    raw_write(slow, "\0\0", 2);
    still_works(l, "key");
    raw_write(slow, "\0", 1);
    still_works(l, "key");
    CHECK_OK(mp_listener_free(l));
    /* What they see is the end. */
    for (i = 0; i < 20; i++) {
        while (raw_read(silent[i], &c, 1))
            continue;
        close(silent[i]);
    }
    close(slow);
}

TEST(listener, a_silent_client_has_its_time)
{
    mp_listener *l = with_key("key", MP_MS(50));
    int silent = raw_client(l), fd = raw_client(l);
    int64_t began = now_ns();
    char c;

    raw_write(fd, "\0\0\0\50{sha256}", 12);
    keeps_out(l, "took too long");
    keeps_out(l, "took too long");
    CHECK(now_ns() - began >= MP_MS(50));
    while (raw_read(silent, &c, 1))
        continue;
    close(silent);
    close(fd);
    still_works(l, "key");
    CHECK_OK(mp_listener_free(l));
}

/* More silent ones than there is room for: the oldest go, and whoever knows the key gets in. */
TEST(listener, a_crowd_of_silent_clients)
{
    enum { CROWD = 300 };
    mp_listener_options o = MP_LISTENER_OPTIONS;
    static int silent[CROWD];
    mp_connection *c;
    mp_listener *l;
    int i, gone = 0;

    o.key = "key";
    o.key_size = 3;
    o.backlog = CROWD + 10;
    o.handshake_timeout = MP_FOREVER;
    CHECK_OK(mp_listener_new(&l, NULL, &o));
    for (i = 0; i < CROWD; i++) {
        silent[i] = raw_client(l);
        CHECK_STATUS(mp_listener_accept(l, &c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    }
    still_works(l, "key");
    for (i = 0; i < CROWD; i++) {
        struct pollfd p = {silent[i], POLLRDHUP, 0};

        gone += poll(&p, 1, 0) == 1;
        close(silent[i]);
    }
    CHECK_INT(gone, CROWD - 128 + 1);
    CHECK_OK(mp_listener_free(l));
}

/* Whatever is sent where an answer is expected. */
static void sends_instead(const void *bytes, size_t len, bool ends, const char *why)
{
    mp_listener *l = with_key("key", MP_SEC(10));
    int fd = raw_client(l);

    raw_write(fd, bytes, len);
    if (ends)
        CHECK(shutdown(fd, SHUT_WR) == 0);
    keeps_out(l, why);
    close(fd);
    still_works(l, "key");
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, clients_that_speak_something_else)
{
    sends_instead("", 0, true, "was closed");
    sends_instead("\0\0", 2, true, "was closed");
    sends_instead("\0\0\0\5hel", 7, true, "was closed");
    sends_instead("\0\0\0\0", 4, false, "names no digest");
    sends_instead("\0\0\0\5hello", 9, false, "names no digest");
    sends_instead("\377\377\377\376", 4, false, "which no message has");
    sends_instead("GET / HTTP/1.1\r\n\r\n", 18, false, "too much");
    sends_instead("\0\0\1\1", 4, false, "too much");
    sends_instead("\377\377\377\377\20\0\0\0\0\0\0\0", 12, false, "too much");
    sends_instead("\0\0\0\20" "0123456789abcdef", 20, false, "HMAC-MD5");
    sends_instead("\0\0\0\12{sha1}0123", 14, false, "the digest sha1");
    sends_instead("\0\0\0\11{sha256}x", 13, false, "does not know the key");
    sends_instead("\0\0\0\10{sha256}", 12, false, "does not know the key");
}

TEST(listener, a_descriptor_instead_of_an_answer)
{
    mp_listener *l = with_key("key", MP_SEC(10));
    mp_connection *c;
    int fd = raw_client(l);

    CHECK_OK(mp_connection_from_fd(&c, fd, NULL));
    CHECK_OK(mp_connection_send_fd(c, 0, MP_FOREVER));
    keeps_out(l, "does not send what");
    CHECK_OK(mp_connection_free(c));
    still_works(l, "key");
    CHECK_OK(mp_listener_free(l));
}

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
