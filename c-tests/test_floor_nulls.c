/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * NULL for every pointer that is not a handle. */
#include "test_util.h"

#include <stdlib.h>
#include <string.h>

static int nothing(mp_child *self, void *user)
{
    return self == NULL && user == NULL;
}

static void echo(mp_task *task, void *user)
{
    size_t len;
    const void *data = mp_task_input(task, &len);

    (void)user;
    mp_task_return(task, data, len);
}

TEST(floor, null_lock_arguments)
{
    mp_lock *l = lock_new();

    CHECK_STATUS(mp_lock_new(NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_lock_locked(l, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_lock_recovered(l, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_lock_free(l));
}

TEST(floor, null_rlock_arguments)
{
    mp_rlock *r;

    CHECK_STATUS(mp_rlock_new(NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_rlock_new(&r, NULL));
    CHECK_STATUS(mp_rlock_locked(r, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_rlock_recovered(r, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_rlock_free(r));
}

TEST(floor, null_semaphore_arguments)
{
    mp_semaphore *s;

    CHECK_STATUS(mp_semaphore_new(NULL, 1, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_semaphore_new(&s, 1, NULL));
    CHECK_STATUS(mp_semaphore_value(s, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_semaphore_locked(s, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_semaphore_free(s));
}

TEST(floor, null_event_arguments)
{
    mp_event *e;
    size_t needed = 0;

    CHECK_STATUS(mp_event_new(NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_event_new(&e, NULL));
    CHECK_STATUS(mp_event_is_set(e, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_event_describe(e, NULL, 8, &needed), MP_ERR_INVALID);
    CHECK_STATUS(mp_event_describe(e, NULL, 0, NULL), MP_ERR_TOO_SMALL);
    CHECK_STATUS(mp_event_describe(e, NULL, 0, &needed), MP_ERR_TOO_SMALL);
    CHECK(needed > 8);
    CHECK_OK(mp_event_free(e));
}

TEST(floor, null_barrier_arguments)
{
    mp_barrier *b;

    CHECK_STATUS(mp_barrier_new(NULL, 2, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_barrier_new(&b, 1, NULL));
    CHECK_OK(mp_barrier_wait(b, MP_NO_WAIT, NULL));
    CHECK_STATUS(mp_barrier_parties(b, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_barrier_waiting(b, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_barrier_broken(b, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_barrier_describe(b, NULL, 8, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_barrier_free(b));
}

TEST(floor, null_condition_arguments)
{
    mp_condition *c, *none = NULL;

    CHECK_STATUS(mp_condition_new(NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_condition_new(&c, NULL));
    CHECK_STATUS(mp_condition_locked(c, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_condition_recovered(c, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_condition_describe(c, NULL, 8, NULL), MP_ERR_INVALID);
    CHECK(mp_condition_enter(NULL) == NULL);
    mp_condition_leave(NULL);
    mp_condition_leave(&none);
    CHECK_OK(mp_condition_free(c));
}

TEST(floor, null_value_arguments)
{
    mp_value *v = flag_new(), *real, *none = NULL;
    int64_t x = 0;
    void *data;
    bool yes;
    size_t n;

    CHECK_OK(mp_value_new(&real, MP_DOUBLE, NULL, NULL));
    CHECK_STATUS(mp_value_new(NULL, MP_INT64, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_get(v, NULL, 8), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_set(v, NULL, 8), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_get_int(v, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_compare_exchange(v, NULL, 1, &yes), MP_ERR_INVALID);
    CHECK_OK(mp_value_compare_exchange(v, &x, 1, NULL));
    CHECK_INT(flag_get(v), 1);
    CHECK_OK(mp_value_exchange(v, 5, NULL));
    CHECK_INT(flag_get(v), 5);
    CHECK_OK(mp_value_fetch_add(v, 1, NULL));
    CHECK_STATUS(mp_value_get_double(real, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_value_fetch_add_double(real, 1, NULL));
    CHECK_STATUS(mp_value_new_struct(NULL, 8, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_copy(NULL, v, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_size(v, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_data(v, NULL, &n), MP_ERR_INVALID);
    CHECK_OK(mp_value_data(v, &data, NULL));
    CHECK_STATUS(mp_value_locked(v, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_recovered(v, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_get_lock(v, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_get_rlock(v, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_value_options_init(NULL, sizeof(mp_value_options)), MP_ERR_INVALID);
    CHECK(mp_value_enter(NULL) == NULL);
    mp_value_leave(NULL);
    mp_value_leave(&none);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_value_free(real));
}

TEST(floor, null_array_arguments)
{
    mp_array *a, *real, *none = NULL;
    void *data;
    size_t n;

    CHECK_STATUS(mp_array_new(NULL, MP_INT64, 4, NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_array_new(&a, MP_INT64, 4, NULL, NULL));
    CHECK_OK(mp_array_new(&real, MP_DOUBLE, 4, NULL, NULL));
    CHECK_STATUS(mp_array_length(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_data(a, NULL, &n), MP_ERR_INVALID);
    CHECK_OK(mp_array_data(a, &data, NULL));
    CHECK_STATUS(mp_array_read(a, 0, 1, NULL, 8), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_write(a, 0, 1, NULL, 8), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_get_int(a, 0, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_get_double(real, 0, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_array_fetch_add_double(real, 0, 1, NULL));
    CHECK_STATUS(mp_array_new_struct(NULL, 8, 1, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_copy(NULL, a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_item_size(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_locked(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_recovered(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_get_lock(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_get_rlock(a, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_array_options_init(NULL, sizeof(mp_array_options)), MP_ERR_INVALID);
    CHECK(mp_array_enter(NULL) == NULL);
    mp_array_leave(NULL);
    mp_array_leave(&none);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_array_free(real));
}

TEST(floor, null_shared_memory_arguments)
{
    mp_shareable_list *list;
    mp_shared_memory *m;
    size_t n = 1;

    CHECK_STATUS(mp_shared_memory_new(NULL, 8, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_shared_memory_new(&m, 8, NULL));
    CHECK_STATUS(mp_shared_memory_data(m, NULL, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_shared_memory_size(m, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_shared_memory_options_init(NULL, sizeof(mp_shared_memory_options)), MP_ERR_INVALID);
    CHECK_OK(mp_shareable_list_new(&list, NULL, 0, NULL));
    CHECK_STATUS(mp_shareable_list_open(NULL, m), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_memory(list, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_length(list, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_shareable_list_options_init(NULL, sizeof(mp_shareable_list_options)), MP_ERR_INVALID);
    CHECK_INT(n, 1);
    CHECK_OK(mp_shareable_list_free(list));
    CHECK_OK(mp_shared_memory_free(m));
}

TEST(floor, null_process_arguments)
{
    mp_process *p;

    CHECK_STATUS(mp_process_new(NULL, nothing, NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_process_new(&p, nothing, NULL, NULL));
    CHECK_OK(mp_process_add_bytes(p, NULL, 0));
    CHECK_STATUS(mp_process_add_bytes(p, NULL, 1), MP_ERR_INVALID);
    CHECK_FAILS(mp_process_add_bytes(p, "x", SIZE_MAX));
    CHECK_STATUS(mp_process_add_handle(p, NULL), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_process_add_handle(p, &p), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_process_pid(p, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_process_is_alive(p, NULL), MP_ERR_INVALID);
    CHECK_FAILS(mp_process_exitcode(p, NULL));
    CHECK_OK(mp_process_free(p));
}

/* A refused argument takes no place in the list. */
static int sees_one_argument(mp_child *self, void *user)
{
    size_t len = 1;

    CHECK(user == NULL);
    CHECK_INT(mp_child_count(self), 1);
    CHECK(mp_child_bytes(self, 0, &len) != NULL);
    CHECK_INT(len, 0);
    CHECK(mp_child_bytes(self, 0, NULL) != NULL);
    return 0;
}

TEST(floor, refused_argument_is_not_counted)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, sees_one_argument, NULL, NULL));
    CHECK_FAILS(mp_process_add_handle(p, &p));
    CHECK_FAILS(mp_process_add_bytes(p, NULL, 1));
    CHECK_OK(mp_process_add_bytes(p, NULL, 0));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
}

static void bad_calls(mp_task *task, void *user)
{
    (void)user;
    CHECK_STATUS(mp_task_return(task, NULL, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_task_fail(task, NULL), MP_ERR_INVALID);
    CHECK(mp_task_input(task, NULL) != NULL);
}

TEST(floor, null_pool_arguments)
{
    int64_t in = 1, out = 0;
    mp_bytes empty = {NULL, 0}, wrong = {NULL, 5};
    mp_buffer *result = NULL;
    mp_pool *pool;

    CHECK_STATUS(mp_pool_new(NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_pool_new(&pool, NULL));
    CHECK_STATUS(mp_pool_workers(pool, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_array(pool, NULL, NULL, &in, 8, 1, &out, 8, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_array(pool, echo, NULL, NULL, 8, 1, &out, 8, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_array(pool, echo, NULL, &in, 8, 1, NULL, 8, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map(pool, NULL, NULL, &empty, 1, &result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map(pool, echo, NULL, NULL, 1, &result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map(pool, echo, NULL, &wrong, 1, &result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map(pool, echo, NULL, &empty, 1, NULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_pool_map(pool, echo, NULL, &empty, 1, &result, NULL));
    CHECK_OK(mp_buffer_free(result));
    /* A result that was refused is no result. */
    CHECK_STATUS(mp_pool_map_array(pool, bad_calls, NULL, &in, 8, 1, &out, 8, NULL), MP_ERR_TASK_FAILED);
    CHECK_OK(mp_pool_map_array(pool, echo, NULL, &in, 8, 1, &out, 8, NULL));
    CHECK_INT(out, 1);
    CHECK_OK(mp_pool_free(pool));
}

TEST(floor, null_stats)
{
    CHECK_STATUS(mp_stats_get(NULL), MP_ERR_INVALID);
}
