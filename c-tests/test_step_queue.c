/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: queues. See step.h. */
#include "test_step_queue.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ---- put ---- */

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

OPERATION(queue_put_large, large_is_next, fill, put_it, put_or_not)

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
