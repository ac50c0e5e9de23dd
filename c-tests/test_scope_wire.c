/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * MP_WITH_CONNECTION and MP_WITH_LISTENER: closed and freed behind the braces, whatever leads there. */
#include "test_connection.h"

static int talks_and_returns(mp_connection *c)
{
    MP_WITH_CONNECTION(c) {
        send_text(c, "within");
        return 7;
    }
    return 0;
}

TEST(scope, of_a_connection)
{
    mp_connection *a, *b, *held;
    int inside = 0;
    char x;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_INT(talks_and_returns(a), 7);
    CHECK_STATUS(mp_connection_poll(a, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    MP_WITH_CONNECTION(b) {
        recv_text(b, "within");
        CHECK_STATUS(mp_connection_recv(b, &x, 1, NULL, MP_NO_WAIT), MP_ERR_EOF);
        if (++inside == 1)
            break;
        inside = 100;
    }
    CHECK_INT(inside, 1);
    CHECK_STATUS(mp_connection_poll(b, MP_NO_WAIT), MP_ERR_BAD_HANDLE);

    /* One that was closed before stays. */
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_connection_close(a));
    MP_WITH_CONNECTION(a)
        inside++;
    CHECK_INT(inside, 1);
    CHECK_CONTAINS(mp_last_error(), "closed");
    CHECK_NULL(mp_connection_enter(a));
    CHECK_NULL(mp_connection_enter(NULL));
    CHECK_OK(mp_connection_free(a));
    held = NULL;
    mp_connection_leave(NULL);
    mp_connection_leave(&held);
    held = mp_connection_enter(b);
    CHECK(held == b);
    mp_connection_leave(&held);
    CHECK(held == NULL);
    CHECK_STATUS(mp_connection_free(b), MP_ERR_BAD_HANDLE);
}

static int leaves_a_listener(mp_listener *l, const char *at)
{
    MP_WITH_LISTENER(l) {
        talk(l, at);
        return 8;
    }
    return 0;
}

TEST(scope, of_a_listener)
{
    mp_listener *l = listener_new(NULL, NULL), *held;
    address at = address_of(l);
    mp_connection *c;
    int inside = 0;

    CHECK_INT(leaves_a_listener(l, at.text), 8);
    CHECK_STATUS(mp_listener_close(l), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_client_connect(&c, at.text, NULL, MP_NO_WAIT), MP_ERR_NOT_FOUND);
    l = listener_new(NULL, NULL);
    CHECK_OK(mp_listener_close(l));
    MP_WITH_LISTENER(l)
        inside++;
    CHECK_INT(inside, 0);
    CHECK_CONTAINS(mp_last_error(), "closed");
    CHECK_NULL(mp_listener_enter(l));
    CHECK_NULL(mp_listener_enter(NULL));
    CHECK_OK(mp_listener_free(l));
    held = NULL;
    mp_listener_leave(NULL);
    mp_listener_leave(&held);
    l = listener_new(NULL, NULL);
    held = mp_listener_enter(l);
    CHECK(held == l);
    mp_listener_leave(&held);
    CHECK(held == NULL);
    CHECK_STATUS(mp_listener_free(l), MP_ERR_BAD_HANDLE);
}
