/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * mutex, recursive_mutex, semaphore, condition, event, barrier. */
#ifndef MP_SYNC_HPP
#define MP_SYNC_HPP

#include <mp/base.hpp>

namespace mp {

/* The options are mp.h's structs with their defaults, for all nouns: mp::mutex_options o; o.name = "x"; */
struct mutex_options : mp_lock_options {
    mutex_options() noexcept : mp_lock_options MP_LOCK_OPTIONS {}
};
struct recursive_mutex_options : mp_rlock_options {
    recursive_mutex_options() noexcept : mp_rlock_options MP_RLOCK_OPTIONS {}
};
struct semaphore_options : mp_semaphore_options {
    semaphore_options() noexcept : mp_semaphore_options MP_SEMAPHORE_OPTIONS {}
};
struct condition_options : mp_condition_options {
    condition_options() noexcept : mp_condition_options MP_CONDITION_OPTIONS {}
};
struct event_options : mp_event_options {
    event_options() noexcept : mp_event_options MP_EVENT_OPTIONS {}
};
struct barrier_options : mp_barrier_options {
    barrier_options() noexcept : mp_barrier_options MP_BARRIER_OPTIONS {}
};

namespace detail {

/* What can be locked, for std::scoped_lock, std::unique_lock and std::lock. */
template <class Self, class Native, mp_status (*Free)(Native *), mp_status (*Acquire)(Native *, mp_timeout),
          mp_status (*Release)(Native *), mp_status (*Locked)(const Native *, bool *),
          mp_status (*Recovered)(const Native *, bool *)>
class lockable : public handle<Native, Free> {
public:
    using handle<Native, Free>::handle;

    void lock() { check(Acquire(this->native(), MP_FOREVER)); }
    bool try_lock() { return try_lock_for(no_wait); }
    /* Whether it is held now. */
    bool try_lock_for(timeout limit) { return try_lock_for(std::nothrow, limit).value(); }
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &deadline)
    {
        return try_lock_for(timeout(deadline));
    }
    void unlock() { check(Release(this->native())); }

    result<void> lock(std::nothrow_t) { return outcome(Acquire(this->native(), MP_FOREVER)); }
    result<bool> try_lock_for(std::nothrow_t, timeout limit) { return waited(Acquire(this->native(), limit)); }
    result<void> unlock(std::nothrow_t) { return outcome(Release(this->native())); }

    /* Whether anybody holds it, at some moment during the call. */
    result<bool> locked(std::nothrow_t) const { return ask<bool>(Locked, this->native()); }
    bool locked() const { return locked(std::nothrow).value(); }
    /* Whether its last holder died holding it, so that what it guards may be half done. */
    result<bool> recovered(std::nothrow_t) const { return ask<bool>(Recovered, this->native()); }
    bool recovered() const { return recovered(std::nothrow).value(); }
};

} // namespace detail

/* A lock between processes: mp_lock. One that dies holding it leaves it to the next. */
class mutex : public detail::lockable<mutex, mp_lock, mp_lock_free, mp_lock_acquire, mp_lock_release,
                                      mp_lock_locked, mp_lock_recovered> {
public:
    using lockable::lockable;
    explicit mutex(const mutex_options &options = {}) : lockable(detail::made<mp_lock>(mp_lock_new, &options)) {}
    static result<mutex> make(std::nothrow_t, const mutex_options &options = {})
    {
        return detail::try_made<mutex>(mp_lock_new, &options);
    }

    /* "<Lock(owner=None)>" */
    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_lock_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }
};

/* A lock that its thread may take again: mp_rlock. */
class recursive_mutex : public detail::lockable<recursive_mutex, mp_rlock, mp_rlock_free, mp_rlock_acquire,
                                                mp_rlock_release, mp_rlock_locked, mp_rlock_recovered> {
public:
    using lockable::lockable;
    explicit recursive_mutex(const recursive_mutex_options &options = {})
        : lockable(detail::made<mp_rlock>(mp_rlock_new, &options))
    {
    }
    static result<recursive_mutex> make(std::nothrow_t, const recursive_mutex_options &options = {})
    {
        return detail::try_made<recursive_mutex>(mp_rlock_new, &options);
    }

    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_rlock_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }
};

/* A semaphore: mp_semaphore, with the names of std::counting_semaphore. */
class semaphore : public detail::handle<mp_semaphore, mp_semaphore_free> {
public:
    using handle::handle;
    explicit semaphore(std::int64_t value, const semaphore_options &options = {})
        : handle(detail::made<mp_semaphore>(mp_semaphore_new, value, &options))
    {
    }
    static result<semaphore> make(std::nothrow_t, std::int64_t value, const semaphore_options &options = {})
    {
        return detail::try_made<semaphore>(mp_semaphore_new, value, &options);
    }

    void acquire() { acquire(std::nothrow).value(); }
    result<void> acquire(std::nothrow_t) { return detail::outcome(mp_semaphore_acquire(native(), MP_FOREVER)); }
    bool try_acquire() { return try_acquire_for(no_wait); }
    bool try_acquire_for(timeout limit) { return try_acquire_for(std::nothrow, limit).value(); }
    result<bool> try_acquire_for(std::nothrow_t, timeout limit)
    {
        return detail::waited(mp_semaphore_acquire(native(), limit));
    }
    template <class Clock, class Duration>
    bool try_acquire_until(const std::chrono::time_point<Clock, Duration> &deadline)
    {
        return try_acquire_for(timeout(deadline));
    }
    void release(std::size_t count = 1) { release(std::nothrow, count).value(); }
    result<void> release(std::nothrow_t, std::size_t count = 1)
    {
        return detail::outcome(mp_semaphore_release(native(), count));
    }
    /* As a lock, for std::scoped_lock. */
    void lock() { acquire(); }
    bool try_lock() { return try_acquire(); }
    void unlock() { release(); }

    result<std::size_t> value(std::nothrow_t) const { return detail::ask<std::size_t>(mp_semaphore_value, native()); }
    std::size_t value() const { return value(std::nothrow).value(); }
    result<bool> locked(std::nothrow_t) const { return detail::ask<bool>(mp_semaphore_locked, native()); }
    bool locked() const { return locked(std::nothrow).value(); }
    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_semaphore_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }
};

/* A condition and its lock: mp_condition. Hold it by std::unique_lock or std::scoped_lock, and wait. */
class condition : public detail::lockable<condition, mp_condition, mp_condition_free, mp_condition_acquire,
                                          mp_condition_release, mp_condition_locked, mp_condition_recovered> {
public:
    using lockable::lockable;
    explicit condition(const condition_options &options = {})
        : lockable(detail::made<mp_condition>(mp_condition_new, &options))
    {
    }
    /* With a lock of the caller's. */
    explicit condition(const mutex &lock, condition_options options = {}) : condition(with(options, lock)) {}
    explicit condition(const recursive_mutex &lock, condition_options options = {})
        : condition(with(options, lock))
    {
    }
    static result<condition> make(std::nothrow_t, const condition_options &options = {})
    {
        return detail::try_made<condition>(mp_condition_new, &options);
    }

    /* Whether it was notified in time. */
    bool wait(timeout limit = forever) { return wait(std::nothrow, limit).value(); }
    result<bool> wait(std::nothrow_t, timeout limit = forever)
    {
        return detail::waited(mp_condition_wait(native(), limit));
    }
    /* Whether the predicate held in time. What it throws comes out of here, with the lock held. */
    template <class Predicate, class = decltype(static_cast<bool>(std::declval<Predicate &>()()))>
    bool wait(Predicate predicate, timeout limit = forever)
    {
        return wait(std::nothrow, std::move(predicate), limit).value();
    }
    template <class Predicate, class = decltype(static_cast<bool>(std::declval<Predicate &>()()))>
    result<bool> wait(std::nothrow_t, Predicate predicate, timeout limit = forever)
    {
        detail::asked<Predicate> user{predicate, nullptr};
        const int status = mp_condition_wait_for(
            native(), [](mp_condition *, void *asking) { return detail::asked<Predicate>::holds(asking); }, &user, limit);

        if (user.thrown)
            std::rethrow_exception(user.thrown);
        return detail::waited(status);
    }
    void notify_one() { notify(1); }
    void notify(std::size_t n) { notify(std::nothrow, n).value(); }
    result<void> notify(std::nothrow_t, std::size_t n) { return detail::outcome(mp_condition_notify(native(), n)); }
    void notify_all() { notify_all(std::nothrow).value(); }
    result<void> notify_all(std::nothrow_t) { return detail::outcome(mp_condition_notify_all(native())); }

    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_condition_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }

private:
    static condition_options with(condition_options &options, const mutex &lock)
    {
        options.lock = lock.native();
        return options;
    }
    static condition_options with(condition_options &options, const recursive_mutex &lock)
    {
        options.rlock = lock.native();
        return options;
    }
};

/* A flag that processes wait for: mp_event. */
class event : public detail::handle<mp_event, mp_event_free> {
public:
    using handle::handle;
    explicit event(const event_options &options = {}) : handle(detail::made<mp_event>(mp_event_new, &options)) {}
    static result<event> make(std::nothrow_t, const event_options &options = {})
    {
        return detail::try_made<event>(mp_event_new, &options);
    }

    void set() { set(std::nothrow).value(); }
    result<void> set(std::nothrow_t) { return detail::outcome(mp_event_set(native())); }
    void clear() { clear(std::nothrow).value(); }
    result<void> clear(std::nothrow_t) { return detail::outcome(mp_event_clear(native())); }
    result<bool> is_set(std::nothrow_t) const { return detail::ask<bool>(mp_event_is_set, native()); }
    bool is_set() const { return is_set(std::nothrow).value(); }
    /* Whether it was set in time. */
    bool wait(timeout limit = forever) { return wait(std::nothrow, limit).value(); }
    result<bool> wait(std::nothrow_t, timeout limit = forever)
    {
        return detail::waited(mp_event_wait(native(), limit));
    }

    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_event_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }
};

/* A barrier: mp_barrier. */
class barrier : public detail::handle<mp_barrier, mp_barrier_free> {
public:
    using handle::handle;
    explicit barrier(std::size_t parties, const barrier_options &options = {})
        : handle(detail::made<mp_barrier>(mp_barrier_new, parties, &options))
    {
    }
    static result<barrier> make(std::nothrow_t, std::size_t parties, const barrier_options &options = {})
    {
        return detail::try_made<barrier>(mp_barrier_new, parties, &options);
    }
    /* What runs in one of the parties when all have come. The type of the function tells it, as it
     * has to be found in every process, so it captures nothing. What it throws breaks the barrier. */
    template <class Action>
    static barrier with_action(std::size_t parties, Action, barrier_options options = {})
    {
        static_assert(std::is_empty_v<Action> && std::is_trivially_copyable_v<Action>,
                      "mp::barrier: the action runs in any of the parties, so it must capture nothing");
        options.action = acts<Action>;
        return barrier(parties, options);
    }

    /* Waits for the others; gives each a number below parties(), and one of them 0. */
    std::size_t wait(timeout limit = forever) { return wait(std::nothrow, limit).value(); }
    result<std::size_t> wait(std::nothrow_t, timeout limit = forever)
    {
        return detail::ask<std::size_t>(mp_barrier_wait, native(), mp_timeout(limit));
    }
    void abort() { abort(std::nothrow).value(); }
    result<void> abort(std::nothrow_t) { return detail::outcome(mp_barrier_abort(native())); }
    void reset() { reset(std::nothrow).value(); }
    result<void> reset(std::nothrow_t) { return detail::outcome(mp_barrier_reset(native())); }
    result<std::size_t> parties(std::nothrow_t) const { return detail::ask<std::size_t>(mp_barrier_parties, native()); }
    std::size_t parties() const { return parties(std::nothrow).value(); }
    result<std::size_t> waiting(std::nothrow_t) const { return detail::ask<std::size_t>(mp_barrier_waiting, native()); }
    std::size_t waiting() const { return waiting(std::nothrow).value(); }
    result<bool> broken(std::nothrow_t) const { return detail::ask<bool>(mp_barrier_broken, native()); }
    bool broken() const { return broken(std::nothrow).value(); }

    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_barrier_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }

private:
    template <class Action>
    static int acts(mp_barrier *, void *) noexcept
    {
        unsigned char none[sizeof(Action)] = {};

        try {
            (*std::launder(reinterpret_cast<Action *>(none)))();
            return 0;
        } catch (...) {
            return 1;
        }
    }
};

} // namespace mp

#endif
