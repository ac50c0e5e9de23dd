/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two threads that meet in a queue, at any instruction of one of them. See step.h. */
#include "step.h"
#include "test_queue.h"

#include <string.h>

/* The queue begins with a ring of as much. */
enum { FIRST_RING = 2048, MOST = 16 };

static mp_queue *q;
/* What the stopped thread's call and the other's had to say, and which numbers either got. */
static int status[2];
static int64_t got[2][MOST];
static size_t count[2];

static void put_numbers(int64_t from, int64_t to)
{
    for (; from < to; from++)
        number_put(q, from);
}

static void make_with(int64_t numbers)
{
    CHECK_OK(mp_queue_new(&q, NULL));
    put_numbers(0, numbers);
    memset(count, 0, sizeof count);
}

static void six_are_in(void)
{
    make_with(6);
}

static void none_is_in(void)
{
    make_with(0);
}

/* What is left is got by who. */
static void drain(int who)
{
    int64_t x;

    while (mp_queue_get(q, &x, sizeof x, NULL, NULL, MP_NO_WAIT) == MP_OK)
        got[who][count[who]++] = x;
}

/* Together they got the numbers below most, each once, and each of them in order. */
static void each_was_got_once(int64_t most)
{
    int64_t all = 0;
    size_t i;
    int who;

    for (who = 0; who < 2; who++)
        for (i = 0; i < count[who]; i++) {
            CHECK(got[who][i] >= 0 && got[who][i] < most);
            CHECK(i == 0 || got[who][i] > got[who][i - 1]);
            CHECK((all >> got[who][i] & 1) == 0);
            all |= (int64_t)1 << got[who][i];
        }
    CHECK_INT(all, ((int64_t)1 << most) - 1);
    CHECK_INT(queue_size(q), 0);
}

/* ---- several at once ---- */

static void put_three_from(int64_t first)
{
    int64_t x[3] = {first, first + 1, first + 2};
    mp_message m[3];
    size_t i, n;

    for (i = 0; i < 3; i++) {
        m[i].data = &x[i];
        m[i].len = sizeof x[i];
    }
    CHECK_OK(mp_queue_put_many(q, m, 3, &n, MP_FOREVER));
    CHECK_INT(n, 3);
}

static int put_three(void)
{
    put_three_from(0);
    return MP_OK;
}

static void put_other_three(void)
{
    put_three_from(3);
}

static void all_six_came(void)
{
    int64_t x, next[2] = {0, 3};
    int i;

    for (i = 0; i < 6; i++) {
        x = number_get(q);
        CHECK_INT(x, next[x >= 3]++);
    }
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_put_many_by_both, 800, nothing, none_is_in, put_three, put_other_three, all_six_came)

static void get_three_as(int who)
{
    size_t lens[3], n;

    status[who] = CHECK_CLEAN(mp_queue_get_many(q, got[who], sizeof got[who], lens, 3, &n, MP_FOREVER));
    CHECK_OK(status[who]);
    count[who] = n;
}

static int get_three(void)
{
    get_three_as(0);
    return MP_OK;
}

static void get_other_three(void)
{
    get_three_as(1);
}

static void six_were_got(void)
{
    CHECK(count[0] > 0 && count[1] > 0);
    /* Who met the other at work may have got only one. */
    drain(1);
    each_was_got_once(6);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_get_many_by_both, 800, nothing, six_are_in, get_three, get_other_three, six_were_got)

/* ---- a chain that grows while somebody drains it ---- */

static char padding[192];

/* The next message needs another ring. */
static void ring_is_full(void)
{
    int64_t i;

    CHECK_OK(mp_queue_new(&q, NULL));
    memset(count, 0, sizeof count);
    for (i = 0; (i + 1) * 200 < FIRST_RING - 16; i++) {
        memcpy(padding, &i, sizeof i);
        CHECK_OK(mp_queue_put(q, padding, sizeof padding, MP_NO_WAIT));
    }
    count[0] = (size_t)i;
}

static int put_into_the_next(void)
{
    char message[sizeof padding] = {0};

    memcpy(message, &count[0], sizeof count[0]);
    return CHECK_CLEAN(mp_queue_put(q, message, sizeof message, MP_FOREVER));
}

static void get_what_is_there(void)
{
    int64_t x;

    while (mp_queue_get(q, padding, sizeof padding, NULL, NULL, MP_NO_WAIT) == MP_OK) {
        memcpy(&x, padding, sizeof x);
        CHECK_INT(x, count[1]++);
    }
}

static void all_came_through_the_link(void)
{
    get_what_is_there();
    CHECK_INT(count[1], count[0] + 1);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_grows_while_it_is_drained, 1500, nothing, ring_is_full, put_into_the_next,
        get_what_is_there, all_came_through_the_link)

static void ring_is_left(void)
{
    ring_is_full();
    CHECK_OK(put_into_the_next());
    count[0]++;
    while (count[1] + 1 < count[0]) {
        CHECK_OK(mp_queue_get(q, padding, sizeof padding, NULL, NULL, MP_NO_WAIT));
        count[1]++;
    }
}

/* Over the link, which frees the ring behind it. */
static int get_from_the_next(void)
{
    char message[sizeof padding];
    size_t number;
    int s = CHECK_CLEAN(mp_queue_get(q, message, sizeof message, NULL, NULL, MP_FOREVER));

    memcpy(&number, message, sizeof number);
    CHECK_INT(number, count[1]);
    count[1]++;
    return s;
}

static void put_another(void)
{
    CHECK_OK(put_into_the_next());
    count[0]++;
}

static void another_came(void)
{
    get_what_is_there();
    CHECK_INT(count[1], count[0]);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_leaves_a_ring_while_it_is_filled, 1500, nothing, ring_is_left, get_from_the_next,
        put_another, another_came)

/* ---- in place ---- */

static void *room[2];

static void two_are_reserved(void)
{
    int64_t i;

    none_is_in();
    for (i = 0; i < 2; i++) {
        CHECK_OK(mp_queue_reserve(q, sizeof i, &room[i]));
        memcpy(room[i], &i, sizeof i);
    }
}

static int commit_first(void)
{
    status[0] = CHECK_CLEAN(mp_queue_commit(q, room[0], sizeof(int64_t), MP_FOREVER));
    return status[0];
}

static void commit_second(void)
{
    CHECK_OK(mp_queue_commit(q, room[1], sizeof(int64_t), MP_FOREVER));
}

static void both_came(void)
{
    int64_t sum = number_get(q) + 2 * number_get(q);

    CHECK(status[0] == MP_OK && (sum == 1 || sum == 2));
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_committed_by_both, 2500, nothing, two_are_reserved, commit_first, commit_second, both_came)

static void cancel_first(void)
{
    status[1] = CHECK_CLEAN(mp_queue_cancel(q, room[0]));
}

/* One of them has it. */
static void committed_or_cancelled(void)
{
    CHECK((status[0] == MP_OK) != (status[1] == MP_OK));
    CHECK(status[0] == MP_OK || status[0] == MP_ERR_INVALID);
    CHECK(status[1] == MP_OK || status[1] == MP_ERR_INVALID);
    CHECK_INT(queue_size(q), status[0] == MP_OK);
    if (status[0] == MP_OK)
        CHECK_INT(number_get(q), 0);
    CHECK_OK(mp_queue_cancel(q, room[1]));
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_committed_and_cancelled, 2500, nothing, two_are_reserved, commit_first, cancel_first,
        committed_or_cancelled)

static const void *seen[2];

static void peek_as(int who)
{
    size_t len;

    CHECK_OK(mp_queue_peek(q, &seen[who], &len, NULL, MP_FOREVER));
    CHECK_INT(len, sizeof(int64_t));
    memcpy(&got[who][0], seen[who], len);
    count[who] = 1;
}

static int peek_one(void)
{
    peek_as(0);
    return MP_OK;
}

static void peek_another(void)
{
    peek_as(1);
}

static void peeked_one_each(void)
{
    CHECK_OK(mp_queue_release(q, seen[0]));
    CHECK_OK(mp_queue_release(q, seen[1]));
    CHECK_STATUS(mp_queue_release(q, seen[1]), MP_ERR_INVALID);
    drain(0);
    each_was_got_once(6);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_peeked_by_both, 2000, nothing, six_are_in, peek_one, peek_another, peeked_one_each)

static void one_is_peeked(void)
{
    six_are_in();
    peek_as(0);
}

static int release_it(void)
{
    status[0] = CHECK_CLEAN(mp_queue_release(q, seen[0]));
    return status[0];
}

static void release_it_too(void)
{
    status[1] = CHECK_CLEAN(mp_queue_release(q, seen[0]));
}

static void released_once(void)
{
    CHECK((status[0] == MP_OK) != (status[1] == MP_OK));
    CHECK_STATUS(status[status[0] == MP_OK], MP_ERR_INVALID);
    drain(0);
    each_was_got_once(6);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_released_by_both, 800, nothing, one_is_peeked, release_it, release_it_too, released_once)

/* ---- tasks ---- */

static void one_is_unfinished(void)
{
    make_with(1);
    number_get(q);
}

static int one_is_done(void)
{
    status[0] = CHECK_CLEAN(mp_queue_task_done(q));
    return status[0];
}

static void one_is_done_too(void)
{
    status[1] = CHECK_CLEAN(mp_queue_task_done(q));
}

static void done_once(void)
{
    CHECK((status[0] == MP_OK) != (status[1] == MP_OK));
    CHECK_STATUS(status[status[0] == MP_OK], MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_queue_join(q, MP_NO_WAIT));
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_done_by_both, 300, nothing, one_is_unfinished, one_is_done, one_is_done_too, done_once)

static void join_it(void)
{
    CHECK_OK(mp_queue_join(q, MP_FOREVER));
}

static void it_was_joined(void)
{
    CHECK_OK(status[0]);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_done_and_joined, 300, nothing, one_is_unfinished, one_is_done, join_it, it_was_joined)

/* ---- the end ---- */

static int put_a_seventh(void)
{
    int64_t x = 6;

    status[0] = CHECK_CLEAN(mp_queue_put(q, &x, sizeof x, MP_FOREVER));
    return status[0];
}

static void shut_down(void)
{
    CHECK_OK(mp_queue_shutdown(q, false));
}

/* A put that says so is in the queue, and no other. */
static void put_before_the_end(void)
{
    CHECK(status[0] == MP_OK || status[0] == MP_ERR_CLOSED);
    drain(0);
    CHECK_STATUS(mp_queue_get(q, got, sizeof *got, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED);
    each_was_got_once(status[0] == MP_OK ? 7 : 6);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_put_and_shut_down, 300, nothing, six_are_in, put_a_seventh, shut_down, put_before_the_end)

static int get_one(void)
{
    status[0] =
        CHECK_CLEAN(mp_queue_get(q, got[0], sizeof got[0], NULL, NULL, MP_FOREVER));
    return status[0];
}

static void cut_short(void)
{
    CHECK_OK(mp_queue_shutdown(q, true));
}

/* What was not got was dropped. */
static void got_or_dropped(void)
{
    mp_queue_stats s = MP_QUEUE_STATS;

    CHECK(status[0] == MP_OK || status[0] == MP_ERR_CLOSED);
    CHECK(status[0] != MP_OK || got[0][0] == 0);
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_stats_get(q, &s));
    CHECK_INT(s.dropped, status[0] == MP_OK ? 5 : 6);
    CHECK_INT(s.unfinished, status[0] == MP_OK);
    CHECK_STATUS(mp_queue_get(q, got, sizeof *got, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_got_and_cut_short, 300, nothing, six_are_in, get_one, cut_short, got_or_dropped)

static int cut_short_first(void)
{
    status[0] = CHECK_CLEAN(mp_queue_shutdown(q, true));
    CHECK_OK(status[0]);
    status[0] = MP_ERR_CLOSED;
    return MP_OK;
}

MEETING(queue_cut_short_by_both, 1500, nothing, six_are_in, cut_short_first, cut_short, got_or_dropped)

static void close_handle(void)
{
    CHECK_OK(mp_queue_close(q));
    CHECK_STATUS(mp_queue_put_none(q, MP_NO_WAIT), MP_ERR_CLOSED);
}

static int get_with_patience(void)
{
    status[0] = CHECK_CLEAN(mp_queue_get(q, got[0], sizeof got[0], NULL, NULL, MP_FOREVER));
    return status[0];
}

/* Who waits by the handle wakes up to its end. */
static void closed_in_the_get(void)
{
    CHECK_STATUS(status[0], MP_ERR_CLOSED);
    CHECK_OK(mp_queue_close(q));
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_waited_for_and_closed, 1500, nothing, none_is_in, get_with_patience, close_handle,
        closed_in_the_get)

static int close_it(void)
{
    CHECK_OK(mp_queue_close(q));
    return MP_OK;
}

static void both_closed_it(void)
{
    CHECK_STATUS(mp_queue_put_none(q, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q));
}

MEETING(queue_closed_by_both, 600, nothing, six_are_in, close_it, close_handle, both_closed_it)
