/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Values to bytes and back; bytes that are no such value. */
#include "test.hpp"

#include <limits>
#include <map>

namespace {

struct user {
    std::string name;
    int age;
    bool operator==(const user &other) const { return name == other.name && age == other.age; }
};

struct point {
    double x, y;
    bool operator==(const point &other) const { return x == other.x && y == other.y; }
};

enum class colour : unsigned char { red, green };

std::string bytes_of(const std::function<void(mp::writer &)> &put)
{
    std::vector<unsigned char> bytes;
    mp::writer out(bytes);
    put(out);
    return std::string(bytes.begin(), bytes.end());
}

template <class T>
std::string encoded(const T &value)
{
    return mp::detail::packed(value, [](mp::bytes_view m) { return m.str(); });
}

template <class T>
void there_and_back(const T &value)
{
    const std::string bytes = encoded(value);
    CHECK(mp::detail::unpacked<T>(bytes) == value);

    /* Whatever is missing or too much is found out, but in plain text, of which each length is one. */
    if constexpr (!mp::detail::is_flat<T>::value) {
        for (std::size_t cut = 0; cut < bytes.size(); ++cut)
            CHECK_THROWS(mp::detail::unpacked<T>(mp::bytes_view(bytes.data(), cut)), MP_ERR_INVALID, "message");
        CHECK_THROWS(mp::detail::unpacked<T>(bytes + "x"), MP_ERR_INVALID, "goes on");
    }
}

} // namespace

template <>
struct mp::codec<user> {
    static void encode(mp::writer &out, const user &u)
    {
        out.put(u.name);
        out.put(u.age);
    }
    static user decode(mp::reader &in)
    {
        auto name = in.get<std::string>();
        return {std::move(name), in.get<int>()};
    }
};

TEST(cpp_codec, there_and_back)
{
    there_and_back(7);
    there_and_back(-1.5);
    there_and_back(true);
    there_and_back(colour::green);
    there_and_back(point{1, 2});
    there_and_back(std::string());
    there_and_back(std::string("a\0b", 3));
    there_and_back(std::u16string(u"h\u00e9"));
    there_and_back(std::vector<int>{1, 2, 3});
    there_and_back(std::vector<bool>{true, false, true});
    there_and_back(std::vector<std::string>{"", "one", "two"});
    there_and_back(std::array<int, 3>{{1, 2, 3}});
    there_and_back(std::array<std::string, 2>{{"a", "b"}});
    there_and_back(std::tuple<int, std::string, double>(1, "x", 2.5));
    there_and_back(std::pair<std::string, point>("p", {3, 4}));
    there_and_back(std::optional<int>());
    there_and_back(std::optional<std::string>("yes"));
    there_and_back(std::array<bool, 2>{{true, false}});
    there_and_back(std::variant<int, double>(2.5));
    there_and_back(std::variant<std::monostate, user, std::string>("text"));
    there_and_back(std::variant<std::monostate, user, std::string>());
    there_and_back(user{"ada", 36});
    there_and_back(std::vector<std::optional<std::pair<user, std::vector<std::vector<int>>>>>{
        std::nullopt, std::pair(user{"bob", 1}, std::vector<std::vector<int>>{{}, {1, 2}})});
    CHECK(mp::detail::unpacked<std::tuple<>>(encoded(std::tuple<>())) == std::tuple<>());
}

TEST(cpp_codec, text_and_numbers_go_as_they_are)
{
    CHECK(encoded(std::string("hello")) == "hello");
    CHECK(encoded(std::vector<char>{'h', 'i'}) == "hi");
    CHECK(encoded(std::int32_t{0x64636261}) == "abcd");
}

TEST(cpp_codec, hostile_lengths_take_no_memory)
{
    const auto huge = [](std::uint64_t n) { return bytes_of([n](mp::writer &out) { out.put(n); }) + "xyz"; };

    for (std::uint64_t n : {std::uint64_t{4}, std::uint64_t{1} << 40, std::numeric_limits<std::uint64_t>::max()}) {
        CHECK_THROWS(mp::detail::unpacked<std::vector<std::string>>(huge(n)), MP_ERR_INVALID, "more items");
        CHECK_THROWS((mp::detail::unpacked<std::pair<std::string, int>>(huge(n))), MP_ERR_INVALID, "more items");
        CHECK_THROWS((mp::detail::unpacked<std::pair<std::vector<point>, int>>(huge(n))), MP_ERR_INVALID, "more items");
    }
    /* Three items are announced and three bytes are there, of which each item would need sixteen. */
    CHECK_THROWS((mp::detail::unpacked<std::pair<std::vector<point>, int>>(huge(3))), MP_ERR_INVALID, "ends");
}

TEST(cpp_codec, only_true_and_false_are_bools)
{
    CHECK_THROWS(mp::detail::unpacked<bool>("\2"), MP_ERR_INVALID, "bool");
    CHECK_THROWS(mp::detail::unpacked<std::optional<int>>("\3abcd"), MP_ERR_INVALID, "bool");
    CHECK_THROWS((mp::detail::unpacked<std::array<bool, 2>>("\1\2")), MP_ERR_INVALID, "bool");
}

TEST(cpp_codec, a_variant_holds_one_of_its_types)
{
    using either = std::variant<int, double>;

    for (std::uint64_t index : {std::uint64_t{2}, std::numeric_limits<std::uint64_t>::max()})
        CHECK_THROWS(mp::detail::unpacked<either>(bytes_of([index](mp::writer &out) { out.put(index); out.put(1.0); })),
                     MP_ERR_INVALID, "none of its types");
    CHECK_THROWS(mp::detail::unpacked<either>(bytes_of([](mp::writer &out) { out.put(std::uint64_t{1}); out.put(1); })),
                 MP_ERR_INVALID, "ends");
}

TEST(cpp_codec, a_codec_may_send_messages_itself)
{
    struct outer {
        static std::string inner() { return encoded(std::pair<std::string, int>("in", 1)); }
    };
    mp::detail::scratch<mp::detail::way::out> taken;

    taken.bytes.assign(3, 'x');
    CHECK(mp::detail::unpacked<int>(outer::inner().substr(10)) == 1);
    CHECK_INT(taken.bytes.size(), 3);
}
