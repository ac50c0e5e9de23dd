/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Producers and consumers of one queue, one after the other killed at a random moment.
 *
 * Each producer takes a line, numbers its messages in it, and says in shared memory how many of its puts returned. Each
 * consumer gets into a buffer in shared memory, checks every byte, and counts the message in a cell
 * of its own. So at the end every message whose put returned was counted once. The exceptions are
 * known: the one that a killed consumer had in its buffer and no longer counted. The last message of
 * a killed producer, whose put did not return, may be there or not.
 *
 * MP_HAMMER=n kills n times. */
#include "test_util.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCERS = 4, CONSUMERS = 4, KILLS = 200, LINES = 400, MOST_LINES = 8000 };
enum { MOST = 30000, LONGEST = 5 << 19 };

typedef struct head {
    uint32_t line, number, len, check;
} head;

typedef struct board {
    int64_t stop, violations, lines, most_lines;
    uint32_t put[MOST_LINES];
    struct {
        head h;
        unsigned char bytes[LONGEST];
    } buffer[CONSUMERS];
    uint8_t got[][MOST];
} board;

typedef struct mix {
    int small, middle, kill_producers, kill_consumers;
    size_t ring, maxsize;
} mix;

static uint32_t check_of(const head *h)
{
    return h->line * 2654435761u ^ h->number * 40503u ^ h->len * 97u ^ 0x5EED;
}

static unsigned char byte_of(const head *h, size_t i)
{
    return (unsigned char)(h->number * 5 + h->line + i / 64);
}

static void fill(unsigned char *at, const head *h)
{
    size_t i;

    for (i = 0; i < h->len; i += 64)
        memset(at + i, byte_of(h, i), h->len - i < 64 ? h->len - i : 64);
}

static size_t wrong_byte(const unsigned char *at, const head *h)
{
    size_t i;

    for (i = 0; i < h->len && at[i] == byte_of(h, i); i++)
        continue;
    return i;
}

static board *board_of(mp_array *a)
{
    void *data;

    CHECK_OK(mp_array_data(a, &data, NULL));
    return data;
}

static void violation(board *b, const char *what, const head *h)
{
    fprintf(stderr, "%s: line %u, number %u, %u bytes\n", what, h->line, h->number, h->len);
    __atomic_fetch_add(&b->violations, 1, __ATOMIC_RELAXED);
}

static void put_one(mp_queue *q, board *b, head *h, unsigned char *bytes)
{
    h->check = check_of(h);
    memcpy(bytes, h, sizeof *h);
    fill(bytes + sizeof *h, h);
    CHECK_OK(mp_queue_put(q, bytes, sizeof *h + h->len, MP_FOREVER));
    __atomic_store_n(&b->put[h->line], h->number + 1, __ATOMIC_RELEASE);
}

/* Lines end, so that every message has its place on the board. */
static int produce(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    board *b = board_of(mp_child_array(self, 1));
    unsigned char *bytes = malloc(sizeof(head) + LONGEST);
    const mix *m = mp_child_bytes(self, 3, NULL);
    int64_t line;

    (void)user;
    CHECK(bytes != NULL && m != NULL);
    while (b->stop == 0 && (line = __atomic_fetch_add(&b->lines, 1, __ATOMIC_RELAXED)) < b->most_lines) {
        head h = {(uint32_t)line, 0, 0, 0};
        rng r = {(uint64_t)line * 77 + 1};

        for (h.number = 0; h.number < MOST && b->stop == 0; h.number++) {
            int dice = (int)rng_below(&r, 1000);

            h.len = (uint32_t)rng_below(&r, dice < m->small    ? 100
                                            : dice < m->middle ? 9000
                                            : dice < 998       ? 200000
                                                               : LONGEST);
            put_one(q, b, &h, bytes);
        }
    }
    while (b->stop == 0)
        sleep_ms(1);
    free(bytes);
    return 0;
}

static int consume(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    board *b = board_of(mp_child_array(self, 1));
    int me = child_number(self, 2);
    static int64_t last[MOST_LINES];
    head h;

    (void)user;
    memset(last, -1, sizeof last);
    for (;;) {
        size_t len;
        bool none;

        CHECK_OK(mp_queue_get(q, &b->buffer[me], sizeof b->buffer[me], &len, &none, MP_FOREVER));
        if (none)
            return 0;
        h = b->buffer[me].h;
        if (len < sizeof h || h.check != check_of(&h) || len != sizeof h + h.len ||
            h.line >= b->most_lines || h.number >= MOST) {
            violation(b, "no head", &h);
            continue;
        }
        /* First: whoever is killed below has it in its buffer. */
        if (__atomic_fetch_add(&b->got[h.line][h.number], 1, __ATOMIC_RELAXED) != 0)
            violation(b, "doubled", &h);
        if (wrong_byte(b->buffer[me].bytes, &h) != h.len)
            violation(b, "torn", &h);
        if ((int64_t)h.number <= last[h.line])
            violation(b, "out of order", &h);
        last[h.line] = h.number;
    }
}

static mp_process *start(mp_process_fn fn, const mix *m, mp_queue *q, mp_array *a, int number)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, q));
    CHECK_OK(mp_process_add_handle(p, a));
    child_add_number(p, number);
    CHECK_OK(mp_process_add_bytes(p, m, sizeof *m));
    CHECK_OK(mp_process_start(p));
    return p;
}

static void killed(mp_process *p)
{
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
}

typedef struct progress {
    board *b;
    uint64_t from;
} progress;

static uint64_t puts_of(const progress *p)
{
    uint64_t puts = 0;
    int line;

    for (line = 0; line < p->b->most_lines; line++)
        puts += __atomic_load_n(&p->b->put[line], __ATOMIC_ACQUIRE);
    return puts;
}

static bool went_on(void *arg)
{
    progress *p = arg;

    return puts_of(p) > p->from + 30 || p->b->lines >= p->b->most_lines;
}

/* What was put and not counted must have been in a killed consumer's hands. */
static void settle_accounts(board *b, const head *lost, int losses)
{
    uint64_t puts = 0, missing = 0, extra = 0;
    int line, i;

    for (line = 0; line < b->most_lines; line++) {
        uint32_t number;

        puts += b->put[line];
        for (number = 0; number < MOST; number++) {
            int got = b->got[line][number];

            CHECK(got <= 1);
            extra += got == 1 && number >= b->put[line];
            CHECK(got == 0 || number <= b->put[line]);
            if (got == 1 || number >= b->put[line])
                continue;
            for (i = 0; i < losses; i++)
                if ((int)lost[i].line == line && lost[i].number == number)
                    break;
            CHECK(i < losses);
            missing++;
        }
    }
    printf("%llu puts, %llu died with their consumer, %llu more of producers that died\n",
           (unsigned long long)puts, (unsigned long long)missing, (unsigned long long)extra);
    CHECK(puts > 1000);
    CHECK_INT(b->violations, 0);
}

static void kill_200(mix m)
{
    mp_process *producer[PRODUCERS], *consumer[CONSUMERS];
    mp_queue_options o = MP_QUEUE_OPTIONS;
    int kills = kills_wanted(KILLS), lines = kills > LINES / 2 ? kills * 2 : LINES;
    head *lost = malloc((size_t)kills * sizeof *lost);
    int i, losses = 0;
    uint64_t before = stats_now().bytes_used, blocks = stats_now().blocks;
    rng r = rng_new();
    mp_queue *q;
    mp_array *a;
    board *b;

    CHECK(lost != NULL && lines <= MOST_LINES);
    o.ring = m.ring;
    o.maxsize = m.maxsize;
    CHECK_OK(mp_queue_new(&q, &o));
    CHECK_OK(mp_array_new(&a, MP_UINT8, sizeof *b + (size_t)lines * MOST, NULL, NULL));
    b = board_of(a);
    b->most_lines = lines;
    for (i = 0; i < PRODUCERS; i++)
        producer[i] = start(produce, &m, q, a, 0);
    for (i = 0; i < CONSUMERS; i++)
        consumer[i] = start(consume, &m, q, a, i);
    for (i = 0; i < kills; i++) {
        int victim = (int)rng_below(&r, (uint64_t)(m.kill_producers + m.kill_consumers));

        if (rng_below(&r, 4) != 0)
            sleep_ms((int64_t)rng_below(&r, 4));
        if (victim < m.kill_producers) {
            victim = (int)rng_below(&r, PRODUCERS);
            killed(producer[victim]);
            producer[victim] = start(produce, &m, q, a, 0);
        } else {
            victim = (int)rng_below(&r, CONSUMERS);
            killed(consumer[victim]);
            lost[losses++] = b->buffer[victim].h;
            memset(&b->buffer[victim].h, 0xFF, sizeof(head));
            consumer[victim] = start(consume, &m, q, a, victim);
        }
        /* The others find a dead holder themselves, which takes a moment without kills. */
        if (i % 4 == 0) {
            progress p = {b, 0};

            p.from = puts_of(&p);
            CHECK(wait_until(went_on, &p));
        }
    }
    b->stop = 1;
    for (i = 0; i < PRODUCERS; i++)
        CHECK_INT(child_end(producer[i]), 0);
    for (i = 0; i < CONSUMERS; i++)
        CHECK_OK(mp_queue_put_none(q, MP_SEC(30)));
    for (i = 0; i < CONSUMERS; i++)
        CHECK_INT(child_end(consumer[i]), 0);
    CHECK_STATUS(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    settle_accounts(b, lost, losses);
    free(lost);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_queue_free(q));
    CHECK_INT(stats_now().blocks, blocks);
    /* Units of small blocks stay; a lost message outside the ring would be more. */
    CHECK(stats_now().bytes_used <= before + (2 << 20));
}

TEST_T(queue, kill_200_producers, 120)
{
    kill_200((mix){700, 950, 1, 0, 0, 0});
}

TEST_T(queue, kill_200_consumers, 120)
{
    kill_200((mix){700, 950, 0, 1, 0, 0});
}

TEST_T(queue, kill_200_in_a_ring, 120)
{
    kill_200((mix){700, 950, 1, 1, 65536, 0});
}

TEST_T(queue, kill_200_with_large_messages, 120)
{
    kill_200((mix){100, 200, 1, 1, 1024, 0});
}

TEST_T(queue, kill_200_in_a_small_ring, 120)
{
    kill_200((mix){1000, 1000, 1, 1, 512, 3});
}
