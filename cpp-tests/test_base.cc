/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Errors, results, timeouts, handles. */
#include "test.hpp"

#include <limits>

TEST(cpp_base, errors_are_thrown_or_returned)
{
    mp::mutex free_one;

    CHECK_THROWS(free_one.unlock(), MP_ERR_OVER_RELEASE, "mp_lock_release");
    const mp::result<void> released = free_one.unlock(std::nothrow);
    CHECK(!released);
    CHECK_INT(released.status(), MP_ERR_OVER_RELEASE);
    CHECK(std::string(released.error().name()) == "MP_ERR_OVER_RELEASE");
    CHECK_THROWS(released.value(), MP_ERR_OVER_RELEASE, "mp_lock_release");

    const mp::result<bool> locked = free_one.locked(std::nothrow);
    CHECK(locked && !*locked);
    CHECK_INT(locked.status(), MP_OK);
    CHECK(mp::result<std::string>("a")->size() == 1);
    CHECK(mp::result<int>(mp::error(MP_ERR_EMPTY, "nothing")).value_or(5) == 5);

    mp::mutex_options absurd;
    absurd.name = "no/name";
    CHECK_THROWS(mp::mutex{absurd}, MP_ERR_INVALID, "mp_lock_new");
    CHECK_INT(mp::mutex::make(std::nothrow, absurd).status(), MP_ERR_INVALID);
    CHECK(mp::mutex::make(std::nothrow).value().try_lock());
}

TEST(cpp_base, timeouts_round_up_and_have_ends)
{
    using mp::timeout;

    CHECK_INT(mp_timeout(timeout(2s)), 2000000000);
    CHECK_INT(mp_timeout(timeout(1ns)), 1);
    CHECK_INT(mp_timeout(timeout(std::chrono::duration<double>(0.5))), 500000000);
    CHECK_INT(mp_timeout(timeout(std::chrono::duration<double, std::nano>(0.1))), 1);
    CHECK_INT(mp_timeout(timeout(-5s)), 0);
    CHECK_INT(mp_timeout(timeout(std::chrono::hours::max())), MP_FOREVER);
    CHECK_INT(mp_timeout(timeout(std::chrono::hours::min())), 0);
    CHECK_INT(mp_timeout(timeout(std::chrono::nanoseconds::max())), MP_FOREVER);
    CHECK_INT(mp_timeout(timeout(std::chrono::duration<double>(std::numeric_limits<double>::infinity()))), MP_FOREVER);
    CHECK_INT(mp_timeout(timeout(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()))), 0);
    CHECK_INT(mp_timeout(timeout(std::chrono::steady_clock::now() - 1s)), 0);
    CHECK_INT(mp_timeout(timeout(std::chrono::steady_clock::time_point::min())), 0);
    /* A clock whose unit is coarser than now's: no difference of the two fits into 64 bits. */
    using hours = std::chrono::time_point<std::chrono::steady_clock, std::chrono::hours>;
    CHECK_INT(mp_timeout(timeout(hours::max())), MP_FOREVER);
    CHECK_INT(mp_timeout(timeout(hours::min())), 0);
    const mp_timeout hour = timeout(std::chrono::system_clock::now() + 1h);
    CHECK(hour > MP_SEC(3000) && hour <= MP_SEC(3600));
    static_assert(mp_timeout(timeout(1us)) == 1000);
}

TEST(cpp_base, handles_move)
{
    mp::event first;
    mp_event *native = first.native();
    mp::event second(std::move(first));

    CHECK(!first && second.native() == native);
    CHECK_THROWS(first.set(), MP_ERR_BAD_HANDLE, "mp_event_set");
    second.set();
    first = std::move(second);
    CHECK(first.is_set());
    first = mp::event();
    CHECK(!first.is_set());
    /* The old one was freed. */
    CHECK_STATUS(mp_event_set(native), MP_ERR_BAD_HANDLE);

    /* Onto itself, by whatever way. */
    mp::event &same = first;
    first = std::move(same);
    std::swap(first, same);
    CHECK(!first.is_set());

    mp_event *released = first.release();
    CHECK(!first);
    {
        mp::event borrowed(mp::borrow(released));
        borrowed.set();
    }
    CHECK(mp::event(mp::adopt(released)).is_set());
    CHECK_STATUS(mp_event_set(released), MP_ERR_BAD_HANDLE);
}

TEST(cpp_base, texts_of_any_length)
{
    std::string name(200, 'n');
    mp::process_options options;
    options.name = name.c_str();
    const mp::process p = mp::process::prepare(options, [] {});

    CHECK(p.describe().find(name) != std::string::npos);
    CHECK(p.name() == name);
    CHECK(mp::mutex().describe() == "<Lock(owner=None)>");
    CHECK_INT(mp::event(mp::borrow<mp_event>(nullptr)).describe(std::nothrow).status(), MP_ERR_BAD_HANDLE);
}
