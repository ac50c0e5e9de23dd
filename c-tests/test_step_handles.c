/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: messages that carry handles. See step.h; that nothing stays is checked there. */
#include "test_step_queue.h"

static mp_value *carried;

static void with_a_value(void)
{
    make_queue(0);
    put_now(10);
    carried = flag_new();
}

static int put_handles(void)
{
    const void *handles[2];

    handles[0] = handles[1] = carried;
    return CHECK_CLEAN(mp_queue_put_handles(q, bytes, 40, handles, 2, MP_NO_WAIT));
}

/* The message with the handles is the oldest, and they are good. */
static void takes_them(void)
{
    mp_buffer *b;
    mp_value *v;
    size_t len;

    CHECK_OK(mp_queue_get_buffer(q, &b, MP_NO_WAIT));
    CHECK(mp_buffer_data(b, &len) != NULL);
    CHECK_INT(len, 40);
    CHECK_INT(mp_buffer_handles(b), 2);
    v = mp_buffer_handle(b, 1);
    CHECK(v != NULL);
    CHECK_OK(mp_buffer_free(b));
    CHECK_INT(flag_get(v), 7);
    CHECK_OK(mp_value_free(v));
}

static void carries_or_not(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE ? size == 2 : how == NOT_DONE ? size == 1 : size == 1 || size == 2);
    flag_set(carried, 7);
    CHECK_OK(mp_value_free(carried));
    get_now();
    if (size == 2)
        takes_them();
    works();
}

OPERATION(queue_put_handles, with_a_value, first_use, put_handles, carries_or_not)

static void handles_are_next(void)
{
    make_queue(0);
    carried = flag_new();
    flag_set(carried, 7);
    CHECK_OK(put_handles());
    CHECK_OK(mp_value_free(carried));
}

static int get_handles(void)
{
    mp_buffer *b = NULL;
    int s = CHECK_CLEAN(mp_queue_get_buffer(q, &b, MP_NO_WAIT));

    if (s == MP_OK) {
        mp_value *v = mp_buffer_handle(b, 0);

        if (v != NULL)
            CHECK_OK(mp_value_free(v));
        CHECK_OK(mp_buffer_free(b));
    }
    return s;
}

static void got_them_or_not(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE ? size == 0 : how == NOT_DONE ? size == 1 : size <= 1);
    if (size == 1)
        takes_them();
    works();
}

OPERATION(queue_get_handles, handles_are_next, first_use, get_handles, got_them_or_not)

/* What is dropped holds a queue with a queue in it. */
static void queues_are_in_it(void)
{
    mp_queue *inner = queue_new(256, 0), *middle = queue_new(256, 0);
    const void *handle = inner;

    make_queue(0);
    CHECK_OK(mp_queue_put_handles(middle, NULL, 0, &handle, 1, MP_NO_WAIT));
    handle = middle;
    CHECK_OK(mp_queue_put_handles(q, NULL, 0, &handle, 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_put_handles(q, NULL, 0, &handle, 1, MP_NO_WAIT));
    CHECK_OK(mp_queue_free(inner));
    CHECK_OK(mp_queue_free(middle));
}

static int drop_them(void)
{
    return CHECK_CLEAN(mp_queue_shutdown(q, true));
}

static void dropped_or_not(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE ? size == 0 : how == NOT_DONE ? size == 2 : size == 0 || size == 2);
    CHECK_OK(mp_queue_free(q));
}

OPERATION(queue_drops_handles, queues_are_in_it, first_use, drop_them, dropped_or_not)
