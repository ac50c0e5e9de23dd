/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the tests of types of the program's own share. */
#ifndef TEST_MANAGER_OWN_H
#define TEST_MANAGER_OWN_H

#include "test_manager.h"

#include <stdatomic.h>

/* In the server: how many Counters there are, and whether calls of "hang" and ends of Slow shall end. */
extern atomic_int counters;
extern atomic_bool released;

/* One that knows these types, and is not started: Counter; Made, which only methods make; Tools, functions without
 * an object; Crowd, a Counter with the functions of Tools, of which many run at the same time; Slow, a Counter. */
mp_manager *with_types(const mp_manager_options *options);
mp_manager *started(void);
mp_proxy *counter_new(mp_manager *m, int64_t start);
/* Of a type that is made of a number. */
mp_proxy *counted_new(mp_manager *m, const char *type, int64_t start);
/* Waits until there are so many Counters. */
void check_counters(const mp_proxy *tools, int64_t count);
/* From now on this process gets no more threads. */
void starves(void);
/* A method of Tools: what it was given. */
void tools_echo(mp_call *call, void *object);

#endif
