/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What tests of forks that the program makes itself share. */
#ifndef TEST_CONNECTION_FORK_H
#define TEST_CONNECTION_FORK_H

#include "test_connection.h"

/* A fork that runs beside its parent. */
pid_t fork_begin(int (*fn)(void *), void *arg);
/* How it ended: its status, or a signal's number below 0. */
int fork_end(pid_t child);

void is_at_its_end(mp_connection *c);

#endif
