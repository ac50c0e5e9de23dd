/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * queue, priority_queue, and what their messages carry. */
#ifndef MP_QUEUE_HPP
#define MP_QUEUE_HPP

#include <mp/codec.hpp>

namespace mp {

struct queue_options : mp_queue_options {
    queue_options() noexcept : mp_queue_options MP_QUEUE_OPTIONS {}
};
struct priority_queue_options : mp_priority_queue_options {
    priority_queue_options() noexcept : mp_priority_queue_options MP_PRIORITY_QUEUE_OPTIONS {}
};
struct queue_stats : mp_queue_stats {
    queue_stats() noexcept : mp_queue_stats MP_QUEUE_STATS {}
};

namespace detail {

/* In a queue of optionals, std::nullopt is mp.h's "none". */
template <class T>
struct element {
    using type = T;
    static constexpr bool may_be_none = false;
};
template <class T>
struct element<std::optional<T>> {
    using type = T;
    static constexpr bool may_be_none = true;
};

template <class T>
result<T> none_taken()
{
    if constexpr (element<T>::may_be_none)
        return T(std::nullopt);
    else
        return error(MP_ERR_INVALID, "mp::queue: took the message \"none\", which only a queue of std::optional has");
}

/* Takes a message. get is given room for it; what does not fit is taken by get_buffer. */
template <class T, class Get, class GetBuffer>
result<T> taken(Get get, GetBuffer get_buffer)
{
    using item = typename element<T>::type;
    constexpr std::size_t usual = 64 << 10;
    std::size_t size = 0;
    bool none = false;
    int status;
    auto decoded = [&](bytes_view message) -> result<T> {
        if (none)
            return none_taken<T>();
        result<item> value = try_unpacked<item>(message);
        if (!value)
            return value.error();
        return T(std::move(*value));
    };

    if constexpr (raw<item>) {
        unsigned char room[sizeof(item)];
        status = get(room, sizeof room, &size, &none);
        if (status >= 0)
            return decoded({room, size});
    } else {
        scratch<way::in> room;
        if (room.bytes.size() < usual)
            room.bytes.resize(usual);
        status = get(room.bytes.data(), room.bytes.size(), &size, &none);
        if (status >= 0)
            return decoded({room.bytes.data(), size});
    }
    if (status != MP_ERR_TOO_SMALL && status != MP_ERR_UNSUPPORTED)
        return error(status);
    mp_buffer *native = nullptr;
    status = get_buffer(&native);
    if (status < 0)
        return error(status);
    none = native == nullptr;
    const buffer message{adopt(native)};
    return decoded(none ? bytes_view() : view(message));
}

} // namespace detail

/* A message and the handles that came with it. */
template <class T>
class message {
public:
    message(T value, detail::buffer carrier) : value_(std::move(value)), carrier_(std::move(carrier)) {}

    T &value() noexcept { return value_; }
    const T &value() const noexcept { return value_; }
    /* How many handles came. */
    std::size_t handles() const noexcept { return mp_buffer_handles(carrier_.native()); }
    /* A noun of this process's own for one of them, which must be of the type that was put. */
    template <class Noun>
    Noun take(std::size_t index)
    {
        return take<Noun>(std::nothrow, index).value();
    }
    template <class Noun>
    result<Noun> take(std::nothrow_t, std::size_t index)
    {
        auto *native = static_cast<typename Noun::native_type *>(mp_buffer_handle(carrier_.native(), index));

        if (native == nullptr)
            return error(MP_ERR_INVALID, mp_last_error());
        return Noun(adopt(native));
    }

private:
    T value_;
    detail::buffer carrier_;
};

/* Room for a message, which is written there and then committed; else it is given up. */
template <class Native, mp_status (*Commit)(Native *, void *, std::size_t, mp_timeout),
          mp_status (*Cancel)(Native *, void *)>
class basic_reservation {
public:
    basic_reservation(Native *in, void *data, std::size_t size) noexcept : in_(in), data_(data), size_(size) {}
    basic_reservation(basic_reservation &&other) noexcept
        : in_(other.in_), data_(std::exchange(other.data_, nullptr)), size_(other.size_)
    {
    }
    basic_reservation &operator=(basic_reservation &&) = delete;
    ~basic_reservation()
    {
        if (data_ != nullptr)
            Cancel(in_, data_);
    }

    void *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    /* Puts or sends the first bytes of it. */
    void commit(std::size_t size, timeout limit = forever) { commit(std::nothrow, size, limit).value(); }
    result<void> commit(std::nothrow_t, std::size_t size, timeout limit = forever)
    {
        const int status = Commit(in_, data_, size, limit);

        if (status >= 0)
            data_ = nullptr;
        return detail::outcome(status);
    }

private:
    Native *in_;
    void *data_;
    std::size_t size_;
};

/* A message that is read where it lies, and goes when this does. */
template <class Native, mp_status (*Release)(Native *, const void *)>
class basic_peeked {
public:
    basic_peeked(Native *in, bytes_view message, bool none) noexcept : in_(in), message_(message), none_(none) {}
    basic_peeked(basic_peeked &&other) noexcept
        : in_(std::exchange(other.in_, nullptr)), message_(other.message_), none_(other.none_)
    {
    }
    basic_peeked &operator=(basic_peeked &&) = delete;
    ~basic_peeked()
    {
        if (in_ != nullptr && !none_)
            Release(in_, message_.data());
    }

    bytes_view bytes() const noexcept { return message_; }
    /* Whether it is a queue's "none". */
    bool none() const noexcept { return none_; }

private:
    Native *in_;
    bytes_view message_;
    bool none_;
};

/* A queue between processes, for any number of producers and consumers: mp_queue. */
template <class T>
class queue : public detail::handle<mp_queue, mp_queue_free> {
public:
    using value_type = T;
    using reservation = basic_reservation<mp_queue, mp_queue_commit, mp_queue_cancel>;
    using peeked = basic_peeked<mp_queue, mp_queue_release>;
    using handle::handle;

    explicit queue(const queue_options &options = {}) : handle(detail::made<mp_queue>(mp_queue_new, &options)) {}
    /* At most so many messages. */
    explicit queue(std::size_t maxsize) : queue(of_size(maxsize)) {}
    static result<queue> make(std::nothrow_t, const queue_options &options = {})
    {
        return detail::try_made<queue>(mp_queue_new, &options);
    }

    void put(const T &value, timeout limit = forever) { put(std::nothrow, value, limit).value(); }
    result<void> put(std::nothrow_t, const T &value, timeout limit = forever)
    {
        return detail::outcome(with_message(value, [&](bytes_view m, bool none) {
            return none ? mp_queue_put_none(native(), limit) : mp_queue_put(native(), m.data(), m.size(), limit);
        }));
    }
    /* The oldest message. One that is no T is gone, and an error with MP_ERR_INVALID. */
    T get(timeout limit = forever) { return get(std::nothrow, limit).value(); }
    result<T> get(std::nothrow_t, timeout limit = forever)
    {
        return detail::taken<T>(
            [&](void *room, std::size_t size, std::size_t *len, bool *none) {
                return mp_queue_get(native(), room, size, len, none, limit);
            },
            [&](mp_buffer **buffer) { return mp_queue_get_buffer(native(), buffer, limit); });
    }

    /* Puts a message that carries nouns: queues, locks, arrays... */
    template <class... Noun>
    void put_with(const T &value, const Noun &...nouns)
    {
        put_with(std::nothrow, value, nouns...).value();
    }
    template <class... Noun>
    result<void> put_with(std::nothrow_t, const T &value, const Noun &...nouns)
    {
        const void *const handles[] = {nouns.native()..., nullptr};

        return detail::outcome(detail::packed(value, [&](bytes_view m) {
            return mp_queue_put_handles(native(), m.data(), m.size(), handles, sizeof...(nouns), MP_FOREVER);
        }));
    }
    message<T> get_with(timeout limit = forever) { return get_with(std::nothrow, limit).value(); }
    result<message<T>> get_with(std::nothrow_t, timeout limit = forever)
    {
        mp_buffer *native_buffer = nullptr;
        const int status = mp_queue_get_buffer(native(), &native_buffer, limit);

        if (status < 0)
            return error(status);
        detail::buffer carrier{adopt(native_buffer)};
        result<T> value = native_buffer == nullptr ? detail::none_taken<T>()
                                                   : detail::try_unpacked<T>(detail::view(carrier));
        if (!value)
            return value.error();
        return message<T>(std::move(*value), std::move(carrier));
    }

    /* Puts a range of values, as many at a time as there is room for; gives how many it put in time. */
    template <class Range>
    std::size_t put_many(const Range &values, timeout limit = forever)
    {
        return put_many(std::nothrow, values, limit).value();
    }
    template <class Range>
    result<std::size_t> put_many(std::nothrow_t, const Range &values, timeout limit = forever)
    {
        detail::scratch<detail::way::out> room;
        std::vector<mp_message> messages;
        std::size_t put = 0;

        room.bytes.clear();
        for (const T &value : values) {
            if constexpr (detail::element<T>::may_be_none)
                if (!value) {
                    messages.push_back({nullptr, MP_NONE});
                    continue;
                }
            const std::size_t before = room.bytes.size();
            with_message(value, [&](bytes_view m, bool) {
                writer(room.bytes).bytes(m.data(), m.size());
                return MP_OK;
            });
            messages.push_back({nullptr, room.bytes.size() - before});
        }
        /* The memory stays where it is from here on. */
        const unsigned char *next = room.bytes.data();
        for (mp_message &m : messages)
            if (m.len != MP_NONE) {
                m.data = next;
                next += m.len;
            }
        const int status = mp_queue_put_many(native(), messages.data(), messages.size(), &put, limit);
        if (status < 0 && status != MP_ERR_FULL)
            return error(status);
        return put;
    }
    /* Waits for a message, and takes up to most that are there. */
    std::vector<T> get_many(std::size_t most, timeout limit = forever)
    {
        return get_many(std::nothrow, most, limit).value();
    }
    result<std::vector<T>> get_many(std::nothrow_t, std::size_t most, timeout limit = forever)
    {
        using item = typename detail::element<T>::type;
        detail::scratch<detail::way::in> room;
        std::vector<std::size_t> lens(most);
        std::vector<T> values;
        std::size_t got = 0;

        if (room.bytes.size() < std::size_t{64} << 10)
            room.bytes.resize(std::size_t{64} << 10);
        const int status =
            mp_queue_get_many(native(), room.bytes.data(), room.bytes.size(), lens.data(), most, &got, limit);
        if (status == MP_ERR_TOO_SMALL || status == MP_ERR_UNSUPPORTED) {
            result<T> one = get(std::nothrow, limit);
            if (!one)
                return one.error();
            values.push_back(std::move(*one));
            return values;
        }
        if (status < 0)
            return error(status);
        values.reserve(got);
        const unsigned char *next = room.bytes.data();
        for (std::size_t i = 0; i < got; ++i) {
            result<T> value = lens[i] == MP_NONE ? detail::none_taken<T>() : decoded<item>({next, lens[i]});
            if (!value)
                return value.error();
            values.push_back(std::move(*value));
            next += lens[i] == MP_NONE ? 0 : lens[i];
        }
        return values;
    }

    /* Room for a message of bytes that is written in place. */
    reservation reserve(std::size_t size) { return reserve(std::nothrow, size).value(); }
    result<reservation> reserve(std::nothrow_t, std::size_t size)
    {
        void *data = nullptr;
        const int status = mp_queue_reserve(native(), size, &data);

        if (status < 0)
            return error(status);
        return reservation(native(), data, size);
    }
    /* The oldest message's bytes, where they lie. */
    peeked peek(timeout limit = forever) { return peek(std::nothrow, limit).value(); }
    result<peeked> peek(std::nothrow_t, timeout limit = forever)
    {
        const void *data = nullptr;
        std::size_t size = 0;
        bool none = false;
        const int status = mp_queue_peek(native(), &data, &size, &none, limit);

        if (status < 0)
            return error(status);
        return peeked(native(), {data, size}, none);
    }

    result<std::size_t> size(std::nothrow_t) const { return detail::ask<std::size_t>(mp_queue_size, native()); }
    std::size_t size() const { return size(std::nothrow).value(); }
    result<bool> empty(std::nothrow_t) const { return detail::ask<bool>(mp_queue_empty, native()); }
    bool empty() const { return empty(std::nothrow).value(); }
    result<bool> full(std::nothrow_t) const { return detail::ask<bool>(mp_queue_full, native()); }
    bool full() const { return full(std::nothrow).value(); }
    result<queue_stats> stats(std::nothrow_t) const { return detail::ask<queue_stats>(mp_queue_stats_get, native()); }
    queue_stats stats() const { return stats(std::nothrow).value(); }

    void task_done() { task_done(std::nothrow).value(); }
    result<void> task_done(std::nothrow_t) { return detail::outcome(mp_queue_task_done(native())); }
    /* Whether all that was put was done in time. */
    bool join(timeout limit = forever) { return join(std::nothrow, limit).value(); }
    result<bool> join(std::nothrow_t, timeout limit = forever)
    {
        return detail::waited(mp_queue_join(native(), limit));
    }
    void shutdown(bool immediate = false) { shutdown(std::nothrow, immediate).value(); }
    result<void> shutdown(std::nothrow_t, bool immediate = false)
    {
        return detail::outcome(mp_queue_shutdown(native(), immediate));
    }
    void close() { close(std::nothrow).value(); }
    result<void> close(std::nothrow_t) { return detail::outcome(mp_queue_close(native())); }

private:
    static queue_options of_size(std::size_t maxsize)
    {
        queue_options options;
        options.maxsize = maxsize;
        return options;
    }
    template <class Use>
    static int with_message(const T &value, Use use)
    {
        if constexpr (detail::element<T>::may_be_none) {
            if (!value)
                return use(bytes_view(), true);
            return detail::packed(*value, [&](bytes_view m) { return use(m, false); });
        } else {
            return detail::packed(value, [&](bytes_view m) { return use(m, false); });
        }
    }
    template <class Item>
    static result<T> decoded(bytes_view m)
    {
        result<Item> value = detail::try_unpacked<Item>(m);
        if (!value)
            return value.error();
        return T(std::move(*value));
    }
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
