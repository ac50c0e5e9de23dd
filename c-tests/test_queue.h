/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the files that test queues share. */
#ifndef TEST_QUEUE_H
#define TEST_QUEUE_H

#include "test_util.h"

/* ring 0: one that grows. */
mp_queue *queue_new(size_t ring, size_t maxsize);
size_t queue_size(mp_queue *q);
bool queue_full(mp_queue *q);
/* Bytes that only this seed gives, and the check that they are the ones. */
void pattern_fill(unsigned char *at, size_t len, unsigned seed);
void pattern_check(const unsigned char *at, size_t len, unsigned seed);
/* An int64_t as a message; INT64_MIN for the message "none". */
int64_t number_get(mp_queue *q);
void number_put(mp_queue *q, int64_t x);

#endif
