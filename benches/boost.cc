/* Boost.Interprocess as a peer; see peers.h. */
#include "peers.h"
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <cstdlib>
#include <new>

using boost::interprocess::interprocess_condition;
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

/* A condition and its mutex. */
struct guarded {
    interprocess_mutex mutex;
    interprocess_condition condition;
};

/* A condition waits by a lock that has its mutex; this one does nothing at its end. */
struct held {
    using mutex_type = interprocess_mutex;

    interprocess_mutex *its;

    interprocess_mutex *mutex() const { return its; }
    bool owns() const { return true; }
    explicit operator bool() const { return true; }
    void lock() { its->lock(); }
    void unlock() { its->unlock(); }
};

void boost_condition_make(void *place, size_t size)
{
    check(size, sizeof(guarded));
    new (place) guarded;
}

void boost_condition_lock(void *place)
{
    static_cast<guarded *>(place)->mutex.lock();
}

void boost_condition_unlock(void *place)
{
    static_cast<guarded *>(place)->mutex.unlock();
}

void boost_condition_wait(void *place)
{
    held lock = {&static_cast<guarded *>(place)->mutex};

    static_cast<guarded *>(place)->condition.wait(lock);
}

void boost_condition_notify(void *place)
{
    static_cast<guarded *>(place)->condition.notify_one();
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
