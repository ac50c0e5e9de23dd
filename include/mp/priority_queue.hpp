/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * priority_queue, and leases of its messages. */
#ifndef MP_PRIORITY_QUEUE_HPP
#define MP_PRIORITY_QUEUE_HPP

#include <mp/message.hpp>

namespace mp {

struct priority_queue_options : mp_priority_queue_options {
    priority_queue_options() noexcept : mp_priority_queue_options MP_PRIORITY_QUEUE_OPTIONS {}
};
/* A message that somebody else gets when this process dies, or this object does, before it was
 * acknowledged. */
template <class T>
class leased {
public:
    leased(mp_priority_queue *queue, T value, std::int64_t priority, std::uint64_t lease)
        : queue_(queue), value_(std::move(value)), priority_(priority), lease_(lease)
    {
    }
    leased(leased &&other) noexcept(std::is_nothrow_move_constructible_v<T>)
        : queue_(std::exchange(other.queue_, nullptr)), value_(std::move(other.value_)),
          priority_(other.priority_), lease_(other.lease_)
    {
    }
    leased &operator=(leased &&) = delete;
    ~leased()
    {
        if (queue_ != nullptr)
            mp_priority_queue_return(queue_, lease_);
    }

    T &value() noexcept { return value_; }
    const T &value() const noexcept { return value_; }
    std::int64_t priority() const noexcept { return priority_; }
    /* The message is done with. */
    void acknowledge() { acknowledge(std::nothrow).value(); }
    result<void> acknowledge(std::nothrow_t) { return detail::outcome(mp_priority_queue_acknowledge(done(), lease_)); }
    /* Somebody else shall have it. */
    void give_back() { give_back(std::nothrow).value(); }
    result<void> give_back(std::nothrow_t) { return detail::outcome(mp_priority_queue_return(done(), lease_)); }
    /* How often it was handed out, this time included. */
    result<std::uint64_t> deliveries(std::nothrow_t) const
    {
        return detail::ask<std::uint64_t>(mp_priority_queue_deliveries, queue_, lease_);
    }
    std::uint64_t deliveries() const { return deliveries(std::nothrow).value(); }

private:
    mp_priority_queue *done() noexcept { return std::exchange(queue_, nullptr); }

    mp_priority_queue *queue_;
    T value_;
    std::int64_t priority_;
    std::uint64_t lease_;
};

/* A queue whose first message is the one with the lowest priority, as in mp.h: mp_priority_queue. */
template <class T>
class priority_queue : public detail::handle<mp_priority_queue, mp_priority_queue_free> {
public:
    using value_type = T;
    using handle::handle;

    explicit priority_queue(const priority_queue_options &options = {})
        : handle(detail::made<mp_priority_queue>(mp_priority_queue_new, &options))
    {
    }
    static result<priority_queue> make(std::nothrow_t, const priority_queue_options &options = {})
    {
        return detail::try_made<priority_queue>(mp_priority_queue_new, &options);
    }

    void put(const T &value, std::int64_t priority, timeout limit = forever)
    {
        put(std::nothrow, value, priority, limit).value();
    }
    result<void> put(std::nothrow_t, const T &value, std::int64_t priority, timeout limit = forever)
    {
        if constexpr (detail::element<T>::may_be_none) {
            if (!value)
                return detail::outcome(mp_priority_queue_put_none(native(), priority, limit));
            return put_item(*value, priority, limit);
        } else {
            return put_item(value, priority, limit);
        }
    }
    T get(timeout limit = forever) { return get(std::nothrow, limit).value(); }
    result<T> get(std::nothrow_t, timeout limit = forever)
    {
        return detail::taken<T>(
            [&](void *room, std::size_t size, std::size_t *len, bool *none) {
                return mp_priority_queue_get(native(), room, size, len, nullptr, none, limit);
            },
            [&](mp_buffer **buffer) { return mp_priority_queue_get_buffer(native(), buffer, nullptr, limit); });
    }
    leased<T> lease(timeout limit = forever) { return lease(std::nothrow, limit).value(); }
    result<leased<T>> lease(std::nothrow_t, timeout limit = forever)
    {
        std::int64_t priority = 0;
        std::uint64_t number = 0;
        bool leases = false;
        result<T> value = detail::taken<T>(
            [&](void *room, std::size_t size, std::size_t *len, bool *none) {
                const int status =
                    mp_priority_queue_lease(native(), room, size, len, &priority, none, &number, limit);
                leases = status >= 0;
                return status;
            },
            [&](mp_buffer **buffer) {
                const int status = mp_priority_queue_lease_buffer(native(), buffer, &priority, &number, limit);
                leases = status >= 0;
                return status;
            });

        if (!value) {
            /* What cannot be understood would come again for ever. */
            if (leases)
                mp_priority_queue_acknowledge(native(), number);
            return value.error();
        }
        return leased<T>(native(), std::move(*value), priority, number);
    }

    result<std::size_t> size(std::nothrow_t) const { return detail::ask<std::size_t>(mp_priority_queue_size, native()); }
    std::size_t size() const { return size(std::nothrow).value(); }
    result<bool> empty(std::nothrow_t) const { return detail::ask<bool>(mp_priority_queue_empty, native()); }
    bool empty() const { return empty(std::nothrow).value(); }
    result<bool> full(std::nothrow_t) const { return detail::ask<bool>(mp_priority_queue_full, native()); }
    bool full() const { return full(std::nothrow).value(); }
    /* Messages that were got and not done. */
    result<std::size_t> unfinished(std::nothrow_t) const
    {
        return detail::ask<std::size_t>(mp_priority_queue_unfinished, native());
    }
    std::size_t unfinished() const { return unfinished(std::nothrow).value(); }
    /* Messages that are leased. */
    result<std::size_t> unacknowledged(std::nothrow_t) const
    {
        return detail::ask<std::size_t>(mp_priority_queue_unacknowledged, native());
    }
    std::size_t unacknowledged() const { return unacknowledged(std::nothrow).value(); }

    void task_done() { task_done(std::nothrow).value(); }
    result<void> task_done(std::nothrow_t) { return detail::outcome(mp_priority_queue_task_done(native())); }
    bool join(timeout limit = forever) { return join(std::nothrow, limit).value(); }
    result<bool> join(std::nothrow_t, timeout limit = forever)
    {
        return detail::waited(mp_priority_queue_join(native(), limit));
    }
    void shutdown(bool immediate = false) { shutdown(std::nothrow, immediate).value(); }
    result<void> shutdown(std::nothrow_t, bool immediate = false)
    {
        return detail::outcome(mp_priority_queue_shutdown(native(), immediate));
    }

private:
    template <class Item>
    result<void> put_item(const Item &item, std::int64_t priority, timeout limit)
    {
        return detail::outcome(detail::packed(item, [&](bytes_view m) {
            return mp_priority_queue_put(native(), m.data(), m.size(), priority, limit);
        }));
    }
};

} // namespace mp

#endif
