/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues with names: what two programs that are no relatives do with them. */
#include "test_names.h"
#include "test_queue.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BIG = 3 << 20 };

int name_queue(mp_queue **q, const char *name, int how)
{
    mp_queue_options o = MP_QUEUE_OPTIONS;

    o.name = name;
    o.open = how;
    return mp_queue_new(q, &o);
}

static mp_queue *opened(const char *name, int how)
{
    mp_queue *q;

    CHECK_OK(name_queue(&q, name, how));
    return q;
}

/* ---- what strangers do ---- */

/* Answers each message with itself, written in place, until there are no more. */
static void echo(const char *ask, const char *answer)
{
    mp_queue *in = opened(ask, MP_OPEN_ATTACH), *out = opened(answer, MP_OPEN_ATTACH);
    const void *data;
    void *room;
    size_t len;
    bool none;

    role_says_ready();
    while (mp_queue_peek(in, &data, &len, &none, MP_FOREVER) == MP_OK) {
        if (none) {
            CHECK_OK(mp_queue_put_none(out, MP_FOREVER));
        } else {
            CHECK_OK(mp_queue_reserve(out, len, &room));
            memcpy(room, data, len);
            CHECK_OK(mp_queue_commit(out, room, len, MP_FOREVER));
            CHECK_OK(mp_queue_release(in, data));
        }
        CHECK_OK(mp_queue_task_done(in));
    }
    CHECK_STATUS(mp_queue_peek(in, &data, &len, &none, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_close(in));
    CHECK_STATUS(mp_queue_put(in, "", 0, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(in));
    CHECK_OK(mp_queue_free(out));
}

/* Has peeked and reserved something. */
static void peek_and_stay(const char *name)
{
    mp_queue *q = opened(name, MP_OPEN_ATTACH);
    const void *data;
    void *room;
    size_t len;

    CHECK_OK(mp_queue_peek(q, &data, &len, NULL, MP_FOREVER));
    CHECK_OK(mp_queue_peek(q, &data, &len, NULL, MP_FOREVER));
    CHECK_OK(mp_queue_reserve(q, 1 << 20, &room));
    role_says_ready();
    role_waits_for_end();
    CHECK_OK(mp_queue_free(q));
}

/* Puts numbers that begin with this one, in messages of all lengths, for ever. */
static void flood(const char *name, const char *from)
{
    mp_queue *q = opened(name, MP_OPEN_OR_CREATE);
    static char message[40000];
    int64_t x = strtoll(from, NULL, 10);

    role_says_ready();
    for (;; x++) {
        memcpy(message, &x, sizeof x);
        CHECK_OK(mp_queue_put(q, message, sizeof x + (size_t)(x * 7919 % 39000), MP_FOREVER));
    }
}

bool role_of_queues(const char *role, const char *name, const char *more)
{
    if (strcmp(role, "echo") == 0)
        echo(name, more);
    else if (strcmp(role, "peek") == 0)
        peek_and_stay(name);
    else if (strcmp(role, "flood") == 0)
        flood(name, more);
    else
        return false;
    return true;
}

/* ---- tests ---- */

static mp_queue_stats stats_of(const mp_queue *q)
{
    mp_queue_stats s = MP_QUEUE_STATS;

    CHECK_OK(mp_queue_stats_get(q, &s));
    return s;
}

static void echoes(mp_queue *ask, mp_queue *answer, unsigned char *bytes)
{
    static const size_t lengths[] = {0, 1, 100, 5000, 100000, BIG};
    mp_message many[] = {{"one", 3}, {NULL, MP_NONE}, {"three", 5}};
    char all[20];
    const void *data;
    size_t i, len, lens[3], got, taken = 0;
    mp_buffer *b;
    bool none;

    for (i = 0; i < COUNT(lengths); i++) {
        pattern_fill(bytes, lengths[i], (unsigned)i);
        CHECK_OK(mp_queue_put(ask, bytes, lengths[i], MP_FOREVER));
        memset(bytes, 0, lengths[i]);
        CHECK_OK(mp_queue_get(answer, bytes, BIG, &len, NULL, MP_FOREVER));
        CHECK_INT(len, lengths[i]);
        pattern_check(bytes, len, (unsigned)i);
    }
    CHECK_OK(mp_queue_put(ask, "buffer", 6, MP_FOREVER));
    CHECK_OK(mp_queue_get_buffer(answer, &b, MP_FOREVER));
    CHECK(memcmp(mp_buffer_data(b, &len), "buffer", 6) == 0 && len == 6);
    CHECK_OK(mp_buffer_free(b));
    CHECK_OK(mp_queue_put(ask, "peek", 4, MP_FOREVER));
    CHECK_OK(mp_queue_peek(answer, &data, &len, &none, MP_FOREVER));
    CHECK(len == 4 && memcmp(data, "peek", 4) == 0);
    CHECK_OK(mp_queue_release(answer, data));
    CHECK_OK(mp_queue_put_none(ask, MP_FOREVER));
    CHECK_OK(mp_queue_get(answer, NULL, 0, NULL, &none, MP_FOREVER));
    CHECK(none);
    CHECK_OK(mp_queue_put_many(ask, many, COUNT(many), &got, MP_FOREVER));
    CHECK_INT(got, COUNT(many));
    for (i = 0; i < COUNT(many); i += got) {
        CHECK_OK(mp_queue_get_many(answer, all + taken, sizeof all - taken, lens + i,
                                   COUNT(many) - i, &got, MP_FOREVER));
        for (len = i; len < i + got; len++)
            taken += lens[len] == MP_NONE ? 0 : lens[len];
    }
    CHECK(lens[0] == 3 && lens[1] == MP_NONE && lens[2] == 5);
    CHECK(memcmp(all, "onethree", 8) == 0);
}

static void ends(mp_queue *ask, mp_queue *answer, size_t put)
{
    mp_queue_stats s;
    size_t size;
    bool yes;

    CHECK_OK(mp_queue_join(ask, MP_FOREVER));
    CHECK_STATUS(mp_queue_task_done(ask), MP_ERR_OVER_RELEASE);
    CHECK_STATUS(mp_queue_get(answer, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    CHECK_STATUS(mp_queue_get(answer, NULL, 0, NULL, NULL, MP_MS(10)), MP_ERR_EMPTY);
    CHECK_OK(mp_queue_size(answer, &size));
    CHECK_INT(size, 0);
    CHECK_OK(mp_queue_empty(answer, &yes));
    CHECK(yes);
    CHECK_OK(mp_queue_full(answer, &yes));
    CHECK(!yes);
    s = stats_of(ask);
    CHECK(s.put_messages == put && s.got_messages == put && s.messages == 0 && s.unfinished == 0);
    s = stats_of(answer);
    CHECK(s.put_messages == put && s.unfinished == put && s.bytes == 0 && s.memory > 0);
}

TEST(names, every_call_on_a_queue_reaches_a_stranger)
{
    unsigned char *bytes = malloc(BIG);
    char ask[NAME_SIZE], answer[NAME_SIZE];
    mp_queue *q[2];
    stranger s;

    CHECK(bytes != NULL);
    snprintf(ask, sizeof ask, "%s", name_of("ask"));
    snprintf(answer, sizeof answer, "%s", name_of("answer"));
    q[0] = opened(ask, MP_OPEN_CREATE);
    q[1] = opened(answer, MP_OPEN_CREATE);
    s = stranger_start("echo", ask, answer);
    stranger_ready(&s);
    echoes(q[0], q[1], bytes);
    ends(q[0], q[1], 12);
    CHECK_OK(mp_queue_shutdown(q[0], false));
    CHECK_INT(stranger_end(&s), 0);
    CHECK_STATUS(mp_queue_put(q[0], "", 0, MP_NO_WAIT), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q[0]));
    CHECK_OK(mp_queue_free(q[1]));
    CHECK_OK(mp_name_unlink(ask));
    CHECK_OK(mp_name_unlink(answer));
    free(bytes);
}

static void is_ready(mp_queue *q, bool want)
{
    mp_wait_item item = {.handle = q};
    size_t count;

    CHECK_INT(mp_wait(&item, 1, &count, want ? MP_FOREVER : MP_MS(20)),
              want ? MP_OK : MP_ERR_TIMEOUT);
    CHECK(item.ready == want);
}

/* The other side is a stranger, be it by mp_wait or in the host's own loop. */
TEST(names, a_queue_is_waited_for)
{
    char ask[NAME_SIZE], answer[NAME_SIZE];
    mp_queue *q[2];
    struct pollfd p = {.events = POLLIN};
    stranger s;
    int i;

    snprintf(ask, sizeof ask, "%s", name_of("ask"));
    snprintf(answer, sizeof answer, "%s", name_of("answer"));
    q[0] = opened(ask, MP_OPEN_CREATE);
    q[1] = opened(answer, MP_OPEN_CREATE);
    s = stranger_start("echo", ask, answer);
    stranger_ready(&s);
    is_ready(q[1], false);
    CHECK_OK(mp_descriptor(q[1], &p.fd));
    CHECK_INT(poll(&p, 1, 0), 0);
    for (i = 0; i < 20; i++) {
        number_put(q[0], i);
        if (i % 2 == 0)
            is_ready(q[1], true);
        CHECK_INT(poll(&p, 1, -1), 1);
        CHECK_INT(number_get(q[1]), i);
    }
    CHECK_OK(mp_queue_shutdown(q[0], true));
    CHECK_INT(stranger_end(&s), 0);
    for (i = 0; i < 2; i++) {
        CHECK_OK(mp_queue_free(q[i]));
        CHECK_OK(mp_name_unlink(i == 0 ? ask : answer));
    }
}

TEST(names, a_queue_with_other_limits_is_refused)
{
    static const size_t other[][3] = {{4, 1000, 512}, {5, 999, 512}, {5, 1000, 1024},
                                      {5, 1000, 0},   {0, 1000, 512}, {0, 0, 0}};
    const char *name = name_of("fits");
    mp_queue_options o = MP_QUEUE_OPTIONS;
    mp_queue *q, *r;
    size_t i;

    o.name = name;
    o.maxsize = 5;
    o.maxbytes = 1000;
    o.ring = 500;
    CHECK_OK(mp_queue_new(&q, &o));
    for (i = 0; i < COUNT(other); i++) {
        o.maxsize = other[i][0];
        o.maxbytes = other[i][1];
        o.ring = other[i][2];
        CHECK_SENTENCE(mp_queue_new(&r, &o), MP_ERR_INVALID,
                       "maxsize 5, maxbytes 1000 and ring 512");
    }
    CHECK_CONTAINS(mp_last_error(), "maxsize 0, maxbytes 0 and ring 0");
    o.maxsize = 5;
    o.maxbytes = 1000;
    o.ring = 512;
    o.memory = 1 << 20;
    CHECK_OK(mp_queue_new(&r, &o));
    CHECK_OK(mp_queue_free(r));
    o.ring = (size_t)1 << 31;
    CHECK_STATUS(mp_queue_new(&r, &o), MP_ERR_INVALID);
    o.ring = 0;
    o.name = NULL;
    CHECK_SENTENCE(mp_queue_new(&r, &o), MP_ERR_INVALID, "memory");
    o.memory = 0;
    o.mode = 0600;
    CHECK_STATUS(mp_queue_new(&r, &o), MP_ERR_INVALID);
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, a_queue_keeps_what_is_in_it)
{
    const char *name = name_of("keeps");
    mp_queue *q, *r;
    int64_t i;
    int round;

    for (round = 0; round < 3; round++) {
        q = opened(name, MP_OPEN_OR_CREATE);
        for (i = 0; i < 20000; i++)
            number_put(q, i * 3);
        CHECK_OK(mp_queue_free(q));
        q = opened(name, MP_OPEN_ATTACH);
        r = opened(name, MP_OPEN_ATTACH);
        for (i = 0; i < 20000; i++)
            CHECK_INT(number_get(i % 2 == 0 ? q : r), i * 3);
        CHECK_OK(mp_queue_free(q));
        CHECK_OK(mp_queue_free(r));
    }
    CHECK_OK(mp_name_unlink(name));
}

static int64_t blocks_of(const char *name)
{
    struct stat st;

    CHECK(stat(name_path(name), &st) == 0);
    return st.st_blocks * 512;
}

/* What bounds one that grows; and what was got goes back to the kernel. */
TEST(names, a_queue_takes_as_much_memory_as_it_may)
{
    enum { MESSAGE = 3000, ROUNDS = 3 };
    const char *name = name_of("memory");
    mp_queue_options o = MP_QUEUE_OPTIONS;
    unsigned char bytes[MESSAGE];
    size_t len;
    int64_t before;
    unsigned put = 0, got, most = 0;
    mp_queue *q;
    int round, s;

    o.name = name;
    o.memory = 24 << 20;
    CHECK_OK(mp_queue_new(&q, &o));
    before = blocks_of(name);
    CHECK(before <= 128 << 10);
    for (round = 0; round < ROUNDS; round++) {
        for (put = 0;; put++) {
            pattern_fill(bytes, MESSAGE, put);
            s = mp_queue_put(q, bytes, MESSAGE, MP_NO_WAIT);
            if (s != MP_OK)
                break;
        }
        CHECK_INT(s, MP_ERR_NO_MEMORY);
        CHECK(put > (16 << 20) / MESSAGE && put < (48 << 20) / MESSAGE);
        /* Pieces that do not fit together are some of it. */
        CHECK(round == 0 || put > most / 2);
        most = put;
        CHECK(blocks_of(name) > 16 << 20);
        for (got = 0; got < put; got++) {
            CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
            CHECK_INT(len, MESSAGE);
            pattern_check(bytes, len, got);
        }
        CHECK(blocks_of(name) <= before + (5 << 20));
    }
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_name_unlink(name));
}

static int64_t first_word(mp_queue *q)
{
    static char bytes[40000];
    int64_t x;
    size_t len;

    CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_FOREVER));
    memcpy(&x, bytes, sizeof x);
    CHECK_INT(len, sizeof x + (size_t)(x * 7919 % 39000));
    return x;
}

/* A stranger dies in the middle of putting, and what it has put is there, in order. */
TEST_T(names, what_a_killed_stranger_put_is_there, 60)
{
    enum { KILLS = 25 };
    const char *name = name_of("flood");
    mp_queue_options o = MP_QUEUE_OPTIONS;
    rng chance = rng_new();
    mp_queue *q;
    int i;

    o.name = name;
    CHECK_OK(mp_queue_new(&q, &o));
    for (i = 0; i < KILLS; i++) {
        int64_t want = i * INT64_C(1000000), until = want + 1 + (int64_t)rng_below(&chance, 300);
        char from[24];
        stranger s;
        size_t left;

        snprintf(from, sizeof from, "%lld", (long long)want);
        s = stranger_start("flood", name, from);
        stranger_ready(&s);
        while (want < until)
            CHECK_INT(first_word(q), want++);
        stranger_kill(&s);
        for (left = queue_size(q); left > 0; left--)
            CHECK_INT(first_word(q), want++);
        CHECK_INT(queue_size(q), 0);
    }
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, what_a_killed_stranger_had_peeked_comes_again)
{
    const char *name = name_of("peeked");
    mp_queue *q = opened(name, MP_OPEN_CREATE);
    mp_queue_stats before;
    stranger s;
    int i;

    for (i = 0; i < 4; i++)
        number_put(q, i);
    before = stats_of(q);
    for (i = 0; i < 2; i++) {
        s = stranger_start("peek", name, "");
        stranger_ready(&s);
        CHECK_INT(queue_size(q), 2);
        /* It dies, or leaves by itself. */
        if (i == 0)
            stranger_kill(&s);
        else
            CHECK_INT(stranger_end(&s), 0);
        CHECK_INT(number_get(q), 2 + 2 * i);
        CHECK_INT(number_get(q), 3 + 2 * i);
        CHECK_INT(number_get(q), 2 * i);
        CHECK_INT(number_get(q), 1 + 2 * i);
        CHECK_STATUS(mp_queue_get(q, NULL, 0, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
        number_put(q, 2);
        number_put(q, 3);
        number_put(q, 4);
        number_put(q, 5);
    }
    /* What it had reserved is free again. */
    CHECK(stats_of(q).memory <= before.memory + (64 << 10));
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_name_unlink(name));
}

TEST(names, a_queue_goes_with_its_last_user_that_dies)
{
    const char *name = name_of("left");
    mp_queue *q;

    /* The name stays. The reaper of a test that runs beside this one may be quicker: again, then. */
    do {
        stranger s = stranger_start("flood", name, "0");

        stranger_ready(&s);
        q = opened(name, MP_OPEN_ATTACH);
        CHECK_INT(first_word(q), 0);
        CHECK_OK(mp_queue_free(q));
        stranger_kill(&s);
    } while (!name_exists(name));
    CHECK_STATUS(name_queue(&q, name, MP_OPEN_ATTACH), MP_ERR_NOT_FOUND);
    CHECK(!name_exists(name));
}

static int puts_one(void *name)
{
    mp_queue *q = opened(name, MP_OPEN_OR_CREATE);

    number_put(q, 1);
    CHECK_OK(mp_queue_free(q));
    return 0;
}

/* Of all that open or create at the same time each finds the same. */
TEST(names, those_who_race_for_a_queue_share_it)
{
    enum { RACERS = 12 };
    char name[NAME_SIZE];
    pid_t all[RACERS];
    mp_queue *q;
    int round, i, status;

    snprintf(name, sizeof name, "%s", name_of("race"));
    for (round = 0; round < 10; round++) {
        for (i = 0; i < RACERS; i++) {
            all[i] = fork();
            CHECK(all[i] >= 0);
            if (all[i] == 0)
                _exit(puts_one(name));
        }
        for (i = 0; i < RACERS; i++)
            CHECK(waitpid(all[i], &status, 0) == all[i] && status == 0);
        q = opened(name, MP_OPEN_ATTACH);
        CHECK_INT(queue_size(q), RACERS);
        CHECK_OK(mp_queue_free(q));
        CHECK_OK(mp_name_unlink(name));
    }
}

static int echoes_as_a_child(mp_child *self, void *user)
{
    mp_queue *in = mp_child_queue(self, 0), *out = mp_child_queue(self, 1);
    int64_t x;

    CHECK(user == NULL && in != NULL && out != NULL);
    while ((x = number_get(in)) != INT64_MIN)
        number_put(out, x + 1);
    return 0;
}

TEST(names, a_child_has_a_queue)
{
    const char *ask = name_of("ask"), *answer = name_of("answer");
    mp_queue_options o = MP_QUEUE_OPTIONS;
    mp_queue *in, *out = opened(answer, MP_OPEN_CREATE);
    mp_process *p;
    int i;

    o.name = ask;
    o.ring = 256;
    CHECK_OK(mp_queue_new(&in, &o));
    CHECK_OK(mp_name_unlink(ask));
    CHECK_OK(mp_name_unlink(answer));
    p = CHILD_START(echoes_as_a_child, in, out);
    for (i = 0; i < 100; i++) {
        number_put(in, i);
        CHECK_INT(number_get(out), i + 1);
    }
    number_put(in, INT64_MIN);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_queue_free(in));
    CHECK_OK(mp_queue_free(out));
}

/* ---- those who mean no good ---- */

static int uses_garbage(void *arg)
{
    static char bytes[5000];
    const char *name = arg;
    const void *data;
    mp_queue_stats s = MP_QUEUE_STATS;
    size_t len;
    mp_queue *q;
    mp_buffer *b;
    bool none;
    void *room;
    int i;

    alarm(20);
    if (CHECK_CLEAN(name_queue(&q, name, MP_OPEN_ATTACH)) != MP_OK)
        return 0;
    for (i = 0; i < 3; i++) {
        CHECK_CLEAN(mp_queue_put(q, bytes, (size_t)i * 2000, MP_NO_WAIT));
        CHECK_CLEAN(mp_queue_get(q, bytes, sizeof bytes, &len, &none, MP_NO_WAIT));
        if (CHECK_CLEAN(mp_queue_get_buffer(q, &b, MP_NO_WAIT)) == MP_OK && b != NULL) {
            if (mp_buffer_handles(b) > 0)
                (void)mp_buffer_handle(b, 0);
            CHECK_OK(mp_buffer_free(b));
        }
        if (CHECK_CLEAN(mp_queue_reserve(q, 100, &room)) == MP_OK)
            CHECK_CLEAN(mp_queue_commit(q, room, 100, MP_NO_WAIT));
        if (CHECK_CLEAN(mp_queue_peek(q, &data, &len, &none, MP_NO_WAIT)) == MP_OK && !none)
            CHECK_CLEAN(mp_queue_release(q, data));
    }
    CHECK_CLEAN(mp_queue_stats_get(q, &s));
    CHECK_CLEAN(mp_queue_task_done(q));
    CHECK_CLEAN(mp_queue_join(q, MP_NO_WAIT));
    CHECK_CLEAN(mp_queue_shutdown(q, true));
    CHECK_CLEAN(mp_queue_free(q));
    CHECK_CLEAN(mp_names_reap(NULL));
    return 0;
}

/* Bytes anywhere in what the file has, from behind what says whose it is. */
static void overwrite(const char *name, rng *chance)
{
    int fd = open(name_path(name), O_RDWR | O_CLOEXEC), i;
    off_t pages[256], at = 0;
    size_t count = 0;

    CHECK(fd >= 0);
    while (count < COUNT(pages) && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
        pages[count++] = at;
        at += 4096;
    }
    CHECK(count > 0);
    for (i = 0; i < 20; i++) {
        unsigned char byte = (unsigned char)rng_next(chance);

        at = pages[rng_below(chance, count)] + (off_t)rng_below(chance, 4096);
        if (at >= 24)
            CHECK(pwrite(fd, &byte, 1, at) == 1);
    }
    close(fd);
}

TEST_T(names, a_queue_that_was_overwritten_harms_nobody, 120)
{
    rng chance = rng_new();
    static char bytes[3000];
    char name[NAME_SIZE];
    mp_queue *q;
    int round, i;

    snprintf(name, sizeof name, "%s", name_of("garbage"));
    for (round = 0; round < 120; round++) {
        q = opened(name, MP_OPEN_CREATE);
        for (i = 0; i < 6; i++)
            CHECK_OK(mp_queue_put(q, bytes, (size_t)i * 500, MP_NO_WAIT));
        CHECK_OK(mp_queue_free(q));
        overwrite(name, &chance);
        CHECK_INT(in_fork(uses_garbage, name), 0);
        if (name_exists(name))
            CHECK_OK(mp_name_unlink(name));
    }
}

enum { NOBODY = 65534 };

/* What root made is open to all. */
static int works_as_nobody(void *name)
{
    mp_queue *q;

    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK_STATUS(name_queue(&q, name, MP_OPEN_ATTACH), MP_ERR_NOT_FOUND);
    CHECK_OK(name_queue(&q, name, MP_OPEN_ATTACH | MP_OPEN_ANY_USER));
    CHECK_INT(number_get(q), 5);
    number_put(q, 6);
    CHECK_OK(mp_queue_free(q));
    CHECK_STATUS(mp_name_unlink(name), MP_ERR_NOT_FOUND);
    return 0;
}

TEST_COLD(names, a_queue_of_another_user)
{
    mp_queue_options o = MP_QUEUE_OPTIONS;
    char name[NAME_SIZE];
    mp_queue *q;

    if (geteuid() != 0)
        SKIP("only root can be somebody else");
    snprintf(name, sizeof name, "%s", name_of("user"));
    o.name = name;
    o.mode = 0666;
    CHECK_OK(mp_queue_new(&q, &o));
    number_put(q, 5);
    CHECK_INT(in_fork(works_as_nobody, name), 0);
    CHECK_INT(number_get(q), 6);
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_name_unlink(name));
}
