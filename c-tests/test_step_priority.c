/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: priority queues and leases; and two threads that meet there. See step.h. */
#include "step.h"
#include "test_priority.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { SHORT = 20, LONG = 300, BIG = 100000, MOST = 256, NONE = -1 };

static mp_priority_queue *q;
/* What was put; the number of a message is its index. */
static struct {
    int64_t priority;
    size_t len;
    bool there;
} items[MOST];
static int last;
/* Not done, and leased by the survivor. */
static size_t unfinished, leased, limit;
static uint64_t lease;
/* The message that the act puts, takes, or ends the lease of. */
static int victims;
/* What is then one more or one less not done. */
static int more_unfinished;

static void put_now(int64_t priority, size_t len)
{
    priority_put(q, priority, last, len);
    items[last].priority = priority;
    items[last].len = len;
    items[last++].there = true;
    unfinished++;
}

static int first(void)
{
    int i, best = NONE;

    for (i = 0; i < last; i++)
        if (items[i].there && (best == NONE || items[i].priority < items[best].priority))
            best = i;
    return best;
}

static size_t there(void)
{
    size_t n = 0;
    int i;

    for (i = 0; i < last; i++)
        n += items[i].there;
    return n;
}

static void get_now(void)
{
    int i = first();

    CHECK_INT(priority_get(q, i, items[i].len), items[i].priority);
    items[i].there = false;
}

static void lease_now(void)
{
    int i = first();

    lease = priority_lease(q, i, items[i].len);
    items[i].there = false;
    leased++;
}

static void make(size_t maxsize)
{
    q = priority_new(limit = maxsize);
    memset(items, 0, sizeof items);
    last = 0;
    unfinished = leased = 0;
    more_unfinished = 0;
    victims = NONE;
}

/* So many messages of mixed priorities and lengths. */
static void make_with(int count)
{
    int i;

    make(0);
    for (i = 0; i < count; i++)
        put_now(i * 7 % 5, i % 6 == 5 ? LONG : SHORT);
}

static void first_use(void)
{
    priority_size(q);
}

static bool nobody_else_has_any(void *arg)
{
    (void)arg;
    return priority_leased(q) == leased;
}

static void drain(void)
{
    CHECK_INT(priority_size(q), there());
    while (first() != NONE)
        get_now();
    CHECK_STATUS(mp_priority_queue_get(q, NULL, 0, NULL, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
}

/* It has what it should have, in its order, works, and is freed. */
static void works(void)
{
    int i;

    CHECK_INT(priority_unfinished(q), unfinished);
    drain();
    last = 0;
    for (i = 0; i < 40; i++) {
        put_now(i % 4, (size_t)(i * 11));
        if (i % 3 == 0)
            lease_now();
        if (i % 6 == 0) {
            CHECK_OK(mp_priority_queue_acknowledge(q, lease));
            unfinished--;
            leased--;
        }
        if ((i % 4 == 0 || there() == limit) && first() != NONE)
            get_now();
    }
    drain();
    CHECK_INT(priority_unfinished(q), unfinished);
    CHECK_INT(priority_leased(q), leased);
    CHECK_OK(mp_priority_queue_free(q));
}

/* The victim's message is there and no longer, or the other way round, or nothing has happened. */
static void done_or_not(outcome_of how)
{
    size_t size = priority_size(q), now = priority_unfinished(q);
    bool done = how == DONE;

    if (how == PERHAPS)
        done = size != there() || now != unfinished;
    if (done) {
        items[victims].there = !items[victims].there && more_unfinished >= 0;
        unfinished += (size_t)more_unfinished;
    }
    works();
}

/* ---- put ---- */

static void will_put(int64_t priority, size_t len)
{
    victims = last;
    items[last].priority = priority;
    items[last++].len = len;
    more_unfinished = 1;
}

static unsigned char bytes[BIG];

static void fill(void)
{
    size_t i;

    first_use();
    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251 + (unsigned)victims);
}

static int put_it(void)
{
    return CHECK_CLEAN(mp_priority_queue_put(q, bytes, items[victims].len, items[victims].priority,
                                             MP_NO_WAIT));
}

static void put_goes_to_the_top(void)
{
    make_with(14);
    will_put(-1, SHORT);
}

OPERATION(priority_put, put_goes_to_the_top, fill, put_it, done_or_not)

static void put_is_the_first(void)
{
    make_with(0);
    will_put(0, SHORT);
}

OPERATION(priority_put_the_first, put_is_the_first, fill, put_it, done_or_not)

static void put_is_long(void)
{
    make_with(14);
    will_put(1, LONG);
}

OPERATION(priority_put_long, put_is_long, fill, put_it, done_or_not)

static void put_is_big(void)
{
    make_with(6);
    will_put(1, BIG);
}

OPERATION(priority_put_big, put_is_big, fill, put_it, done_or_not)

static void put_makes_it_grow(void)
{
    make_with(16);
    will_put(-1, LONG);
}

OPERATION(priority_put_makes_it_grow, put_makes_it_grow, fill, put_it, done_or_not)

static void put_finds_it_full(void)
{
    make(2);
    put_now(0, SHORT);
    put_now(0, LONG);
    will_put(0, LONG);
}

OPERATION_WITH(priority_put_into_a_full_one, put_finds_it_full, fill, put_it, done_or_not,
               .want = MP_ERR_FULL)

/* ---- get ---- */

static void will_take(void)
{
    victims = first();
}

static int get_it(void)
{
    return CHECK_CLEAN(
        mp_priority_queue_get(q, bytes, sizeof bytes, NULL, NULL, NULL, MP_NO_WAIT));
}

static void get_from_many(void)
{
    make_with(15);
    will_take();
}

OPERATION(priority_get, get_from_many, first_use, get_it, done_or_not)

static void get_the_last(void)
{
    make_with(1);
    will_take();
}

OPERATION(priority_get_the_last, get_the_last, first_use, get_it, done_or_not)

static void get_long(void)
{
    make_with(15);
    put_now(-1, LONG);
    will_take();
}

OPERATION(priority_get_long, get_long, first_use, get_it, done_or_not)

static void get_big(void)
{
    make_with(4);
    put_now(-1, BIG);
    will_take();
}

OPERATION(priority_get_big, get_big, first_use, get_it, done_or_not)

static void get_makes_it_shrink(void)
{
    make_with(50);
    while (there() > 17)
        get_now();
    will_take();
}

OPERATION(priority_get_makes_it_shrink, get_makes_it_shrink, first_use, get_it, done_or_not)

static int wait_in_vain(void)
{
    return CHECK_CLEAN(
        mp_priority_queue_get(q, bytes, sizeof bytes, NULL, NULL, NULL, MP_MS(100)));
}

static void is_empty(void)
{
    make_with(0);
}

static void still_works(outcome_of how)
{
    (void)how;
    works();
}

OPERATION_WITH(priority_get_waits_in_vain, is_empty, first_use, wait_in_vain, still_works,
               .want = MP_ERR_EMPTY)

/* ---- lease: the victim is dead, so it is back ---- */

static int lease_it(void)
{
    return CHECK_CLEAN(
        mp_priority_queue_lease(q, bytes, sizeof bytes, NULL, NULL, NULL, &lease, MP_NO_WAIT));
}

static void back_again(outcome_of how)
{
    uint64_t n;

    CHECK(wait_until(nobody_else_has_any, NULL));
    CHECK_INT(priority_size(q), there());
    lease_now();
    n = priority_deliveries(q, lease);
    CHECK(how == DONE ? n == 2 : how == NOT_DONE ? n == 1 : n == 1 || n == 2);
    CHECK_OK(mp_priority_queue_acknowledge(q, lease));
    unfinished--;
    leased--;
    works();
}

OPERATION(priority_lease, get_from_many, first_use, lease_it, back_again)
OPERATION(priority_lease_the_last, get_the_last, first_use, lease_it, back_again)
OPERATION(priority_lease_long, get_long, first_use, lease_it, back_again)

static void some_are_leased(void)
{
    make_with(12);
    lease_now();
    lease_now();
    lease_now();
    CHECK_OK(mp_priority_queue_acknowledge(q, lease));
    unfinished--;
    leased--;
    will_take();
}

OPERATION(priority_lease_in_a_free_entry, some_are_leased, first_use, lease_it, back_again)

static void lease_makes_it_grow(void)
{
    int i;

    make_with(30);
    for (i = 0; i < 16; i++)
        lease_now();
    will_take();
}

OPERATION(priority_lease_makes_it_grow, lease_makes_it_grow, first_use, lease_it, back_again)

/* ---- the end of a lease ---- */

static int acknowledge_it(void)
{
    return CHECK_CLEAN(mp_priority_queue_acknowledge(q, lease));
}

/* Where the survivor's lease is at stake. */
static void ended_or_not(outcome_of how)
{
    size_t now = priority_leased(q);

    CHECK(how == DONE       ? now == leased - 1
          : how == NOT_DONE ? now == leased
                            : now == leased || now == leased - 1);
    if (now == leased) {
        CHECK_INT(priority_deliveries(q, lease), 1);
        items[victims].there = more_unfinished == 0;
        CHECK_OK(more_unfinished == 0 ? mp_priority_queue_return(q, lease)
                                      : mp_priority_queue_acknowledge(q, lease));
    } else {
        CHECK_STATUS(mp_priority_queue_acknowledge(q, lease), MP_ERR_INVALID);
        items[victims].there = more_unfinished == 0;
    }
    unfinished += (size_t)more_unfinished;
    leased--;
    works();
}

static void will_acknowledge(void)
{
    victims = first();
    lease_now();
    more_unfinished = -1;
}

static void acknowledge_one(void)
{
    make_with(12);
    lease_now();
    will_acknowledge();
}

OPERATION(priority_acknowledge, acknowledge_one, first_use, acknowledge_it, ended_or_not)

static void acknowledge_the_only(void)
{
    make_with(12);
    will_acknowledge();
}

OPERATION(priority_acknowledge_the_only_one, acknowledge_the_only, first_use, acknowledge_it,
          ended_or_not)

static void acknowledge_long(void)
{
    make_with(12);
    lease_now();
    put_now(-1, LONG);
    will_acknowledge();
}

OPERATION(priority_acknowledge_long, acknowledge_long, first_use, acknowledge_it, ended_or_not)

static void acknowledge_big(void)
{
    make_with(3);
    put_now(-1, BIG);
    will_acknowledge();
}

OPERATION(priority_acknowledge_big, acknowledge_big, first_use, acknowledge_it, ended_or_not)

static int return_it(void)
{
    return CHECK_CLEAN(mp_priority_queue_return(q, lease));
}

static void will_return(void)
{
    victims = first();
    lease_now();
    more_unfinished = 0;
}

static void return_one(void)
{
    make_with(15);
    lease_now();
    will_return();
}

OPERATION(priority_return, return_one, first_use, return_it, ended_or_not)

static void return_long(void)
{
    make_with(14);
    put_now(-1, LONG);
    will_return();
}

OPERATION(priority_return_long, return_long, first_use, return_it, ended_or_not)

/* The victim has three itself. */
static void lease_three(void)
{
    int i;

    for (i = 0; i < 3; i++)
        CHECK_OK(lease_it());
}

static void three_are_back(outcome_of how)
{
    size_t now;

    CHECK(wait_until(nobody_else_has_any, NULL));
    now = priority_unfinished(q);
    CHECK(how == DONE       ? now == unfinished - 1
          : how == NOT_DONE ? now == unfinished
                            : now == unfinished || now == unfinished - 1);
    if (now < unfinished) {
        items[victims].there = false;
        unfinished--;
    }
    works();
}

static void takes_three(void)
{
    int a, b;

    make_with(9);
    a = first();
    items[a].there = false;
    b = first();
    items[b].there = false;
    /* The third is what is acknowledged. */
    victims = first();
    items[a].there = items[b].there = true;
}

OPERATION(priority_acknowledge_ones_own, takes_three, lease_three, acknowledge_it, three_are_back)

/* ---- what the dead had ---- */

static int takes_two(void *arg)
{
    (void)arg;
    CHECK_OK(lease_it());
    CHECK_OK(lease_it());
    return 0;
}

static void two_are_with_the_dead(void)
{
    make_with(10);
    CHECK_INT(in_fork(takes_two, NULL), 0);
    will_take();
}

/* Where the system does not say who is dead, the third message is the first that there is. */
static void got_what_is_back(outcome_of how)
{
    int a = first(), b;
    size_t len;

    CHECK(wait_until(nobody_else_has_any, NULL));
    if (how != PERHAPS && priority_size(q) < there()) {
        items[a].there = false;
        b = first();
        items[b].there = false;
        victims = first();
        items[a].there = items[b].there = true;
        CHECK_OK(mp_priority_queue_lease(q, bytes, sizeof bytes, &len, NULL, NULL, &lease,
                                         MP_NO_WAIT));
        if (bytes[0] != (unsigned char)a)
            victims = a;
        CHECK_OK(mp_priority_queue_return(q, lease));
    }
    done_or_not(how);
}

OPERATION(priority_get_of_what_the_dead_had, two_are_with_the_dead, NULL, get_it,
          got_what_is_back)

static int ask(void)
{
    size_t n;

    return CHECK_CLEAN(mp_priority_queue_size(q, &n));
}

static void all_is_there(outcome_of how)
{
    (void)how;
    CHECK(wait_until(nobody_else_has_any, NULL));
    works();
}

OPERATION(priority_size_with_what_the_dead_had, two_are_with_the_dead, NULL, ask, all_is_there)

/* Puts or gets at an address where nothing is, and so dies with the lock held. */
static int dies_inside(void *arg)
{
    struct rlimit none = {0, 0};
    void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(nowhere != MAP_FAILED && setrlimit(RLIMIT_CORE, &none) == 0);
    if (arg == NULL)
        mp_priority_queue_put(q, nowhere, SHORT, 0, MP_NO_WAIT);
    else
        mp_priority_queue_get(q, nowhere, 4096, NULL, NULL, NULL, MP_NO_WAIT);
    return 0;
}

static void somebody_died_in_put(void)
{
    make_with(9);
    CHECK_INT(in_fork(dies_inside, NULL), -SIGSEGV);
    will_put(1, LONG);
}

static void somebody_died_in_get(void)
{
    make_with(9);
    CHECK_INT(in_fork(dies_inside, q), -SIGSEGV);
    will_take();
}

OPERATION(priority_put_after_a_death, somebody_died_in_put, fill, put_it, done_or_not)
OPERATION(priority_get_after_a_death, somebody_died_in_get, first_use, get_it, done_or_not)

/* ---- task_done, shutdown ---- */

static int tell(void)
{
    return CHECK_CLEAN(mp_priority_queue_task_done(q));
}

static void told_or_not(outcome_of how)
{
    size_t now = priority_unfinished(q);

    CHECK(how == DONE       ? now == unfinished - 1
          : how == NOT_DONE ? now == unfinished
                            : now == unfinished || now == unfinished - 1);
    unfinished = now;
    works();
}

OPERATION(priority_task_done, get_from_many, first_use, tell, told_or_not)

static int shut(void)
{
    return CHECK_CLEAN(mp_priority_queue_shutdown(q, true));
}

static void one_leased_and_some_there(void)
{
    make_with(14);
    put_now(-1, BIG);
    lease_now();
}

static void shut_or_not(outcome_of how)
{
    size_t size = priority_size(q);
    uint64_t mine = lease;

    CHECK(size == 0 || (size == there() && how != DONE));
    if (size > 0) {
        CHECK_OK(mp_priority_queue_acknowledge(q, mine));
        unfinished--;
        leased--;
        works();
        return;
    }
    CHECK_STATUS(mp_priority_queue_put_none(q, 0, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_STATUS(mp_priority_queue_get(q, NULL, 0, NULL, NULL, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_INT(priority_unfinished(q), 1);
    CHECK_OK(mp_priority_queue_return(q, mine));
    CHECK_OK(mp_priority_queue_join(q, MP_FOREVER));
    CHECK_OK(mp_priority_queue_free(q));
}

OPERATION(priority_shutdown, one_leased_and_some_there, first_use, shut, shut_or_not)

/* ---- somebody sleeps ---- */

static pthread_t sleeper;
static size_t sleepers_len;

static void *takes(void *arg)
{
    static unsigned char own[LONG];

    CHECK_OK(mp_priority_queue_get(q, own, sizeof own, &sleepers_len, NULL, NULL, MP_FOREVER));
    return arg;
}

static void taker_sleeps(void)
{
    make_with(0);
    CHECK(pthread_create(&sleeper, NULL, takes, NULL) == 0);
    sleep_ms(3);
    will_put(0, SHORT);
}

static void sleeper_got_one(outcome_of how)
{
    if (how != DONE) {
        /* If the victim's is in, this one stays. */
        priority_put(q, 0, victims, LONG);
        unfinished++;
    }
    CHECK(pthread_join(sleeper, NULL) == 0);
    CHECK(sleepers_len == SHORT || (sleepers_len == LONG && how != DONE));
    if (how != DONE && sleepers_len == SHORT) {
        items[victims].len = LONG;
        items[victims].there = true;
        unfinished++;
    } else if (how == DONE) {
        unfinished++;
    }
    works();
}

OPERATION(priority_put_wakes_a_taker, taker_sleeps, fill, put_it, sleeper_got_one)

/* ---- two threads of a process meet ---- */

/* Whoever comes too late is told; a call that is in the queue already may find nothing there. */
static int may_be_freed(int status)
{
    CHECK(status == MP_OK || status == MP_ERR_BAD_HANDLE || status == MP_ERR_STATE ||
          status == MP_ERR_EMPTY);
    return status;
}

static int use_it(void)
{
    uint64_t mine = 0;

    may_be_freed(CHECK_CLEAN(mp_priority_queue_put(q, bytes, SHORT, 1, MP_NO_WAIT)));
    may_be_freed(CHECK_CLEAN(
        mp_priority_queue_lease(q, bytes, sizeof bytes, NULL, NULL, NULL, &mine, MP_NO_WAIT)));
    if (mine != 0)
        may_be_freed(CHECK_CLEAN(mp_priority_queue_acknowledge(q, mine)));
    may_be_freed(CHECK_CLEAN(mp_priority_queue_put(q, bytes, LONG, 1, MP_NO_WAIT)));
    return may_be_freed(CHECK_CLEAN(get_it()));
}

static void free_it(void)
{
    may_be_freed(CHECK_CLEAN(mp_priority_queue_free(q)));
}

static void five_are_in(void)
{
    make_with(5);
}

MEETING(priority_used_and_freed, 6000, nothing, five_are_in, use_it, free_it, free_it)

/* Who has the last word frees what it was said through; what is made then may lie there. */
enum { OTHERS = 600 };
static mp_value *others[OTHERS];
static mp_array *arrays[40];

static int say_the_last_word(void)
{
    return mp_priority_queue_put(q, "done", 5, 0, MP_NO_WAIT);
}

static void get_it_and_free(void)
{
    static unsigned char ones[1500];
    char word[5];
    size_t i;

    if (mp_priority_queue_get(q, word, sizeof word, NULL, NULL, NULL, MP_NO_WAIT) != MP_OK)
        return;
    CHECK_OK(mp_priority_queue_free(q));
    memset(ones, 0xFF, sizeof ones);
    for (i = 0; i < OTHERS; i++)
        CHECK_OK(mp_value_new(&others[i], MP_DOUBLE, NULL, NULL));
    for (i = 0; i < COUNT(arrays); i++)
        CHECK_OK(mp_array_new(&arrays[i], MP_UINT8, sizeof ones, ones, NULL));
}

static void others_are_whole(void)
{
    double d;
    int64_t x;
    size_t i, k;

    for (i = 0; i < OTHERS && others[i] != NULL; i++) {
        CHECK_OK(mp_value_get_double(others[i], &d));
        CHECK(d == 0);
        CHECK_OK(mp_value_free(others[i]));
    }
    for (i = 0; i < COUNT(arrays) && arrays[i] != NULL; i++) {
        for (k = 0; k < 1500; k++) {
            CHECK_OK(mp_array_get_int(arrays[i], k, &x));
            CHECK_INT(x, 0xFF);
        }
        CHECK_OK(mp_array_free(arrays[i]));
    }
}

MEETING(priority_freed_by_its_consumer, 0, nothing, is_empty, say_the_last_word, get_it_and_free,
        others_are_whole)

/* Two that lease, and no message goes to both. */
static int lease_one(void)
{
    unsigned char own[LONG];
    uint64_t mine;

    CHECK_OK(mp_priority_queue_lease(q, own, sizeof own, NULL, NULL, NULL, &mine, MP_FOREVER));
    CHECK_INT(mp_priority_queue_deliveries(q, mine, &mine) == MP_OK && mine == 1, 1);
    return MP_OK;
}

static void lease_one_too(void)
{
    lease_one();
}

static void three_are_left(void)
{
    CHECK_INT(priority_size(q), 3);
    CHECK_INT(priority_leased(q), 2);
    CHECK_OK(mp_priority_queue_free(q));
}

MEETING(priority_leased_by_both, 1500, nothing, five_are_in, lease_one,
        lease_one_too, three_are_left)

/* ---- the queue as a whole ---- */

static int use_and_free(void)
{
    mp_priority_queue *mine = NULL;
    uint64_t x;
    int i, s = CHECK_CLEAN(mp_priority_queue_new(&mine, NULL));

    for (i = 0; i < 3 && s == MP_OK; i++)
        s = CHECK_CLEAN(mp_priority_queue_put(mine, bytes, i == 2 ? BIG : i == 1 ? LONG : SHORT, i,
                                              MP_NO_WAIT));
    for (i = 0; i < 2 && s == MP_OK; i++)
        s = CHECK_CLEAN(mp_priority_queue_lease(mine, bytes, sizeof bytes, NULL, NULL, NULL, &x,
                                                MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_free(mine));
    return s;
}

OPERATION(priority_freed_with_what_is_in_it, is_empty, first_use, use_and_free, still_works)
