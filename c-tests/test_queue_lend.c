/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues: messages that are written and read in place. */
#include "test_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void put_in_place(mp_queue *q, size_t len, unsigned seed)
{
    void *data;

    CHECK_OK(mp_queue_reserve(q, len + 3, &data));
    CHECK((uintptr_t)data % 64 == 0);
    pattern_fill(data, len, seed);
    CHECK_OK(mp_queue_commit(q, data, len, MP_FOREVER));
}

static const void *peek(mp_queue *q, size_t len, unsigned seed)
{
    const void *data;
    size_t got = 1;
    bool none = true;

    CHECK_OK(mp_queue_peek(q, &data, &got, &none, MP_SEC(30)));
    CHECK_INT(got, len);
    CHECK(!none && data != NULL);
    pattern_check(data, len, seed);
    return data;
}

TEST(queue, lend_arguments)
{
    mp_queue *q = queue_new(0, 0), *other = queue_new(0, 0);
    const void *seen;
    size_t len;
    void *data, *more;

    CHECK_STATUS(mp_queue_reserve(NULL, 1, &data), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_reserve(q, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_reserve(q, (size_t)1 << 44, &data), MP_ERR_NO_MEMORY);
    CHECK_OK(mp_queue_reserve(q, 100, &data));
    CHECK_SENTENCE(mp_queue_commit(q, data, 101, MP_NO_WAIT), MP_ERR_INVALID, "100 were reserved");
    CHECK_STATUS(mp_queue_commit(q, (char *)data + 1, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_commit(q, NULL, 0, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_commit(other, data, 1, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_commit(NULL, data, 1, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_cancel(other, data), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_cancel(NULL, data), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_release(q, data), MP_ERR_INVALID);
    CHECK_OK(mp_queue_reserve(q, 100, &more));
    CHECK(more != data);
    CHECK_OK(mp_queue_cancel(q, data));
    CHECK_STATUS(mp_queue_cancel(q, data), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_commit(q, data, 1, MP_NO_WAIT), MP_ERR_INVALID);
    memcpy(more, "abc", 3);
    CHECK_OK(mp_queue_commit(q, more, 3, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_commit(q, more, 3, MP_NO_WAIT), MP_ERR_INVALID);

    CHECK_STATUS(mp_queue_peek(NULL, &seen, &len, NULL, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_queue_peek(q, NULL, &len, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_peek(q, &seen, NULL, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_OK(mp_queue_peek(q, &seen, &len, NULL, MP_NO_WAIT));
    CHECK(len == 3 && memcmp(seen, "abc", 3) == 0);
    CHECK_STATUS(mp_queue_peek(q, &seen, &len, NULL, MP_MS(1)), MP_ERR_EMPTY);
    CHECK_STATUS(mp_queue_release(other, seen), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_release(q, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_release(q, (const char *)seen + 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_queue_release(NULL, seen), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_queue_release(q, seen));
    CHECK_SENTENCE(mp_queue_release(q, seen), MP_ERR_INVALID, "no message was peeked");
    CHECK_OK(mp_queue_free(other));
    CHECK_OK(mp_queue_free(q));
}

/* Each way of putting with each way of getting, of all sizes; what was lent is freed. */
TEST(queue, lent_messages_of_all_sizes)
{
    static const size_t sizes[] = {0, 1, 8, 500, 4096, 16384, 20000, 100000, 3 << 20};
    static const size_t rings[] = {0, 4096, 1 << 20};
    unsigned char *bytes = malloc(3 << 20);
    uint64_t blocks, used;
    size_t i, k, len;
    int round;

    CHECK(bytes != NULL);
    blocks = stats_now().blocks;
    used = stats_now().bytes_used;
    for (k = 0; k < COUNT(rings); k++) {
        mp_queue *q = queue_new(rings[k], 0);

        for (round = 0; round < 30; round++) {
            for (i = 0; i < COUNT(sizes); i++) {
                const void *data;

                put_in_place(q, sizes[i], (unsigned)i);
                CHECK_OK(mp_queue_get(q, bytes, 3 << 20, &len, NULL, MP_NO_WAIT));
                CHECK_INT(len, sizes[i]);
                pattern_check(bytes, len, (unsigned)i);
                put_in_place(q, sizes[i], (unsigned)i + 1);
                data = peek(q, sizes[i], (unsigned)i + 1);
                CHECK_INT(queue_size(q), 0);
                CHECK_OK(mp_queue_release(q, data));
                CHECK_OK(mp_queue_put(q, bytes, sizes[i], MP_NO_WAIT));
                CHECK_OK(mp_queue_release(q, peek(q, sizes[i], (unsigned)i)));
            }
        }
        CHECK_OK(mp_queue_free(q));
    }
    CHECK_INT(stats_now().blocks, blocks);
    CHECK(stats_now().bytes_used <= used + (4 << 20));
    free(bytes);
}

TEST(queue, lending_keeps_the_limits)
{
    mp_queue_options o = MP_QUEUE_OPTIONS;
    const void *seen;
    bool none = false;
    size_t len;
    void *data;
    mp_queue *q;
    int i;

    o.maxbytes = 100;
    o.maxsize = 2;
    CHECK_OK(mp_queue_new(&q, &o));
    CHECK_SENTENCE(mp_queue_reserve(q, 101, &data), MP_ERR_INVALID, "100");
    CHECK_OK(mp_queue_reserve(q, 100, &data));
    CHECK_OK(mp_queue_put(q, "x", 1, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_commit(q, data, 100, MP_MS(1)), MP_ERR_FULL);
    CHECK_OK(mp_queue_put_none(q, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_commit(q, data, 1, MP_NO_WAIT), MP_ERR_FULL);
    CHECK_OK(mp_queue_release(q, (CHECK_OK(mp_queue_peek(q, &seen, &len, NULL, 0)), seen)));
    CHECK_OK(mp_queue_peek(q, &seen, &len, &none, MP_NO_WAIT));
    CHECK(none && seen == NULL && len == 0);
    CHECK_OK(mp_queue_commit(q, data, 100, MP_NO_WAIT));
    CHECK_OK(mp_queue_reserve(q, 10, &data));
    CHECK_OK(mp_queue_shutdown(q, false));
    CHECK_STATUS(mp_queue_commit(q, data, 1, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_cancel(q, data));
    CHECK_STATUS(mp_queue_reserve(q, 10, &data), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_peek(q, &seen, &len, NULL, MP_NO_WAIT));
    CHECK_STATUS(mp_queue_peek(q, &seen, &len, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_close(q));
    CHECK_STATUS(mp_queue_reserve(q, 10, &data), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_cancel(q, data), MP_ERR_CLOSED);
    CHECK_STATUS(mp_queue_release(q, seen), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(q));

    q = queue_new(0, 0);
    for (i = 0; i < 17; i++)
        CHECK_OK(mp_queue_put(q, "x", 1, MP_NO_WAIT));
    for (i = 0; i < 16; i++)
        CHECK_OK(mp_queue_peek(q, &seen, &len, NULL, MP_NO_WAIT));
    CHECK_SENTENCE(mp_queue_peek(q, &seen, &len, NULL, MP_NO_WAIT), MP_ERR_NO_MEMORY, "16");
    CHECK_INT(queue_size(q), 1);
    CHECK_OK(mp_queue_free(q));
}

/* ---- who had it is dead ---- */

static int peeks_and_dies(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);
    void *data;

    (void)user;
    CHECK_OK(mp_queue_reserve(q, 100000, &data));
    peek(q, 100, 0);
    CHECK_OK(mp_queue_release(q, peek(q, 20000, 1)));
    peek(q, 300, 2);
    peek(q, 30000, 3);
    flag_set(mp_child_value(self, 1), 1);
    for (;;)
        pause();
    return 0;
}

static void put_pattern(mp_queue *q, size_t len, unsigned seed)
{
    unsigned char *bytes = malloc(len);

    CHECK(bytes != NULL);
    pattern_fill(bytes, len, seed);
    CHECK_OK(mp_queue_put(q, bytes, len, MP_NO_WAIT));
    free(bytes);
}

/* In order, before what is in the queue, and by either way of getting. */
TEST(queue, what_the_dead_had_peeked_is_handed_out_again)
{
    static unsigned char bytes[30000];
    uint64_t blocks = 0;
    int round;

    for (round = 0; round < 4; round++) {
        mp_queue *q = queue_new(0, 0);
        mp_value *flag = flag_new();
        mp_process *p;
        size_t len;

        put_pattern(q, 100, 0);
        put_in_place(q, 20000, 1);
        put_pattern(q, 300, 2);
        put_in_place(q, 30000, 3);
        put_pattern(q, 10, 4);
        p = CHILD_START(peeks_and_dies, q, flag);
        flag_wait(flag, 1);
        CHECK_INT(queue_size(q), 1);
        CHECK(kill(child_pid(p), SIGKILL) == 0);
        CHECK_INT(child_end(p), -SIGKILL);
        if (round % 2 == 0) {
            const void *first = peek(q, 100, 0), *second = peek(q, 300, 2);

            CHECK_OK(mp_queue_release(q, second));
            CHECK_OK(mp_queue_release(q, peek(q, 30000, 3)));
            CHECK_OK(mp_queue_release(q, peek(q, 10, 4)));
            CHECK_OK(mp_queue_release(q, first));
        } else {
            CHECK_STATUS(mp_queue_get(q, bytes, 99, &len, NULL, MP_NO_WAIT), MP_ERR_TOO_SMALL);
            CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
            CHECK_INT(len, 100);
            pattern_check(bytes, len, 0);
            CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
            CHECK_INT(len, 300);
            if (round == 1) {
                CHECK_OK(mp_queue_shutdown(q, true));
            } else {
                CHECK_OK(mp_queue_shutdown(q, false));
                CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
                CHECK_INT(len, 30000);
                pattern_check(bytes, len, 3);
                CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT));
                CHECK_INT(len, 10);
            }
        }
        CHECK(CHECK_CLEAN(mp_queue_get(q, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT)) ==
              (round % 2 == 0 ? MP_ERR_EMPTY : MP_ERR_CLOSED));
        CHECK_OK(mp_value_free(flag));
        CHECK_OK(mp_queue_free(q));
        if (round == 0)
            blocks = stats_now().blocks;
        CHECK_INT(stats_now().blocks, blocks);
    }
}

/* Nobody joins the dead one: who waits for a message finds out. */
static void *takes_one(void *q)
{
    return (void *)peek(q, 5, 9);
}

TEST(queue, who_waits_gets_what_the_dead_had_peeked)
{
    mp_queue *q = queue_new(0, 0);
    pthread_t thread;
    const void *data;
    void *seen;
    size_t len;
    int ends[2];
    pid_t pid;
    char c = 0;

    CHECK(pipe(ends) == 0);
    put_pattern(q, 5, 9);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_OK(mp_queue_peek(q, &data, &len, NULL, MP_FOREVER));
        CHECK(write(ends[1], &c, 1) == 1);
        for (;;)
            pause();
    }
    CHECK(read(ends[0], &c, 1) == 1);
    CHECK(pthread_create(&thread, NULL, takes_one, q) == 0);
    sleep_ms(20);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(pthread_join(thread, &seen) == 0);
    CHECK_OK(mp_queue_release(q, seen));
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(mp_queue_free(q));
}

static int peeks_and_frees(mp_child *self, void *user)
{
    mp_queue *q = mp_child_queue(self, 0);

    (void)user;
    peek(q, 300, 2);
    CHECK_OK(mp_queue_close(q));
    return 5;
}

/* Who has it gives the queue up before it ends. */
TEST(queue, what_is_peeked_comes_back_also_by_a_closed_handle)
{
    mp_queue *q = queue_new(0, 0);

    put_pattern(q, 300, 2);
    CHECK_INT(child_end(CHILD_START(peeks_and_frees, q)), 5);
    CHECK_OK(mp_queue_release(q, peek(q, 300, 2)));
    CHECK_OK(mp_queue_free(q));
}
