/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tasks that take as long as they are told. */
#ifndef TEST_POOL_STOP_H
#define TEST_POOL_STOP_H

#include "test_pool.h"

/* What tasks and the test see of each other, whatever started the workers: input of each task. */
typedef struct order {
    int64_t what, x;
} order;

enum { QUICK, ENDLESS, STUBBORN, ATTENTIVE, NAP };

/* Does what its order says; the result is x * x. */
void stop_obeys(mp_task *task, void *user);
mp_result *stop_begin(mp_pool *pool, int64_t what, int64_t x, const mp_apply_options *a);
/* Whether a pool has one running task, for wait_until. */
bool stop_runs_one(void *pool);
mp_pool_stats stop_stats(mp_pool *pool);

#endif
