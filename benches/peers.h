/* Peers that are compiled in where they are installed. */
#ifndef PEERS_H
#define PEERS_H

#include "bench.h"

/* Boost.Interprocess: the functions are NULL where its headers are not. An object is made in a place of
 * BOOST_SIZE bytes, and used there. */
#ifdef __cplusplus
extern "C" {
#endif
#define WEAK __attribute__((weak))
WEAK void boost_mutex_make(void *place, size_t size);
WEAK void boost_mutex_lock(void *place);
WEAK void boost_mutex_unlock(void *place);
WEAK void boost_condition_make(void *place, size_t size);
WEAK void boost_condition_lock(void *place);
WEAK void boost_condition_unlock(void *place);
WEAK void boost_condition_wait(void *place);
WEAK void boost_condition_notify(void *place);
WEAK void boost_semaphore_make(void *place, size_t size, unsigned value);
WEAK void boost_semaphore_wait(void *place);
WEAK void boost_semaphore_post(void *place);
#ifdef __cplusplus
}
#endif

enum { BOOST_SIZE = 256 };

#endif
