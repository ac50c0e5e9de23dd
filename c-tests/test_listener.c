/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Listeners and clients at every kind of address. */
#include "test_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

address address_of(mp_listener *l)
{
    address a;

    CHECK_OK(mp_listener_address(l, a.text, sizeof a.text, NULL));
    return a;
}

mp_listener *listener_new(const char *address, const char *key)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_listener *l;

    o.key = key;
    o.key_size = key == NULL ? 0 : strlen(key);
    CHECK_OK(mp_listener_new(&l, address, &o));
    return l;
}

mp_connection *client_new(const char *address, const char *key)
{
    mp_client_options o = MP_CLIENT_OPTIONS;
    mp_connection *c;

    o.key = key;
    o.key_size = key == NULL ? 0 : strlen(key);
    CHECK_OK(mp_client_connect(&c, address, &o, MP_FOREVER));
    return c;
}

void talk(mp_listener *l, const char *to)
{
    mp_connection *client, *server;

    client = client_new(to, NULL);
    CHECK_OK(mp_listener_accept(l, &server, MP_FOREVER));
    send_text(client, "from the client");
    send_text(server, "from the listener");
    recv_text(server, "from the client");
    recv_text(client, "from the listener");
    /* Of TCP the system remembers the port of who closes first. */
    CHECK_OK(mp_connection_free(server));
    CHECK_STATUS(mp_connection_recv(client, NULL, 0, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(client));
}

static void last_is(mp_listener *l, const char *begin)
{
    char text[200];

    CHECK_OK(mp_listener_last_accepted(l, text, sizeof text, NULL));
    CHECK(strncmp(text, begin, strlen(begin)) == 0);
    if (*begin == '\0')
        CHECK(*text == '\0');
}

/* ---- addresses ---- */

TEST(listener, at_a_file)
{
    mp_listener *l;
    struct stat s;

    /* Whatever the umask lets through. */
    umask(0);
    l = listener_new("./a-socket", NULL);
    CHECK(stat("a-socket", &s) == 0);
    CHECK(S_ISSOCK(s.st_mode));
    CHECK_INT(s.st_mode & 0777, 0600);
    CHECK(strcmp(address_of(l).text, "./a-socket") == 0);
    CHECK_STATUS(mp_listener_last_accepted(l, NULL, 0, NULL), MP_ERR_STATE);
    talk(l, "./a-socket");
    last_is(l, "");
    talk(l, "unix:a-socket");
    CHECK_OK(mp_listener_close(l));
    CHECK(stat("a-socket", &s) < 0);
    CHECK_OK(mp_listener_close(l));
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, at_a_name)
{
    char name[60];
    mp_listener *l, *other;

    snprintf(name, sizeof name, "@test-%ld", (long)getpid());
    l = listener_new(name, NULL);
    CHECK(strcmp(address_of(l).text, name) == 0);
    talk(l, name);
    CHECK_STATUS(mp_listener_new(&other, name, NULL), MP_ERR_EXISTS);
    CHECK_INT(mp_last_errno(), EADDRINUSE);
    CHECK_OK(mp_listener_free(l));
    l = listener_new(name, NULL);
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, anywhere)
{
    mp_listener *l = listener_new(NULL, NULL), *m = listener_new(NULL, NULL);
    address a = address_of(l), b = address_of(m);

    CHECK(a.text[0] == '@');
    CHECK(strcmp(a.text, b.text) != 0);
    talk(l, a.text);
    talk(m, b.text);
    CHECK_OK(mp_listener_free(l));
    CHECK_OK(mp_listener_free(m));
}

static void at_tcp(const char *address, const char *begins)
{
    mp_listener *l, *other;
    char own[200];

    if (mp_listener_new(&l, address, NULL) < 0)
        SKIP(mp_last_error());
    CHECK_OK(mp_listener_address(l, own, sizeof own, NULL));
    CHECK(strncmp(own, begins, strlen(begins)) == 0);
    CHECK(atoi(own + strlen(begins)) > 0);
    talk(l, own);
    last_is(l, begins);
    CHECK_STATUS(mp_listener_new(&other, own, NULL), MP_ERR_EXISTS);
    CHECK_OK(mp_listener_free(l));
    /* The port can be had again at once, although the connections that it had are remembered. */
    CHECK_OK(mp_listener_new(&l, own, NULL));
    talk(l, own);
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, at_tcp_4)
{
    at_tcp("127.0.0.1:0", "127.0.0.1:");
}

TEST(listener, at_tcp_6)
{
    at_tcp("[::1]:0", "[::1]:");
}

TEST(listener, at_a_host)
{
    at_tcp("localhost:0", "127.0.0.1:");
}

TEST(listener, at_vsock)
{
    mp_listener *l;
    address a;
    char to[220];

    if (mp_listener_new(&l, "vsock:any:0", NULL) < 0)
        SKIP(mp_last_error());
    a = address_of(l);
    CHECK(strncmp(a.text, "vsock:any:", 10) == 0);
    /* 1 is this machine itself, where the kernel has that. */
    snprintf(to, sizeof to, "vsock:1:%s", a.text + 10);
    {
        mp_connection *c;

        if (mp_client_connect(&c, to, NULL, MP_MS(100)) < 0) {
            CHECK_OK(mp_listener_free(l));
            SKIP("no vsock of this machine's own");
        }
        CHECK_OK(mp_connection_free(c));
        CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
        CHECK_OK(mp_connection_free(c));
    }
    talk(l, to);
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, addresses_that_are_none)
{
    static const char *const bad[] = {"", "@", "a:b", ":1", "127.0.0.1:65536", "vsock:x:1", "[::1]"};
    char longer[200];
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_client_options k = MP_CLIENT_OPTIONS;
    mp_listener *l;
    mp_connection *c;
    size_t i;

    for (i = 0; i < COUNT(bad); i++) {
        CHECK_STATUS(mp_listener_new(&l, bad[i], NULL), MP_ERR_INVALID);
        CHECK_STATUS(mp_client_connect(&c, bad[i], NULL, MP_FOREVER), MP_ERR_INVALID);
    }
    memset(longer, 'x', 108);
    longer[108] = '\0';
    CHECK_SENTENCE(mp_listener_new(&l, longer, NULL), MP_ERR_INVALID, "at most 107");
    longer[107] = '\0';
    CHECK_OK(mp_listener_new(&l, longer, NULL));
    CHECK_STATUS(mp_listener_address(l, longer, 5, &i), MP_ERR_TOO_SMALL);
    CHECK_INT(i, 107 + 5 + 1);
    CHECK_STATUS(mp_listener_address(l, NULL, 5, &i), MP_ERR_INVALID);
    CHECK_OK(mp_listener_free(l));
    CHECK_STATUS(mp_client_connect(&c, NULL, NULL, MP_FOREVER), MP_ERR_INVALID);
    CHECK_STATUS(mp_listener_new(&l, "./no/such/directory", NULL), MP_ERR_OS);
    CHECK_STATUS(mp_listener_new(&l, "192.0.2.1:0", NULL), MP_ERR_OS);
    o.backlog = 0;
    CHECK_STATUS(mp_listener_new(&l, NULL, &o), MP_ERR_INVALID);
    o.backlog = 1;
    o.key = "key";
    CHECK_STATUS(mp_listener_new(&l, NULL, &o), MP_ERR_INVALID);
    o.key = NULL;
    o.key_size = 3;
    CHECK_STATUS(mp_listener_new(&l, NULL, &o), MP_ERR_INVALID);
    o.key_size = 0;
    o.handshake_timeout = -1;
    CHECK_STATUS(mp_listener_new(&l, NULL, &o), MP_ERR_INVALID);
    k.key = "key";
    k.key_size = 65537;
    CHECK_STATUS(mp_client_connect(&c, "@x", &k, MP_FOREVER), MP_ERR_INVALID);
}

TEST(listener, nobody_listens)
{
    mp_connection *c;
    mp_listener *l = listener_new("127.0.0.1:0", NULL);
    address a = address_of(l);

    CHECK_OK(mp_listener_free(l));
    CHECK_STATUS(mp_client_connect(&c, a.text, NULL, MP_FOREVER), MP_ERR_NOT_FOUND);
    CHECK_INT(mp_last_errno(), ECONNREFUSED);
    CHECK_STATUS(mp_client_connect(&c, "./nothing", NULL, MP_FOREVER), MP_ERR_NOT_FOUND);
    CHECK_INT(mp_last_errno(), ENOENT);
    CHECK_STATUS(mp_client_connect(&c, "@nobody has this name", NULL, MP_FOREVER), MP_ERR_NOT_FOUND);
}

/* ---- exec ---- */

enum { FDS = 1000 };

/* What pipes, listeners, clients and those who were accepted have open ends with an exec. */
TEST(listener, descriptors_are_close_on_exec)
{
    static const char *const at[] = {NULL, "./a-socket", "127.0.0.1:0"};
    mp_listener *l[COUNT(at)];
    mp_connection *a, *b, *client[COUNT(at)], *server[COUNT(at)];
    bool had[FDS];
    int fd, seen = 0;
    size_t i;

    for (fd = 0; fd < FDS; fd++)
        had[fd] = fcntl(fd, F_GETFD) >= 0;
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_fileno(a, &fd));
    for (i = 0; i < COUNT(at); i++) {
        l[i] = listener_new(at[i], NULL);
        client[i] = client_new(address_of(l[i]).text, NULL);
        CHECK_OK(mp_listener_accept(l[i], &server[i], MP_FOREVER));
        CHECK_OK(mp_listener_free(l[i]));
        /* Of one with a key there is a descriptor more. */
        l[i] = listener_new(at[i], "key");
    }
    for (fd = 0; fd < FDS; fd++)
        if (!had[fd] && fcntl(fd, F_GETFD) >= 0) {
            CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
            seen++;
        }
    CHECK(seen >= 2 + 4 * (int)COUNT(at));
    for (i = 0; i < COUNT(at); i++) {
        CHECK_OK(mp_connection_free(client[i]));
        CHECK_OK(mp_connection_free(server[i]));
        CHECK_OK(mp_listener_free(l[i]));
    }
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
}

/* ---- time and threads ---- */

TEST(listener, timeouts_hold)
{
    mp_listener *l = listener_new(NULL, NULL);
    mp_connection *c;
    int64_t began = now_ns();

    CHECK_STATUS(mp_listener_accept(l, &c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    alarms_start();
    CHECK_STATUS(mp_listener_accept(l, &c, MP_MS(60)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - began >= MP_MS(60));
    CHECK(alarms_stop() > 0);
    CHECK_OK(mp_listener_free(l));
}

static void *accepts_for_ever(void *arg)
{
    mp_connection *c;

    CHECK_STATUS(mp_listener_accept(arg, &c, MP_FOREVER), MP_ERR_CLOSED);
    return NULL;
}

TEST(listener, close_frees_whoever_waits)
{
    mp_listener *l = listener_new(NULL, "key");
    mp_connection *c;
    pthread_t thread[2];
    int i, fd;

    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&thread[i], NULL, accepts_for_ever, l) == 0);
    sleep_ms(20);
    CHECK_OK(mp_listener_close(l));
    for (i = 0; i < 2; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK_STATUS(mp_listener_accept(l, &c, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_listener_fileno(l, &fd), MP_ERR_CLOSED);
    CHECK_OK(mp_listener_free(l));
}

/* The backlog is full, and nobody accepts: a client does not wait longer than it wants to. */
TEST(listener, a_full_backlog)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_listener *l;
    mp_connection *c[10], *last;
    int64_t began;
    address a;
    int i, n;

    o.backlog = 1;
    CHECK_OK(mp_listener_new(&l, NULL, &o));
    a = address_of(l);
    for (n = 0; n < 10 && mp_client_connect(&c[n], a.text, NULL, MP_NO_WAIT) == MP_OK; n++)
        continue;
    CHECK(n >= 1 && n < 10);
    alarms_start();
    began = now_ns();
    CHECK_STATUS(mp_client_connect(&last, a.text, NULL, MP_MS(60)), MP_ERR_TIMEOUT);
    CHECK(now_ns() - began >= MP_MS(60));
    CHECK(alarms_stop() > 0);
    for (i = 0; i < n; i++) {
        CHECK_OK(mp_connection_free(c[i]));
        CHECK_OK(mp_listener_accept(l, &last, MP_NO_WAIT));
        CHECK_OK(mp_connection_free(last));
    }
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, fileno_is_readable_when_a_client_comes)
{
    mp_listener *l = listener_new("127.0.0.1:0", NULL);
    struct pollfd p = {0, POLLIN, 0};
    mp_connection *a, *b;

    CHECK_OK(mp_listener_fileno(l, &p.fd));
    CHECK_INT(poll(&p, 1, 0), 0);
    a = client_new(address_of(l).text, NULL);
    CHECK_INT(poll(&p, 1, -1), 1);
    CHECK_OK(mp_listener_accept(l, &b, MP_NO_WAIT));
    CHECK_INT(poll(&p, 1, 0), 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_listener_free(l));
}

/* ---- TCP ---- */

TEST(listener, tcp_carries_no_descriptors)
{
    mp_listener *l = listener_new("127.0.0.1:0", NULL);
    mp_connection *a = client_new(address_of(l).text, NULL), *b;
    char c;
    int fd;

    CHECK_OK(mp_listener_accept(l, &b, MP_FOREVER));
    CHECK_STATUS(mp_connection_send_fd(a, 0, MP_FOREVER), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_connection_recv_fd(b, &fd, MP_FOREVER), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_connection_free(a));
    CHECK_STATUS(mp_connection_recv(b, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_listener_free(l));
}

/* A reset is an end like another. */
TEST(listener, tcp_reset)
{
    mp_listener *l = listener_new("127.0.0.1:0", NULL);
    mp_connection *a = client_new(address_of(l).text, NULL), *b;
    struct linger hard = {1, 0};
    char c;
    int fd;

    CHECK_OK(mp_listener_accept(l, &b, MP_FOREVER));
    CHECK_OK(mp_connection_fileno(a, &fd));
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_poll(b, MP_FOREVER));
    CHECK_STATUS(mp_connection_recv(b, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_STATUS(mp_connection_recv(b, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_STATUS(mp_connection_send(b, "x", 1, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_listener_free(l));
}
