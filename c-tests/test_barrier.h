/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TEST_BARRIER_H
#define TEST_BARRIER_H

#include "test_util.h"

mp_barrier *barrier_new(size_t parties);
mp_barrier *barrier_with(size_t parties, mp_barrier_fn action, void *user);
bool barrier_broken(const mp_barrier *b);
size_t barrier_waiting(const mp_barrier *b);
/* Until so many wait. */
void barrier_await(const mp_barrier *b, size_t n);
/* A child that waits without limit and expects this status. */
mp_process *barrier_child(mp_barrier *b, int want);
int barrier_expects(mp_child *self, void *user);

#endif
