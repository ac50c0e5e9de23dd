/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The hammer: eight processes use one primitive as fast as they can, and one after the other is killed at
 * a random moment and replaced. Nobody hangs, nobody gets in where he should not, and at the end the
 * counts of the survivors are exact. Then the same without kills: no sleeper had to find its work
 * by itself.
 *
 * A row of the table is a PRIMITIVE. MP_HAMMER=n kills n times; give that time by --timeout-scale. */
#ifndef HAMMER_H
#define HAMMER_H

#include "test_util.h"

enum { WORKERS = 8 };

/* In memory that libmp knows nothing of. What a worker counts in its own place only it writes. */
typedef struct board {
    volatile int64_t first, second, holder, recoveries;
    volatile int64_t count[WORKERS], taken[WORKERS];
    int64_t index[WORKERS];
    /* A bit for each worker who is in, and, from bit 16 on, for each who is about to be killed. */
    uint32_t inside;
    uint32_t stop;
    int violations;
    /* How many each worker does. */
    int64_t rounds;
} board;

typedef struct primitive {
    void (*make)(void);
    /* What worker `me` does again and again. */
    void (*round)(int me);
    /* Those who wait for others come to their ends: the board says stop. */
    void (*stop)(void);
    /* With all workers gone, of whom so many were killed: the counts, and the primitive still works. */
    void (*check)(int kills);
    void (*end)(void);
    /* At times, while they work. */
    void (*mend)(void);
    /* This one was killed just now, and has no successor yet. */
    void (*killed)(int victim);
} primitive;

extern board *b;

void violation(const char *what);
bool stopping(void);
int64_t sum(const volatile int64_t *list);

void hammer_with_kills(const primitive *p);
void hammer_without_kills(const primitive *p);

#define PRIMITIVE(name_, ...)                                                                      \
    static const primitive name_##_primitive = {__VA_ARGS__};                                      \
    TEST_T(hammer, name_##_with_kills, 120)                                                        \
    {                                                                                              \
        hammer_with_kills(&name_##_primitive);                                                     \
    }                                                                                              \
    TEST_T(hammer, name_##_without_kills, 60)                                                      \
    {                                                                                              \
        hammer_without_kills(&name_##_primitive);                                                  \
    }

#endif
