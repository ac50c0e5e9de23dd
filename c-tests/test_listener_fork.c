/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Listeners in forks that the program makes itself. */
#include "test_connection_fork.h"

#include <errno.h>
#include <unistd.h>

static int serves_one(void *arg)
{
    mp_listener *l = arg;
    mp_connection *c;

    CHECK_OK(mp_listener_accept(l, &c, MP_FOREVER));
    send_text(c, "served");
    is_at_its_end(c);
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_listener_free(l));
    return 0;
}

/* The processes of a server share its listener. The file is who made it's. */
static void is_served_by_forks(const char *at, const char *key)
{
    enum { SERVERS = 3 };
    mp_listener *l = listener_new(at, key);
    address a = address_of(l);
    pid_t child[SERVERS];
    int i;

    for (i = 0; i < SERVERS; i++)
        child[i] = fork_begin(serves_one, l);
    for (i = 0; i < SERVERS; i++) {
        mp_connection *c = client_new(a.text, key);

        recv_text(c, "served");
        CHECK_OK(mp_connection_free(c));
    }
    for (i = 0; i < SERVERS; i++)
        CHECK_INT(fork_end(child[i]), 0);
    if (key == NULL)
        talk(l, a.text);
    if (a.text[0] == '.')
        CHECK(access(a.text, F_OK) == 0);
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, in_forks_of_the_programs_own)
{
    is_served_by_forks(NULL, "a key");
    is_served_by_forks(NULL, NULL);
    is_served_by_forks("127.0.0.1:0", "a key");
    is_served_by_forks("./served", NULL);
}

static int has_no_room(void *arg)
{
    address a;

    fill_descriptors(0);
    CHECK_STATUS(mp_listener_address(arg, a.text, sizeof a.text, NULL), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EMFILE);
    release_descriptors();
    return serves_one(arg);
}

/* What failed for want of a descriptor can be tried again. */
TEST(listener, no_room_in_a_fork)
{
    mp_listener *l = listener_new(NULL, "a key");
    pid_t child = fork_begin(has_no_room, l);
    mp_connection *c = client_new(address_of(l).text, "a key");

    recv_text(c, "served");
    CHECK_OK(mp_connection_free(c));
    CHECK_INT(fork_end(child), 0);
    CHECK_OK(mp_listener_free(l));
}

static int has_no_listener(void *arg)
{
    mp_connection *c;
    char text[9];
    int fd;

    CHECK_SENTENCE(mp_listener_accept(arg, &c, MP_NO_WAIT), MP_ERR_STATE, "not handed over");
    CHECK_STATUS(mp_listener_address(arg, text, sizeof text, NULL), MP_ERR_STATE);
    CHECK_STATUS(mp_listener_last_accepted(arg, text, sizeof text, NULL), MP_ERR_STATE);
    CHECK_STATUS(mp_listener_fileno(arg, &fd), MP_ERR_STATE);
    CHECK_STATUS(mp_listener_close(arg), MP_ERR_STATE);
    CHECK_STATUS(mp_listener_free(arg), MP_ERR_STATE);
    return 0;
}

TEST(listener, closed_before_a_fork)
{
    mp_listener *l = listener_new(NULL, "a key");

    CHECK_OK(mp_listener_close(l));
    CHECK_INT(in_fork(has_no_listener, l), 0);
    CHECK_OK(mp_listener_free(l));
}
