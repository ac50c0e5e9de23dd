/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A shared segment that is full: every call says so, and all of it comes back. */
#include "test_pool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 4096 };

/* Takes arrays of 64 KiB until there are no more; gives how many there were. */
static int fill_segment(void)
{
    static mp_array *all[MOST];
    mp_lock *l;
    int n = 0, i, s = MP_OK;

    while (n < MOST && (s = CHECK_CLEAN(mp_array_new(&all[n], MP_INT8, 65536, NULL, NULL))) == MP_OK)
        n++;
    CHECK_STATUS(s, MP_ERR_NO_MEMORY);
    if (CHECK_CLEAN(mp_lock_new(&l, NULL)) == MP_OK)
        CHECK_OK(mp_lock_free(l));
    for (i = 0; i < n; i++) {
        CHECK_OK(mp_array_set_int(all[i], 65535, 1));
        CHECK_OK(mp_array_free(all[i]));
    }
    return n;
}

static int fills_twice(void *size)
{
    mp_array *a;
    int n;

    CHECK(setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    n = fill_segment();
    CHECK_INT(fill_segment(), n);
    CHECK_STATUS(mp_array_new(&a, MP_INT8, 100 << 20, NULL, NULL), MP_ERR_NO_MEMORY);
    CHECK_INT(fill_segment(), n);
    return n > 0 ? 0 : 1;
}

static void take_most_and_wait(mp_value *flag)
{
    mp_array *a;

    CHECK_OK(mp_array_new(&a, MP_INT8, 40 << 20, NULL, NULL));
    flag_set(flag, 1);
    for (;;)
        pause();
}

static int takes_from_the_dead(void *size)
{
    mp_value *flag;
    mp_array *a;
    int i;

    CHECK(setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    flag = flag_new();
    for (i = 0; i < 3; i++) {
        pid_t child = fork();

        CHECK(child >= 0);
        if (child == 0)
            take_most_and_wait(flag);
        flag_wait(flag, 1);
        flag_set(flag, 0);
        CHECK_FAILS(mp_array_new(&a, MP_INT8, 40 << 20, NULL, NULL));
        CHECK(kill(child, SIGKILL) == 0);
        CHECK_INT(waitpid(child, NULL, 0), child);
        CHECK_OK(mp_array_new(&a, MP_INT8, 40 << 20, NULL, NULL));
        CHECK_OK(mp_array_free(a));
    }
    CHECK_OK(mp_value_free(flag));
    return 0;
}

/* What a killed process had is there again when it is needed. */
TEST_COLD(limits, segment_full_of_what_the_dead_had)
{
    static char size[] = "67108864";

    CHECK_INT(in_fork(takes_from_the_dead, size), 0);
}

/* A full segment is a status, and all of it comes back. */
TEST_COLD(limits, full_segment)
{
    static char size[] = "67108864";

    CHECK_INT(in_fork(fills_twice, size), 0);
}

/* Copies for which there is no room: the source is as it was, and all that was taken comes back. */
static int copies_too_much(void *size)
{
    enum { HALF = 3 << 20, MOST_SMALL = 20000 };
    static mp_value *small[MOST_SMALL];
    char first[16] = "source";
    mp_array *a, *b;
    mp_value *v, *w;
    mp_stats before;
    int64_t x;
    int i, n, s = MP_OK;

    CHECK(setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    CHECK_OK(mp_value_new_struct(&v, sizeof first, first, NULL));
    before = stats_now();
    CHECK_OK(mp_array_new(&a, MP_INT8, HALF, NULL, NULL));
    CHECK_OK(mp_array_set_int(a, HALF - 1, 5));
    for (i = 0; i < 50; i++)
        CHECK_STATUS(mp_array_copy(&b, a, NULL), MP_ERR_NO_MEMORY);
    CHECK_OK(mp_array_get_int(a, HALF - 1, &x));
    CHECK_INT(x, 5);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_value_new_struct(&w, HALF / 2, NULL, NULL));
    for (i = 0; i < 50; i++)
        CHECK_STATUS(mp_value_copy(&small[0], w, NULL), MP_ERR_NO_MEMORY);
    CHECK_OK(mp_value_free(w));
    CHECK_INT(stats_now().blocks, before.blocks);
    /* Small ones, until they have it all. */
    for (n = 0; n < MOST_SMALL && s == MP_OK; n++)
        s = CHECK_CLEAN(mp_value_copy(&small[n], v, NULL));
    CHECK_STATUS(s, MP_ERR_NO_MEMORY);
    for (i = 0; i < n - 1; i++)
        CHECK_OK(mp_value_free(small[i]));
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_OK(mp_value_copy(&w, v, NULL));
    memset(first, 0, sizeof first);
    CHECK_OK(mp_value_get(w, first, sizeof first));
    CHECK(strcmp(first, "source") == 0);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(w));
    return 0;
}

TEST_COLD(limits, no_room_for_a_copy)
{
    CHECK_INT(in_fork(copies_too_much, "5M"), 0);
}

static int waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 0), 1);
    return 4;
}

/* Starts children until there is no room for one more; gives how many there were. */
static int fill_processes(void)
{
    static mp_process *all[MOST];
    mp_value *flag = flag_new();
    int n = 0, i, s = MP_OK;

    while (n < MOST && s == MP_OK) {
        CHECK_OK(mp_process_new(&all[n], waits, NULL, NULL));
        CHECK_OK(mp_process_add_handle(all[n], flag));
        s = CHECK_CLEAN(mp_process_start(all[n++]));
    }
    CHECK_STATUS(s, MP_ERR_NO_MEMORY);
    CHECK_OK(mp_process_free(all[--n]));
    flag_set(flag, 1);
    for (i = 0; i < n; i++)
        CHECK_INT(child_end(all[i]), 4);
    CHECK_OK(mp_value_free(flag));
    return n;
}

static int starts_too_many(void *size)
{
    int n;

    CHECK(setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    n = fill_processes();
    CHECK_INT(fill_processes(), n);
    return n > 1 ? 0 : 1;
}

TEST_COLD(limits, no_room_for_one_process_more)
{
    CHECK_INT(in_fork(starts_too_many, "1M"), 0);
}

static int fills_with_locks(void *size)
{
    enum { LOCKS = 100000 };
    mp_lock **all = calloc(LOCKS, sizeof *all);
    mp_process *p;
    mp_value *v;
    mp_pool *pool;
    mp_pool_options o = MP_POOL_OPTIONS;
    int n = 0, i, s = MP_OK;

    CHECK(all != NULL && setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    CHECK_OK(mp_process_new(&p, waits, NULL, NULL));
    while (n < LOCKS && (s = CHECK_CLEAN(mp_lock_new(&all[n], NULL))) == MP_OK)
        n++;
    CHECK_STATUS(s, MP_ERR_NO_MEMORY);
    while ((s = CHECK_CLEAN(mp_value_new(&v, MP_INT64, NULL, NULL))) == MP_OK)
        CHECK_OK(mp_process_add_handle(p, v));
    CHECK_STATUS(s, MP_ERR_NO_MEMORY);
    for (i = 0, s = MP_OK; i < 65536 && s == MP_OK; i++)
        s = CHECK_CLEAN(mp_process_add_handle(p, all[0]));
    CHECK_STATUS(s, MP_ERR_NO_MEMORY);
    o.workers = 8;
    CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_NO_MEMORY);
    /* What is there works. */
    for (i = 0; i < n; i++) {
        CHECK_OK(mp_lock_acquire(all[i], MP_NO_WAIT));
        CHECK_OK(mp_lock_free(all[i]));
    }
    CHECK_OK(mp_process_free(p));
    free(all);
    return 0;
}

TEST_COLD(limits, no_room_for_one_object_more)
{
    CHECK_INT(in_fork(fills_with_locks, "1M"), 0);
}

static int maps_too_much(void *size)
{
    static char in[8 << 20], out[8 << 20];
    mp_bytes item = {in, sizeof in};
    mp_buffer *result = NULL;
    mp_pool *pool;

    CHECK(setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    pool = pool_new(2);
    CHECK_STATUS(mp_pool_map_array(pool, echo, NULL, in, sizeof in, 1, out, sizeof out, NULL),
                 MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_pool_map(pool, echo, NULL, &item, 1, &result, NULL), MP_ERR_NO_MEMORY);
    CHECK(result == NULL);
    check_squares(pool, 1000, NULL);
    CHECK_OK(mp_pool_free(pool));
    return 0;
}

TEST_COLD(limits, no_room_for_a_task)
{
    CHECK_INT(in_fork(maps_too_much, "4M"), 0);
}

/* ---- room for only a part of it ---- */

static void nearly_full_pool(void)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    int64_t in[20] = {0}, out[20];
    mp_pool *pool;

    o.workers = 3;
    if (CHECK_CLEAN(mp_pool_new(&pool, &o)) != MP_OK)
        return;
    in[19] = 7;
    /* That there was room for the pool does not mean that there is room for what it is given. */
    if (CHECK_CLEAN(mp_pool_map_array(pool, square, NULL, in, sizeof *in, 20, out, sizeof *out, NULL)) ==
        MP_OK)
        CHECK_INT(out[19], 49);
    CHECK_OK(mp_pool_free(pool));
}

static void nearly_full_process(void)
{
    static char bytes[100000];
    mp_value *flag = NULL;
    mp_queue *q = NULL;
    mp_process *p;

    CHECK_OK(mp_process_new(&p, waits, NULL, NULL));
    if (CHECK_CLEAN(mp_value_new(&flag, MP_INT64, NULL, NULL)) == MP_OK) {
        flag_set(flag, 1);
        CHECK_OK(mp_process_add_handle(p, flag));
        CHECK_OK(mp_process_add_bytes(p, bytes, sizeof bytes));
        if (CHECK_CLEAN(mp_process_start(p)) == MP_OK)
            CHECK_OK(mp_process_join(p, MP_FOREVER));
    }
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_value_free(flag));
    if (CHECK_CLEAN(mp_queue_new(&q, NULL)) == MP_OK &&
        CHECK_CLEAN(mp_queue_put(q, bytes, sizeof bytes, MP_NO_WAIT)) == MP_OK)
        CHECK_OK(mp_queue_get(q, bytes, sizeof bytes, NULL, NULL, MP_NO_WAIT));
    CHECK_OK(mp_queue_free(q));
}

static int fills_nearly(void *size)
{
    static mp_array *all[MOST];
    int left, n, i;

    CHECK(setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    for (left = 0; left < 12; left++) {
        mp_stats before;

        for (n = 0; n < MOST; n++)
            if (CHECK_CLEAN(mp_array_new(&all[n], MP_INT8, 65536, NULL, NULL)) != MP_OK)
                break;
        for (i = 0; i < left && n > 0; i++)
            CHECK_OK(mp_array_free(all[--n]));
        before = stats_now();
        nearly_full_pool();
        nearly_full_process();
        CHECK_INT(stats_now().blocks, before.blocks);
        CHECK_INT(stats_now().processes, before.processes);
        while (n > 0)
            CHECK_OK(mp_array_free(all[--n]));
    }
    /* With all of it free, all of it works. */
    nearly_full_pool();
    nearly_full_process();
    return 0;
}

/* Whatever stage of a pool, a process or a queue finds no room: a status, and nothing is left. */
TEST_COLD(limits, room_for_a_part)
{
    if (strcmp(test_start_method(), "forkserver") == 0)
        SKIP("the server takes some of the room that is counted here");
    CHECK_INT(in_fork(fills_nearly, "2M"), 0);
}
