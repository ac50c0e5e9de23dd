/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools for tests: how many workers, and tasks that several files use. */
#ifndef TEST_POOL_H
#define TEST_POOL_H

#include "test_util.h"

mp_pool *pool_new(size_t workers);

/* Input int64 x, result x * x. */
void square(mp_task *task, void *user);
/* Maps square over n numbers and checks every result. */
void check_squares(mp_pool *pool, size_t n, const mp_map_options *o);
/* The result is the input. */
void echo(mp_task *task, void *user);

/* The living workers of a pool of this process; waits until they are as many as wanted. */
void pool_pids(pid_t *out, size_t workers);

#endif
