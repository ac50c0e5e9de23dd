/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections and listeners: handles that are none, NULL for what is no handle, options of a wrong size. */
#include "test_connection.h"

#include <stdint.h>
#include <string.h>

static void no_connection(void *h)
{
    mp_buffer *b;
    bool answer;
    char c;
    int fd;

    CHECK_STATUS(mp_connection_send(h, "x", 1, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_recv(h, &c, 1, NULL, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_recv_buffer(h, &b, 1, NULL, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_poll(h, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_send_fd(h, 0, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_send_handles(h, NULL, 0, NULL, 0, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_recv_fd(h, &fd, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_fileno(h, &fd), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_readable(h, &answer), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_writable(h, &answer), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_closed(h, &answer), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_connection_close(h), MP_ERR_BAD_HANDLE);
    if (h != NULL)
        CHECK_STATUS(mp_connection_free(h), MP_ERR_BAD_HANDLE);
}

static void no_listener(void *h)
{
    mp_connection *c;
    char text[200];
    int fd;

    CHECK_STATUS(mp_listener_accept(h, &c, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_listener_address(h, text, sizeof text, NULL), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_listener_last_accepted(h, text, sizeof text, NULL), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_listener_fileno(h, &fd), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_listener_close(h), MP_ERR_BAD_HANDLE);
    if (h != NULL)
        CHECK_STATUS(mp_listener_free(h), MP_ERR_BAD_HANDLE);
}

TEST(floor, connections_that_are_none)
{
    mp_lock *lock = lock_new();
    mp_connection *a, *b;
    mp_listener *l = listener_new(NULL, NULL);
    int here = 0;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    no_connection(NULL);
    no_connection(lock);
    no_connection(l);
    no_connection(&here);
    no_listener(NULL);
    no_listener(lock);
    no_listener(a);
    no_listener(&here);
    send_text(a, "unharmed");
    recv_text(b, "unharmed");
    CHECK_OK(mp_connection_free(a));
    no_connection(a);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_listener_free(l));
    no_listener(l);
    CHECK_OK(mp_connection_free(NULL));
    CHECK_OK(mp_listener_free(NULL));
    CHECK_OK(mp_lock_free(lock));
}

TEST(floor, null_connection_arguments)
{
    mp_connection *a, *b;
    mp_listener *l = listener_new(NULL, NULL);
    mp_buffer *buffer;
    char c;

    CHECK_STATUS(mp_pipe_new(NULL, &b, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pipe_new(&a, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pipe_new(NULL, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_from_fd(NULL, 0, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_listener_new(NULL, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_listener_accept(l, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_listener_fileno(l, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_client_connect(NULL, "@x", NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_STATUS(mp_connection_send(a, NULL, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_send(a, &c, SIZE_MAX, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_recv(a, NULL, 1, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_recv(a, &c, SIZE_MAX, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_recv_buffer(a, NULL, 1, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_recv_fd(a, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_fileno(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_readable(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_writable(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_connection_closed(a, NULL), MP_ERR_INVALID);
    /* Nothing went on the wire. */
    CHECK_STATUS(mp_connection_recv_buffer(b, &buffer, 1, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_listener_free(l));
}

TEST(floor, connection_options)
{
    static const size_t sizes[] = {0, 1, 7, SIZE_MAX};
    mp_connection_options c = MP_CONNECTION_OPTIONS, c2;
    mp_pipe_options p = MP_PIPE_OPTIONS, p2;
    mp_listener_options l = MP_LISTENER_OPTIONS, l2;
    mp_client_options k = MP_CLIENT_OPTIONS, k2;
    mp_connection *a, *b;
    mp_listener *listener;
    size_t i;

    CHECK_OK(mp_connection_options_init(&c2, sizeof c2));
    CHECK(c2.size == c.size && c2.readable == c.readable && c2.writable == c.writable);
    CHECK_INT(c2.max_message, c.max_message);
    CHECK_OK(mp_pipe_options_init(&p2, sizeof p2));
    CHECK(p2.size == p.size && p2.duplex == p.duplex);
    CHECK_OK(mp_listener_options_init(&l2, sizeof l2));
    CHECK(l2.size == l.size && l2.backlog == l.backlog && l2.key == l.key);
    CHECK(l2.key_size == l.key_size && l2.allow_md5 == l.allow_md5 && l2.any_user == l.any_user);
    CHECK_INT(l2.handshake_timeout, l.handshake_timeout);
    CHECK_INT(l2.max_message, l.max_message);
    CHECK_OK(mp_client_options_init(&k2, sizeof k2));
    CHECK(k2.size == k.size && k2.key == k.key && k2.key_size == k.key_size);
    CHECK(k2.allow_md5 == k.allow_md5 && k2.any_user == k.any_user);
    CHECK_INT(k2.max_message, k.max_message);
    CHECK_STATUS(mp_connection_options_init(NULL, sizeof(mp_connection_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_pipe_options_init(NULL, sizeof(mp_pipe_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_listener_options_init(NULL, sizeof(mp_listener_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_client_options_init(NULL, sizeof(mp_client_options)), MP_ERR_INVALID);
    for (i = 0; i < COUNT(sizes); i++) {
        c.size = p.size = l.size = k.size = sizes[i];
        CHECK_STATUS(mp_connection_from_fd(&a, 0, &c), MP_ERR_INVALID);
        CHECK_STATUS(mp_pipe_new(&a, &b, &p), MP_ERR_INVALID);
        CHECK_STATUS(mp_listener_new(&listener, NULL, &l), MP_ERR_INVALID);
        CHECK_STATUS(mp_client_connect(&a, "@x", &k, MP_NO_WAIT), MP_ERR_INVALID);
    }
}
