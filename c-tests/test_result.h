/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Asynchronous calls for tests. */
#ifndef TEST_RESULT_H
#define TEST_RESULT_H

#include "test_pool.h"

/* Has fn called with x. */
mp_result *result_begin(mp_pool *pool, mp_task_fn fn, int64_t x);
/* Waits for its result, which is a number. */
int64_t result_get(mp_result *result);
/* The number in a buffer, which is freed. */
int64_t result_number(mp_buffer *buffer);
/* Sleeps x milliseconds; the result is x * x. */
void result_sleeps(mp_task *task, void *user);
/* Says that it failed: "always". */
void result_fails(mp_task *task, void *user);

#endif
