/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: arrays of items, sizes, chunks, numbers of workers. */
#include "test_pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

mp_pool *pool_new(size_t workers)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;

    o.workers = workers;
    CHECK_OK(mp_pool_new(&pool, &o));
    return pool;
}

void square(mp_task *task, void *user)
{
    size_t len;
    const int64_t *x = mp_task_input(task, &len);
    int64_t y = *x * *x;

    (void)user;
    CHECK_INT(len, sizeof *x);
    CHECK_OK(mp_task_return(task, &y, sizeof y));
}

void check_squares(mp_pool *pool, size_t n, const mp_map_options *o)
{
    int64_t *in = calloc(n + 1, sizeof *in), *out = calloc(n + 1, sizeof *out);
    size_t i;

    CHECK(in != NULL && out != NULL);
    for (i = 0; i < n; i++)
        in[i] = (int64_t)i - 3;
    out[n] = -7;
    CHECK_OK(mp_pool_map_array(pool, square, NULL, in, sizeof *in, n, out, sizeof *out, o));
    for (i = 0; i < n; i++)
        CHECK_INT(out[i], in[i] * in[i]);
    CHECK_INT(out[n], -7);
    free(in);
    free(out);
}

void echo(mp_task *task, void *user)
{
    size_t len;
    const void *data = mp_task_input(task, &len);

    (void)user;
    CHECK_OK(mp_task_return(task, data, len));
}

typedef struct pids {
    pid_t *list;
    size_t want;
} pids;

static bool all_there(void *arg)
{
    pids *p = arg;

    return children_of(getpid(), p->list, p->want) == p->want;
}

void pool_pids(pid_t *out, size_t workers)
{
    pids p = {out, workers};

    CHECK(wait_until(all_there, &p));
}

TEST(pool, squares)
{
    static const size_t counts[] = {0, 1, 2, 3, 10, 1000};
    mp_pool *pool = pool_new(2);
    size_t i;

    for (i = 0; i < COUNT(counts); i++)
        check_squares(pool, counts[i], NULL);
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, made_and_freed)
{
    mp_stats before = stats_now();
    int i;

    for (i = 0; i < 30; i++) {
        mp_pool *pool = pool_new((size_t)i % 4 + 1);

        if (i % 2 == 0)
            check_squares(pool, 10, NULL);
        CHECK_OK(mp_pool_free(pool));
    }
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_INT(stats_now().processes, before.processes);
}

static void chunked(size_t chunk, size_t n)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);

    o.chunk = chunk;
    check_squares(pool, n, &o);
    /* Nobody was killed, so every sleeper was woken by somebody and none by its own clock. */
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST_T(pool, chunk_of_1, 60)
{
    chunked(1, 100000);
}

TEST(pool, chunk_of_7)
{
    chunked(7, 100000);
}

TEST(pool, default_chunk)
{
    chunked(0, 100000);
}

TEST(pool, absurd_chunk)
{
    static const size_t absurd[] = {SIZE_MAX, SIZE_MAX / 2, (size_t)1 << 62, 101};
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    int64_t in[100], out[100];
    size_t i, k;

    for (k = 0; k < COUNT(in); k++)
        in[k] = (int64_t)k;
    for (i = 0; i < COUNT(absurd); i++) {
        o.chunk = absurd[i];
        memset(out, 0, sizeof out);
        if (CHECK_CLEAN(mp_pool_map_array(pool, square, NULL, in, 8, COUNT(in), out, 8, &o)) == MP_OK)
            for (k = 0; k < COUNT(in); k++)
                CHECK_INT(out[k], k * k);
    }
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- sizes of items ---- */

static void returns_nothing(mp_task *task, void *user)
{
    size_t len = 1;

    (void)user;
    CHECK(mp_task_input(task, &len) != NULL);
    CHECK_INT(len, 4);
    CHECK_OK(mp_task_return(task, NULL, 0));
}

static void returns_its_index(mp_task *task, void *user)
{
    uint32_t index = (uint32_t)mp_task_index(task);
    size_t len = 1;

    (void)user;
    mp_task_input(task, &len);
    CHECK_INT(len, 0);
    CHECK_OK(mp_task_return(task, &index, sizeof index));
}

TEST(pool, items_of_0_bytes)
{
    mp_pool *pool = pool_new(2);
    uint32_t items[500];
    size_t i;

    memset(items, 0, sizeof items);
    CHECK_OK(mp_pool_map_array(pool, returns_nothing, NULL, items, 4, COUNT(items), NULL, 0, NULL));
    CHECK_OK(mp_pool_map_array(pool, returns_its_index, NULL, NULL, 0, COUNT(items), items, 4, NULL));
    for (i = 0; i < COUNT(items); i++)
        CHECK_INT(items[i], i);
    CHECK_OK(mp_pool_free(pool));
}

enum { MIB = 1 << 20 };

static void adds_one_everywhere(mp_task *task, void *user)
{
    size_t len, i;
    const unsigned char *in = mp_task_input(task, &len);
    unsigned char *out = malloc(len);

    (void)user;
    CHECK(out != NULL);
    for (i = 0; i < len; i++)
        out[i] = (unsigned char)(in[i] + 1);
    CHECK_OK(mp_task_return(task, out, len));
    free(out);
}

TEST(pool, items_of_1_mebibyte)
{
    enum { ITEMS = 16 };
    unsigned char *in = malloc(ITEMS * MIB), *out = malloc(ITEMS * MIB);
    mp_pool *pool = pool_new(2);
    size_t i;

    CHECK(in != NULL && out != NULL);
    for (i = 0; i < ITEMS * MIB; i++)
        in[i] = (unsigned char)(i * 13 + i / MIB);
    CHECK_OK(mp_pool_map_array(pool, adds_one_everywhere, NULL, in, MIB, ITEMS, out, MIB, NULL));
    for (i = 0; i < ITEMS * MIB; i++)
        CHECK(out[i] == (unsigned char)(in[i] + 1));
    CHECK_OK(mp_pool_free(pool));
    free(in);
    free(out);
}

/* Odd sizes, so that items begin at odd addresses. */
static void reverses(mp_task *task, void *user)
{
    size_t len, i;
    const unsigned char *in = mp_task_input(task, &len);
    unsigned char out[64];

    (void)user;
    for (i = 0; i < len; i++)
        out[i] = in[len - 1 - i];
    CHECK_OK(mp_task_return(task, out, len));
}

TEST(pool, items_of_odd_sizes)
{
    static const size_t sizes[] = {1, 2, 3, 5, 7, 13, 24, 31, 63};
    mp_pool *pool = pool_new(2);
    unsigned char in[63 * 97], out[63 * 97];
    size_t s, i, k;

    for (i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i * 37 + 11);
    for (s = 0; s < COUNT(sizes); s++) {
        size_t size = sizes[s];

        memset(out, 0, sizeof out);
        CHECK_OK(mp_pool_map_array(pool, reverses, NULL, in, size, 97, out, size, NULL));
        for (i = 0; i < 97; i++)
            for (k = 0; k < size; k++)
                CHECK(out[i * size + k] == in[i * size + size - 1 - k]);
    }
    CHECK_OK(mp_pool_free(pool));
}

static void returns_wrongly(mp_task *task, void *user)
{
    char more[9] = "";

    (void)user;
    CHECK_STATUS(mp_task_return(task, more, 9), MP_ERR_INVALID);
    CHECK_STATUS(mp_task_return(task, more, 7), MP_ERR_INVALID);
    CHECK_STATUS(mp_task_return(task, NULL, 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_task_return(task, more, SIZE_MAX), MP_ERR_INVALID);
    square(task, user);
}

TEST(pool, result_of_a_wrong_length)
{
    int64_t in[3] = {1, 2, 3}, out[4] = {0, 0, 0, -7};
    mp_pool *pool = pool_new(1);

    CHECK_OK(mp_pool_map_array(pool, returns_wrongly, NULL, in, 8, 3, out, 8, NULL));
    CHECK(out[0] == 1 && out[1] == 4 && out[2] == 9 && out[3] == -7);
    CHECK_OK(mp_pool_free(pool));
}

/* As most functions do, these do not look at what mp_task_return answers. */
static void returns_too_little(mp_task *task, void *user)
{
    int32_t little = 1;

    square(task, user);
    mp_task_return(task, &little, sizeof little);
}

static void returns_too_much(mp_task *task, void *user)
{
    (void)user;
    mp_task_return(task, "x", (size_t)1 << 50);
}

static void returns_null(mp_task *task, void *user)
{
    (void)user;
    mp_task_return(task, NULL, 1);
}

TEST(pool, an_item_whose_result_is_not_taken_fails)
{
    int64_t in[3] = {1, 2, 3}, out[3] = {0, 0, 0};
    mp_pool *pool = pool_new(1);

    CHECK_STATUS(mp_pool_map_array(pool, returns_too_little, NULL, in, 8, 3, out, 8, NULL), MP_ERR_TASK_FAILED);
    CHECK(strstr(mp_last_error(), "item 0: mp_task_return: a result has 8 bytes here, not 4") != NULL);
    CHECK_STATUS(mp_pool_apply(pool, returns_too_much, NULL, NULL, 0, NULL, NULL), MP_ERR_TASK_FAILED);
    CHECK(strstr(mp_last_error(), "mp_task_return: no memory for a result") != NULL);
    CHECK_STATUS(mp_pool_apply(pool, returns_null, NULL, NULL, 0, NULL, NULL), MP_ERR_TASK_FAILED);
    CHECK(strstr(mp_last_error(), "mp_task_return: ") != NULL);
    CHECK_OK(mp_pool_map_array(pool, square, NULL, in, 8, 3, out, 8, NULL));
    CHECK(out[0] == 1 && out[1] == 4 && out[2] == 9);
    CHECK_OK(mp_pool_free(pool));
}

static void returns_twice(mp_task *task, void *user)
{
    int64_t wrong = -1;

    CHECK_OK(mp_task_return(task, &wrong, sizeof wrong));
    square(task, user);
}

TEST(pool, last_return_counts)
{
    int64_t in[3] = {1, 2, 3}, out[3];
    mp_pool *pool = pool_new(1);

    CHECK_OK(mp_pool_map_array(pool, returns_twice, NULL, in, 8, 3, out, 8, NULL));
    CHECK(out[0] == 1 && out[1] == 4 && out[2] == 9);
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, size_overflow)
{
    static const size_t absurd[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 8 + 1, (size_t)1 << 61};
    mp_pool *pool = pool_new(1);
    int64_t in = 1, out = 0;
    mp_bytes item = {&in, 8};
    mp_buffer *result = NULL;
    size_t i;

    for (i = 0; i < COUNT(absurd); i++) {
        CHECK_FAILS(mp_pool_map_array(pool, square, NULL, &in, 8, absurd[i], &out, 8, NULL));
        CHECK_FAILS(mp_pool_map_array(pool, square, NULL, &in, absurd[i], 8, &out, 8, NULL));
        CHECK_FAILS(mp_pool_map_array(pool, square, NULL, &in, 8, 8, &out, absurd[i], NULL));
        CHECK_FAILS(mp_pool_map_array(pool, square, NULL, NULL, 0, absurd[i], &out, 8, NULL));
        CHECK_FAILS(mp_pool_map(pool, square, NULL, &item, absurd[i], &result, NULL));
        item.len = absurd[i];
        CHECK_FAILS(mp_pool_map(pool, square, NULL, &item, 1, &result, NULL));
        item.len = 8;
    }
    check_squares(pool, 3, NULL);
    CHECK_OK(mp_pool_free(pool));
}
