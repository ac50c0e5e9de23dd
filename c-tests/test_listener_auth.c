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

mp_listener *with_key(const char *key, int64_t patience)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_listener *l;

    o.key = key;
    o.key_size = strlen(key);
    o.handshake_timeout = patience;
    CHECK_OK(mp_listener_new(&l, NULL, &o));
    return l;
}

int raw_client(mp_listener *l)
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

int raw_listener(address *a)
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

void *calls(void *arg)
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

void call(caller *c, const char *to, const char *key, int want)
{
    snprintf(c->to.text, sizeof c->to.text, "%s", to);
    c->key = key;
    c->want = want;
    c->timeout = MP_FOREVER;
    CHECK(pthread_create(&c->thread, NULL, calls, c) == 0);
}

void called(caller *c)
{
    CHECK(pthread_join(c->thread, NULL) == 0);
}

void lets_in(mp_listener *l)
{
    mp_connection *c;

    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    recv_text(c, "in");
    send_text(c, "bye");
    CHECK_OK(mp_connection_free(c));
}

void keeps_out(mp_listener *l, const char *why)
{
    mp_connection *c;

    CHECK_SENTENCE(mp_listener_accept(l, &c, MP_FOREVER), MP_ERR_AUTH, why);
}

void still_works(mp_listener *l, const char *key)
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
