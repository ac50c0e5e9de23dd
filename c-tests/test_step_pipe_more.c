/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere: messages outside a pipe's ring, which are written and read in place, or carry handles. */
#include "test_step_pipe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- in place ---- */

static int send_in_place(mp_connection *c, const void *data, size_t len)
{
    void *place;
    int s = CHECK_CLEAN(mp_connection_reserve(c, len, &place));

    if (s < 0)
        return s;
    memcpy(place, data, len);
    s = CHECK_CLEAN(mp_connection_commit(c, place, len, MP_SEC(20)));
    if (s < 0)
        CHECK_OK(mp_connection_cancel(c, place));
    return s;
}

static int sends_it_in_place(void)
{
    return send_in_place(mine, bytes, length);
}

KILLED(pipe_commit, 100, a_short_message, receiver_waits, sends_it_in_place)
/* In a run of pages. */
KILLED(pipe_commit_long, 100, a_long_message, receiver_waits, sends_it_in_place)

/* Both are there, or the first is gone, with its block kept for the next one or not. */
static int finds_what_was_lent(mp_child *self, void *user)
{
    mp_connection *sends = mp_child_connection(self, 0), *c = mp_child_connection(self, 1);
    size_t want = (size_t)child_number(self, 4), len;
    void *data = pattern_new(want, 1);
    const void *place;
    bool there = false;
    int i;

    (void)user;
    CHECK_OK(send_in_place(sends, data, want));
    CHECK_OK(send_in_place(sends, "after", 5));
    flag_set(mp_child_value(self, 3), READY);
    flag_wait(mp_child_value(self, 2), 1);
    CHECK_OK(mp_connection_peek(c, &place, &len, MP_FOREVER));
    if (len == want) {
        there = true;
        pattern_same(place, len, 1);
        CHECK_OK(mp_connection_release(c, place));
        CHECK_OK(mp_connection_peek(c, &place, &len, MP_FOREVER));
    }
    CHECK(len == 5 && memcmp(place, "after", 5) == 0);
    CHECK_OK(mp_connection_release(c, place));
    for (i = 0; i < 6; i++) {
        CHECK_OK(send_in_place(sends, data, want));
        CHECK_OK(mp_connection_peek(c, &place, &len, MP_FOREVER));
        CHECK_INT(len, want);
        pattern_same(place, len, 1);
        CHECK_OK(mp_connection_release(c, place));
    }
    CHECK_OK(mp_connection_free(sends));
    CHECK_STATUS(mp_connection_peek(c, &place, &len, MP_FOREVER), MP_ERR_EOF);
    free(data);
    flag_set(mp_child_value(self, 3), there ? NOT_THERE : THERE);
    return 0;
}

static void lent_message_waits(void)
{
    is_sent_by(finds_what_was_lent);
}

static int reads_it_in_place(void)
{
    const void *place;
    size_t len;
    int s = CHECK_CLEAN(mp_connection_peek(mine, &place, &len, MP_SEC(20)));

    if (s == MP_OK) {
        /* Each byte would be so many instructions more. */
        CHECK_INT(len, length);
        pattern_same(place, 8, 1);
        CHECK_OK(mp_connection_release(mine, place));
    }
    return s;
}

KILLED(pipe_peek, 100, a_short_message, lent_message_waits, reads_it_in_place)
KILLED(pipe_peek_long, 100, a_long_message, lent_message_waits, reads_it_in_place)

/* ---- handles ---- */

static void is_the_flag(mp_buffer *b)
{
    mp_value *v = mp_buffer_handle(b, 0);

    CHECK_INT(mp_buffer_handles(b), 1);
    CHECK(v != NULL);
    CHECK_INT(flag_get(v), READY);
    CHECK_OK(mp_value_free(v));
}

/* Whether a message with the flag comes; one without is the last. */
static bool comes_with_the_flag(mp_child *self)
{
    mp_connection *c = mp_child_connection(self, 1);
    bool there = false;
    mp_buffer *b;
    size_t len;

    for (;;) {
        CHECK_OK(mp_connection_recv_buffer(c, &b, SIZE_MAX, &len, MP_FOREVER));
        if (mp_buffer_handles(b) == 0)
            break;
        CHECK(!there && len == 100);
        there = true;
        is_the_flag(b);
        CHECK_OK(mp_buffer_free(b));
    }
    CHECK(len == 5 && memcmp(mp_buffer_data(b, NULL), "after", 5) == 0);
    CHECK_OK(mp_buffer_free(b));
    return there;
}

static int finds_the_flag_sent(mp_child *self, void *user)
{
    pthread_t thread;
    bool there;

    (void)user;
    flag_set(mp_child_value(self, 3), READY);
    CHECK(pthread_create(&thread, NULL, sends_after, self) == 0);
    there = comes_with_the_flag(self);
    CHECK(pthread_join(thread, NULL) == 0);
    flag_set(mp_child_value(self, 3), there ? THERE : NOT_THERE);
    return 0;
}

static void receiver_waits_for_the_flag(void)
{
    is_received_by(finds_the_flag_sent);
}

static int send_the_flag(mp_connection *c, const void *data, mp_value *flag)
{
    const void *handle = flag;

    return CHECK_CLEAN(mp_connection_send_handles(c, data, 100, &handle, 1, MP_SEC(20)));
}

static int sends_the_flag(void)
{
    return send_the_flag(mine, bytes, found);
}

KILLED(pipe_send_handles, 100, a_short_message, receiver_waits_for_the_flag, sends_the_flag)

static int finds_the_flag_left(mp_child *self, void *user)
{
    mp_connection *sends = mp_child_connection(self, 0);
    char data[100] = {0};

    (void)user;
    CHECK_OK(send_the_flag(sends, data, mp_child_value(self, 3)));
    send_text(sends, "after");
    flag_set(mp_child_value(self, 3), READY);
    flag_wait(mp_child_value(self, 2), 1);
    flag_set(mp_child_value(self, 3), comes_with_the_flag(self) ? NOT_THERE : THERE);
    return 0;
}

static void the_flag_waits(void)
{
    is_sent_by(finds_the_flag_left);
}

static int receives_the_flag(void)
{
    mp_buffer *b;
    int s = CHECK_CLEAN(mp_connection_recv_buffer(mine, &b, SIZE_MAX, NULL, MP_SEC(20)));

    if (s == MP_OK) {
        CHECK_INT(mp_buffer_handles(b), 1);
        CHECK_OK(mp_buffer_free(b));
    }
    return s;
}

KILLED(pipe_recv_handles, 100, a_short_message, the_flag_waits, receives_the_flag)

/* ---- connections ---- */

/* What the messages here carry: an end of another pipe, whose other end is the helper's. */
static mp_connection *theirs;

static int send_an_end(mp_connection *c, mp_connection *end)
{
    const void *handles[] = {found, end};

    return CHECK_CLEAN(mp_connection_send_handles(c, "laden", 5, handles, 2, MP_SEC(20)));
}

/* Whether a message with the end comes; one without is the last. Then nobody has that end, or the one that has come. */
static bool comes_with_an_end(mp_connection *c, mp_connection *other)
{
    bool there = false;
    mp_connection *end;
    mp_buffer *b;
    char x;

    for (;;) {
        CHECK_OK(mp_connection_recv_buffer(c, &b, SIZE_MAX, NULL, MP_FOREVER));
        if (mp_buffer_handles(b) == 0)
            break;
        CHECK(!there);
        there = true;
        end = mp_buffer_handle(b, 1);
        CHECK(end != NULL);
        CHECK_OK(mp_buffer_free(b));
        send_text(end, "through");
        recv_text(other, "through");
        CHECK_OK(mp_connection_free(end));
    }
    CHECK_OK(mp_buffer_free(b));
    CHECK_STATUS(mp_connection_recv(other, &x, 1, NULL, MP_FOREVER), MP_ERR_EOF);
    return there;
}

static int finds_the_end_sent(mp_child *self, void *user)
{
    mp_connection *other = mp_child_connection(self, 5);
    pthread_t thread;
    bool there;

    (void)user;
    flag_set(mp_child_value(self, 3), READY);
    CHECK(pthread_create(&thread, NULL, sends_after, self) == 0);
    there = comes_with_an_end(mp_child_connection(self, 1), other);
    CHECK(pthread_join(thread, NULL) == 0);
    flag_set(mp_child_value(self, 3), there ? THERE : NOT_THERE);
    return 0;
}

static void helped_with_an_end(mp_process_fn fn, bool sends)
{
    mp_connection *other, *end;
    mp_process *p;

    CHECK_OK(mp_pipe_new(&mine, &other, NULL));
    CHECK_OK(mp_pipe_new(&theirs, &end, NULL));
    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, sends ? mine : other));
    CHECK_OK(mp_process_add_handle(p, sends ? other : mine));
    CHECK_OK(mp_process_add_handle(p, go));
    CHECK_OK(mp_process_add_handle(p, found));
    child_add_number(p, (int)length);
    CHECK_OK(mp_process_add_handle(p, end));
    if (!sends)
        CHECK_OK(mp_process_add_handle(p, theirs));
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_connection_free(other));
    CHECK_OK(mp_connection_free(end));
    if (!sends)
        CHECK_OK(mp_connection_free(theirs));
    flag_wait(found, READY);
}

static void receiver_waits_for_the_end(void)
{
    helped_with_an_end(finds_the_end_sent, true);
}

static int sends_the_end(void)
{
    return send_an_end(mine, theirs);
}

KILLED(pipe_send_connection, 100, a_short_message, receiver_waits_for_the_end, sends_the_end)

static int finds_the_end_left(mp_child *self, void *user)
{
    mp_connection *sends = mp_child_connection(self, 0), *c = mp_child_connection(self, 1);
    mp_connection *end = mp_child_connection(self, 6);

    (void)user;
    found = mp_child_value(self, 3);
    CHECK_OK(send_an_end(sends, end));
    CHECK_OK(mp_connection_free(end));
    send_text(sends, "after");
    flag_set(found, READY);
    flag_wait(mp_child_value(self, 2), 1);
    flag_set(found, comes_with_an_end(c, mp_child_connection(self, 5)) ? NOT_THERE : THERE);
    return 0;
}

static void the_end_waits(void)
{
    helped_with_an_end(finds_the_end_left, false);
}

static int receives_the_end(void)
{
    mp_buffer *b;
    int s = CHECK_CLEAN(mp_connection_recv_buffer(mine, &b, SIZE_MAX, NULL, MP_SEC(20)));

    if (s == MP_OK) {
        CHECK_INT(mp_buffer_handles(b), 2);
        CHECK_OK(mp_buffer_free(b));
    }
    return s;
}

KILLED(pipe_recv_connection, 100, a_short_message, the_end_waits, receives_the_end)
