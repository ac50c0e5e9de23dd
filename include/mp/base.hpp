/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What all of mp.hpp stands on: errors, timeouts, handles, bytes. */
#ifndef MP_BASE_HPP
#define MP_BASE_HPP

#if __cplusplus < 201703L
#error "mp.hpp needs C++17: compile with -std=c++17 or later"
#endif
#ifndef __cpp_exceptions
#error "mp.hpp throws exceptions: compile without -fno-exceptions, or use mp.h"
#endif
#ifdef NCURSES_VERSION
#undef timeout /* curses has a function of this name as well */
#endif

#include <mp.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#if __cplusplus >= 202002L
#include <span>
#endif

namespace mp {

/* ---- errors -------------------------------------------------------------------------------------
 *
 * A call that fails throws mp::error. The same call with std::nothrow as its first argument
 * returns an mp::result instead, which has the value or the error. What a codec, a predicate or
 * the allocator throws comes through both. */

/* A failure: mp.h's status, its sentence as what(), and the system's error number or 0. */
class error : public std::runtime_error {
public:
    /* This thread's last failure. */
    explicit error(int status) : error(status, mp_last_error(), mp_last_errno()) {}
    error(int status, const std::string &sentence, int os_error = 0)
        : std::runtime_error(sentence), status_(static_cast<mp_status>(status)), os_error_(os_error)
    {
    }

    mp_status status() const noexcept { return status_; }
    int os_error() const noexcept { return os_error_; }
    /* "MP_ERR_TIMEOUT", for example. */
    const char *name() const noexcept { return mp_status_name(status_); }

private:
    mp_status status_;
    int os_error_;
};

/* A value or an error, with the members of std::expected that are needed most. */
template <class T>
class [[nodiscard]] result {
public:
    result(T value) : either_(std::in_place_index<1>, std::move(value)) {}
    result(mp::error failure) : either_(std::in_place_index<0>, std::move(failure)) {}

    bool has_value() const noexcept { return either_.index() == 1; }
    explicit operator bool() const noexcept { return has_value(); }

    /* Throws the error where there is no value. */
    T &value() & { return checked(*this); }
    const T &value() const & { return checked(*this); }
    T &&value() && { return std::move(checked(*this)); }

    /* There must be a value. */
    T &operator*() & noexcept { return *std::get_if<1>(&either_); }
    const T &operator*() const & noexcept { return *std::get_if<1>(&either_); }
    T &&operator*() && noexcept { return std::move(*std::get_if<1>(&either_)); }
    T *operator->() noexcept { return std::get_if<1>(&either_); }
    const T *operator->() const noexcept { return std::get_if<1>(&either_); }
    template <class U>
    T value_or(U &&otherwise) &&
    {
        return has_value() ? std::move(**this) : static_cast<T>(std::forward<U>(otherwise));
    }

    /* There must be an error. */
    const mp::error &error() const noexcept { return *std::get_if<0>(&either_); }
    /* MP_OK where there is a value. */
    mp_status status() const noexcept { return has_value() ? MP_OK : error().status(); }

private:
    template <class Self>
    static auto &checked(Self &self)
    {
        if (!self.has_value())
            throw self.error();
        return *self;
    }

    std::variant<mp::error, T> either_;
};

template <>
class [[nodiscard]] result<void> {
public:
    result() = default;
    result(mp::error failure) : error_(std::move(failure)) {}

    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    void value() const
    {
        if (error_)
            throw *error_;
    }
    const mp::error &error() const noexcept { return *error_; }
    mp_status status() const noexcept { return error_ ? error_->status() : MP_OK; }

private:
    std::optional<mp::error> error_;
};

/* ---- time ---------------------------------------------------------------------------------------
 *
 * How long a call may wait: any std::chrono::duration, any time_point, mp::forever or mp::no_wait. */
class timeout {
public:
    explicit constexpr timeout(mp_timeout nanoseconds) noexcept : nanoseconds_(nanoseconds) {}

    /* Rounded up, so that no wait is shorter than asked for; what is too long is for ever. */
    template <class Rep, class Period>
    constexpr timeout(std::chrono::duration<Rep, Period> length) : nanoseconds_(0)
    {
        using exact = std::chrono::duration<long double, std::nano>;
        const long double count = exact(length).count();

        if (count >= static_cast<long double>(MP_FOREVER))
            nanoseconds_ = MP_FOREVER;
        else if (count > 0)
            nanoseconds_ = std::chrono::ceil<std::chrono::nanoseconds>(length).count();
    }

    /* What is left until then, from now. */
    template <class Clock, class Duration>
    timeout(std::chrono::time_point<Clock, Duration> deadline) : timeout(left(deadline, Clock::now()))
    {
    }

    constexpr operator mp_timeout() const noexcept { return nanoseconds_; }

private:
    template <class Then, class Now>
    static timeout left(Then then, Now now)
    {
        /* Neither the difference nor a common unit need fit into an integer. */
        using exact = std::chrono::duration<long double, std::nano>;
        return timeout(exact(then.time_since_epoch()) - exact(now.time_since_epoch()));
    }

    mp_timeout nanoseconds_;
};

inline constexpr timeout forever{MP_FOREVER};
inline constexpr timeout no_wait{MP_NO_WAIT};

/* ---- bytes --------------------------------------------------------------------------------------
 *
 * Bytes that somebody else holds: anything with data() and size() over trivially copyable items. */
class bytes_view {
public:
    constexpr bytes_view() noexcept = default;
    constexpr bytes_view(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}

    template <class Container, class Item = std::remove_pointer_t<decltype(std::data(
                                   std::declval<const Container &>()))>,
              class = std::enable_if_t<std::is_trivially_copyable_v<Item> &&
                                       !std::is_array_v<Container>>>
    constexpr bytes_view(const Container &container) noexcept
        : data_(std::data(container)), size_(std::size(container) * sizeof(Item))
    {
    }
    /* A literal, without the zero at its end. */
    bytes_view(const char *text) noexcept : data_(text), size_(std::char_traits<char>::length(text)) {}

    constexpr const void *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    /* A copy, as text. */
    std::string str() const { return size_ == 0 ? std::string() : std::string(static_cast<const char *>(data_), size_); }
#if __cplusplus >= 202002L
    operator std::span<const std::byte>() const noexcept
    {
        return {static_cast<const std::byte *>(data_), size_};
    }
#endif

private:
    const void *data_ = nullptr;
    std::size_t size_ = 0;
};

/* ---- handles ------------------------------------------------------------------------------------
 *
 * Each noun of mp.hpp holds one handle of mp.h, moves, and frees it. native() gives the handle for
 * calls of mp.h; mp::queue<int> q(mp::adopt(handle)) takes one over, mp::borrow(handle) uses one
 * that somebody else frees. A noun that was moved from has none, and its calls fail with
 * MP_ERR_BAD_HANDLE. */
template <class Native>
struct given_handle {
    Native *handle;
    bool owned;
};
template <class Native>
given_handle<Native> adopt(Native *handle) noexcept
{
    return {handle, true};
}
template <class Native>
given_handle<Native> borrow(Native *handle) noexcept
{
    return {handle, false};
}

namespace detail {

template <class Native, mp_status (*Free)(Native *)>
class handle {
public:
    using native_type = Native;

    explicit handle(given_handle<Native> given) noexcept : native_(given.handle), owned_(given.owned) {}
    handle(handle &&other) noexcept
        : native_(std::exchange(other.native_, nullptr)), owned_(std::exchange(other.owned_, false))
    {
    }
    handle &operator=(handle &&other) noexcept
    {
        handle taken(std::move(other));
        std::swap(native_, taken.native_);
        std::swap(owned_, taken.owned_);
        return *this;
    }
    ~handle()
    {
        if (owned_)
            Free(native_);
    }

    Native *native() const noexcept { return native_; }
    /* The caller frees it from now on. */
    Native *release() noexcept
    {
        owned_ = false;
        return std::exchange(native_, nullptr);
    }
    explicit operator bool() const noexcept { return native_ != nullptr; }

protected:
    bool owned() const noexcept { return owned_; }

private:
    Native *native_;
    bool owned_;
};

inline result<void> outcome(int status)
{
    if (status < 0)
        return error(status);
    return {};
}

inline void check(int status)
{
    if (status < 0)
        throw error(status);
}

/* A call whose last parameter is where its one answer goes. */
template <class Answer, class Call, class... Arguments>
result<Answer> ask(Call call, Arguments... arguments)
{
    Answer answer{};
    const int status = call(arguments..., &answer);

    if (status < 0)
        return error(status);
    return answer;
}

/* A wait whose running out of time is no failure: whether it came to its end. */
inline result<bool> waited(int status, int out_of_time = MP_ERR_TIMEOUT)
{
    if (status == out_of_time)
        return false;
    if (status < 0)
        return error(status);
    return true;
}

/* A constructor's handle. */
template <class Native, class Call, class... Arguments>
given_handle<Native> made(Call call, Arguments... arguments)
{
    Native *native = nullptr;

    check(call(&native, arguments...));
    return adopt(native);
}

/* The same, for make(std::nothrow, ...). */
template <class Noun, class Call, class... Arguments>
result<Noun> try_made(Call call, Arguments... arguments)
{
    typename Noun::native_type *native = nullptr;
    const int status = call(&native, arguments...);

    if (status < 0)
        return error(status);
    return Noun(adopt(native));
}

/* A text for which the call says how much room it needs; it may grow between two calls. */
template <class Call, class... Handle>
result<std::string> text(Call call, Handle... handle)
{
    std::string text(63, '\0');

    for (;;) {
        std::size_t needed = 0;
        const int status = call(handle..., text.data(), text.size() + 1, &needed);

        if (status == MP_ERR_TOO_SMALL && needed > text.size() + 1) {
            text.resize(needed - 1);
            continue;
        }
        if (status < 0)
            return error(status);
        text.resize(std::char_traits<char>::length(text.c_str()));
        return text;
    }
}

/* A predicate that C asks, and what it threw, which ends the asking. */
template <class Predicate>
struct asked {
    Predicate &predicate;
    std::exception_ptr thrown;

    static bool holds(void *user) noexcept
    {
        auto &self = *static_cast<asked *>(user);

        try {
            return static_cast<bool>(self.predicate());
        } catch (...) {
            self.thrown = std::current_exception();
            return true;
        }
    }
};

using buffer = handle<mp_buffer, mp_buffer_free>;

inline bytes_view view(const buffer &from) noexcept
{
    std::size_t size = 0;
    const void *data = mp_buffer_data(from.native(), &size);

    return {data, size};
}

} // namespace detail
} // namespace mp

#endif
