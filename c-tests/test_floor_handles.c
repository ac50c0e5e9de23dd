/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Handles that are none: NULL, of a wrong kind, freed, stale, random. */
#include "test_util.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind {
    BUFFER,
    LOCK,
    RLOCK,
    SEMAPHORE,
    VALUE,
    ARRAY,
    MEMORY,
    LIST,
    EVENT,
    BARRIER,
    CONDITION,
    PROCESS,
    POOL,
    IMAP,
    RESULT,
    CHILD,
    TASK,
    KINDS
} kind;

static union {
    int64_t number;
    double real;
    size_t size;
    bool yes;
    void *pointer;
    int plain;
    mp_status status;
} out;
static const int64_t in = 1;

static int no_process(mp_child *self, void *user)
{
    return self == NULL && user == NULL;
}

static bool never(mp_condition *condition, void *user)
{
    return condition == NULL && user != NULL;
}

static void no_task(mp_task *task, void *user)
{
    (void)user;
    mp_task_return(task, &in, sizeof in);
}

static int no_source(mp_bytes *source_item, void *user)
{
    (void)source_item;
    (void)user;
    return 0;
}

/* Every function that takes a handle: the handle's kind, and a call with the handle h. */
#define CALLS(X)                                                                                   \
    X(BUFFER, mp_buffer_free, (h))                                                                 \
    X(LOCK, mp_lock_acquire, (h, MP_NO_WAIT))                                                      \
    X(LOCK, mp_lock_release, (h))                                                                  \
    X(LOCK, mp_lock_locked, (h, &out.yes))                                                         \
    X(LOCK, mp_lock_recovered, (h, &out.yes))                                                      \
    X(LOCK, mp_lock_free, (h))                                                                     \
    X(LOCK, mp_lock_describe, (h, text, sizeof text, &out.size))                                   \
    X(RLOCK, mp_rlock_acquire, (h, MP_NO_WAIT))                                                    \
    X(RLOCK, mp_rlock_release, (h))                                                                \
    X(RLOCK, mp_rlock_locked, (h, &out.yes))                                                       \
    X(RLOCK, mp_rlock_recovered, (h, &out.yes))                                                    \
    X(RLOCK, mp_rlock_describe, (h, text, sizeof text, &out.size))                                 \
    X(RLOCK, mp_rlock_free, (h))                                                                   \
    X(SEMAPHORE, mp_semaphore_acquire, (h, MP_NO_WAIT))                                            \
    X(SEMAPHORE, mp_semaphore_release, (h, 1))                                                     \
    X(SEMAPHORE, mp_semaphore_value, (h, &out.size))                                               \
    X(SEMAPHORE, mp_semaphore_locked, (h, &out.yes))                                               \
    X(SEMAPHORE, mp_semaphore_describe, (h, text, sizeof text, &out.size))                         \
    X(SEMAPHORE, mp_semaphore_free, (h))                                                           \
    X(VALUE, mp_value_get, (h, &out, 8))                                                           \
    X(VALUE, mp_value_set, (h, &in, 8))                                                            \
    X(VALUE, mp_value_get_int, (h, &out.number))                                                   \
    X(VALUE, mp_value_set_int, (h, 1))                                                             \
    X(VALUE, mp_value_fetch_add, (h, 1, &out.number))                                              \
    X(VALUE, mp_value_exchange, (h, 1, &out.number))                                               \
    X(VALUE, mp_value_compare_exchange, (h, &out.number, 1, &yes))                                 \
    X(VALUE, mp_value_get_double, (h, &out.real))                                                  \
    X(VALUE, mp_value_set_double, (h, 1.0))                                                        \
    X(VALUE, mp_value_fetch_sub, (h, 1, &out.number))                                              \
    X(VALUE, mp_value_fetch_and, (h, 1, &out.number))                                              \
    X(VALUE, mp_value_fetch_or, (h, 1, &out.number))                                               \
    X(VALUE, mp_value_fetch_xor, (h, 1, &out.number))                                              \
    X(VALUE, mp_value_fetch_min, (h, 1, &out.number))                                              \
    X(VALUE, mp_value_fetch_max, (h, 1, &out.number))                                              \
    X(VALUE, mp_value_fetch_add_double, (h, 1.0, &out.real))                                       \
    X(VALUE, mp_value_size, (h, &out.size))                                                        \
    X(VALUE, mp_value_data, (h, &out.pointer, &size))                                              \
    X(VALUE, mp_value_acquire, (h, MP_NO_WAIT))                                                    \
    X(VALUE, mp_value_release, (h))                                                                \
    X(VALUE, mp_value_locked, (h, &out.yes))                                                       \
    X(VALUE, mp_value_recovered, (h, &out.yes))                                                    \
    X(VALUE, mp_value_get_rlock, (h, (mp_rlock **)&out.pointer))                                   \
    X(VALUE, mp_value_get_lock, (h, (mp_lock **)&out.pointer))                                     \
    X(VALUE, mp_value_copy, ((mp_value **)&out.pointer, h, NULL))                                  \
    X(VALUE, mp_value_free, (h))                                                                   \
    X(ARRAY, mp_array_length, (h, &out.size))                                                      \
    X(ARRAY, mp_array_data, (h, &out.pointer, &size))                                              \
    X(ARRAY, mp_array_read, (h, 0, 1, &out, 8))                                                    \
    X(ARRAY, mp_array_write, (h, 0, 1, &in, 8))                                                    \
    X(ARRAY, mp_array_get_int, (h, 0, &out.number))                                                \
    X(ARRAY, mp_array_set_int, (h, 0, 1))                                                          \
    X(ARRAY, mp_array_get_double, (h, 0, &out.real))                                               \
    X(ARRAY, mp_array_set_double, (h, 0, 1.0))                                                     \
    X(ARRAY, mp_array_item_size, (h, &out.size))                                                   \
    X(ARRAY, mp_array_get_string, (h, (char *)&out, 8, &size))                                     \
    X(ARRAY, mp_array_set_string, (h, "a"))                                                        \
    X(ARRAY, mp_array_fetch_add, (h, 0, 1, &out.number))                                           \
    X(ARRAY, mp_array_fetch_sub, (h, 0, 1, &out.number))                                           \
    X(ARRAY, mp_array_fetch_and, (h, 0, 1, &out.number))                                           \
    X(ARRAY, mp_array_fetch_or, (h, 0, 1, &out.number))                                            \
    X(ARRAY, mp_array_fetch_xor, (h, 0, 1, &out.number))                                           \
    X(ARRAY, mp_array_fetch_min, (h, 0, 1, &out.number))                                           \
    X(ARRAY, mp_array_fetch_max, (h, 0, 1, &out.number))                                           \
    X(ARRAY, mp_array_exchange, (h, 0, 1, &out.number))                                            \
    X(ARRAY, mp_array_compare_exchange, (h, 0, &out.number, 1, &yes))                              \
    X(ARRAY, mp_array_fetch_add_double, (h, 0, 1.0, &out.real))                                    \
    X(ARRAY, mp_array_acquire, (h, MP_NO_WAIT))                                                    \
    X(ARRAY, mp_array_release, (h))                                                                \
    X(ARRAY, mp_array_locked, (h, &out.yes))                                                       \
    X(ARRAY, mp_array_recovered, (h, &out.yes))                                                    \
    X(ARRAY, mp_array_get_rlock, (h, (mp_rlock **)&out.pointer))                                   \
    X(ARRAY, mp_array_get_lock, (h, (mp_lock **)&out.pointer))                                     \
    X(ARRAY, mp_array_copy, ((mp_array **)&out.pointer, h, NULL))                                  \
    X(ARRAY, mp_array_free, (h))                                                                   \
    X(MEMORY, mp_shared_memory_data, (h, &out.pointer, &size))                                     \
    X(MEMORY, mp_shared_memory_size, (h, &out.size))                                               \
    X(MEMORY, mp_shared_memory_free, (h))                                                          \
    X(MEMORY, mp_shareable_list_open, ((mp_shareable_list **)&out.pointer, h))                     \
    X(LIST, mp_shareable_list_memory, (h, (mp_shared_memory **)&out.pointer))                      \
    X(LIST, mp_shareable_list_length, (h, &out.size))                                              \
    X(LIST, mp_shareable_list_get, (h, 0, &item, NULL, 0))                                         \
    X(LIST, mp_shareable_list_set, (h, 0, &item))                                                  \
    X(LIST, mp_shareable_list_index, (h, &item, 0, &out.size))                                     \
    X(LIST, mp_shareable_list_count, (h, &item, &out.size))                                        \
    X(LIST, mp_shareable_list_format, (h, 0, (char *)&out, 8, &size))                              \
    X(LIST, mp_shareable_list_free, (h))                                                           \
    X(EVENT, mp_event_set, (h))                                                                    \
    X(EVENT, mp_event_clear, (h))                                                                  \
    X(EVENT, mp_event_is_set, (h, &out.yes))                                                       \
    X(EVENT, mp_event_wait, (h, MP_NO_WAIT))                                                       \
    X(EVENT, mp_event_describe, (h, text, sizeof text, &out.size))                                 \
    X(EVENT, mp_event_free, (h))                                                                   \
    X(BARRIER, mp_barrier_wait, (h, MP_NO_WAIT, &out.size))                                        \
    X(BARRIER, mp_barrier_abort, (h))                                                              \
    X(BARRIER, mp_barrier_reset, (h))                                                              \
    X(BARRIER, mp_barrier_parties, (h, &out.size))                                                 \
    X(BARRIER, mp_barrier_waiting, (h, &out.size))                                                 \
    X(BARRIER, mp_barrier_broken, (h, &out.yes))                                                   \
    X(BARRIER, mp_barrier_describe, (h, text, sizeof text, &out.size))                             \
    X(BARRIER, mp_barrier_free, (h))                                                               \
    X(CONDITION, mp_condition_acquire, (h, MP_NO_WAIT))                                            \
    X(CONDITION, mp_condition_release, (h))                                                        \
    X(CONDITION, mp_condition_locked, (h, &out.yes))                                               \
    X(CONDITION, mp_condition_recovered, (h, &out.yes))                                            \
    X(CONDITION, mp_condition_wait, (h, MP_NO_WAIT))                                               \
    X(CONDITION, mp_condition_wait_for, (h, never, NULL, MP_NO_WAIT))                              \
    X(CONDITION, mp_condition_notify, (h, 1))                                                      \
    X(CONDITION, mp_condition_notify_all, (h))                                                     \
    X(CONDITION, mp_condition_describe, (h, text, sizeof text, &out.size))                         \
    X(CONDITION, mp_condition_free, (h))                                                           \
    X(PROCESS, mp_process_add_bytes, (h, &in, 8))                                                  \
    X(PROCESS, mp_process_add_handle, (h, some_lock))                                              \
    X(PROCESS, mp_process_start, (h))                                                              \
    X(PROCESS, mp_process_join, (h, MP_NO_WAIT))                                                   \
    X(PROCESS, mp_process_exitcode, (h, &out.plain))                                               \
    X(PROCESS, mp_process_pid, (h, &out.plain))                                                    \
    X(PROCESS, mp_process_is_alive, (h, &out.yes))                                                 \
    X(PROCESS, mp_process_free, (h))                                                               \
    X(POOL, mp_pool_workers, (h, &out.size))                                                       \
    X(POOL, mp_pool_map_array, (h, no_task, NULL, &in, 8, 1, &out, 8, NULL))                       \
    X(POOL, mp_pool_map, (h, no_task, NULL, &bytes, 1, &result, NULL))                             \
    X(POOL, mp_pool_apply, (h, no_task, NULL, &in, 8, &result, NULL))                              \
    X(POOL, mp_pool_imap, (h, no_task, NULL, no_source, NULL, NULL, &some_imap))                   \
    X(POOL, mp_pool_apply_async, (h, no_task, NULL, &in, 8, NULL, NULL, &some_result))             \
    X(POOL, mp_pool_map_async, (h, no_task, NULL, &bytes, 1, NULL, NULL, &some_result))            \
    X(POOL, mp_pool_map_array_async, (h, no_task, NULL, &in, 8, 1, 8, NULL, NULL, &some_result))   \
    X(RESULT, mp_result_get, (h, MP_NO_WAIT, &result))                                             \
    X(RESULT, mp_result_get_each, (h, MP_NO_WAIT, &result, 1))                                     \
    X(RESULT, mp_result_statuses, (h, MP_NO_WAIT, &out.status, 1))                                 \
    X(RESULT, mp_result_wait, (h, MP_NO_WAIT))                                                     \
    X(RESULT, mp_result_ready, (h, &out.yes))                                                      \
    X(RESULT, mp_result_successful, (h, &out.yes))                                                 \
    X(RESULT, mp_result_progress, (h, &out.size, NULL))                                            \
    X(RESULT, mp_result_cancel, (h, MP_NO_WAIT))                                                   \
    X(RESULT, mp_result_free, (h))                                                                 \
    X(POOL, mp_pool_stats_get, (h, &pool_numbers))                                                 \
    X(POOL, mp_pool_worker_stats, (h, 0, &worker_numbers))                                         \
    X(POOL, mp_pool_describe, (h, text, sizeof text, &out.size))                                   \
    X(POOL, mp_pool_shutdown, (h, true, MP_NO_WAIT))                                               \
    X(POOL, mp_pool_close, (h))                                                                    \
    X(POOL, mp_pool_terminate, (h))                                                                \
    X(POOL, mp_pool_join, (h, MP_NO_WAIT))                                                         \
    X(IMAP, mp_imap_next, (h, MP_NO_WAIT, &result, &out.size))                                     \
    X(IMAP, mp_imap_free, (h))                                                                     \
    X(POOL, mp_pool_free, (h))                                                                     \
    X(TASK, mp_task_return, (h, &in, 8))                                                           \
    X(TASK, mp_task_fail, (h, "no"))

static mp_lock *some_lock;
static mp_item item;
static char text[64];
static bool yes;
static size_t size;
static const mp_bytes bytes = {&in, sizeof in};
static mp_buffer *result;
static mp_imap *some_imap;
static mp_pool_stats pool_numbers = MP_POOL_STATS;
static mp_worker_stats worker_numbers = MP_WORKER_STATS;
static mp_result *some_result;

#define DEFINE(kind_, name, args)                                                                  \
    static int call_##name(void *h)                                                                \
    {                                                                                              \
        return (int)name args;                                                                     \
    }
CALLS(DEFINE)

static const struct {
    kind of;
    const char *name;
    int (*fn)(void *h);
} calls[] = {
#define ROW(kind_, name, args) {kind_, #name "(h, ...)", call_##name},
    CALLS(ROW)
};

static void refused(size_t i, void *h)
{
    check_status(__FILE__, __LINE__, calls[i].name, calls[i].fn(h), MP_ERR_BAD_HANDLE, NULL);
}

static void pointer_calls_refuse(void *h, bool is_buffer)
{
    size_t len = 1;

    if (!is_buffer)
        CHECK_NULL(mp_buffer_data(h, &len));
    CHECK_NULL(mp_child_bytes(h, 0, &len));
    CHECK_NULL(mp_child_lock(h, 0));
    CHECK_NULL(mp_child_rlock(h, 0));
    CHECK_NULL(mp_child_semaphore(h, 0));
    CHECK_NULL(mp_child_value(h, 0));
    CHECK_NULL(mp_child_array(h, 0));
    CHECK_NULL(mp_child_shared_memory(h, 0));
    CHECK_NULL(mp_child_shareable_list(h, 0));
    CHECK_NULL(mp_child_event(h, 0));
    CHECK_NULL(mp_child_condition(h, 0));
    CHECK_NULL(mp_child_barrier(h, 0));
    CHECK_INT(mp_child_count(h), 0);
    CHECK_NULL(mp_task_input(h, &len));
    mp_task_index(h);
    CHECK(!mp_task_cancelled(h));
}

static void *one_of(kind k)
{
    mp_pool *pool;
    void *h = NULL;

    switch (k) {
    case BUFFER: CHECK_OK(mp_buffer_new((mp_buffer **)&h, "abc", 3)); break;
    case LOCK: CHECK_OK(mp_lock_new((mp_lock **)&h, NULL)); break;
    case RLOCK: CHECK_OK(mp_rlock_new((mp_rlock **)&h, NULL)); break;
    case SEMAPHORE: CHECK_OK(mp_semaphore_new((mp_semaphore **)&h, 1, NULL)); break;
    case VALUE: CHECK_OK(mp_value_new((mp_value **)&h, MP_INT64, NULL, NULL)); break;
    case ARRAY: CHECK_OK(mp_array_new((mp_array **)&h, MP_INT64, 4, NULL, NULL)); break;
    case MEMORY: CHECK_OK(mp_shared_memory_new((mp_shared_memory **)&h, 9, NULL)); break;
    case LIST: CHECK_OK(mp_shareable_list_new((mp_shareable_list **)&h, &item, 1, NULL)); break;
    case EVENT: CHECK_OK(mp_event_new((mp_event **)&h, NULL)); break;
    case BARRIER: CHECK_OK(mp_barrier_new((mp_barrier **)&h, 2, NULL)); break;
    case CONDITION: CHECK_OK(mp_condition_new((mp_condition **)&h, NULL)); break;
    case PROCESS: CHECK_OK(mp_process_new((mp_process **)&h, no_process, NULL, NULL)); break;
    case POOL: CHECK_OK(mp_pool_new((mp_pool **)&h, NULL)); break;
    case IMAP:
        CHECK_OK(mp_pool_new(&pool, NULL));
        CHECK_OK(mp_pool_imap(pool, no_task, NULL, no_source, NULL, NULL, (mp_imap **)&h));
        CHECK_OK(mp_pool_free(pool));
        break;
    case RESULT:
        CHECK_OK(mp_pool_new(&pool, NULL));
        CHECK_OK(mp_pool_apply_async(pool, no_task, NULL, NULL, 0, NULL, NULL, (mp_result **)&h));
        CHECK_OK(mp_result_wait(h, MP_FOREVER));
        CHECK_OK(mp_pool_free(pool));
        break;
    default: break;
    }
    return h;
}

static void free_one(kind k, void *h)
{
    switch (k) {
    case BUFFER: CHECK_OK(mp_buffer_free(h)); break;
    case LOCK: CHECK_OK(mp_lock_free(h)); break;
    case RLOCK: CHECK_OK(mp_rlock_free(h)); break;
    case SEMAPHORE: CHECK_OK(mp_semaphore_free(h)); break;
    case VALUE: CHECK_OK(mp_value_free(h)); break;
    case ARRAY: CHECK_OK(mp_array_free(h)); break;
    case MEMORY: CHECK_OK(mp_shared_memory_free(h)); break;
    case LIST: CHECK_OK(mp_shareable_list_free(h)); break;
    case EVENT: CHECK_OK(mp_event_free(h)); break;
    case BARRIER: CHECK_OK(mp_barrier_free(h)); break;
    case CONDITION: CHECK_OK(mp_condition_free(h)); break;
    case PROCESS: CHECK_OK(mp_process_free(h)); break;
    case POOL: CHECK_OK(mp_pool_free(h)); break;
    case IMAP: CHECK_OK(mp_imap_free(h)); break;
    case RESULT: CHECK_OK(mp_result_free(h)); break;
    default: break;
    }
}

TEST(floor, handle_of_a_wrong_kind)
{
    void *handles[CHILD];
    int64_t x = 0;
    size_t i;
    int k;

    some_lock = lock_new();
    for (k = 0; k < CHILD; k++)
        handles[k] = one_of((kind)k);
    for (k = 0; k < CHILD; k++) {
        for (i = 0; i < COUNT(calls); i++)
            if (calls[i].of != (kind)k)
                refused(i, handles[k]);
        pointer_calls_refuse(handles[k], k == BUFFER);
    }
    /* None of them was harmed. */
    CHECK(memcmp(mp_buffer_data(handles[BUFFER], NULL), "abc", 3) == 0);
    CHECK_OK(mp_lock_acquire(handles[LOCK], MP_NO_WAIT));
    CHECK_OK(mp_rlock_acquire(handles[RLOCK], MP_NO_WAIT));
    CHECK_OK(mp_semaphore_acquire(handles[SEMAPHORE], MP_NO_WAIT));
    CHECK_OK(mp_value_get_int(handles[VALUE], &x));
    CHECK_OK(mp_array_get_int(handles[ARRAY], 3, &x));
    CHECK_OK(mp_pool_map_array(handles[POOL], no_task, NULL, &in, 8, 1, &x, 8, NULL));
    CHECK_INT(x, 1);
    for (k = 0; k < CHILD; k++)
        free_one((kind)k, handles[k]);
    CHECK_OK(mp_lock_free(some_lock));
}

TEST(floor, freed_handle)
{
    size_t i;
    int k;

    some_lock = lock_new();
    for (k = 0; k < CHILD; k++) {
        void *h = one_of((kind)k);

        free_one((kind)k, h);
        for (i = 0; i < COUNT(calls); i++)
            refused(i, h);
        pointer_calls_refuse(h, false);
    }
    CHECK_OK(mp_lock_free(some_lock));
}

TEST(floor, free_of_null)
{
    CHECK_OK(mp_buffer_free(NULL));
    CHECK_OK(mp_lock_free(NULL));
    CHECK_OK(mp_rlock_free(NULL));
    CHECK_OK(mp_semaphore_free(NULL));
    CHECK_OK(mp_value_free(NULL));
    CHECK_OK(mp_array_free(NULL));
    CHECK_OK(mp_shared_memory_free(NULL));
    CHECK_OK(mp_shareable_list_free(NULL));
    CHECK_OK(mp_event_free(NULL));
    CHECK_OK(mp_barrier_free(NULL));
    CHECK_OK(mp_condition_free(NULL));
    CHECK_OK(mp_process_free(NULL));
    CHECK_OK(mp_pool_free(NULL));
    CHECK_OK(mp_imap_free(NULL));
}

TEST(floor, null_handle)
{
    size_t i;

    some_lock = lock_new();
    for (i = 0; i < COUNT(calls); i++)
        if (strstr(calls[i].name, "_free(") == NULL)
            check_fails(__FILE__, __LINE__, calls[i].name, calls[i].fn(NULL));
    pointer_calls_refuse(NULL, false);
    CHECK_OK(mp_lock_free(some_lock));
}

TEST(floor, random_pointers)
{
    static const uintptr_t fixed[] = {1, 2, 7, 8, 16, 4096, 65536, (uintptr_t)-1, (uintptr_t)-8};
    static int data;
    char stack[64] = "", *heap = malloc(64);
    void *handles[CHILD];
    rng r = rng_new();
    size_t i, n;
    int k;

    CHECK(heap != NULL);
    memset(heap, 0, 64);
    some_lock = lock_new();
    for (k = 0; k < CHILD; k++)
        handles[k] = one_of((kind)k);
    for (i = 0; i < COUNT(calls); i++) {
        for (n = 0; n < COUNT(fixed); n++)
            refused(i, (void *)fixed[n]);
        /* Somewhere in the address space; the shift leaves small numbers too, but not NULL. */
        for (n = 0; n < 300; n++)
            refused(i, (void *)(uintptr_t)(rng_next(&r) >> rng_below(&r, 60) | 4));
        refused(i, stack);
        refused(i, heap);
        refused(i, &data);
        refused(i, stdout);
        for (k = 0; k < CHILD; k++)
            for (n = 1; n < 8; n++)
                refused(i, (char *)handles[k] + n);
    }
    pointer_calls_refuse(stack, false);
    pointer_calls_refuse(heap, false);
    pointer_calls_refuse((void *)1, false);
    pointer_calls_refuse((void *)(uintptr_t)-8, false);
    for (k = 0; k < CHILD; k++)
        free_one((kind)k, handles[k]);
    CHECK_OK(mp_lock_free(some_lock));
    free(heap);
}

/* The same places are used again and again; an old handle must never reach a new lock. */
TEST(floor, stale_handle)
{
    mp_lock *old[8];
    int round;
    size_t i;

    for (i = 0; i < COUNT(old); i++)
        old[i] = lock_new();
    for (i = 0; i < COUNT(old); i++)
        CHECK_OK(mp_lock_free(old[i]));
    for (round = 0; round < 40000; round++) {
        mp_lock *l = lock_new();

        for (i = 0; i < COUNT(old); i++) {
            CHECK(l != old[i]);
            if (round % 64 == 0)
                CHECK_STATUS(mp_lock_acquire(old[i], MP_NO_WAIT), MP_ERR_BAD_HANDLE);
        }
        CHECK_OK(mp_lock_free(l));
    }
}

static mp_lock *contested;
static pthread_barrier_t both;

static void *free_it(void *freed)
{
    pthread_barrier_wait(&both);
    if (mp_lock_free(contested) == MP_OK)
        *(int *)freed = 1;
    else
        CHECK_CONTAINS(mp_last_error(), "mp_lock_free");
    return NULL;
}

TEST(floor, double_free_by_two_threads)
{
    int round;

    CHECK(pthread_barrier_init(&both, NULL, 2) == 0);
    for (round = 0; round < 300; round++) {
        int first = 0, second = 0;
        pthread_t thread;

        contested = lock_new();
        CHECK(pthread_create(&thread, NULL, free_it, &first) == 0);
        free_it(&second);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_INT(first + second, 1);
    }
    pthread_barrier_destroy(&both);
}
