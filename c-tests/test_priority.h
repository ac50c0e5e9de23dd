/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the files that test priority queues share. */
#ifndef TEST_PRIORITY_H
#define TEST_PRIORITY_H

#include "test_util.h"

mp_priority_queue *priority_new(size_t maxsize);
size_t priority_size(mp_priority_queue *q);
size_t priority_leased(mp_priority_queue *q);
size_t priority_unfinished(mp_priority_queue *q);
/* A message of this length that only this number gives, and the check that it is the one. */
void priority_put(mp_priority_queue *q, int64_t priority, int number, size_t len);
/* Gives the priority of the message, which has this number and length. */
int64_t priority_get(mp_priority_queue *q, int number, size_t len);
uint64_t priority_lease(mp_priority_queue *q, int number, size_t len);
uint64_t priority_deliveries(mp_priority_queue *q, uint64_t lease);

#endif
