/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Functions in other processes. */
#include "test.hpp"

#include <csignal>
#include <unistd.h>

namespace {

int sum_of(const std::vector<int> &numbers)
{
    int sum = 0;
    for (int n : numbers)
        sum += n;
    return sum;
}

struct adder {
    int by;
    int operator()(int n) { return n + by++; }
};

} // namespace

TEST(cpp_process, captures_and_arguments)
{
    int factor = 3;
    double shift = 0.5;
    std::array<char, 4> text{{'a', 'b', 'c', 0}};
    mp::process p(
        [factor, shift, text](const std::string &s, std::vector<std::string> more, std::optional<int> none, bool yes) {
            return std::tuple(s + text.data(), factor * shift, more.size(), none.has_value(), yes);
        },
        "literal", std::vector<std::string>{"x", "y"}, std::optional<int>(), true);

    const auto got = p.returned<std::tuple<std::string, double, std::size_t, bool, bool>>();
    CHECK(got == std::tuple(std::string("literalabc"), 1.5, std::size_t{2}, false, true));
    CHECK_INT(p.exitcode(), 0);
    /* As often as one likes; and as another type it is an error. */
    CHECK_INT(std::get<2>(p.returned<std::tuple<std::string, double, std::size_t, bool, bool>>()), 2);
    CHECK_THROWS(p.returned<int>(), MP_ERR_INVALID, "message");
}

TEST(cpp_process, functions_of_all_kinds)
{
    CHECK_INT(mp::process(sum_of, std::vector<int>{1, 2, 3}).returned<int>(), 6);
    CHECK_INT(mp::process(mp::fn<sum_of>, std::vector<int>{4}).returned<int>(), 4);
    CHECK_INT(mp::process(adder{10}, 5).returned<int>(), 15);
    CHECK_INT(mp::process([n = 1]() mutable { return ++n; }).returned<int>(), 2);
    /* A function of a library's has no place in this module. */
    CHECK_THROWS(mp::process(::getppid), MP_ERR_UNKNOWN_TARGET, "mp::fn");
    CHECK_INT(mp::process(mp::fn<::getpid>).returned<int>() > 1, 1);
}

TEST(cpp_process, exit_codes)
{
    mp::process three([] { return mp::exit_code{3}; }), none([] {});

    CHECK(three.join() && none.join());
    CHECK_INT(three.exitcode(), 3);
    CHECK_INT(none.exitcode(), 0);
    CHECK_THROWS(none.returned<int>(), MP_ERR_EMPTY, "mp_process_result");
}

TEST(cpp_process, exceptions_are_told)
{
    mp::process_options quiet;
    quiet.stderr_fd = MP_STREAM_NULL;
    mp::process a(quiet, [](int n) -> int { throw std::runtime_error("no " + std::to_string(n)); }, 7);
    mp::process b(quiet, [] { throw 5; });

    CHECK_THROWS(a.returned<int>(), MP_ERR_TASK_FAILED, "no 7");
    CHECK_INT(a.exitcode(), 1);
    CHECK_THROWS(b.returned<int>(), MP_ERR_TASK_FAILED, "no std::exception");
    CHECK_INT(b.exitcode(), 1);
}

TEST(cpp_process, the_destructor_joins)
{
    mp::event go, done;
    {
        mp::process p([](mp::event &go, mp::event &done) { if (go.wait()) done.set(); }, go, done);
        mp::process q = std::move(p);
        CHECK(!p && q.is_alive());
        mp::process &same = q;
        q = std::move(same);
        CHECK(q && q.is_alive());
        go.set();
    }
    CHECK(done.is_set());
    {
        /* A daemon would wait for ever, and is terminated. */
        mp::process_options daemon;
        daemon.daemon = MP_DAEMON_YES;
        mp::event never;
        mp::process p(daemon, [](mp::event &e) { e.wait(); }, never);
        CHECK(p.daemon());
    }
}

TEST(cpp_process, control)
{
    mp::event never;
    mp::process_options options;
    options.name = "sleeper";
    mp::process p = mp::process::prepare(options, [](mp::event &e) { e.wait(); }, never);

    CHECK(p.name() == "sleeper" && !p.daemon());
    p.name("renamed");
    CHECK_INT(p.pid(std::nothrow).status(), MP_ERR_STATE);
    p.start();
    CHECK_THROWS(p.start(), MP_ERR_STATE, "mp_process_start");
    CHECK(p.is_alive() && p.pid() > 1 && !p.join(1ms));
    CHECK_INT(mp::active_children().size(), 1);
    CHECK_INT(mp::active_children().at(0).pid(), p.pid());
    CHECK(p.sentinel() >= 0);
    p.kill();
    CHECK(p.join());
    CHECK_INT(p.exitcode(), -SIGKILL);
    CHECK(p.describe().find("SIGKILL") != std::string::npos);
    CHECK(mp::active_children().empty());

    mp::process q([](mp::event &e) { e.wait(); }, never);
    q.terminate();
    CHECK(q.join());
    CHECK_INT(q.exitcode(), -SIGTERM);
    mp::process r([](mp::event &e) { e.wait(); }, never);
    r.signal(SIGUSR1);
    CHECK(r.join());
    CHECK_INT(r.exitcode(), -SIGUSR1);
    CHECK_THROWS(r.signal(100), MP_ERR_INVALID, "mp_process_signal");
}

TEST(cpp_process, again_and_in_place)
{
    mp::process_options options;
    options.keep_arguments = true;
    mp::process p = mp::process::prepare(options, [](int n) { return n + 1; }, 1);

    CHECK_INT(p.run(), 0);
    CHECK_INT(p.returned<int>(), 2);
    mp::process q = p.again();
    q.start();
    CHECK_INT(q.returned<int>(), 2);
}

TEST(cpp_process, family)
{
    CHECK(mp::is_main_process() || mp::parent_process());
    const int parent = mp::current_process().pid();
    mp::process p([] { return std::pair(mp::parent_process().pid(), mp::is_main_process()); });

    CHECK(p.returned<std::pair<int, bool>>() == std::pair(parent, false));
    mp::authkey("secret key");
    CHECK(mp::authkey() == "secret key");
    CHECK(mp::process([] { return mp::authkey(); }).returned<std::string>() == "secret key");
    mp::authkey(std::string(100, 'k'));
    CHECK_INT(mp::authkey().size(), 100);
}

TEST(cpp_process, a_killed_child_leaves_no_result)
{
    mp::process p([] { raise(SIGKILL); return 1; });
    CHECK_THROWS(p.returned<int>(), MP_ERR_EMPTY, "mp_process_result");
    CHECK_INT(p.exitcode(), -SIGKILL);
}
