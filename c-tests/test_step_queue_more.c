/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: queues of several rings, batches, tasks, lending, the end. See step.h. */
#include "test_step_queue.h"

#include <string.h>

/* ---- several at once ---- */

static int put_three(void)
{
    const mp_message m[3] = {{bytes, 10}, {bytes, 40}, {bytes, 0}};
    size_t n;
    int s = CHECK_CLEAN(mp_queue_put_many(q, m, 3, &n, MP_NO_WAIT));

    CHECK_INT(n, s == MP_OK ? 3 : 0);
    return s;
}

static void fill_three(void)
{
    first_use();
    pattern_fill(bytes, 40, 9);
}

/* All are in or none is. */
static void three_or_none(outcome_of how)
{
    size_t size = queue_size(q), len, i;

    CHECK(how == DONE ? size == 5 : how == NOT_DONE ? size == 2 : size == 2 || size == 5);
    get_now();
    get_now();
    for (i = 0; i < size - 2; i++) {
        CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
        CHECK_INT(len, i == 0 ? 10 : i == 1 ? 40 : 0);
        pattern_check(bytes, len, 9);
    }
    works();
}

OPERATION(queue_put_many, two_are_in, fill_three, put_three, three_or_none)

static int get_all(void)
{
    size_t lens[4], n;
    int s = CHECK_CLEAN(mp_queue_get_many(q, bytes, 100, lens, 4, &n, MP_NO_WAIT));

    if (s == MP_OK)
        CHECK(n == 2 && lens[0] == 10 && lens[1] == 0);
    return s;
}

static void all_or_none(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE ? size == 0 : how == NOT_DONE ? size == 2 : size == 0 || size == 2);
    if (size == 0)
        first = last;
    works();
}

OPERATION(queue_get_many, two_are_in, first_use, get_all, all_or_none)

/* ---- tasks ---- */

static int one_is_done(void)
{
    return CHECK_CLEAN(mp_queue_task_done(q));
}

static void done_or_not(outcome_of how)
{
    mp_queue_stats s = MP_QUEUE_STATS;

    CHECK_OK(mp_queue_stats_get(q, &s));
    CHECK(how == DONE       ? s.unfinished == 1
          : how == NOT_DONE ? s.unfinished == 2
                            : s.unfinished == 1 || s.unfinished == 2);
    while (s.unfinished-- > 0)
        CHECK_OK(mp_queue_task_done(q));
    CHECK_OK(mp_queue_join(q, MP_FOREVER));
    CHECK_STATUS(mp_queue_task_done(q), MP_ERR_OVER_RELEASE);
    works();
}

OPERATION(queue_task_done, two_are_in, first_use, one_is_done, done_or_not)

static int join_in_vain(void)
{
    return CHECK_CLEAN(mp_queue_join(q, MP_MS(100)));
}

OPERATION_WITH(queue_join_in_vain, two_are_in, first_use, join_in_vain, got_nothing,
               .want = MP_ERR_TIMEOUT)

/* ---- rings that hang on each other ---- */

enum { ENDS = 2048 };

/* The next message needs another ring. */
static void ring_is_full(void)
{
    CHECK_OK(mp_queue_new(&q, NULL));
    first = last = 0;
    while ((last + 1) * 200 < ENDS - 16)
        put_now(192);
    victims_length = 100;
}

OPERATION(queue_put_into_another_ring, ring_is_full, fill, put_it, put_or_not)

/* The spare one. */
static void ring_is_spare(void)
{
    int i;

    CHECK_OK(mp_queue_new(&q, NULL));
    first = last = 0;
    for (i = 0; i < 60; i++)
        put_now(15000);
    while (first < last)
        get_now();
    first = last = 0;
    while (last < 60 && (last < 30 || queue_size(q) < 43))
        put_now(15000);
    victims_length = 15000;
}

OPERATION(queue_put_into_a_ring_again, ring_is_spare, fill, put_it, put_or_not)

/* The oldest message is in the next ring. */
static void behind_a_link(void)
{
    ring_is_full();
    put_now(100);
    put_now(5);
    while (lengths[first] == 192)
        get_now();
}

OPERATION(queue_get_from_the_next_ring, behind_a_link, first_use, get_it, got_or_not)

/* ---- in place ---- */

static int reserve_it(void)
{
    void *data;

    return CHECK_CLEAN(mp_queue_reserve(q, LARGE, &data));
}

static void nothing_happened(outcome_of how)
{
    (void)how;
    works();
}

OPERATION(queue_reserve, two_are_in, first_use, reserve_it, nothing_happened)

static void *reserved;

static void reserve_and_fill(void)
{
    fill();
    CHECK_OK(mp_queue_reserve(q, LARGE, &reserved));
    memcpy(reserved, bytes, LARGE);
}

static int commit_it(void)
{
    return CHECK_CLEAN(mp_queue_commit(q, reserved, LARGE, MP_NO_WAIT));
}

static void large_has_spares(void)
{
    large_has_a_spare();
    victims_length = LARGE;
}

OPERATION(queue_commit, large_is_next, reserve_and_fill, commit_it, put_or_not)
OPERATION(queue_commit_beside_spares, large_has_spares, reserve_and_fill, commit_it, put_or_not)

static int cancel_it(void)
{
    return CHECK_CLEAN(mp_queue_cancel(q, reserved));
}

OPERATION(queue_cancel, two_are_in, reserve_and_fill, cancel_it, nothing_happened)

/* The victim's messages are here again, once, when its death was found out. */
static int peek_it(void)
{
    const unsigned char *data;
    size_t len;
    int s = CHECK_CLEAN(
        mp_queue_peek(q, (const void **)&data, &len, NULL, MP_NO_WAIT));

    if (s == MP_OK) {
        CHECK_INT(len, lengths[first]);
        CHECK(len == 0 || data[len - 1] == last_byte_of(first));
    }
    return s;
}

static void all_are_there(outcome_of how)
{
    bool seen[64] = {false};
    size_t len;
    int n, i;

    (void)how;
    for (n = first; n < last; n++) {
        CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_SEC(30)));
        for (i = first; i < last && (seen[i] || lengths[i] != len); i++)
            continue;
        CHECK(i < last);
        seen[i] = true;
        pattern_check(bytes, len, (unsigned)i);
    }
    first = last;
    works();
}

OPERATION(queue_peek, two_are_in, first_use, peek_it, all_are_there)
OPERATION(queue_peek_large, large_is_oldest, first_use, peek_it, all_are_there)
OPERATION(queue_peek_behind_a_link, behind_a_link, first_use, peek_it, all_are_there)

static const void *peeked;

static void peek_first(void)
{
    size_t len;

    CHECK_OK(mp_queue_peek(q, &peeked, &len, NULL, MP_NO_WAIT));
}

static int release_it(void)
{
    return CHECK_CLEAN(mp_queue_release(q, peeked));
}

/* It is here again, or it is not. */
static void released_or_not(outcome_of how)
{
    size_t len;
    int s;

    CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
    CHECK_INT(len, lengths[first + 1]);
    s = CHECK_CLEAN(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
    CHECK(s == (how == DONE ? MP_ERR_EMPTY : how == NOT_DONE ? MP_OK : s));
    if (s == MP_OK)
        CHECK_INT(len, lengths[first]);
    first = last;
    works();
}

OPERATION(queue_release, two_are_in, peek_first, release_it, released_or_not)

static int peeks_and_leaves(void *arg)
{
    peek_first();
    return arg != NULL;
}

/* What it had is an orphan, which is found out where there is nothing else. */
static void a_borrower_died(void)
{
    make_queue(0);
    put_now(10);
    CHECK_INT(in_fork(peeks_and_leaves, NULL), 0);
    CHECK_STATUS(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_TOO_SMALL);
    put_now(0);
}

OPERATION(queue_peek_of_an_orphan, a_borrower_died, first_use, peek_it, all_are_there)

/* Killed in here, it may be handed out once more. */
static void got_or_not_or_again(outcome_of how)
{
    size_t len;

    CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
    CHECK(how == DONE ? len == 0 : how == NOT_DONE ? len == 10 : len == 0 || len == 10);
    if (len == 10)
        CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
    CHECK_INT(len, 0);
    first = last;
    works();
}

OPERATION(queue_get_of_an_orphan, a_borrower_died, first_use, get_it, got_or_not_or_again)

/* ---- the end ---- */

static int shut_down(void)
{
    return CHECK_CLEAN(mp_queue_shutdown(q, false));
}

static int cut_short(void)
{
    return CHECK_CLEAN(mp_queue_shutdown(q, true));
}

static bool is_shut(void)
{
    int s = mp_queue_put(q, "", 0, MP_NO_WAIT);

    CHECK(s == MP_OK || s == MP_ERR_CLOSED);
    if (s == MP_OK)
        lengths[last++] = 0;
    return s != MP_OK;
}

static void shut_or_not(outcome_of how)
{
    bool shut = is_shut();
    size_t len;

    CHECK(how == PERHAPS || shut == (how == DONE));
    while (first < last && lengths[first] > 0)
        get_now();
    if (!shut) {
        first = last - 1;
        works();
        return;
    }
    CHECK_STATUS(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q));
}

/* Nothing is left, or all of it is. */
static void cut_or_not(outcome_of how)
{
    bool shut = is_shut();
    size_t len;

    CHECK(how == PERHAPS || shut == (how == DONE));
    if (!shut) {
        while (first < last && lengths[first] > 0)
            get_now();
        works();
        return;
    }
    CHECK_STATUS(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_free(q));
}

static void in_two_rings(void)
{
    ring_is_full();
    put_now(100);
    put_now(20000);
}

OPERATION(queue_shutdown, in_two_rings, first_use, shut_down, shut_or_not)
OPERATION(queue_shutdown_at_once, in_two_rings, first_use, cut_short, cut_or_not)
OPERATION(queue_shutdown_at_once_of_a_ring, large_is_oldest, first_use, cut_short, cut_or_not)

/* The handle's end is nothing to the other's. */
static int close_it(void)
{
    return CHECK_CLEAN(mp_queue_close(q));
}

OPERATION(queue_close, two_are_in, first_use, close_it, nothing_happened)
