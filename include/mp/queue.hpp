/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * queue: messages between processes. */
#ifndef MP_QUEUE_HPP
#define MP_QUEUE_HPP

#include <mp/message.hpp>

namespace mp {

struct queue_options : mp_queue_options {
    queue_options() noexcept : mp_queue_options MP_QUEUE_OPTIONS {}
};
struct queue_stats : mp_queue_stats {
    queue_stats() noexcept : mp_queue_stats MP_QUEUE_STATS {}
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
    /* Waits for a message, and takes up to most that are there. Where one of them is no T, all are gone,
     * and an error with MP_ERR_INVALID. */
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

} // namespace mp

#endif
