/* Shared values and arrays beside C's own atomics and arrays in shared memory.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. In "fetch-add, 2 processes" each, on a
 * CPU of its own, adds to one number as fast as it can; what counts is the rate of both together. The
 * peer is C11's atomic_fetch_add, in memory that is shared; CPython has to take a lock for it. The rows for one process, and those for an
 * array's items, say what a call costs beside a plain access, which has neither a check nor a call; who
 * works on many items asks for their address by mp_array_data, or copies by mp_array_read.
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIBMP, PEER, CPYTHON, SUBJECTS };
enum { ROUNDS = 11, CALLS = 1000000, ITEMS = 4096, PASSES = 200 };
#define RACE_NS (100 * 1000 * 1000)

static struct page {
    int64_t number;
    char line1[BENCH_LINE];
    struct {
        int64_t turns;
        char line[BENCH_LINE];
    } racer[BENCH_MOST];
    int64_t items[ITEMS];
} *page;
static mp_value *value;
static mp_array *array;

static inline __attribute__((always_inline)) void add(int subject)
{
    int64_t before;

    if (subject == PEER)
        __atomic_fetch_add(&page->number, 1, __ATOMIC_SEQ_CST);
    else if (mp_value_fetch_add(value, 1, &before) < 0)
        bench_die("mp_value_fetch_add");
}

static double measure_adds(void *user, int subject, double *second)
{
    int64_t began = bench_now();
    int i;

    (void)user;
    (void)second;
    for (i = 0; i < CALLS; i++) {
        if (subject == LIBMP)
            add(LIBMP);
        else
            add(PEER);
    }
    return (double)(bench_now() - began) / CALLS;
}

/* So many turns between two looks at the clock or the gate that they do not count. */
static void racer(void *user, int index)
{
    int subject = *(int *)user, i;
    int64_t turns = 0;

    for (; !bench_stopped(); turns += 64)
        for (i = 0; i < 64; i++) {
            if (subject == LIBMP)
                add(LIBMP);
            else
                add(PEER);
        }
    page->racer[index].turns = turns;
}

static int64_t number(int subject)
{
    int64_t now = __atomic_load_n(&page->number, __ATOMIC_SEQ_CST);

    if (subject == LIBMP && mp_value_get_int(value, &now) < 0)
        bench_die("mp_value_get_int");
    return now;
}

static double measure_race(void *user, int subject, double *second)
{
    int processes = *(int *)user, i;
    int64_t before = number(subject), turns = 0, took;

    (void)second;
    if (subject == CPYTHON)
        return 1e9 / bench_python("fetch-add", APART);
    took = bench_race(processes, APART, RACE_NS, racer, &subject);
    for (i = 0; i < processes; i++)
        turns += page->racer[i].turns;
    if (number(subject) - before != turns) {
        fprintf(stderr, "bench_value: %lld turns, counted %lld\n", (long long)turns,
                (long long)(number(subject) - before));
        exit(1);
    }
    return (double)turns * 1e9 / (double)took;
}

/* ---- arrays ---- */

static double measure_items(void *user, int subject, double *second)
{
    volatile int64_t *items = page->items;
    int64_t began = bench_now(), item;
    int pass;
    size_t i;

    (void)user;
    (void)second;
    for (pass = 0; pass < PASSES; pass++)
        for (i = 0; i < ITEMS; i++) {
            if (subject == PEER)
                items[i] = items[i] + 1;
            else if (mp_array_get_int(array, i, &item) < 0 || mp_array_set_int(array, i, item + 1) < 0)
                bench_die("an item");
        }
    return (double)(bench_now() - began) / ((double)PASSES * ITEMS);
}

static double measure_copy(void *user, int subject, double *second)
{
    static int64_t mine[ITEMS];
    int64_t began = bench_now();
    int pass;

    (void)user;
    (void)second;
    for (pass = 0; pass < PASSES; pass++) {
        if (subject == PEER)
            memcpy(mine, page->items, sizeof mine);
        else if (mp_array_read(array, 0, ITEMS, mine, sizeof mine) < 0)
            bench_die("mp_array_read");
        /* Used, so that no copy is left out. */
        __asm__ volatile("" : : "r"(mine) : "memory");
    }
    return (double)(bench_now() - began) / PASSES;
}

int main(int argc, char **argv)
{
    static const double marks[SUBJECTS] = {0, 0.8, 0};
    struct bench_subject subjects[SUBJECTS] = {{"libmp", false}, {"C11 atomic", false}, {"CPython", false}};
    static const char *const races[] = {"fetch-add, 2 processes", "fetch-add, 8 processes"};
    double figures[SUBJECTS * ROUNDS];
    int64_t zero = 0;
    int i;

    bench_begin(argc, argv);
    if (mp_value_new(&value, MP_INT64, &zero, NULL) < 0 || mp_array_new(&array, MP_INT64, ITEMS, NULL, NULL) < 0)
        bench_die("setup");
    page = bench_shared(sizeof *page);
    subjects[CPYTHON].absent = !bench_python_is_there();
    bench_head();
    for (i = 0; i < 2; i++) {
        int processes = i == 0 ? 2 : 8, count = i == 0 ? SUBJECTS : CPYTHON;

        if (!bench_wanted(races[i]))
            continue;
        bench_rounds(measure_race, &processes, subjects, count, ROUNDS, figures, NULL);
        bench_rows(races[i], subjects, count, ROUNDS, figures, 1e6, "M/s", false, i == 0 ? HIGH : NO_MARK, marks);
    }
    bench_rounds(measure_adds, NULL, subjects, CPYTHON, ROUNDS, figures, NULL);
    bench_rows("fetch-add, 1 process", subjects, CPYTHON, ROUNDS, figures, 1, "ns", false, NO_MARK, NULL);
    subjects[PEER].name = "plain array";
    bench_rounds(measure_items, NULL, subjects, CPYTHON, ROUNDS, figures, NULL);
    bench_rows("item of an array, got and set", subjects, CPYTHON, ROUNDS, figures, 1, "ns", false, NO_MARK, NULL);
    subjects[PEER].name = "memcpy";
    bench_rounds(measure_copy, NULL, subjects, CPYTHON, ROUNDS, figures, NULL);
    bench_rows("4,096 items copied out", subjects, CPYTHON, ROUNDS, figures, 1, "ns", false, NO_MARK, NULL);
    if (mp_array_free(array) < 0 || mp_value_free(value) < 0)
        bench_die("free");
    return 0;
}
