/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TEST_CONDITION_H
#define TEST_CONDITION_H

#include "test_util.h"

mp_condition *condition_new(void);
/* Until so many wait; the caller does not hold the lock. */
void condition_await(mp_condition *c, int n);
/* Acquires, notifies n, releases. */
void condition_notify(mp_condition *c, size_t n);
/* Waits once for condition 0, and counts in value 1 that it was notified. */
int condition_waits(mp_child *self, void *user);

#endif
