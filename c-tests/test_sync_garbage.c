/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Statuses that take too long, too many processes or a stray pointer: here the shared words are
 * written to as a stray pointer would. */
#include "test_util.h"

#include <sys/wait.h>
#include <unistd.h>

/* Of a lock's and a semaphore's block, in words of 8 bytes. */
enum { BLOCK = 64, DATA_WORD = 3, SIZE_WORD = 4, DEPTH_WORD = 6, OPTIONS_WORD = 7 };

/* The one block with this word at this place, among those that lie near any new one. */
static volatile uint64_t *block_with(size_t at, uint64_t word)
{
    volatile uint64_t *found = NULL;
    char *place, *end;
    size_t bytes;
    mp_array *a;
    void *data;

    CHECK_OK(mp_array_new(&a, MP_INT64, 1, NULL, NULL));
    CHECK_OK(mp_array_data(a, &data, &bytes));
    place = (char *)((uintptr_t)data & ~(uintptr_t)(BLOCK - 1)) - (1 << 20);
    for (end = place + (2 << 20); place < end; place += BLOCK)
        if (((volatile uint64_t *)place)[at] == word) {
            CHECK(found == NULL);
            found = (volatile uint64_t *)place;
        }
    CHECK(found != NULL);
    CHECK_OK(mp_array_free(a));
    return found;
}

TEST(rlock, deepest)
{
    enum { DEPTH = 77777 };
    volatile uint64_t *block;
    mp_rlock *r;
    bool yes;
    int i;

    CHECK_OK(mp_rlock_new(&r, NULL));
    for (i = 0; i < DEPTH; i++)
        CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    block = block_with(DEPTH_WORD, DEPTH);
    block[DEPTH_WORD] = UINT32_MAX - 1;
    CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    CHECK_STATUS(mp_rlock_acquire(r, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_SENTENCE(mp_rlock_acquire(r, MP_FOREVER), MP_ERR_INVALID, "as often as can be counted");
    CHECK(block[DEPTH_WORD] == UINT32_MAX);
    CHECK_OK(mp_rlock_release(r));
    block[DEPTH_WORD] = DEPTH;
    for (i = 0; i < DEPTH; i++)
        CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_rlock_locked(r, &yes));
    CHECK(!yes);
    CHECK_OK(mp_rlock_free(r));
}

/* How many slots, told apart from any other word; and what the options say besides. */
enum { SLOTS = 1234567 };
#define ACCOUNTED (SLOTS | (uint64_t)1 << 32)

static mp_semaphore *accounted(void)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_semaphore *s;

    o.give_back = true;
    CHECK_OK(mp_semaphore_new(&s, SLOTS, &o));
    return s;
}

static void refused(mp_semaphore *s)
{
    char text[80];
    size_t value;
    bool yes;

    CHECK_STATUS(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_STATUS(mp_semaphore_acquire(s, MP_FOREVER), MP_ERR_STATE);
    CHECK_STATUS(mp_semaphore_release(s, 1), MP_ERR_STATE);
    CHECK_STATUS(mp_semaphore_value(s, &value), MP_ERR_STATE);
    CHECK_STATUS(mp_semaphore_locked(s, &yes), MP_ERR_STATE);
    CHECK_STATUS(mp_semaphore_describe(s, text, sizeof text, NULL), MP_ERR_STATE);
}

TEST(semaphore, damaged)
{
    mp_semaphore *s = accounted();
    volatile uint64_t *block = block_with(OPTIONS_WORD, ACCOUNTED);
    const uint64_t data = block[DATA_WORD], size = block[SIZE_WORD];
    const struct {
        uint64_t data, size;
    } damages[] = {{data, 0},        {data, 8},        {data, size + 8},
                   {data, size - 8}, {data, UINT64_MAX}, {UINT64_MAX, size},
                   {data + 1, size}, {data + 4, size}, {UINT64_MAX - size, size}};
    size_t i, value;

    for (i = 0; i < COUNT(damages); i++) {
        block[DATA_WORD] = damages[i].data;
        block[SIZE_WORD] = damages[i].size;
        refused(s);
    }
    block[DATA_WORD] = data;
    block[SIZE_WORD] = size;
    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_OK(mp_semaphore_value(s, &value));
    CHECK_INT(value, SLOTS - 1);
    CHECK_OK(mp_semaphore_release(s, 1));
    CHECK_OK(mp_semaphore_free(s));
}

/* One child stands for 2046 holders: each word of the accounts names it. */
TEST(semaphore, too_many_holders)
{
    enum { HOLDERS = 2046 };
    mp_semaphore *s = accounted();
    volatile uint64_t *block = block_with(OPTIONS_WORD, ACCOUNTED), *words;
    mp_value *flag = flag_new();
    pid_t child = fork();
    uint64_t theirs;
    int i, status;

    CHECK(child >= 0);
    if (child == 0) {
        CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
        flag_set(flag, 1);
        flag_wait(flag, 2);
        _exit(0);
    }
    flag_wait(flag, 1);
    /* The data begins behind the block's head, with a lock of two words. */
    words = block + BLOCK / 8;
    for (i = 0; i < 16 && (uint32_t)words[i] != 1; i++)
        continue;
    CHECK(i < 16);
    words += i;
    theirs = words[0];
    CHECK(theirs >> 32 != 0);
    for (i = 0; i < HOLDERS; i++)
        words[i] = theirs;
    CHECK_SENTENCE(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_NO_MEMORY, "2046 processes");
    CHECK_STATUS(mp_semaphore_acquire(s, MP_FOREVER), MP_ERR_NO_MEMORY);
    words[HOLDERS - 1] = 0;
    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_OK(mp_semaphore_release(s, 1));
    words[HOLDERS - 1] = theirs;
    flag_set(flag, 2);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    /* It is dead, and its words are free. */
    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    for (i = 1; i < HOLDERS; i++)
        CHECK(words[i] == 0);
    CHECK_OK(mp_semaphore_release(s, 1));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_semaphore_free(s));
}
