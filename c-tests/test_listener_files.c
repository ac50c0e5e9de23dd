/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The files of listeners: which of them go, which stay; and many clients at once. */
#include "test_connection.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static int listens_and_is_killed(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    listener_new("./killed", NULL);
    raise(SIGKILL);
    return 0;
}

static int listens_and_returns(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    listener_new("./returned", NULL);
    return 0;
}

/* What a killed listener leaves behind is no obstacle to the next one; one that lives is. */
TEST(listener, the_file_of_one_that_was_killed)
{
    mp_listener *l, *other;
    mp_process *p;

    CHECK_OK(mp_process_new(&p, listens_and_is_killed, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK(access("killed", F_OK) == 0);
    l = listener_new("./killed", NULL);
    talk(l, "./killed");
    CHECK_STATUS(mp_listener_new(&other, "./killed", NULL), MP_ERR_EXISTS);
    talk(l, "./killed");
    CHECK_OK(mp_listener_free(l));
}

TEST(listener, the_file_goes_at_the_end_of_a_process)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, listens_and_returns, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    CHECK(access("returned", F_OK) < 0);
}

static int does_nothing(void *arg)
{
    /* Ends by exit, with the parent's handlers. */
    (void)arg;
    exit(0);
}

/* A file that is another's by now, and what is no socket, stay. */
TEST(listener, files_of_others_stay)
{
    mp_listener *l = listener_new("./mine", NULL), *other;
    FILE *f;

    CHECK_INT(in_fork(does_nothing, NULL), 0);
    CHECK(access("mine", F_OK) == 0);
    CHECK(unlink("mine") == 0);
    CHECK((f = fopen("mine", "w")) != NULL);
    fclose(f);
    CHECK_OK(mp_listener_free(l));
    CHECK(access("mine", F_OK) == 0);
    CHECK_STATUS(mp_listener_new(&other, "./mine", NULL), MP_ERR_EXISTS);
    CHECK(unlink("mine") == 0);
    /* In another directory than where it was made. */
    l = listener_new("./mine", NULL);
    CHECK(mkdir("below", 0700) == 0 && chdir("below") == 0);
    CHECK_OK(mp_listener_free(l));
    CHECK(access("../mine", F_OK) < 0);
    CHECK(chdir("..") == 0 && rmdir("below") == 0);
}

/* ---- many ---- */

TEST(listener, no_descriptor_for_a_client)
{
    mp_listener *l = listener_new(NULL, NULL);
    mp_connection *client, *server, *more;
    address a = address_of(l);

    client = client_new(a.text, NULL);
    fill_descriptors(0);
    CHECK_STATUS(mp_listener_accept(l, &server, MP_FOREVER), MP_ERR_OS);
    CHECK_INT(mp_last_errno(), EMFILE);
    CHECK_STATUS(mp_client_connect(&more, a.text, NULL, MP_FOREVER), MP_ERR_OS);
    CHECK_STATUS(mp_pipe_new(&more, &server, NULL), MP_ERR_OS);
    release_descriptors();
    CHECK_OK(mp_listener_accept(l, &server, MP_FOREVER));
    send_text(client, "patience");
    recv_text(server, "patience");
    CHECK_OK(mp_connection_free(client));
    CHECK_OK(mp_connection_free(server));
    CHECK_OK(mp_listener_free(l));
}

enum { MANY = 10000 };

static int connects_often(mp_child *self, void *user)
{
    static mp_connection *c[MANY];
    const char *to = mp_child_bytes(self, 0, NULL);
    int i;

    (void)user;
    for (i = 0; i < MANY; i++) {
        CHECK_OK(mp_client_connect(&c[i], to, NULL, MP_FOREVER));
        CHECK_OK(mp_connection_send(c[i], &i, sizeof i, MP_FOREVER));
    }
    /* All of them are open at once. */
    for (i = 0; i < MANY; i++)
        recv_text(c[i], "seen");
    return 0;
}

TEST_T(listener, ten_thousand_at_once, 120)
{
    static mp_connection *c[MANY];
    mp_listener *l;
    mp_process *p;
    struct rlimit limit;
    address a;
    int i, n;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < MANY + 100)
        SKIP("no more than some thousand descriptors are allowed");
    l = listener_new(NULL, NULL);
    a = address_of(l);
    CHECK_OK(mp_process_new(&p, connects_often, NULL, NULL));
    CHECK_OK(mp_process_add_bytes(p, a.text, strlen(a.text) + 1));
    CHECK_OK(mp_process_start(p));
    for (i = 0; i < MANY; i++) {
        CHECK_OK(mp_listener_accept(l, &c[i], MP_FOREVER));
        CHECK_OK(mp_connection_recv(c[i], &n, sizeof n, NULL, MP_FOREVER));
        CHECK_INT(n, i);
    }
    for (i = 0; i < MANY; i++)
        send_text(c[i], "seen");
    CHECK_INT(child_end(p), 0);
    for (i = 0; i < MANY; i++)
        CHECK_OK(mp_connection_free(c[i]));
    CHECK_OK(mp_listener_free(l));
}
