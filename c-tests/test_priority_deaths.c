/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Leases of processes that die; and producers and workers of one priority queue, one after the other killed at a
 * random moment.
 *
 * Each producer takes a line, numbers its messages in it, and says in shared memory how many of its puts returned. Each
 * worker counts in shared memory what it was handed out, and what it has acknowledged. So at the end every message
 * whose put returned was handed out and acknowledged, and none was handed out once its acknowledgement had
 * returned. The last message of a killed producer, whose put did not return, may be there or not. */
#include "test_priority.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void killed(mp_process *p)
{
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
}

/* ---- one taker ---- */

/* Leases two, tells so, and never ends. */
static int takes_two(mp_child *self, void *user)
{
    mp_priority_queue *q = mp_child_priority_queue(self, 0);

    (void)user;
    priority_lease(q, 0, 8);
    priority_lease(q, 1, 800);
    flag_set(mp_child_value(self, 1), 1);
    for (;;)
        sleep_ms(1000);
    return 0;
}

static mp_process *taker_of_two(mp_priority_queue *q)
{
    mp_value *flag = flag_new();
    mp_process *p;

    priority_put(q, 0, 0, 8);
    priority_put(q, 0, 1, 800);
    p = CHILD_START(takes_two, q, flag);
    flag_wait(flag, 1);
    CHECK_INT(priority_leased(q), 2);
    CHECK_INT(priority_size(q), 0);
    CHECK_OK(mp_value_free(flag));
    return p;
}

static int kills_soon(mp_child *self, void *user)
{
    (void)user;
    sleep_ms(20);
    CHECK(kill(child_number(self, 1), SIGKILL) == 0);
    return 0;
}

static mp_process *killer_of(mp_process *p, mp_priority_queue *q)
{
    mp_process *killer;

    CHECK_OK(mp_process_new(&killer, kills_soon, NULL, NULL));
    CHECK_OK(mp_process_add_handle(killer, q));
    child_add_number(killer, child_pid(p));
    CHECK_OK(mp_process_start(killer));
    return killer;
}

/* Who sleeps when the taker dies is handed what it had, in its order. */
TEST(priority, what_a_dead_taker_had_goes_to_who_waits)
{
    int round;

    for (round = 0; round < 5; round++) {
        mp_priority_queue *q = priority_new(0);
        mp_process *p = taker_of_two(q), *killer = killer_of(p, q);
        uint64_t lease = priority_lease(q, 0, 8);

        CHECK_INT(priority_deliveries(q, lease), 2);
        CHECK_OK(mp_priority_queue_acknowledge(q, lease));
        priority_get(q, 1, 800);
        CHECK_OK(mp_priority_queue_task_done(q));
        CHECK_OK(mp_priority_queue_join(q, MP_NO_WAIT));
        CHECK_INT(child_end(p), -SIGKILL);
        CHECK_INT(child_end(killer), 0);
        CHECK_OK(mp_priority_queue_free(q));
    }
}

/* Nobody waits: the queue always has something, and what comes back is before others of its priority. */
TEST(priority, what_a_dead_taker_had_comes_back_into_a_full_queue)
{
    mp_priority_queue *q = priority_new(2);
    mp_process *p = taker_of_two(q);
    unsigned char bytes[900];
    size_t len;
    int i;

    killed(p);
    for (i = 0; i < 30000; i++) {
        CHECK_OK(mp_priority_queue_put(q, "other", 5, 0, MP_SEC(30)));
        CHECK_OK(mp_priority_queue_get(q, bytes, sizeof bytes, &len, NULL, NULL, MP_NO_WAIT));
        if (len != 5)
            break;
        sleep_ms(1);
    }
    CHECK_INT(len, 8);
    CHECK_INT(priority_size(q), 2);
    priority_get(q, 1, 800);
    CHECK_OK(mp_priority_queue_get(q, bytes, sizeof bytes, &len, NULL, NULL, MP_NO_WAIT));
    CHECK_INT(len, 5);
    CHECK_OK(mp_priority_queue_free(q));
}

static int takes_one(mp_child *self, void *user)
{
    mp_priority_queue *q = mp_child_priority_queue(self, 0);
    uint64_t lease = priority_lease(q, 0, 8);

    (void)user;
    flag_set(mp_child_value(self, 1), 1);
    flag_wait(mp_child_value(self, 1), 2);
    CHECK_OK(mp_priority_queue_acknowledge(q, lease));
    return 0;
}

/* After a shutdown, who takes waits for what others have leased: it may come back. */
TEST(priority, a_drained_queue_waits_for_leases)
{
    mp_priority_queue *q = priority_new(0);
    mp_value *flag = flag_new();
    mp_process *p;
    uint64_t lease;

    priority_put(q, 0, 0, 8);
    p = CHILD_START(takes_one, q, flag);
    flag_wait(flag, 1);
    CHECK_OK(mp_priority_queue_shutdown(q, false));
    CHECK_STATUS(mp_priority_queue_lease(q, NULL, 0, NULL, NULL, NULL, &lease, MP_MS(60)),
                 MP_ERR_EMPTY);
    killed(p);
    lease = priority_lease(q, 0, 8);
    CHECK_OK(mp_priority_queue_return(q, lease));
    flag_set(flag, 0);
    p = CHILD_START(takes_one, q, flag);
    flag_wait(flag, 1);
    flag_set(flag, 2);
    CHECK_STATUS(mp_priority_queue_lease(q, NULL, 0, NULL, NULL, NULL, &lease, MP_FOREVER),
                 MP_ERR_CLOSED);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_priority_queue_join(q, MP_NO_WAIT));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_priority_queue_free(q));
}

/* Another process may end a lease; and the taker's end, though it is a normal one, ends what is left. */
static int leaves_with_one(mp_child *self, void *user)
{
    mp_priority_queue *q = mp_child_priority_queue(self, 0);
    uint64_t lease = priority_lease(q, 0, 8);

    (void)user;
    CHECK_OK(mp_value_set_int(mp_child_value(self, 1), (int64_t)lease));
    priority_lease(q, 1, 8);
    flag_set(mp_child_value(self, 2), 1);
    flag_wait(mp_child_value(self, 2), 2);
    return 0;
}

static bool none_is_leased(void *q)
{
    return priority_leased(q) == 0;
}

TEST(priority, a_lease_may_be_ended_by_another)
{
    mp_priority_queue *q = priority_new(0);
    mp_value *number = flag_new(), *flag = flag_new();
    mp_process *p;

    priority_put(q, 0, 0, 8);
    priority_put(q, 0, 1, 8);
    p = CHILD_START(leaves_with_one, q, number, flag);
    flag_wait(flag, 1);
    CHECK_OK(mp_priority_queue_acknowledge(q, (uint64_t)flag_get(number)));
    flag_set(flag, 2);
    CHECK_INT(child_end(p), 0);
    CHECK(wait_until(none_is_leased, q));
    CHECK_INT(priority_size(q), 1);
    priority_get(q, 1, 8);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_value_free(number));
    CHECK_OK(mp_priority_queue_free(q));
}

/* ---- many ---- */

enum { PRODUCERS = 4, WORKERS = 4, KILLS = 200, LINES = 400, MOST_LINES = 8000 };
enum { MOST = 4000, LONGEST = 6000 };

/* MP_HAMMER=n kills n times. */
typedef struct board {
    int64_t stop, violations, lines, most_lines, deliveries;
    uint32_t put[MOST_LINES];
    struct {
        uint8_t handed_out[MOST], acknowledged[MOST];
    } of[];
} board;

typedef struct head {
    uint32_t line, number, len, check;
} head;

static uint32_t check_of(const head *h)
{
    return h->line * 2654435761u ^ h->number * 40503u ^ h->len * 97u ^ 0x5EED;
}

static board *board_of(mp_array *a)
{
    void *data;

    CHECK_OK(mp_array_data(a, &data, NULL));
    return data;
}

static int64_t add(int64_t *to, int64_t n)
{
    return __atomic_fetch_add(to, n, __ATOMIC_SEQ_CST);
}

static int produce(mp_child *self, void *user)
{
    mp_priority_queue *q = mp_child_priority_queue(self, 0);
    board *b = board_of(mp_child_array(self, 1));
    static unsigned char bytes[sizeof(head) + LONGEST];
    int64_t line;

    (void)user;
    while (b->stop == 0 && (line = add(&b->lines, 1)) < b->most_lines) {
        rng r = {(uint64_t)line * 77 + 1};
        head h = {(uint32_t)line, 0, 0, 0};

        for (h.number = 0; h.number < MOST && b->stop == 0; h.number++) {
            int dice = (int)rng_below(&r, 100);

            h.len = (uint32_t)rng_below(&r, dice < 60 ? 60 : dice < 99 ? 400 : LONGEST);
            h.check = check_of(&h);
            memset(bytes, (int)h.number, sizeof h + h.len);
            memcpy(bytes, &h, sizeof h);
            CHECK_OK(mp_priority_queue_put(q, bytes, sizeof h + h.len, (int64_t)rng_below(&r, 5),
                                           MP_FOREVER));
            __atomic_store_n(&b->put[h.line], h.number + 1, __ATOMIC_SEQ_CST);
        }
    }
    while (b->stop == 0)
        sleep_ms(1);
    return 0;
}

static void violation(board *b, const char *what, const head *h)
{
    fprintf(stderr, "%s: line %u, number %u, %u bytes\n", what, h->line, h->number, h->len);
    add(&b->violations, 1);
}

static int work(mp_child *self, void *user)
{
    mp_priority_queue *q = mp_child_priority_queue(self, 0);
    board *b = board_of(mp_child_array(self, 1));
    static unsigned char bytes[sizeof(head) + LONGEST];
    rng r = {(uint64_t)child_number(self, 2)};
    uint64_t lease;
    size_t len, i;
    head h;
    int s;

    (void)user;
    while ((s = mp_priority_queue_lease(q, bytes, sizeof bytes, &len, NULL, NULL, &lease,
                                        MP_FOREVER)) != MP_ERR_CLOSED) {
        CHECK_OK(s);
        add(&b->deliveries, 1);
        memcpy(&h, bytes, sizeof h);
        if (len < sizeof h || h.check != check_of(&h) || len != sizeof h + h.len ||
            h.line >= b->most_lines || h.number >= MOST) {
            violation(b, "no head", &h);
            continue;
        }
        for (i = sizeof h; i < len && bytes[i] == (unsigned char)h.number; i++)
            continue;
        if (i < len)
            violation(b, "torn", &h);
        if (__atomic_load_n(&b->of[h.line].acknowledged[h.number], __ATOMIC_SEQ_CST) != 0)
            violation(b, "handed out again", &h);
        __atomic_store_n(&b->of[h.line].handed_out[h.number], 1, __ATOMIC_SEQ_CST);
        if (rng_below(&r, 20) == 0) {
            CHECK_OK(mp_priority_queue_return(q, lease));
            continue;
        }
        CHECK_OK(mp_priority_queue_acknowledge(q, lease));
        if (__atomic_fetch_add(&b->of[h.line].acknowledged[h.number], 1, __ATOMIC_SEQ_CST) != 0)
            violation(b, "acknowledged twice", &h);
    }
    return 0;
}

static mp_process *start(mp_process_fn fn, mp_priority_queue *q, mp_array *a, int number)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, q));
    CHECK_OK(mp_process_add_handle(p, a));
    child_add_number(p, number);
    CHECK_OK(mp_process_start(p));
    return p;
}

typedef struct progress {
    board *b;
    int64_t from;
} progress;

static bool went_on(void *arg)
{
    progress *p = arg;

    return __atomic_load_n(&p->b->deliveries, __ATOMIC_SEQ_CST) > p->from + 30 ||
           p->b->lines >= p->b->most_lines;
}

static void settle_accounts(board *b, size_t unfinished, int kills)
{
    uint64_t puts = 0, extra = 0, unsure = 0;
    uint32_t line, number;

    for (line = 0; line < b->most_lines; line++) {
        puts += b->put[line];
        for (number = 0; number < MOST; number++) {
            bool out = b->of[line].handed_out[number] != 0;
            bool done = b->of[line].acknowledged[number] != 0;

            CHECK(number >= b->put[line] || out);
            CHECK(!out || number <= b->put[line]);
            extra += out && number == b->put[line];
            /* A worker that was killed between its acknowledgement and the note of it. */
            unsure += out && !done;
        }
    }
    printf("%llu puts, %llu handed out, %llu of producers that died, %llu last words of workers\n",
           (unsigned long long)puts, (unsigned long long)b->deliveries, (unsigned long long)extra,
           (unsigned long long)unsure);
    CHECK(puts > 1000);
    CHECK(unsure <= (uint64_t)kills);
    CHECK(kills > 0 || extra == 0);
    CHECK_INT(unfinished, 0);
    CHECK_INT(b->violations, 0);
}

static void many(size_t maxsize, bool kills)
{
    mp_process *producer[PRODUCERS], *worker[WORKERS];
    uint64_t before = stats_now().bytes_used, blocks = stats_now().blocks;
    mp_priority_queue *q = priority_new(maxsize);
    int turns = kills_wanted(KILLS), lines = turns > LINES / 2 ? turns * 2 : LINES;
    rng r = rng_new();
    mp_array *a;
    board *b;
    int i;

    CHECK(lines <= MOST_LINES);
    CHECK_OK(mp_array_new(&a, MP_UINT8, sizeof *b + (size_t)lines * sizeof b->of[0], NULL, NULL));
    b = board_of(a);
    b->most_lines = lines;
    for (i = 0; i < PRODUCERS; i++)
        producer[i] = start(produce, q, a, i);
    for (i = 0; i < WORKERS; i++)
        worker[i] = start(work, q, a, i + 1);
    for (i = 0; i < turns; i++) {
        int victim = (int)rng_below(&r, PRODUCERS);

        if (rng_below(&r, 4) != 0)
            sleep_ms((int64_t)rng_below(&r, 4));
        if (kills && rng_below(&r, 3) == 0) {
            killed(producer[victim]);
            producer[victim] = start(produce, q, a, i);
        } else if (kills) {
            killed(worker[victim]);
            worker[victim] = start(work, q, a, i + 10);
        }
        if (i % 4 == 0) {
            progress p = {b, b->deliveries};

            CHECK(wait_until(went_on, &p));
        }
    }
    b->stop = 1;
    for (i = 0; i < PRODUCERS; i++)
        CHECK_INT(child_end(producer[i]), 0);
    CHECK_OK(mp_priority_queue_shutdown(q, false));
    CHECK_OK(mp_priority_queue_join(q, MP_SEC(60)));
    for (i = 0; i < WORKERS; i++)
        CHECK_INT(child_end(worker[i]), 0);
    CHECK_INT(priority_leased(q), 0);
    CHECK_INT(priority_size(q), 0);
    settle_accounts(b, priority_unfinished(q), kills ? turns : 0);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_priority_queue_free(q));
    CHECK_INT(stats_now().blocks, blocks);
    CHECK(stats_now().bytes_used <= before + (2 << 20));
    if (!kills)
        CHECK_INT(stats_now().rescued, 0);
}

TEST_T(priority, kill_200_of_a_bounded_one, 120)
{
    many(50, true);
}

TEST_T(priority, kill_200_of_an_unbounded_one, 120)
{
    many(0, true);
}

TEST_T(priority, four_and_four_without_kills, 120)
{
    many(50, false);
}
