/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: pipes, descriptors, listeners and clients. See step.h. */
#include "step.h"
#include "test_connection.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

static void nothing_stays(outcome_of how)
{
    (void)how;
}

static void joins(void)
{
    CHECK_OK(mp_lock_free(lock_new()));
}

/* ---- pipes ---- */

static int message_there(mp_connection *a, mp_connection *b)
{
    char room[5];
    size_t len = 0;
    int s = CHECK_CLEAN(mp_connection_send(a, "hello", 5, MP_SEC(20)));

    if (s == MP_OK)
        s = CHECK_CLEAN(mp_connection_poll(b, MP_SEC(20)));
    if (s == MP_OK)
        s = CHECK_CLEAN(mp_connection_recv(b, room, 5, &len, MP_SEC(20)));
    if (s == MP_OK)
        CHECK(len == 5 && memcmp(room, "hello", 5) == 0);
    return s;
}

static int pipe_from_end_to_end(void)
{
    mp_connection *a, *b;
    int s = CHECK_CLEAN(mp_pipe_new(&a, &b, NULL)), fd;

    if (s < 0)
        return s;
    s = message_there(a, b);
    if (s == MP_OK)
        s = CHECK_CLEAN(mp_connection_send_fd(b, 0, MP_SEC(20)));
    if (s == MP_OK)
        s = CHECK_CLEAN(mp_connection_recv_fd(a, &fd, MP_SEC(20)));
    if (s == MP_OK)
        close(fd);
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_connection_free(b));
    return s;
}

OPERATION(pipe, nothing, joins, pipe_from_end_to_end, nothing_stays)

/* ---- listeners ---- */

static int meets(const char *at)
{
    mp_listener *l;
    mp_connection *a, *b;
    int s = CHECK_CLEAN(mp_listener_new(&l, at, NULL));

    if (s < 0)
        return s;
    s = CHECK_CLEAN(mp_client_connect(&a, address_of(l).text, NULL, MP_SEC(20)));
    if (s == MP_OK) {
        s = CHECK_CLEAN(mp_listener_accept(l, &b, MP_SEC(20)));
        if (s == MP_OK) {
            s = message_there(a, b);
            CHECK_OK(mp_connection_free(b));
        }
        CHECK_OK(mp_connection_free(a));
    }
    CHECK_OK(mp_listener_free(l));
    return s;
}

static int meets_at_a_file(void)
{
    return meets("./step-socket");
}

/* Whatever the dead one has left there, the next listener has the address, and takes its file along. */
static void the_address_can_be_had(outcome_of how)
{
    mp_listener *l = listener_new("./step-socket", NULL);

    (void)how;
    CHECK_OK(mp_listener_free(l));
    CHECK(access("./step-socket", F_OK) < 0);
}

OPERATION(listener_at_a_file, nothing, joins, meets_at_a_file, the_address_can_be_had)

static int meets_at_a_name(void)
{
    return meets("@mp-step-socket");
}

OPERATION(listener_at_a_name, nothing, joins, meets_at_a_name, nothing_stays)

static int meets_at_a_port(void)
{
    return meets("127.0.0.1:0");
}

OPERATION(listener_at_a_port, nothing, joins, meets_at_a_port, nothing_stays)

/* ---- keys ---- */

static mp_listener *door;
static pthread_t porter;
static address where;

/* Lets in whoever knows the key, whatever else comes, until one of them says that it is the last. */
static void *opens(void *arg)
{
    mp_connection *c;
    char word[8];
    size_t len;
    int s;

    (void)arg;
    for (;;) {
        if (CHECK_CLEAN(mp_listener_accept(door, &c, MP_SEC(20))) != MP_OK)
            continue;
        s = CHECK_CLEAN(mp_connection_recv(c, word, sizeof word, &len, MP_SEC(20)));
        CHECK_OK(mp_connection_free(c));
        if (s == MP_OK)
            return NULL;
    }
}

/* The descriptors that the listener has, of which a victim has copies that are not the library's. */
static int copies[2];

static void open_door(void)
{
    CHECK((copies[0] = dup(0)) >= 0 && (copies[1] = dup(0)) >= 0);
    CHECK(close(copies[0]) == 0 && close(copies[1]) == 0);
    door = with_key("key", MP_SEC(20));
    where = address_of(door);
    CHECK(pthread_create(&porter, NULL, opens, NULL) == 0);
}

static void closes_copies(void)
{
    CHECK(close(copies[0]) == 0 && close(copies[1]) == 0);
    joins();
}

static int proves_its_key(void)
{
    mp_client_options o = MP_CLIENT_OPTIONS;
    mp_connection *c;
    int s;

    o.key = "key";
    o.key_size = 3;
    s = CHECK_CLEAN(mp_client_connect(&c, where.text, &o, MP_SEC(20)));
    if (s == MP_OK)
        CHECK_OK(mp_connection_free(c));
    return s;
}

/* The listener goes on, be it that the victim never came, went away in the middle, or was through. */
static void others_get_in(outcome_of how)
{
    mp_connection *c = client_new(where.text, "key");

    (void)how;
    send_text(c, "last");
    CHECK(pthread_join(porter, NULL) == 0);
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_free(door));
}

OPERATION(client_with_a_key, open_door, closes_copies, proves_its_key, others_get_in)
