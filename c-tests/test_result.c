/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Asynchronous calls: results, and waiting for several. */
#include "test_result.h"

#include <stdlib.h>
#include <string.h>

mp_result *result_begin(mp_pool *pool, mp_task_fn fn, int64_t x)
{
    mp_result *result;

    CHECK_OK(mp_pool_apply_async(pool, fn, NULL, &x, sizeof x, NULL, NULL, &result));
    return result;
}

int64_t result_number(mp_buffer *buffer)
{
    int64_t got;
    size_t len;

    CHECK(buffer != NULL);
    memcpy(&got, mp_buffer_data(buffer, &len), sizeof got);
    CHECK_INT(len, sizeof got);
    CHECK_OK(mp_buffer_free(buffer));
    return got;
}

int64_t result_get(mp_result *result)
{
    mp_buffer *buffer;

    CHECK_OK(mp_result_get(result, MP_FOREVER, &buffer));
    return result_number(buffer);
}

/* Input: how many milliseconds. */
void result_sleeps(mp_task *task, void *user)
{
    sleep_ms(*(const int64_t *)mp_task_input(task, NULL));
    square(task, user);
}

TEST(result, of_apply)
{
    mp_result *results[50];
    mp_pool *pool = pool_new(2);
    size_t done, total;
    int64_t x;
    bool yes;

    for (x = 0; x < 50; x++)
        results[x] = result_begin(pool, square, x);
    for (x = 0; x < 50; x++) {
        CHECK_INT(result_get(results[x]), x * x);
        /* As often as it is asked for. */
        CHECK_INT(result_get(results[x]), x * x);
        CHECK_OK(mp_result_get(results[x], MP_NO_WAIT, NULL));
        CHECK_OK(mp_result_ready(results[x], &yes));
        CHECK(yes);
        CHECK_OK(mp_result_successful(results[x], &yes));
        CHECK(yes);
        CHECK_OK(mp_result_progress(results[x], &done, &total));
        CHECK(done == 1 && total == 1);
        CHECK_STATUS(mp_result_cancel(results[x], 0), MP_ERR_STATE);
        CHECK_OK(mp_result_free(results[x]));
    }
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST(result, that_is_not_ready)
{
    mp_pool *pool = pool_new(1);
    mp_result *result = result_begin(pool, result_sleeps, 300);
    mp_buffer *value;
    bool yes = true;

    CHECK_STATUS(mp_result_get(result, MP_NO_WAIT, &value), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_get(result, MP_MS(20), &value), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_get_each(result, MP_MS(20), &value, 1), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_wait(result, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_successful(result, &yes), MP_ERR_STATE);
    CHECK_OK(mp_result_ready(result, &yes));
    CHECK(!yes);
    /* The pool is as usable as ever. */
    check_squares(pool, 20, NULL);
    CHECK_INT(result_get(result), 90000);
    CHECK_OK(mp_result_wait(result, MP_NO_WAIT));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

/* ---- maps ---- */

TEST(result, of_map)
{
    mp_pool *pool = pool_new(2);
    int64_t numbers[100], i;
    mp_buffer *out[100];
    mp_result *result;
    mp_bytes in[100];

    for (i = 0; i < 100; i++) {
        numbers[i] = i;
        in[i].data = &numbers[i];
        in[i].len = 8;
    }
    CHECK_OK(mp_pool_map_async(pool, square, NULL, in, 100, NULL, NULL, &result));
    /* They were copied. */
    memset(numbers, 0, sizeof numbers);
    memset(in, 0, sizeof in);
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, out, 99), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, NULL, 100), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_get(result, MP_FOREVER, out), MP_ERR_INVALID);
    CHECK_OK(mp_result_get(result, MP_FOREVER, NULL));
    CHECK_OK(mp_result_get_each(result, MP_FOREVER, out, 100));
    for (i = 0; i < 100; i++)
        CHECK_INT(result_number(out[i]), i * i);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

TEST(result, of_map_array)
{
    mp_pool *pool = pool_new(2);
    mp_buffer *value, *each[1];
    mp_result *result;
    int64_t in[1000], i;
    const int64_t *out;
    size_t len;

    for (i = 0; i < 1000; i++)
        in[i] = i;
    CHECK_OK(mp_pool_map_array_async(pool, square, NULL, in, 8, 1000, 8, NULL, NULL, &result));
    memset(in, 0, sizeof in);
    CHECK_OK(mp_result_get(result, MP_FOREVER, &value));
    out = mp_buffer_data(value, &len);
    CHECK_INT(len, 8000);
    for (i = 0; i < 1000; i++)
        CHECK_INT(out[i], i * i);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_map_array_async(pool, square, NULL, in, 8, 1, 8, NULL, NULL, &result));
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, each, 1), MP_ERR_INVALID);
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_free(pool));
}

TEST(result, of_empty_maps)
{
    mp_pool *pool = pool_new(1);
    mp_result *one, *two;
    mp_buffer *value;
    size_t len;

    CHECK_OK(mp_pool_map_async(pool, square, NULL, NULL, 0, NULL, NULL, &one));
    CHECK_OK(mp_pool_map_array_async(pool, square, NULL, NULL, 8, 0, 8, NULL, NULL, &two));
    CHECK_OK(mp_result_get_each(one, MP_FOREVER, NULL, 0));
    CHECK_OK(mp_result_get(two, MP_FOREVER, &value));
    mp_buffer_data(value, &len);
    CHECK_INT(len, 0);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(one));
    CHECK_OK(mp_result_free(two));
    CHECK_OK(mp_pool_free(pool));
}

static void fails_on_5(mp_task *task, void *user)
{
    if (mp_task_index(task) == 5)
        CHECK_OK(mp_task_fail(task, "five is right out"));
    else
        square(task, user);
}

TEST(result, of_a_map_that_fails)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    mp_buffer *value, *each[20];
    int64_t in[20], i;
    mp_bytes items[20];
    const int64_t *out;
    mp_result *result;
    bool yes = true;

    for (i = 0; i < 20; i++) {
        in[i] = i;
        items[i].data = &in[i];
        items[i].len = 8;
    }
    CHECK_OK(mp_pool_map_array_async(pool, fails_on_5, NULL, in, 8, 20, 8, &o, NULL, &result));
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, &value), MP_ERR_TASK_FAILED, "five is right out");
    CHECK(value == NULL);
    CHECK_OK(mp_result_successful(result, &yes));
    CHECK(!yes);
    CHECK_OK(mp_result_free(result));
    o.run_all = true;
    CHECK_OK(mp_pool_map_array_async(pool, fails_on_5, NULL, in, 8, 20, 8, &o, NULL, &result));
    CHECK_STATUS(mp_result_get(result, MP_FOREVER, &value), MP_ERR_TASK_FAILED);
    out = mp_buffer_data(value, NULL);
    for (i = 0; i < 20; i++)
        CHECK_INT(out[i], i == 5 ? 0 : i * i);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_pool_map_async(pool, fails_on_5, NULL, items, 20, &o, NULL, &result));
    CHECK_STATUS(mp_result_get_each(result, MP_FOREVER, each, 20), MP_ERR_TASK_FAILED);
    for (i = 0; i < 20; i++) {
        if (i == 5)
            CHECK(each[i] == NULL);
        else
            CHECK_INT(result_number(each[i]), i * i);
    }
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}

TEST(result, bad_arguments)
{
    mp_async_options bad = MP_ASYNC_OPTIONS, good = MP_ASYNC_OPTIONS, good2;
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_status status;
    mp_result *result;
    int64_t x = 3;
    size_t index;
    mp_bytes wrong = {NULL, 5};

    memset(&good2, 0xAA, sizeof good2);
    CHECK_OK(mp_async_options_init(&good2, sizeof good2));
    CHECK_STATUS(mp_async_options_init(NULL, sizeof(mp_async_options)), MP_ERR_INVALID);
    CHECK(good.size == good2.size && good.done == good2.done && good.failed == good2.failed);
    CHECK(good.user == good2.user && good.priority == good2.priority);
    bad.size = 3;
    CHECK_STATUS(mp_pool_apply_async(pool, NULL, NULL, &x, 8, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_apply_async(pool, square, NULL, NULL, 8, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_apply_async(pool, square, NULL, &x, 8, NULL, &bad, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_async(pool, square, NULL, NULL, 3, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_async(pool, square, NULL, &wrong, 1, NULL, NULL, &result), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_map_array_async(pool, square, NULL, &x, 8, SIZE_MAX, 8, NULL, NULL, &result),
                 MP_ERR_INVALID);
    o.statuses = &status;
    CHECK_STATUS(mp_pool_map_array_async(pool, square, NULL, &x, 8, 1, 8, &o, NULL, &result),
                 MP_ERR_INVALID);
    result = result_begin(pool, square, 3);
    CHECK_STATUS(mp_result_ready(result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_successful(result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_state(result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_wait_many(NULL, 1, MP_WAIT_ALL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_wait_many(&result, 1, 3, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_next(&result, 1, MP_NO_WAIT, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_next(NULL, 1, MP_NO_WAIT, &index), MP_ERR_INVALID);
    CHECK_STATUS(mp_result_next((mp_result *[]){result, (mp_result *)pool}, 2, MP_FOREVER, &index),
                 MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_result_wait_many((mp_result *[]){(mp_result *)pool}, 1, MP_WAIT_ALL, MP_FOREVER),
                 MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_result_progress(result, NULL, NULL));
    CHECK_OK(mp_result_free(result));
    CHECK_OK(mp_result_free(NULL));
    if (strcmp(test_start_method(), "fork") != 0)
        CHECK_STATUS(mp_pool_apply_async(pool, square, &x, &x, 8, NULL, NULL, &result),
                     MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- several results ---- */

TEST(result, as_they_come)
{
    enum { N = 20 };
    mp_pool *pool = pool_new(2);
    mp_result *results[N];
    unsigned seen = 0;
    size_t index;
    int64_t i;

    for (i = 0; i < N; i++)
        results[i] = result_begin(pool, i == 0 ? result_sleeps : square, i == 0 ? 300 : i);
    for (i = 0; i < N; i++) {
        CHECK_OK(mp_result_next(results, N, MP_FOREVER, &index));
        CHECK(index < N && (seen >> index & 1) == 0);
        seen |= 1u << index;
        /* One that is not ready keeps nobody waiting. */
        CHECK((index == 0) == (i == N - 1));
        CHECK_INT(result_get(results[index]), index == 0 ? 90000 : (int64_t)(index * index));
        CHECK_OK(mp_result_free(results[index]));
        results[index] = NULL;
    }
    CHECK_STATUS(mp_result_next(results, N, MP_FOREVER, &index), MP_ERR_EOF);
    CHECK_STATUS(mp_result_next(NULL, 0, MP_FOREVER, &index), MP_ERR_EOF);
    results[0] = result_begin(pool, result_sleeps, 100);
    CHECK_STATUS(mp_result_next(results, N, MP_MS(5), &index), MP_ERR_TIMEOUT);
    CHECK_OK(mp_result_free(results[0]));
    CHECK_OK(mp_pool_free(pool));
}

void result_fails(mp_task *task, void *user)
{
    (void)user;
    CHECK_OK(mp_task_fail(task, "always"));
}

TEST(result, waiting_for_first_all_and_first_error)
{
    mp_pool *pool = pool_new(2);
    mp_result *r[3];
    bool ready;

    r[0] = result_begin(pool, result_sleeps, 400);
    r[1] = result_begin(pool, square, 3);
    r[2] = NULL;
    CHECK_OK(mp_result_wait_many(r, 3, MP_WAIT_FIRST, MP_FOREVER));
    CHECK_STATUS(mp_result_wait_many(r, 3, MP_WAIT_ALL, MP_MS(5)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_result_wait_many(r, 3, MP_WAIT_FIRST_ERROR, MP_MS(5)), MP_ERR_TIMEOUT);
    r[2] = result_begin(pool, result_fails, 0);
    CHECK_OK(mp_result_wait_many(r, 3, MP_WAIT_FIRST_ERROR, MP_FOREVER));
    CHECK_OK(mp_result_ready(r[2], &ready));
    CHECK(ready);
    CHECK_OK(mp_result_wait_many(r, 3, MP_WAIT_ALL, MP_FOREVER));
    CHECK_OK(mp_result_ready(r[0], &ready));
    CHECK(ready);
    CHECK_OK(mp_result_wait_many(r, 2, MP_WAIT_FIRST_ERROR, MP_NO_WAIT));
    CHECK_OK(mp_result_wait_many(NULL, 0, MP_WAIT_ALL, MP_FOREVER));
    CHECK_OK(mp_result_wait_many(NULL, 0, MP_WAIT_FIRST, MP_FOREVER));
    CHECK_OK(mp_result_wait_many(NULL, 0, MP_WAIT_FIRST_ERROR, MP_FOREVER));
    CHECK_OK(mp_result_free(r[0]));
    CHECK_OK(mp_result_free(r[1]));
    CHECK_OK(mp_result_free(r[2]));
    CHECK_OK(mp_pool_free(pool));
}
