/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Fail everywhere, and two threads that meet: messages through a pipe which are written and read in place, or carry
 * connections, listeners and descriptors. A victim has both ends. See step.h; who is killed here is in
 * test_step_pipe_more.c. */
#include "step.h"
#include "test_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 20000 };

static mp_connection *mine, *theirs;
/* Of the act. */
static int status;
/* What was reserved, or peeked. */
static void *place;
static const void *seen;
static size_t length;

static void nothing_stays(outcome_of how)
{
    (void)how;
}

/* What did not come about does so when it is done again: the rest is for `after_`. */
#define FAILS(name_, prepare_, act_, after_) FAILS_BUT(0, name_, prepare_, act_, after_)
#define FAILS_BUT(impossible_, name_, prepare_, act_, after_)                                      \
    static void name_##_again(void)                                                                \
    {                                                                                              \
        if (status != MP_OK)                                                                       \
            CHECK_OK(act_());                                                                      \
        after_();                                                                                  \
    }                                                                                              \
    static const operation name_##_operation = {.set_up = nothing,                                 \
                                                .prepare = prepare_,                               \
                                                .act = act_,                                       \
                                                .after = name_##_again,                            \
                                                .impossible = impossible_,                         \
                                                .check = nothing_stays};                           \
    TEST_DEFINE(fail, name_, 60, true)                                                             \
    {                                                                                              \
        fail_everywhere(&name_##_operation);                                                       \
    }

static void a_pipe(void)
{
    CHECK_OK(mp_pipe_new(&mine, &theirs, NULL));
}

static void it_ends(void)
{
    char c;

    CHECK_OK(mp_connection_free(mine));
    CHECK_STATUS(mp_connection_recv(theirs, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(theirs));
}

/* ---- in place ---- */

static void fill(void *data, unsigned n)
{
    unsigned char *bytes = data;
    size_t i;

    for (i = 0; i < LENGTH; i++)
        bytes[i] = pattern_at(i, n);
}

static int reserves(void)
{
    return status = CHECK_CLEAN(mp_connection_reserve(mine, LENGTH, &place));
}

static int commits(void)
{
    return status = CHECK_CLEAN(mp_connection_commit(mine, place, LENGTH, MP_SEC(20)));
}

static void reserved(void)
{
    a_pipe();
    CHECK_OK(reserves());
    fill(place, 1);
}

static int peeks(void)
{
    status = CHECK_CLEAN(mp_connection_peek(theirs, &seen, &length, MP_SEC(20)));
    if (status == MP_OK) {
        CHECK_INT(length, LENGTH);
        pattern_same(seen, 16, 1);
    }
    return status;
}

static int releases(void)
{
    return status = CHECK_CLEAN(mp_connection_release(theirs, seen));
}

static void committed(void)
{
    reserved();
    CHECK_OK(commits());
}

static void peeked(void)
{
    committed();
    CHECK_OK(peeks());
}

static void sent(void)
{
    void *data = pattern_new(LENGTH, 1);

    a_pipe();
    CHECK_OK(mp_connection_send(mine, data, LENGTH, MP_NO_WAIT));
    free(data);
}

static void released(void)
{
    CHECK_STATUS(mp_connection_release(theirs, seen), MP_ERR_INVALID);
    it_ends();
}

static void is_read(void)
{
    pattern_same(seen, LENGTH, 1);
    CHECK_OK(releases());
    released();
}

static void is_received(void)
{
    CHECK_OK(peeks());
    is_read();
}

static void is_filled_and_received(void)
{
    fill(place, 1);
    CHECK_OK(commits());
    is_received();
}

FAILS(pipe_reserve, a_pipe, reserves, is_filled_and_received)
FAILS(pipe_commit, reserved, commits, is_received)
FAILS(pipe_peek, committed, peeks, is_read)
FAILS(pipe_peek_copied, sent, peeks, is_read)
FAILS(pipe_release, peeked, releases, released)

/* ---- connections and listeners ---- */

static mp_connection *end, *other_end, *came;
static mp_listener *listener;
static mp_buffer *laden;

static int passes(void)
{
    const void *handles[] = {end, listener};
    const int fd = STDERR_FILENO;

    return status = CHECK_CLEAN(mp_connection_send_fds(mine, "laden", 5, handles, 2, &fd, 1, MP_SEC(20)));
}

static void has_an_end(void)
{
    a_pipe();
    CHECK_OK(mp_pipe_new(&end, &other_end, NULL));
    listener = listener_new(NULL, "the key");
}

static int gets(void)
{
    return status = CHECK_CLEAN(mp_connection_recv_buffer(theirs, &laden, SIZE_MAX, NULL, MP_SEC(20)));
}

static int takes(size_t at, void *handle)
{
    void *taken = mp_buffer_handle(laden, at);

    memcpy(handle, &taken, sizeof taken);
    return status = taken != NULL ? MP_OK : MP_ERR_OS;
}

static int takes_the_end(void)
{
    return takes(0, &came);
}

static mp_listener *door;

static int takes_the_listener(void)
{
    return takes(1, &door);
}

static void has_passed(void)
{
    has_an_end();
    CHECK_OK(passes());
    CHECK_OK(mp_connection_free(end));
}

static void has_got(void)
{
    has_passed();
    CHECK_OK(gets());
}

static void has_taken_the_end(void)
{
    has_got();
    CHECK_OK(takes_the_end());
}

/* With the pipe goes what the kernel would not drop of it, and with what was taken all that there is of the end. */
static void the_end_works(void)
{
    char c;

    CHECK_OK(mp_buffer_free(laden));
    it_ends();
    send_text(came, "through");
    recv_text(other_end, "through");
    CHECK_OK(mp_connection_free(came));
    CHECK_STATUS(mp_connection_recv(other_end, &c, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(other_end));
    CHECK_OK(mp_listener_free(listener));
}

static void the_listener_works(void)
{
    caller c;

    call(&c, address_of(door).text, "the key", MP_OK);
    lets_in(door);
    called(&c);
    CHECK_OK(mp_listener_free(door));
    the_end_works();
}

static void is_taken(void)
{
    CHECK_OK(takes_the_end());
    CHECK_OK(takes_the_listener());
    the_listener_works();
}

static void is_got(void)
{
    CHECK_OK(gets());
    is_taken();
}

static void is_passed(void)
{
    CHECK_OK(mp_connection_free(end));
    is_got();
}

FAILS(pipe_send_connection, has_an_end, passes, is_passed)
/* The kernel does not say that nothing is there of what is there. */
FAILS_BUT(EAGAIN, pipe_recv_connection, has_passed, gets, is_taken)
FAILS(pipe_take_connection, has_got, takes_the_end, the_end_works)
FAILS(pipe_take_listener, has_taken_the_end, takes_the_listener, the_listener_works)

static int taken_fd;

static int takes_the_descriptor(void)
{
    return status = CHECK_CLEAN(mp_buffer_fd(laden, 0, &taken_fd));
}

static void the_descriptor_works(void)
{
    CHECK(write(taken_fd, "", 0) == 0 && close(taken_fd) == 0);
    CHECK_OK(takes_the_end());
    the_end_works();
}

FAILS(pipe_take_descriptor, has_got, takes_the_descriptor, the_descriptor_works)

/* ---- a child that is started meanwhile ---- */

static mp_value *go;
static mp_process *child;

static int waits(mp_child *self, void *user)
{
    (void)user;
    flag_wait(mp_child_value(self, 0), 1);
    return 0;
}

static void starts_a_child(void)
{
    CHECK_OK(mp_process_new(&child, waits, NULL, NULL));
    CHECK_OK(mp_process_add_handle(child, go));
    CHECK_OK(mp_process_start(child));
}

static void has_passed_and_a_flag(void)
{
    go = flag_new();
    has_passed();
}

/* The child lives, and has nothing of what came. */
static void works_beside_the_child(void)
{
    CHECK_OK(takes_the_end());
    the_end_works();
    flag_set(go, 1);
    CHECK_OK(mp_process_join(child, MP_FOREVER));
    CHECK_OK(mp_process_free(child));
    CHECK_OK(mp_value_free(go));
    CHECK_OK(mp_forkserver_stop());
}

MEETING(pipe_connection_received_while_a_process_starts, 0, nothing, has_passed_and_a_flag, gets,
        starts_a_child, works_beside_the_child)

/* ---- two threads ---- */

static void *others_place;

static void two_reserved(void)
{
    reserved();
    CHECK_OK(mp_connection_reserve(mine, LENGTH, &others_place));
    fill(others_place, 1);
}

static void commits_the_other(void)
{
    CHECK_OK(mp_connection_commit(mine, others_place, LENGTH, MP_SEC(20)));
}

static void both_came(void)
{
    CHECK_OK(status);
    CHECK_OK(peeks());
    CHECK_OK(releases());
    is_received();
}

MEETING(pipe_committed_by_both, 3000, nothing, two_reserved, commits, commits_the_other, both_came)

static int cancels(void)
{
    return status = CHECK_CLEAN(mp_connection_cancel(mine, place));
}

static int others;

static void cancels_it_too(void)
{
    others = CHECK_CLEAN(mp_connection_cancel(mine, place));
}

static void one_has_cancelled(void)
{
    CHECK((status == MP_OK) != (others == MP_OK));
    CHECK((status == MP_OK ? others : status) == MP_ERR_INVALID);
    it_ends();
}

MEETING(pipe_cancelled_by_both, 1500, nothing, reserved, cancels, cancels_it_too, one_has_cancelled)

/* Sent before, or never. */
static void frees_the_sender(void)
{
    others = CHECK_CLEAN(mp_connection_free(mine));
}

static void came_or_not(void)
{
    CHECK_OK(others);
    if (status == MP_OK) {
        CHECK_OK(peeks());
        CHECK_OK(releases());
    } else {
        CHECK(status == MP_ERR_CLOSED || status == MP_ERR_BAD_HANDLE);
    }
    CHECK_STATUS(mp_connection_peek(theirs, &seen, &length, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(theirs));
}

MEETING(pipe_committed_and_freed, 3000, nothing, reserved, commits, frees_the_sender, came_or_not)

static void frees_the_receiver(void)
{
    others = CHECK_CLEAN(mp_connection_free(theirs));
}

static void was_released_or_freed(void)
{
    CHECK_OK(others);
    CHECK(status == MP_OK || status == MP_ERR_BAD_HANDLE || status == MP_ERR_CLOSED);
    CHECK_STATUS(mp_connection_send(mine, "x", 1, MP_FOREVER), MP_ERR_EOF);
    CHECK_OK(mp_connection_free(mine));
}

MEETING(pipe_released_and_freed, 2000, nothing, peeked, releases, frees_the_receiver, was_released_or_freed)

static int peeks_or_not(void)
{
    return status = CHECK_CLEAN(mp_connection_peek(theirs, &seen, &length, MP_SEC(20)));
}

MEETING(pipe_peeked_and_freed, 3000, nothing, committed, peeks_or_not, frees_the_receiver, was_released_or_freed)
