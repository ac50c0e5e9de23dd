/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * How a value becomes bytes that another process understands. */
#ifndef MP_CODEC_HPP
#define MP_CODEC_HPP

#include <mp/base.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <tuple>
#include <vector>

namespace mp {

class writer;
class reader;

/* How a T becomes bytes and is made of them again. Types that are trivially copyable go as they
 * are; std::string, vector, array, tuple, pair, optional and variant of what has a codec go as well.
 * For a type of your own:
 *
 *   template <> struct mp::codec<user> {
 *       static void encode(mp::writer &out, const user &u) { out.put(u.name); out.put(u.age); }
 *       static user decode(mp::reader &in) { auto name = in.get<std::string>(); return {name, in.get<int>()}; }
 *   };
 *
 * Pointers and references inside a trivially copyable type cannot be seen, and mean nothing in
 * another process. */
template <class T, class = void>
struct codec;

/* Where encode puts a value's parts. */
class writer {
public:
    explicit writer(std::vector<unsigned char> &out) noexcept : out_(out) {}

    template <class T>
    void put(const T &value)
    {
        codec<T>::encode(*this, value);
    }
    void bytes(const void *data, std::size_t size)
    {
        const auto *first = static_cast<const unsigned char *>(data);

        if (size != 0)
            out_.insert(out_.end(), first, first + size);
    }

private:
    std::vector<unsigned char> &out_;
};

/* Where decode takes them from, in the same order. What is not there is an mp::error with
 * MP_ERR_INVALID. */
class reader {
public:
    explicit reader(bytes_view in) noexcept
        : next_(static_cast<const unsigned char *>(in.data())), left_(in.size())
    {
    }

    template <class T>
    T get()
    {
        return codec<T>::decode(*this);
    }
    const void *bytes(std::size_t size)
    {
        if (size > left_)
            throw error(MP_ERR_INVALID, "mp::reader: the message ends before its value does");
        left_ -= size;
        return std::exchange(next_, next_ + size);
    }
    /* How many bytes are left. */
    std::size_t left() const noexcept { return left_; }
    /* A number of items that follow, of which each takes a byte or more. */
    std::size_t count()
    {
        const auto n = get<std::uint64_t>();

        if (n > left_)
            throw error(MP_ERR_INVALID, "mp::reader: the message announces more items than it has bytes");
        return static_cast<std::size_t>(n);
    }

private:
    const unsigned char *next_;
    std::size_t left_;
};

namespace detail {

/* Trivially copyable, and still no value that another process could use. */
template <class T>
struct is_view : std::bool_constant<std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                                    std::is_null_pointer_v<T>> {};
template <class C, class Traits>
struct is_view<std::basic_string_view<C, Traits>> : std::true_type {};
template <class T>
struct is_view<std::reference_wrapper<T>> : std::true_type {};
template <class T>
struct is_view<std::initializer_list<T>> : std::true_type {};
template <>
struct is_view<bytes_view> : std::true_type {};
#if __cplusplus >= 202002L
template <class T, std::size_t N>
struct is_view<std::span<T, N>> : std::true_type {};
#endif

/* Goes as its own bytes. */
template <class T>
struct is_raw : std::bool_constant<std::is_trivially_copyable_v<T> && !is_view<T>::value> {};
template <class T, std::size_t N>
struct is_raw<std::array<T, N>>
    : std::bool_constant<std::is_trivially_copyable_v<T> && is_raw<T>::value && !std::is_same_v<T, bool>> {};
template <class T>
struct is_raw<std::optional<T>> : std::false_type {};
template <class... T>
struct is_raw<std::tuple<T...>> : std::false_type {};
template <class A, class B>
struct is_raw<std::pair<A, B>> : std::false_type {};
template <class... T>
struct is_raw<std::variant<T...>> : std::false_type {};
template <class T>
inline constexpr bool raw = is_raw<T>::value;

/* A trivially copyable object out of bytes that need not be aligned for it. */
template <class T>
T load(const void *bytes)
{
    static_assert(std::is_trivially_copyable_v<T>);
    if constexpr (std::is_same_v<T, bool>) {
        unsigned char byte;
        std::memcpy(&byte, bytes, 1);
        if (byte > 1)
            throw error(MP_ERR_INVALID, "mp::reader: a bool that is neither true nor false");
        return byte == 1;
    } else {
        alignas(T) unsigned char room[sizeof(T)];
        std::memcpy(room, bytes, sizeof(T));
        return *std::launder(reinterpret_cast<const T *>(room));
    }
}

} // namespace detail

template <class T, class Enable>
struct codec {
    static_assert(!detail::is_view<T>::value,
                  "mp::codec: pointers, references and views mean nothing in another process: "
                  "send what they point to");
    static_assert(std::is_trivially_copyable_v<T>,
                  "mp::codec: this type is not trivially copyable: give it an mp::codec<T>");

    static void encode(writer &out, const T &value) { out.bytes(std::addressof(value), sizeof value); }
    static T decode(reader &in) { return detail::load<T>(in.bytes(sizeof(T))); }
};

template <class C, class Traits, class Allocator>
struct codec<std::basic_string<C, Traits, Allocator>> {
    static_assert(detail::raw<C>);
    using string = std::basic_string<C, Traits, Allocator>;

    static void encode(writer &out, const string &value)
    {
        out.put(static_cast<std::uint64_t>(value.size()));
        out.bytes(value.data(), value.size() * sizeof(C));
    }
    static string decode(reader &in)
    {
        string value(in.count(), C());
        const void *bytes = in.bytes(value.size() * sizeof(C));

        if (!value.empty())
            std::memcpy(value.data(), bytes, value.size() * sizeof(C));
        return value;
    }
};

template <class T, class Allocator>
struct codec<std::vector<T, Allocator>> {
    static void encode(writer &out, const std::vector<T, Allocator> &value)
    {
        out.put(static_cast<std::uint64_t>(value.size()));
        if constexpr (detail::raw<T> && !std::is_same_v<T, bool>)
            out.bytes(value.data(), value.size() * sizeof(T));
        else
            for (const T &item : value)
                out.put(item);
    }
    static std::vector<T, Allocator> decode(reader &in)
    {
        std::vector<T, Allocator> value;
        std::size_t left = in.count();

        /* An item may be larger in memory than in the message: a few are reserved, the rest comes as
         * it is found. */
        value.reserve((std::min)(left, in.left() / sizeof(T) + 1));
        for (; left != 0; --left)
            value.push_back(in.get<T>());
        return value;
    }
};

template <class T, std::size_t N>
struct codec<std::array<T, N>, std::enable_if_t<!detail::raw<std::array<T, N>>>> {
    static void encode(writer &out, const std::array<T, N> &value)
    {
        for (const T &item : value)
            out.put(item);
    }
    static std::array<T, N> decode(reader &in) { return decode(in, std::make_index_sequence<N>()); }

private:
    template <std::size_t... Index>
    static std::array<T, N> decode(reader &in, std::index_sequence<Index...>)
    {
        return {{(static_cast<void>(Index), in.get<T>())...}};
    }
};

template <class... T>
struct codec<std::tuple<T...>> {
    static void encode([[maybe_unused]] writer &out, const std::tuple<T...> &value)
    {
        std::apply([&out](const T &...item) { (out.put(item), ...); (void)out; }, value);
    }
    /* Braces, for their order. */
    static std::tuple<T...> decode([[maybe_unused]] reader &in) { return std::tuple<T...>{in.get<T>()...}; }
};

template <class A, class B>
struct codec<std::pair<A, B>> {
    static void encode(writer &out, const std::pair<A, B> &value)
    {
        out.put(value.first);
        out.put(value.second);
    }
    static std::pair<A, B> decode(reader &in) { return std::pair<A, B>{in.get<A>(), in.get<B>()}; }
};

template <class T>
struct codec<std::optional<T>> {
    static void encode(writer &out, const std::optional<T> &value)
    {
        out.put(value.has_value());
        if (value)
            out.put(*value);
    }
    static std::optional<T> decode(reader &in)
    {
        if (!in.get<bool>())
            return std::nullopt;
        return in.get<T>();
    }
};

template <class... T>
struct codec<std::variant<T...>> {
    static void encode(writer &out, const std::variant<T...> &value)
    {
        out.put(static_cast<std::uint64_t>(value.index()));
        std::visit([&out](const auto &held) { out.put(held); }, value);
    }
    static std::variant<T...> decode(reader &in)
    {
        return decode(in, in.get<std::uint64_t>(), std::index_sequence_for<T...>());
    }

private:
    template <std::size_t... Index>
    static std::variant<T...> decode(reader &in, std::uint64_t index, std::index_sequence<Index...>)
    {
        std::optional<std::variant<T...>> value;

        static_cast<void>(((index == Index && (value.emplace(std::in_place_index<Index>, in.get<T>()), true)) || ...));
        if (!value)
            throw error(MP_ERR_INVALID, "mp::reader: a variant that holds none of its types");
        return std::move(*value);
    }
};

namespace detail {

/* Memory for messages on their way out or in, kept by each thread so that none is allocated for a
 * message. A codec that sends messages itself finds it taken and has its own. */
enum class way { out, in };
template <way Way>
class scratch {
public:
    scratch() { bytes.swap(kept()); }
    ~scratch()
    {
        if (bytes.capacity() <= most)
            bytes.swap(kept());
    }
    scratch(const scratch &) = delete;
    scratch &operator=(const scratch &) = delete;

    std::vector<unsigned char> bytes;

private:
    static constexpr std::size_t most = 1 << 20;
    static std::vector<unsigned char> &kept()
    {
        static thread_local std::vector<unsigned char> kept;
        return kept;
    }
};

/* A message that is text, or items that go as they are, has no count in front: programs in C and
 * in other languages read it as it is. */
template <class T>
struct is_flat : std::false_type {};
template <class C, class Traits, class Allocator>
struct is_flat<std::basic_string<C, Traits, Allocator>> : std::true_type {};
template <class T, class Allocator>
struct is_flat<std::vector<T, Allocator>>
    : std::bool_constant<raw<T> && !std::is_same_v<T, bool> && std::is_default_constructible_v<T>> {};

/* Calls use with a message's bytes. */
template <class T, class Use>
auto packed(const T &value, Use use)
{
    if constexpr (raw<T>) {
        /* Asks for the codec's say in whether it may be sent. */
        static_assert(sizeof(codec<T>) > 0);
        return use(bytes_view(std::addressof(value), sizeof value));
    } else if constexpr (is_flat<T>::value) {
        return use(bytes_view(value));
    } else {
        scratch<way::out> room;
        room.bytes.clear();
        writer(room.bytes).put(value);
        return use(bytes_view(room.bytes));
    }
}

template <class T>
T unpacked(bytes_view message)
{
    if constexpr (is_flat<T>::value) {
        using item = typename T::value_type;
        if (message.size() % sizeof(item) != 0)
            throw error(MP_ERR_INVALID, "mp::reader: the message is no whole number of items");
        T value(message.size() / sizeof(item), item());
        if (!value.empty())
            std::memcpy(value.data(), message.data(), message.size());
        return value;
    } else {
        reader in(message);
        T value = in.template get<T>();
        if (in.left() != 0)
            throw error(MP_ERR_INVALID, "mp::reader: the message goes on behind its value");
        return value;
    }
}

/* The same for a call that does not throw what the message is to blame for. */
template <class T>
result<T> try_unpacked(bytes_view message)
{
    try {
        return unpacked<T>(message);
    } catch (const error &e) {
        return e;
    }
}

/* What an argument or an item goes as: literals and views as the text that they are. */
template <class T>
struct sent_as {
    using type = T;
};
template <>
struct sent_as<const char *> {
    using type = std::string;
};
template <>
struct sent_as<char *> {
    using type = std::string;
};
template <>
struct sent_as<std::string_view> {
    using type = std::string;
};
template <class T>
using sent_as_t = typename sent_as<std::decay_t<T>>::type;

} // namespace detail
} // namespace mp

#endif
