/* Boost.Interprocess as a peer; see peers.h. */
#include "peers.h"
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <cstdlib>
#include <new>

using boost::interprocess::interprocess_mutex;
using boost::interprocess::interprocess_semaphore;

static void check(size_t size, size_t needed)
{
    if (size < needed)
        abort();
}

void boost_mutex_make(void *place, size_t size)
{
    check(size, sizeof(interprocess_mutex));
    new (place) interprocess_mutex;
}

void boost_mutex_lock(void *place)
{
    static_cast<interprocess_mutex *>(place)->lock();
}

void boost_mutex_unlock(void *place)
{
    static_cast<interprocess_mutex *>(place)->unlock();
}

void boost_semaphore_make(void *place, size_t size, unsigned value)
{
    check(size, sizeof(interprocess_semaphore));
    new (place) interprocess_semaphore(value);
}

void boost_semaphore_wait(void *place)
{
    static_cast<interprocess_semaphore *>(place)->wait();
}

void boost_semaphore_post(void *place)
{
    static_cast<interprocess_semaphore *>(place)->post();
}
