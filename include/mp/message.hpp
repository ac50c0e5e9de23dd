/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Messages of queues and connections: values, what comes with them, and where they lie. */
#ifndef MP_MESSAGE_HPP
#define MP_MESSAGE_HPP

#include <mp/codec.hpp>

namespace mp {

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
    /* How many descriptors came. */
    std::size_t fds() const noexcept { return mp_buffer_fds(carrier_.native()); }
    /* A copy of one of them, for the caller to close. */
    int take_fd(std::size_t index) { return take_fd(std::nothrow, index).value(); }
    result<int> take_fd(std::nothrow_t, std::size_t index)
    {
        int fd = -1;
        const int status = mp_buffer_fd(carrier_.native(), index, &fd);

        if (status < 0)
            return error(status);
        return fd;
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

} // namespace mp

#endif
