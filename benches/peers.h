/* What stands for one thing that processes can take and give back, from all the sources there are. */
#ifndef PEERS_H
#define PEERS_H

#include "bench.h"

/* Boost.Interprocess, compiled in where its headers are: NULL where not. Sizes of the objects, and what
 * is done with them in place. */
#ifdef __cplusplus
extern "C" {
#endif
#define WEAK __attribute__((weak))
WEAK void boost_mutex_make(void *place, size_t size);
WEAK void boost_mutex_lock(void *place);
WEAK void boost_mutex_unlock(void *place);
WEAK void boost_semaphore_make(void *place, size_t size, unsigned value);
WEAK void boost_semaphore_wait(void *place);
WEAK void boost_semaphore_post(void *place);
#ifdef __cplusplus
}
#endif

enum { BOOST_SIZE = 256 };

#endif
