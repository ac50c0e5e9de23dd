/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Values, arrays, memory and lists that processes share. */
#include "test.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <numeric>

namespace {

struct sample {
    double x;
    int n;
};

template <class T>
void whole_numbers()
{
    mp::value<T> v(5);
    T expected = 4;

    CHECK_INT(v.fetch_add(2), 5);
    CHECK_INT(v.fetch_sub(1), 7);
    CHECK_INT(v.fetch_and(3), 6);
    CHECK_INT(v.fetch_or(5), 2);
    CHECK_INT(v.fetch_xor(2), 7);
    CHECK_INT(v.fetch_min(3), 5);
    CHECK_INT(v.fetch_max(9), 3);
    CHECK_INT(v.exchange(6), 9);
    CHECK(!v.compare_exchange(expected, 1));
    CHECK_INT(expected, 6);
    CHECK(v.compare_exchange(expected, std::numeric_limits<T>::max()));
    CHECK(v.load() == std::numeric_limits<T>::max());
    v = std::numeric_limits<T>::min();
    CHECK(v == std::numeric_limits<T>::min());
    v = std::numeric_limits<T>::max();
    CHECK(++v == std::numeric_limits<T>::min());
    CHECK(--v == std::numeric_limits<T>::max());
    v.store(1);
    CHECK_INT(++v, 2);
    CHECK_INT(v++, 2);
    CHECK_INT(--v, 2);
    CHECK_INT(v--, 2);
    CHECK_INT(v += 4, 5);

    mp::array<T> a{1, 2, 3};
    CHECK_INT(a.fetch_add(1, 2), 2);
    CHECK_INT(a.fetch_sub(1, 1), 4);
    CHECK_INT(a.fetch_and(0, 3), 1);
    CHECK_INT(a.fetch_or(0, 4), 1);
    CHECK_INT(a.fetch_xor(0, 1), 5);
    CHECK_INT(a.fetch_min(0, 2), 4);
    CHECK_INT(a.fetch_max(0, 8), 2);
    CHECK_INT(a.exchange(2, 7), 3);
    expected = 7;
    CHECK(a.compare_exchange(2, expected, 9));
    a.store(1, std::numeric_limits<T>::max());
    CHECK(a.load(1) == std::numeric_limits<T>::max() && a[0] == 8 && a[2] == 9);
    CHECK_THROWS(a.load(3), MP_ERR_INVALID, "mp_array_get_int");
}

} // namespace

TEST(cpp_value, numbers_of_all_types)
{
    whole_numbers<signed char>();
    whole_numbers<unsigned char>();
    whole_numbers<short>();
    whole_numbers<unsigned short>();
    whole_numbers<int>();
    whole_numbers<unsigned>();
    whole_numbers<long>();
    whole_numbers<unsigned long>();
    whole_numbers<long long>();

    mp::value<double> d(1.5);
    CHECK(d.fetch_add(1) == 1.5 && d == 2.5);
    mp::value<float> f;
    f = 0.25f;
    CHECK(f.load() == 0.25f && f.copy() == 0.25f);
    mp::value<bool> b(true);
    CHECK(b.load());
    mp::array<double> reals(2);
    CHECK(reals.fetch_add(1, 0.5) == 0 && reals.load(1) == 0.5);
    reals.store(0, 3);
    CHECK(reals[0] == 3);
}

TEST(cpp_value, counts_between_processes)
{
    mp::value<int> atomic;
    mp::value<sample> guarded(sample{0, 0});
    {
        const auto count = [](mp::value<int> &atomic, mp::value<sample> &guarded) {
            for (int i = 0; i < 500; ++i) {
                ++atomic;
                std::scoped_lock hold(guarded);
                guarded->n += 1;
                (*guarded).x += 0.5;
            }
        };
        mp::process a(count, atomic, guarded), b(count, atomic, guarded);
    }
    CHECK_INT(atomic, 1000);
    CHECK_INT(guarded.load().n, 1000);
    CHECK(guarded.load().x == 500);

    guarded.get_recursive_mutex().lock();
    CHECK(guarded.locked());
    guarded.unlock();
    mp::mutex other;
    mp::value_options with;
    with.lock = other.native();
    const mp::value<int> locked(1, with);
    std::scoped_lock hold(other);
    CHECK(locked.locked() && locked.get_mutex().locked());
    CHECK_THROWS(locked.get_recursive_mutex(), MP_ERR_STATE, "mp_value_get_rlock");

    mp::value_options raw;
    raw.raw = true;
    mp::value<int> without(1, raw);
    CHECK_THROWS(without.lock(), MP_ERR_STATE, "mp_value_acquire");
}

TEST(cpp_array, ranges)
{
    mp::array<int> numbers(5);
    std::iota(numbers.begin(), numbers.end(), 1);
    mp::process([](mp::array<int> &a) {
        std::scoped_lock hold(a);
        for (int &n : a)
            n = -n;
    }, numbers).join();

    CHECK_INT(std::accumulate(numbers.begin(), numbers.end(), 0), -15);
    CHECK(numbers.read(1, 2) == (std::vector{-2, -3}));
    CHECK_THROWS(numbers.read(4, 2), MP_ERR_INVALID, "no such items");
    CHECK_THROWS(numbers.read(2, SIZE_MAX), MP_ERR_INVALID, "no such items");
    numbers.write(3, std::vector{7, 8});
    CHECK(numbers[3] == 7 && numbers.size() == 5 && numbers.copy()[4] == 8);
    CHECK_THROWS(numbers.write(4, std::vector{1, 2}), MP_ERR_INVALID, "mp_array_write");
#if __cplusplus >= 202002L
    const std::span<int> all = numbers;
    CHECK(all.size() == 5 && all.data() == numbers.data());
    static_assert(std::ranges::contiguous_range<mp::array<int>>);
#endif
    CHECK(!numbers.get_recursive_mutex().locked());
    CHECK_THROWS(numbers.get_mutex(), MP_ERR_STATE, "mp_array_get_lock");
    mp::array<char> text(10);
    text.text("hello");
    CHECK(text.text() == "hello");
    CHECK_THROWS(text.text("far too long a text"), MP_ERR_INVALID, "mp_array_set_string");
    mp::array<sample> samples(std::vector<sample>{{1, 2}, {3, 4}});
    CHECK(samples[1].x == 3 && samples.size() == 2);
    CHECK_INT(mp::array<int>::make(std::nothrow, SIZE_MAX).status(), MP_ERR_NO_MEMORY);

    /* One that was moved from is empty. */
    mp::array<int> moved = std::move(numbers);
    CHECK_INT(moved.size(), 5);
}

TEST(cpp_shared_memory, bytes)
{
    mp::shared_memory memory(1000);
    mp::process([](mp::shared_memory &m) { std::memcpy(m.data(), "written", 8); }, memory).join();
    CHECK(std::strcmp(static_cast<const char *>(memory.data()), "written") == 0);
    CHECK_INT(memory.size(), 1000);
#if __cplusplus >= 202002L
    CHECK_INT(std::span<std::byte>(memory).size(), 1000);
#endif
}

TEST(cpp_shareable_list, mixed_items)
{
    const mp::byte_string bytes{std::byte{1}, std::byte{2}};
    mp::shareable_list list({1, 2.5, true, "text", bytes, nullptr, std::string(100, 'l')});

    CHECK_INT(list.size(), 7);
    CHECK(list[0] == mp::item(std::int64_t{1}) && list[1] == mp::item(2.5) && list[2] == mp::item(true));
    CHECK(std::get<std::string>(list.get(3)) == "text" && std::get<mp::byte_string>(list[4]) == bytes);
    CHECK(list[5] == mp::item() && std::get<std::string>(list[6]).size() == 100);
    mp::process([](mp::shareable_list &l) { l.set(0, l[3]); }, list).join();
    CHECK_INT(list.count("text"), 2);
    CHECK_INT(list.index("text", 1), 3);
    CHECK_THROWS(list.index("none"), MP_ERR_INVALID, "mp_shareable_list_index");
    CHECK_THROWS(list.get(7), MP_ERR_INVALID, "mp_shareable_list_get");
    CHECK(list.format(1) == "d");
    mp::shared_memory memory = list.memory();
    CHECK(std::get<std::string>(mp::shareable_list(memory).get(0)) == "text");
}
