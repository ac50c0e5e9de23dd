/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What lists and managers hold: None, integers, doubles, truth values, text, bytes. */
#ifndef MP_ITEM_HPP
#define MP_ITEM_HPP

#include <mp/codec.hpp>

namespace mp {

using byte_string = std::vector<std::byte>;

/* An item that was read. One that is a manager's object is a monostate here: mp::answer::proxy reads it. */
using item = std::variant<std::monostate, std::int64_t, double, bool, std::string, byte_string>;

/* An item on its way in: made of any of these, and no copy. */
class item_view {
public:
    item_view() noexcept : item_(mp_item_none()) {}
    item_view(std::nullptr_t) noexcept : item_(mp_item_none()) {}
    /* An integer that is greater than 64 bits with a sign can be is an mp::error with MP_ERR_INVALID. */
    template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
    item_view(T number) : item_(of(number))
    {
    }
    item_view(const char *text) noexcept : item_view(std::string_view(text)) {}
    item_view(const std::string &text) noexcept : item_view(std::string_view(text)) {}
    item_view(std::string_view text) noexcept : item_(mp_item_none())
    {
        item_.kind = MP_ITEM_TEXT;
        item_.data = text.data();
        item_.data_size = text.size();
    }
    item_view(bytes_view bytes) noexcept : item_(mp_item_bytes(bytes.data(), bytes.size())) {}
    item_view(const byte_string &bytes) noexcept : item_view(bytes_view(bytes)) {}
    item_view(const item &from) noexcept
        : item_view(std::visit([](const auto &value) { return item_view(value); }, from))
    {
    }
    /* A managed object. */
    template <class Proxy, class = std::enable_if_t<std::is_same_v<typename Proxy::native_type, mp_proxy>>, class = void>
    item_view(const Proxy &proxy) noexcept : item_(mp_item_proxy(proxy.native()))
    {
    }
    item_view(std::monostate) noexcept : item_view() {}
    explicit item_view(const mp_item &native) noexcept : item_(native) {}

    const mp_item &native() const noexcept { return item_; }

private:
    template <class T>
    static mp_item of(T number)
    {
        if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t))
            if (number > static_cast<std::uint64_t>(INT64_MAX))
                throw error(MP_ERR_INVALID, "mp::item_view: an integer that is greater than INT64_MAX");
        if constexpr (std::is_same_v<T, bool>)
            return mp_item_bool(number);
        else if constexpr (std::is_floating_point_v<T>)
            return mp_item_double(static_cast<double>(number));
        else
            return mp_item_int(static_cast<std::int64_t>(number));
    }

    mp_item item_;
};

namespace detail {

inline item owned(const mp_item &from)
{
    const auto *bytes = static_cast<const std::byte *>(from.data);

    switch (from.kind) {
    case MP_ITEM_INT:
        return from.integer;
    case MP_ITEM_DOUBLE:
        return from.number;
    case MP_ITEM_BOOL:
        return from.boolean;
    case MP_ITEM_TEXT:
        return bytes_view(from.data, from.data_size).str();
    case MP_ITEM_BYTES:
        return from.data_size == 0 ? byte_string() : byte_string(bytes, bytes + from.data_size);
    default:
        return std::monostate();
    }
}

inline std::vector<mp_item> natives(const item_view *items, std::size_t count)
{
    std::vector<mp_item> natives;

    natives.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        natives.push_back(items[i].native());
    return natives;
}

} // namespace detail
} // namespace mp

#endif
