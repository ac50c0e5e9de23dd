/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TEST_SPAWN_H
#define TEST_SPAWN_H

#include "test_util.h"

/* A process that spawn will start, whichever method is under test; and one that has been started so. */
mp_process *spawn_new(mp_process_fn fn);
mp_process *spawn_started(mp_process_fn fn);
/* Starts and ends it; gives the exit code. */
int spawn_run(mp_process_fn fn);
mp_pool *spawn_pool(size_t workers);

/* Sets what spawn runs: /bin/sh -c script. NULL for this program again. */
void spawn_runs_script(const char *script);

int spawn_returns_5(mp_child *self, void *user);

#endif
