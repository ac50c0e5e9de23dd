/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TEST_TREE_H
#define TEST_TREE_H

#include "test_util.h"

/* Appends a digit to the number in a value, which so becomes a log. */
void tree_note(mp_value *log, int digit);
/* A process with a value as its argument, and an mp_daemon. */
mp_process *tree_new(mp_process_fn fn, mp_value *v, int daemon);
mp_process *tree_started(mp_process *p);

#endif
