/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Shared memory: zeros, one place for all, and back to the system when it is freed. */
#include "test_util.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(shared_memory, begins_with_zeros_of_its_size)
{
    static const size_t sizes[] = {1, 63, 64, 4096, 32000, 32768, 65536, 1000000, 5 << 20};
    mp_stats before = stats_now();
    mp_shared_memory *m;
    unsigned char *at;
    size_t i, k, size;
    void *data;

    for (i = 0; i < 2 * COUNT(sizes); i++) {
        if (i == COUNT(sizes)) {
            CHECK_INT(stats_now().blocks, before.blocks);
            /* What small ones share stays for the next ones. */
            before = stats_now();
        }
        CHECK_OK(mp_shared_memory_new(&m, sizes[i % COUNT(sizes)], NULL));
        CHECK_OK(mp_shared_memory_size(m, &size));
        CHECK_INT(size, sizes[i % COUNT(sizes)]);
        CHECK_OK(mp_shared_memory_data(m, &data, &size));
        CHECK_INT(size, sizes[i % COUNT(sizes)]);
        CHECK((uintptr_t)data % 64 == 0);
        at = data;
        for (k = 0; k < size; k++)
            CHECK(at[k] == 0);
        /* The next one may get this memory; it must find zeros again. */
        memset(at, 0xFF, size);
        CHECK_OK(mp_shared_memory_data(m, &data, NULL));
        CHECK(data == at);
        CHECK_OK(mp_shared_memory_free(m));
    }
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_INT(stats_now().bytes_used, before.bytes_used);
}

TEST(shared_memory, of_sizes_that_cannot_be)
{
    static const size_t far[] = {SIZE_MAX, SIZE_MAX / 2, (size_t)1 << 50};
    mp_shared_memory *m = NULL;
    size_t i;

    CHECK_STATUS(mp_shared_memory_new(&m, 0, NULL), MP_ERR_INVALID);
    for (i = 0; i < COUNT(far); i++)
        CHECK_STATUS(mp_shared_memory_new(&m, far[i], NULL), MP_ERR_NO_MEMORY);
    CHECK(m == NULL);
}

/* What a stray pointer leaves in the block before small memory is looked at before it is followed. */
TEST(shared_memory, a_block_that_was_overwritten_is_no_memory)
{
    enum { BLOCK = 64, OFFSET_WORD = 3, SIZE_WORD = 4 };
    static const uint64_t bad[] = {(uint64_t)-1, (uint64_t)1 << 63, (uint64_t)1 << 41};
    mp_shared_memory *m;
    volatile uint64_t *block;
    uint64_t offset, size;
    size_t i, found;
    void *data, *again;

    CHECK_OK(mp_shared_memory_new(&m, 1000, NULL));
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    block = (volatile uint64_t *)((char *)data - BLOCK);
    offset = block[OFFSET_WORD];
    size = block[SIZE_WORD];
    CHECK_INT(size, 1000);
    for (i = 0; i < COUNT(bad); i++) {
        block[SIZE_WORD] = bad[i];
        CHECK_STATUS(mp_shared_memory_size(m, &found), MP_ERR_STATE);
        CHECK_STATUS(mp_shared_memory_data(m, &again, &found), MP_ERR_STATE);
        block[SIZE_WORD] = size;
        block[OFFSET_WORD] = bad[i];
        CHECK_STATUS(mp_shared_memory_size(m, &found), MP_ERR_STATE);
        CHECK_STATUS(mp_shared_memory_data(m, &again, &found), MP_ERR_STATE);
        block[OFFSET_WORD] = offset;
    }
    /* Where the tables are, no memory is. */
    block[OFFSET_WORD] = 0;
    CHECK_STATUS(mp_shared_memory_data(m, &again, &found), MP_ERR_STATE);
    block[OFFSET_WORD] = offset;
    block[SIZE_WORD] = 0;
    CHECK_STATUS(mp_shared_memory_size(m, &found), MP_ERR_STATE);
    block[SIZE_WORD] = size;
    CHECK_OK(mp_shared_memory_data(m, &again, &found));
    CHECK(again == data && found == 1000);
    CHECK_OK(mp_shared_memory_free(m));
}

static int negates(mp_child *self, void *user)
{
    mp_shared_memory *m = mp_child_shared_memory(self, 0);
    unsigned char *at;
    size_t size, i;
    void *data;

    CHECK(user == NULL && m != NULL);
    CHECK(mp_child_array(self, 0) == NULL);
    CHECK_OK(mp_shared_memory_data(m, &data, &size));
    at = data;
    for (i = 0; i < size; i++)
        at[i] = (unsigned char)~at[i];
    return 0;
}

TEST(shared_memory, children_have_the_same)
{
    enum { SIZE = 300000 };
    mp_shared_memory *m;
    unsigned char *at;
    void *data;
    size_t i;

    CHECK_OK(mp_shared_memory_new(&m, SIZE, NULL));
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    at = data;
    for (i = 0; i < SIZE; i++)
        at[i] = (unsigned char)(i * 7);
    CHECK_INT(child_end(CHILD_START(negates, m)), 0);
    for (i = 0; i < SIZE; i++)
        CHECK(at[i] == (unsigned char)~(i * 7));
    CHECK_OK(mp_shared_memory_free(m));
}

static int host_fork(void *arg)
{
    unsigned char *at;
    void *data;

    CHECK_OK(mp_shared_memory_data(arg, &data, NULL));
    at = data;
    at[0]++;
    CHECK_OK(mp_shared_memory_free(arg));
    return 0;
}

TEST(shared_memory, forks_of_the_host_have_the_same)
{
    mp_shared_memory *m;
    void *data;

    CHECK_OK(mp_shared_memory_new(&m, 100, NULL));
    CHECK_INT(in_fork(host_fork, m), 0);
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    CHECK_INT(*(unsigned char *)data, 1);
    CHECK_OK(mp_shared_memory_free(m));
}

/* Bytes that the segment has pages for. */
static long long resident(void)
{
    char line[512], name[64];
    struct stat file;
    unsigned long inode = 0, found;
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from = 0, to;

    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &found) == 3 &&
            strstr(line, "memfd:libmp") != NULL) {
            inode = found;
            snprintf(name, sizeof name, "/proc/self/map_files/%lx-%lx", from, to);
        }
    fclose(maps);
    CHECK(inode != 0);
    if (stat(name, &file) != 0)
        SKIP("the kernel shows no mapped files");
    return (long long)file.st_blocks * 512;
}

/* What is freed has no pages: values, arrays and memory that are large. */
TEST(shared_memory, goes_back_to_the_system)
{
    enum { SIZE = 20 << 20 };
    mp_shared_memory *m;
    mp_array *a, *b;
    mp_value *v;
    long long before, full;
    void *data;

    CHECK_OK(mp_shared_memory_new(&m, 1, NULL));
    before = resident();
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shared_memory_new(&m, SIZE, NULL));
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    memset(data, 1, SIZE);
    CHECK_OK(mp_array_new(&a, 'B', SIZE, NULL, NULL));
    CHECK_OK(mp_array_copy(&b, a, NULL));
    CHECK_OK(mp_value_new_struct(&v, SIZE / 2, NULL, NULL));
    full = resident();
    CHECK(full - before >= 4LL * SIZE);
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(b));
    CHECK_OK(mp_value_free(v));
    /* A part of the books and what small objects share may stay. */
    CHECK(resident() - before < 1 << 20);
}

static int dies(mp_child *self, void *user)
{
    void *data;

    CHECK(user == NULL);
    CHECK_OK(mp_shared_memory_data(mp_child_shared_memory(self, 0), &data, NULL));
    memcpy(data, "left", 5);
    raise(SIGKILL);
    return 0;
}

TEST(shared_memory, stays_when_somebody_dies_and_goes_with_the_last)
{
    mp_stats before = stats_now();
    mp_shared_memory *m;
    mp_process *p;
    void *data;

    CHECK_OK(mp_shared_memory_new(&m, 1 << 20, NULL));
    CHECK_OK(mp_shared_memory_data(m, &data, NULL));
    CHECK_INT(child_end(CHILD_START(dies, m)), -SIGKILL);
    CHECK(strcmp(data, "left") == 0);
    /* The child is the only one to have it, and dies. */
    p = CHILD_START(dies, m);
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK(stats_now().bytes_used < before.bytes_used + (1 << 20));
}
