/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the tests of a server's shared memory share. */
#ifndef TEST_MANAGER_MEMORY_H
#define TEST_MANAGER_MEMORY_H

#include "test_manager.h"

enum { SIZE = 5000 };

/* A SharedMemory of so many bytes, and the memory behind it. */
mp_proxy *memory_of(mp_manager *m, int64_t size);
mp_shared_memory *reach(const mp_proxy *p);
/* Of one of SIZE bytes. */
volatile int64_t *data_of(mp_shared_memory *memory);

#endif
