/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What several of the test files need: children with handles, flags, statistics. */
#ifndef TEST_UTIL_H
#define TEST_UTIL_H

#include "harness.h"

#include <sys/resource.h>

/* Starts a child whose arguments 0, 1, ... are these handles, at least one. NULL ends them early. */
#define CHILD_START(fn, ...) child_start(fn, (const void *const[]){__VA_ARGS__, NULL})
mp_process *child_start(mp_process_fn fn, const void *const *handles);
int child_pid(const mp_process *p);
/* Joins and frees; gives the exit code. */
int child_end(mp_process *p);
mp_process *child_new(mp_process_fn fn, const mp_process_options *o);
/* Runs until argument 0, a value, is 1; exits with 4. */
int child_waits(mp_child *self, void *user);

/* Argument i of a child: the number that child_add_number added. */
int child_number(mp_child *self, size_t i);
void child_add_number(mp_process *p, int number);

mp_lock *lock_new(void);
mp_value *flag_new(void);
int64_t flag_get(mp_value *flag);
void flag_set(mp_value *flag, int64_t x);
/* Waits until the flag has this value. */
void flag_wait(mp_value *flag, int64_t x);

/* The same text; either may be NULL, and then both must. */
void check_same_text(const char *got, const char *want);

mp_stats stats_now(void);
/* Where a message lies that is in the segment once, in its first 8 MiB: the place, a multiple of 64, is 8
 * bytes before it. The mapping begins at base. */
unsigned long message_place(const void *message, size_t len, unsigned long *base);
/* Pages of memory that the process has in use. */
long pages_of(pid_t pid);
/* Bytes of this process's address space. */
rlim_t address_space(void);

/* As a stray pointer does it: something else in one of these words. */
void scribble(volatile uint64_t *words, rng *r, size_t from, size_t to);
/* The status, which must be one of these. */
int check_one_of(int s, const int *known, size_t count);

/* SIGALRM every few milliseconds, without SA_RESTART; alarms_stop gives how many came. */
void alarms_start(void);
int alarms_stop(void);

bool gone(void *pid); /* process_gone for wait_until */

#endif
