/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What values and arrays have in common: types, and atomic operations. */
#ifndef MP_NUMBER_HPP
#define MP_NUMBER_HPP

#include <mp/codec.hpp>
#include <mp/sync.hpp>

namespace mp {

namespace detail {

template <class T>
inline constexpr bool is_whole = std::is_integral_v<T> && !std::is_same_v<T, bool>;
template <class T>
inline constexpr bool is_real = std::is_same_v<T, double> || std::is_same_v<T, float>;

/* mp.h's number for a type; 0 for a struct. */
template <class T>
constexpr int type_number()
{
    if constexpr (std::is_same_v<T, double>)
        return MP_DOUBLE;
    else if constexpr (std::is_same_v<T, float>)
        return MP_FLOAT;
    else if constexpr (is_whole<T> && sizeof(T) == 1)
        return std::is_signed_v<T> ? MP_INT8 : MP_UINT8;
    else if constexpr (is_whole<T> && sizeof(T) == 2)
        return std::is_signed_v<T> ? MP_INT16 : MP_UINT16;
    else if constexpr (is_whole<T> && sizeof(T) == 4)
        return std::is_signed_v<T> ? MP_INT32 : MP_UINT32;
    else if constexpr (is_whole<T> && sizeof(T) == 8)
        return std::is_signed_v<T> ? MP_INT64 : MP_UINT64;
    else
        return 0;
}

/* What an atomic addition has made of a number: integers begin again at their end. */
template <class T>
T sum(T before, T by) noexcept
{
    if constexpr (is_whole<T>)
        return static_cast<T>(static_cast<std::uint64_t>(before) + static_cast<std::uint64_t>(by));
    else
        return static_cast<T>(before + by);
}

/* A handle that a call hands out by its last parameter. */
template <class Native, class Call, class From>
given_handle<Native> handed(Call call, const From *from)
{
    Native *native = nullptr;

    check(call(from, &native));
    return adopt(native);
}

template <class T>
constexpr void check_shareable()
{
    static_assert(raw<T>, "mp: only what is trivially copyable, and no pointer or view, can lie in shared memory");
    static_assert(alignof(T) <= 64, "mp: shared memory is aligned to 64 bytes at most");
}

/* The atomic operations, of a value or of an array's item: where is the handle, and the index. */
template <class T, class Call, class... Where>
result<T> changed(Call call, T by, Where... where)
{
    std::int64_t before = 0;
    const int status = call(where..., static_cast<std::int64_t>(by), &before);

    if (status < 0)
        return error(status);
    return static_cast<T>(before);
}
template <class T, class Call, class... Where>
result<T> changed_real(Call call, T by, Where... where)
{
    double before = 0;
    const int status = call(where..., static_cast<double>(by), &before);

    if (status < 0)
        return error(status);
    return static_cast<T>(before);
}
template <class T, class Call, class... Where>
result<bool> exchanged(Call call, T &expected, T desired, Where... where)
{
    auto wanted = static_cast<std::int64_t>(expected);
    bool done = false;
    const int status = call(where..., &wanted, static_cast<std::int64_t>(desired), &done);

    if (status < 0)
        return error(status);
    expected = static_cast<T>(wanted);
    return done;
}

} // namespace detail

} // namespace mp

#endif
