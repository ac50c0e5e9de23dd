/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: queues. See step.h. */
#include "step.h"
#include "test_queue.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { RING = 1024, LARGE = 5000, BIG = (2 << 20) + 1 };

static mp_queue *q;
/* What is in it: the lengths of the messages; each is a pattern of its number. */
static size_t lengths[64];
static int first, last;
static unsigned char bytes[BIG];

static void put_now(size_t len)
{
    pattern_fill(bytes, len, (unsigned)last);
    CHECK_OK(mp_queue_put(q, bytes, len, MP_NO_WAIT));
    lengths[last++] = len;
}

static void get_now(void)
{
    size_t len;

    CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
    CHECK_INT(len, lengths[first]);
    pattern_check(bytes, len, (unsigned)first++);
}

static void make_queue(size_t maxsize)
{
    q = queue_new(RING, maxsize);
    first = last = 0;
}

static void first_use(void)
{
    queue_size(q);
}

/* The queue has what it should have, works, and is freed. */
static void works(void)
{
    size_t len;

    CHECK_INT(queue_size(q), last - first);
    while (first < last)
        get_now();
    CHECK_STATUS(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    for (len = 0; len < 40; len++) {
        put_now(len * 6);
        if (len % 13 == 0)
            put_now(LARGE);
        while (first < last)
            get_now();
        if (last > 40)
            first = last = 0;
    }
    CHECK_INT(queue_size(q), 0);
    CHECK_OK(mp_queue_free(q));
}

/* ---- put ---- */

static size_t victims_length;

/* Not in what is attacked: it takes long. */
static void fill(void)
{
    first_use();
    pattern_fill(bytes, victims_length, (unsigned)last);
}

static int put_it(void)
{
    return CHECK_CLEAN(mp_queue_put(q, bytes, victims_length, MP_NO_WAIT));
}

static void put_or_not(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE       ? size == (size_t)(last - first) + 1
          : how == NOT_DONE ? size == (size_t)(last - first)
                            : size - (size_t)(last - first) <= 1);
    if (size > (size_t)(last - first))
        lengths[last++] = victims_length;
    works();
}

static void two_are_in(void)
{
    make_queue(0);
    put_now(10);
    put_now(0);
    victims_length = 50;
}

OPERATION(queue_put, two_are_in, fill, put_it, put_or_not)

/* The record does not fit before the ring's end. */
static void near_the_end(void)
{
    int i;

    make_queue(0);
    for (i = 0; i < 4; i++)
        put_now(232);
    get_now();
    get_now();
    victims_length = 200;
}

OPERATION(queue_put_around_the_end, near_the_end, fill, put_it, put_or_not)

static void is_full(void)
{
    make_queue(2);
    put_now(10);
    put_now(20);
    victims_length = 30;
}

OPERATION_WITH(queue_put_into_a_full_one, is_full, fill, put_it, put_or_not, .want = MP_ERR_FULL)

static int put_patiently(void)
{
    return CHECK_CLEAN(mp_queue_put(q, bytes, victims_length, MP_MS(100)));
}

OPERATION_WITH(queue_put_waits_in_vain, is_full, fill, put_patiently, put_or_not,
               .want = MP_ERR_FULL)

static void large_is_next(void)
{
    make_queue(0);
    put_now(10);
    victims_length = LARGE;
}

OPERATION(queue_put_large, large_is_next, fill, put_it, put_or_not)

static void large_has_a_spare(void)
{
    make_queue(0);
    put_now(LARGE);
    put_now(LARGE);
    get_now();
    victims_length = LARGE + 1;
}

OPERATION(queue_put_large_into_a_spare, large_has_a_spare, fill, put_it, put_or_not)

/* A spare is there and too small: the queue gives it up for a longer block. */
static void larger_than_the_spare(void)
{
    large_has_a_spare();
    victims_length = 100000;
}

OPERATION(queue_put_larger_than_the_spare, larger_than_the_spare, fill, put_it, put_or_not)

/* ---- none ---- */

static int put_none(void)
{
    return CHECK_CLEAN(mp_queue_put_none(q, MP_NO_WAIT));
}

static void none_or_not(outcome_of how)
{
    size_t size = queue_size(q), len = 1;
    bool none = false;

    while (first < last)
        get_now();
    CHECK(how == DONE ? size == 3 : how == NOT_DONE ? size == 2 : size == 2 || size == 3);
    if (size == 3) {
        CHECK_OK(mp_queue_get(q, NULL, 0, &len, &none, MP_NO_WAIT));
        CHECK(none && len == 0);
    }
    works();
}

OPERATION(queue_put_none, two_are_in, first_use, put_none, none_or_not)

/* ---- get ---- */

/* All of them would take long. */
static unsigned char last_byte_of(int number)
{
    size_t i = lengths[number] - 1;

    return (unsigned char)(i * 7 + i / 251 + (unsigned)number);
}

static int get_it(void)
{
    size_t len;
    int s = CHECK_CLEAN(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));

    if (s == MP_OK) {
        CHECK_INT(len, lengths[first]);
        CHECK(len == 0 || bytes[len - 1] == last_byte_of(first));
    }
    return s;
}

static int get_it_as_a_buffer(void)
{
    mp_buffer *b = NULL;
    int s = CHECK_CLEAN(mp_queue_get_buffer(q, &b, MP_NO_WAIT));

    if (s == MP_OK) {
        size_t len;
        const unsigned char *data = mp_buffer_data(b, &len);

        CHECK_INT(len, lengths[first]);
        CHECK(len == 0 || data[len - 1] == last_byte_of(first));
    }
    CHECK_OK(mp_buffer_free(b));
    return s;
}

static void got_or_not(outcome_of how)
{
    size_t size = queue_size(q);

    CHECK(how == DONE       ? size == (size_t)(last - first) - 1
          : how == NOT_DONE ? size == (size_t)(last - first)
                            : (size_t)(last - first) - size <= 1);
    if (size < (size_t)(last - first))
        first++;
    works();
}

OPERATION(queue_get, two_are_in, first_use, get_it, got_or_not)
OPERATION(queue_get_buffer, two_are_in, first_use, get_it_as_a_buffer, got_or_not)

/* The oldest one's record follows a skip. */
static void behind_the_end(void)
{
    near_the_end();
    put_now(200);
    get_now();
    get_now();
}

OPERATION(queue_get_around_the_end, behind_the_end, first_use, get_it, got_or_not)

static void large_is_oldest(void)
{
    make_queue(0);
    put_now(LARGE);
    put_now(LARGE + 8);
    put_now(3);
}

OPERATION(queue_get_large, large_is_oldest, first_use, get_it, got_or_not)
OPERATION(queue_get_large_buffer, large_is_oldest, first_use, get_it_as_a_buffer, got_or_not)

/* Its block is too long to be kept. */
static void big_is_oldest(void)
{
    make_queue(0);
    put_now(BIG);
    put_now(3);
}

OPERATION(queue_get_big, big_is_oldest, first_use, get_it, got_or_not)

static void is_empty(void)
{
    make_queue(0);
}

static int get_patiently(void)
{
    size_t len;

    return CHECK_CLEAN(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_MS(100)));
}

static void got_nothing(outcome_of how)
{
    CHECK(how != DONE);
    works();
}

OPERATION_WITH(queue_get_waits_in_vain, is_empty, first_use, get_patiently, got_nothing,
               .want = MP_ERR_EMPTY)

static int get_too_small(void)
{
    size_t len = 0;
    int s = CHECK_CLEAN(mp_queue_get(q, bytes, 3, &len, NULL, MP_NO_WAIT));

    if (s == MP_ERR_TOO_SMALL)
        CHECK_INT(len, 10);
    return s;
}

OPERATION_WITH(queue_get_too_small, two_are_in, first_use, get_too_small, got_nothing,
               .want = MP_ERR_TOO_SMALL)

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

/* ---- somebody sleeps ---- */

static pthread_t sleeper;

static void *consumes(void *arg)
{
    static unsigned char own[64];
    size_t len;

    CHECK_OK(mp_queue_get(q, own, sizeof own, &len, NULL, MP_FOREVER));
    CHECK_INT(len, victims_length);
    /* The pattern begins with its number. */
    pattern_check(own, len, own[0]);
    *(int *)arg = own[0];
    return NULL;
}

static int sleepers_number;

static void consumer_sleeps(void)
{
    make_queue(0);
    victims_length = 40;
    CHECK(pthread_create(&sleeper, NULL, consumes, &sleepers_number) == 0);
    sleep_ms(2);
}

/* What a victim put, the sleeper gets. If that was nothing, it gets what is put now. */
static void sleeper_got_it(outcome_of how)
{
    lengths[last++] = victims_length;
    if (how != DONE)
        put_now(victims_length);
    CHECK(pthread_join(sleeper, NULL) == 0);
    CHECK(sleepers_number == 0 || how != DONE);
    CHECK(sleepers_number == 1 || how != NOT_DONE);
    first = sleepers_number + 1;
    works();
}

OPERATION(queue_put_wakes_a_consumer, consumer_sleeps, fill, put_it, sleeper_got_it)

static void *produces(void *arg)
{
    static unsigned char own[64];

    pattern_fill(own, 30, 2);
    CHECK_OK(mp_queue_put(q, own, 30, MP_FOREVER));
    return arg;
}

static void producer_sleeps(void)
{
    is_full();
    CHECK(pthread_create(&sleeper, NULL, produces, NULL) == 0);
    sleep_ms(3);
}

static void sleeper_put_it(outcome_of how)
{
    size_t size = queue_size(q);

    if (how == DONE || (how == PERHAPS && size < 2))
        first++;
    /* Whether the sleeper's message came in already tells nothing: so its length tells what was taken. */
    if (how != DONE) {
        size_t len;

        CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
        CHECK(len == 10 || len == 20);
        CHECK(how != NOT_DONE || len == 10);
        first = len == 10 ? 1 : 2;
        pattern_check(bytes, len, len == 10 ? 0 : 1);
    }
    CHECK(pthread_join(sleeper, NULL) == 0);
    lengths[last++] = 30;
    works();
}

OPERATION(queue_get_wakes_a_producer, producer_sleeps, first_use, get_it, sleeper_put_it)

/* ---- somebody has died in there ---- */

/* Puts or gets at an address where nothing is, and so dies with the lock held. */
static int dies_inside(void *puts)
{
    struct rlimit none = {0, 0};
    void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(nowhere != MAP_FAILED && setrlimit(RLIMIT_CORE, &none) == 0);
    if (puts != NULL)
        mp_queue_put(q, nowhere, 10, MP_NO_WAIT);
    else
        mp_queue_get(q, nowhere, 4096, NULL, NULL, MP_NO_WAIT);
    return 0;
}

static void a_producer_died(void)
{
    two_are_in();
    CHECK_INT(in_fork(dies_inside, q), -SIGSEGV);
}

static void a_consumer_died(void)
{
    two_are_in();
    CHECK_INT(in_fork(dies_inside, NULL), -SIGSEGV);
}

OPERATION(queue_put_after_a_death, a_producer_died, fill, put_it, put_or_not)
OPERATION(queue_get_after_a_death, a_consumer_died, first_use, get_it, got_or_not)

/* ---- the queue as a whole ---- */

static int fill_and_free(void)
{
    mp_queue *mine = NULL;
    int s = CHECK_CLEAN(mp_queue_new(&mine, NULL));

    if (s == MP_OK) {
        s = CHECK_CLEAN(mp_queue_put(mine, bytes, 100000, MP_NO_WAIT));
        if (s == MP_OK)
            s = CHECK_CLEAN(mp_queue_put(mine, bytes, 100, MP_NO_WAIT));
    }
    CHECK_OK(mp_queue_free(mine));
    return s;
}

static void other_queue_works(outcome_of how)
{
    (void)how;
    works();
}

OPERATION(queue_freed_with_what_is_in_it, is_empty, first_use, fill_and_free, other_queue_works)
