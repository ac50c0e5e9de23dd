/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: items and results of any size. */
#include "test_pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static unsigned char byte_of(size_t item, size_t i)
{
    return (unsigned char)(item * 101 + i * 7 + i / 253);
}

/* The result is the input's length as a number, then the input, mirrored. */
static void mirrors(mp_task *task, void *user)
{
    size_t len, i;
    const unsigned char *in = mp_task_input(task, &len);
    unsigned char *out = malloc(sizeof len + len);

    (void)user;
    CHECK(in != NULL && out != NULL);
    CHECK((uintptr_t)in % 16 == 0);
    memcpy(out, &len, sizeof len);
    for (i = 0; i < len; i++)
        out[sizeof len + i] = in[len - 1 - i];
    CHECK_OK(mp_task_return(task, out, sizeof len + len));
    free(out);
}

TEST(pool, map_of_many_sizes)
{
    static const size_t sizes[] = {0,     1,     2,       7,         8,         9,       15,
                                   16,    17,    100,     1000,      4095,      4096,    4097,
                                   65535, 65536, 1 << 20, (1 << 20) + 1, 3 << 20, 0,     3,
                                   30000, 500000, 12,     (3 << 20) - 5};
    unsigned char *memory[COUNT(sizes)];
    mp_bytes in[COUNT(sizes)];
    mp_buffer *out[COUNT(sizes)];
    mp_pool *pool = pool_new(2);
    size_t i, k, chunk;

    for (i = 0; i < COUNT(sizes); i++) {
        memory[i] = malloc(sizes[i] + 1);
        CHECK(memory[i] != NULL);
        for (k = 0; k < sizes[i]; k++)
            memory[i][k] = byte_of(i, k);
        in[i].data = sizes[i] > 0 ? memory[i] : NULL;
        in[i].len = sizes[i];
    }
    for (chunk = 0; chunk < 6; chunk += 5) {
        mp_map_options o = MP_MAP_OPTIONS;

        o.chunk = chunk;
        memset(out, 0xAA, sizeof out);
        CHECK_OK(mp_pool_map(pool, mirrors, NULL, in, COUNT(in), out, &o));
        for (i = 0; i < COUNT(sizes); i++) {
            size_t len = 0, said;
            const unsigned char *data = mp_buffer_data(out[i], &len);

            CHECK_INT(len, sizeof said + sizes[i]);
            memcpy(&said, data, sizeof said);
            CHECK_INT(said, sizes[i]);
            for (k = 0; k < sizes[i]; k++)
                CHECK(data[sizeof said + k] == byte_of(i, sizes[i] - 1 - k));
            CHECK_OK(mp_buffer_free(out[i]));
        }
    }
    for (i = 0; i < COUNT(sizes); i++)
        free(memory[i]);
    CHECK_OK(mp_pool_free(pool));
}

/* The input is a length; the result has it. */
static void grows(mp_task *task, void *user)
{
    size_t want, i;
    unsigned char *out;

    (void)user;
    memcpy(&want, mp_task_input(task, NULL), sizeof want);
    out = malloc(want + 1);
    CHECK(out != NULL);
    for (i = 0; i < want; i++)
        out[i] = byte_of(mp_task_index(task), i);
    CHECK_OK(mp_task_return(task, out, want));
    free(out);
}

TEST(pool, results_larger_than_inputs)
{
    enum { ITEMS = 60 };
    size_t wants[ITEMS], i, k, len;
    mp_buffer *out[ITEMS];
    mp_bytes in[ITEMS];
    mp_pool *pool = pool_new(3);

    for (i = 0; i < ITEMS; i++) {
        wants[i] = i % 10 == 9 ? (size_t)2 << 20 : i * i * 17;
        in[i].data = &wants[i];
        in[i].len = sizeof wants[i];
    }
    CHECK_OK(mp_pool_map(pool, grows, NULL, in, ITEMS, out, NULL));
    for (i = 0; i < ITEMS; i++) {
        const unsigned char *data = mp_buffer_data(out[i], &len);

        CHECK_INT(len, wants[i]);
        for (k = 0; k < len; k++)
            CHECK(data[k] == byte_of(i, k));
        CHECK_OK(mp_buffer_free(out[i]));
    }
    CHECK_OK(mp_pool_free(pool));
}

#define GIB ((size_t)1 << 30)

static void returns_1_gibibyte(mp_task *task, void *user)
{
    char *all = mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)user;
    CHECK(all != MAP_FAILED);
    memcpy(all, "first", 5);
    memcpy(all + GIB - 4, "last", 4);
    if (mp_task_return(task, all, GIB) != MP_OK)
        CHECK_OK(mp_task_fail(task, mp_last_error()));
    CHECK(munmap(all, GIB) == 0);
}

/* It comes whole, or where a machine has no memory for it, the call says so; the pool goes on. */
TEST_T(pool, result_of_1_gibibyte, 120)
{
    mp_pool *pool = pool_new(1);
    mp_buffer *result = NULL;
    int s = mp_pool_apply(pool, returns_1_gibibyte, NULL, NULL, 0, &result, NULL);

    if (s == MP_OK) {
        size_t len;
        const char *all = mp_buffer_data(result, &len);

        CHECK_INT(len, GIB);
        CHECK(memcmp(all, "first", 5) == 0 && all[GIB / 2] == 0 && memcmp(all + GIB - 4, "last", 4) == 0);
    } else {
        CHECK(s == MP_ERR_TASK_FAILED || s == MP_ERR_NO_MEMORY);
        CHECK_CONTAINS(mp_last_error(), "memory");
    }
    CHECK_OK(mp_buffer_free(result));
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, map_of_nothing)
{
    mp_pool *pool = pool_new(2);
    mp_buffer *out = NULL;

    CHECK_OK(mp_pool_map(pool, echo, NULL, NULL, 0, NULL, NULL));
    CHECK_OK(mp_pool_map(pool, echo, NULL, NULL, 0, &out, NULL));
    CHECK(out == NULL);
    CHECK_OK(mp_pool_free(pool));
}

static void returns_index(mp_task *task, void *user)
{
    uint64_t index = mp_task_index(task);

    (void)user;
    CHECK_OK(mp_task_return(task, &index, sizeof index));
}

TEST(pool, index_and_order)
{
    enum { ITEMS = 5000 };
    mp_bytes *in = calloc(ITEMS, sizeof *in);
    mp_buffer **out = calloc(ITEMS, sizeof *out);
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(3);
    size_t i;

    CHECK(in != NULL && out != NULL);
    for (o.chunk = 0; o.chunk < 4; o.chunk++) {
        CHECK_OK(mp_pool_map(pool, returns_index, NULL, in, ITEMS, out, &o));
        for (i = 0; i < ITEMS; i++) {
            uint64_t index;
            size_t len;
            const void *data = mp_buffer_data(out[i], &len);

            CHECK_INT(len, sizeof index);
            memcpy(&index, data, sizeof index);
            CHECK_INT(index, i);
            CHECK_OK(mp_buffer_free(out[i]));
        }
    }
    CHECK_OK(mp_pool_free(pool));
    free(in);
    free(out);
}
