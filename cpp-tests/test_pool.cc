/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools over ranges. */
#include "test.hpp"

#include <atomic>
#include <csignal>
#include <list>
#include <numeric>
#include <set>
#include <sstream>
/* Views of libstdc++ are more than an older clang understands. */
#if __cplusplus >= 202002L && (!defined(__clang__) || __clang_major__ >= 16)
#define VIEWS 1
#include <ranges>
#endif

namespace {

int cube(int n) { return n * n * n; }
std::string shout(const std::string &s) { return s + "!"; }

struct pixel {
    float r, g, b;
};

struct alignas(64) wide {
    int n;
};

/* Can be read once. */
struct stream {
    std::istringstream text{"1 2 3"};
    std::istream_iterator<int> begin() { return std::istream_iterator<int>(text); }
    std::istream_iterator<int> end() { return std::istream_iterator<int>(); }
};


/* Set by initializers. */
int greeting = 0;

std::vector<int> numbers(int n)
{
    std::vector<int> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

} // namespace

TEST(cpp_pool, maps_over_ranges)
{
    mp::pool pool(2);
    int k = 10;
    const std::array<int, 3> array{{1, 2, 3}};
    const int plain[] = {1, 2, 3};

    CHECK_INT(pool.workers(), 2);
    CHECK(pool.map([](int x) { return x * x; }, std::vector{1, 2, 3}) == (std::vector{1, 4, 9}));
    CHECK(pool.map([k](int x) { return x * k; }, array) == (std::vector{10, 20, 30}));
    CHECK(pool.map(cube, plain) == (std::vector{1, 8, 27}));
    CHECK(pool.map(mp::fn<cube>, std::list{1, 2}) == (std::vector{1, 8}));
    CHECK(pool.map(shout, std::vector<std::string>{"a", "", "c"}) == (std::vector<std::string>{"a!", "!", "c!"}));
    CHECK(pool.map([k](const std::string &s) { return static_cast<int>(s.size()) + k; },
                   std::vector<const char *>{"a", "bbb"}) == (std::vector{11, 13}));
    CHECK(pool.map([](int x) { return x > 1; }, array) == (std::vector<bool>{false, true, true}));
    CHECK(pool.map([](bool b) { return !b; }, std::vector<bool>{true, false}) == (std::vector<bool>{false, true}));
    CHECK(pool.map([](int x) { return std::to_string(x); }, std::set<int>{2, 1}) == (std::vector<std::string>{"1", "2"}));
    CHECK(pool.map([](pixel p) { return p.r + p.g; }, std::vector<pixel>{{1, 2, 3}}) == (std::vector<float>{3}));
    CHECK(pool.map([k](const wide &w) { return wide{w.n + k}; }, std::vector<wide>{{1}}).at(0).n == 11);
    CHECK(pool.map([](int x) { return std::optional<int>(x); }, array).at(2) == 3);
    CHECK(pool.map([](double x) { return x; }, std::vector<int>()).empty());
    CHECK(pool.starmap([](int a, std::string b) { return b + std::to_string(a); },
                       std::vector<std::pair<int, std::string>>{{1, "x"}}) == (std::vector<std::string>{"x1"}));
    CHECK(pool.starmap(cube, std::vector<std::tuple<int>>{{2}}) == (std::vector{8}));
    pool.map([](int) {}, array);
    pool.map([](const std::string &) {}, std::vector<std::string>{"a"});
}

TEST(cpp_pool, ranges_that_are_read_once)
{
    mp::pool pool(2);
    int k = 10;
    const auto capturing = [k](int x) { return x * k; };

    CHECK(pool.map(cube, stream()) == (std::vector{1, 8, 27}));
    CHECK(pool.map(capturing, stream()) == (std::vector{10, 20, 30}));
    CHECK(pool.map([](int x) { return std::to_string(x); }, stream()) == (std::vector<std::string>{"1", "2", "3"}));
    CHECK(pool.map_async(capturing, stream()).get() == (std::vector{10, 20, 30}));
    /* It is kept, as it has no name. */
    auto lazy = pool.map_lazily(capturing, stream());
    CHECK_INT(lazy.next().value(), 10);
    CHECK_INT(lazy.next().value(), 20);
    auto words = pool.map_lazily(shout, std::vector<std::string>{"a", "b"});
    CHECK(words.next() == "a!");

    auto moved = std::move(words);
    CHECK_THROWS(words.next(), MP_ERR_BAD_HANDLE, "mp_imap_next");
    CHECK(moved.next() == "b!");

#ifdef VIEWS
    const auto odd = [](int x) { return x % 2 == 1; };
    std::istringstream text("1 2 3");
    CHECK(pool.map(cube, numbers(4) | std::views::filter(odd)) == (std::vector{1, 27}));
    CHECK(pool.map(capturing, std::views::iota(1) | std::views::take(2)) == (std::vector{10, 20}));
    CHECK(pool.map(capturing, std::views::istream<int>(text)) == (std::vector{10, 20, 30}));
#endif
}

TEST(cpp_pool, captures_of_any_alignment_and_size)
{
    mp::pool pool(2);
    const wide w{5};
    std::array<char, 65536> large{};
    const auto aligned = [w](int x) {
        return reinterpret_cast<std::uintptr_t>(&w) % alignof(wide) == 0 ? x + w.n : -1;
    };

    large.back() = 7;
    static_assert(!mp::detail::whole_inputs<decltype(aligned), int>, "a task's input is aligned to 16 bytes");
    CHECK(pool.map(aligned, std::vector{1, 2, 3}) == (std::vector{6, 7, 8}));
    CHECK_INT(pool.apply(aligned, 1), 6);
    CHECK_INT(pool.map_lazily(aligned, std::vector{1}).next().value(), 6);
    CHECK(pool.map([large](int x) { return x + large.back(); }, std::vector{1, 2}) == (std::vector{8, 9}));
}

TEST(cpp_pool, exceptions_fail_their_item)
{
    mp::pool pool(2);
    const auto fails = [](int n) {
        if (n == 1)
            throw std::runtime_error("not one");
        return n;
    };

    CHECK_THROWS(pool.map(fails, numbers(3)), MP_ERR_TASK_FAILED, "item 1: not one");
    CHECK_THROWS(pool.map([](int) { throw 5; }, numbers(1)), MP_ERR_TASK_FAILED, "no std::exception");
    CHECK_THROWS(pool.apply([]() -> int { throw std::logic_error("why"); }), MP_ERR_TASK_FAILED, "why");
    CHECK_INT(pool.map(std::nothrow, fails, numbers(3)).status(), MP_ERR_TASK_FAILED);

    mp::map_options all;
    std::vector<mp_status> statuses(3);
    all.run_all = true;
    all.statuses = statuses.data();
    CHECK_INT(pool.map(std::nothrow, fails, numbers(3), all).status(), MP_ERR_TASK_FAILED);
    CHECK(statuses == (std::vector{MP_OK, MP_ERR_TASK_FAILED, MP_OK}));
    CHECK(pool.map(fails, std::vector{4}) == std::vector{4});
}

TEST(cpp_pool, a_dead_worker_fails_its_item)
{
    mp::pool pool(2);
    CHECK_THROWS(pool.map([](int n) { if (n == 2) raise(SIGKILL); }, numbers(4)), MP_ERR_WORKER_DIED, "");
    CHECK(pool.map(cube, std::vector{2}) == std::vector{8});
}

TEST(cpp_pool, progress_and_cancel)
{
    mp::pool pool(2);
    mp::map_options options;
    std::size_t last = 0;

    options.on_progress = [&](std::size_t done, std::size_t total) {
        CHECK_INT(total, 10);
        last = done;
        return true;
    };
    pool.map(cube, numbers(10), options);
    CHECK_INT(last, 10);
    options.on_progress = [](std::size_t, std::size_t) -> bool { throw std::runtime_error("progress"); };
    bool thrown = false;
    try {
        pool.map(cube, numbers(10), options);
    } catch (const std::runtime_error &e) {
        thrown = std::strcmp(e.what(), "progress") == 0;
    }
    CHECK(thrown);
    options.on_progress = [](std::size_t, std::size_t) { return false; };
    const auto cancelled = pool.map(std::nothrow, cube, numbers(10), options);
    CHECK(cancelled.has_value() || cancelled.status() == MP_ERR_CANCELLED);
}

TEST(cpp_pool, initializers)
{
    mp::pool_options options;
    options.workers = 2;
    mp::pool pool(
        options, [](int n, const std::string &text) { greeting = n + static_cast<int>(text.size()); }, 5, "ab");

    CHECK(pool.map([](int n) { return greeting + n; }, numbers(2)) == (std::vector{7, 8}));

    mp::pool broken(options, [] { throw std::runtime_error("no setup"); });
    CHECK_THROWS(broken.map(cube, numbers(2)), MP_ERR_TASK_FAILED, "no setup");
}

TEST(cpp_pool, asynchronous_calls)
{
    mp::pool pool(2);
    int k = 3;
    auto one = pool.submit([k](int n, const std::string &s) { return s + std::to_string(n * k); }, 2, "x");
    auto none = pool.submit([] {});
    auto bad = pool.submit([]() -> int { throw std::runtime_error("later"); });
    auto many = pool.map_async(cube, numbers(3));
    auto texts = pool.map_async(shout, std::vector<std::string>{"a", "b"});
    auto nothing = pool.map_async([](int) {}, numbers(3));

    CHECK(one.get() == "x6" && one.get() == "x6" && one.ready() && one.successful());
    none.get();
    CHECK(bad.wait());
    CHECK_INT(bad.state(), MP_CALL_FAILED);
    CHECK_THROWS(bad.get(), MP_ERR_TASK_FAILED, "later");
    CHECK(many.get() == (std::vector{0, 1, 8}));
    CHECK(many.statuses(3) == (std::vector{MP_OK, MP_OK, MP_OK}));
    CHECK(many.progress() == std::pair(std::size_t{3}, std::size_t{3}));
    CHECK(texts.get() == (std::vector<std::string>{"a!", "b!"}));
    nothing.get();

    std::vector<mp::future<int>> futures;
    for (int i = 0; i < 5; ++i)
        futures.push_back(pool.submit(cube, i));
    CHECK(mp::wait_many(futures));
    int sum = 0;
    while (auto ready = mp::next_ready(futures))
        sum += ready->get();
    CHECK_INT(sum, 100);
}

TEST(cpp_pool, ends_are_told)
{
    mp::pool pool(1);
    mp::async_options how;
    mp::queue<int> told;

    how.on_end = [&](mp_status status) {
        told.put(status);
        throw std::runtime_error("goes into the log");
    };
    pool.submit_with(mp::apply_options(), how, cube, 1);
    CHECK_INT(told.get(), MP_OK);
    pool.submit_with(mp::apply_options(), how, [] { throw 1; });
    CHECK_INT(told.get(), MP_ERR_TASK_FAILED);
    pool.close();
    /* A call that is refused tells nobody, and leaks nothing. */
    CHECK_THROWS(pool.submit_with(mp::apply_options(), how, cube, 1), MP_ERR_STATE, "mp_pool_apply_async");
    CHECK(pool.join());
    CHECK(told.empty());
}

TEST(cpp_pool, cancel)
{
    mp::pool pool(1);
    mp::event begun;
    mp::queue<int> unused;
    auto busy = pool.submit([] {
        while (!mp::this_task::cancelled())
            sleep_ms(1);
    });

    while (busy.state() == MP_CALL_PENDING)
        sleep_ms(1);
    busy.cancel(10s);
    CHECK_THROWS(busy.get(), MP_ERR_CANCELLED, "");
    CHECK_INT(busy.state(), MP_CALL_CANCELLED);
    CHECK(!mp::this_task::cancelled());
}

TEST(cpp_pool, one_by_one)
{
    mp::pool pool(2);
    const std::vector<int> in = numbers(50);
    int k = 2;
    int at = 0;

    for (int y : pool.map_lazily([k](int n) { return n * k; }, in))
        CHECK_INT(y, 2 * at++);
    CHECK_INT(at, 50);

    const std::vector<std::string> words{"a", "bb"};
    auto lazy = pool.map_lazily([](const std::string &s) { return s.size() == 1 ? throw std::runtime_error("one") : s; }, words);
    CHECK_THROWS(lazy.next(), MP_ERR_TASK_FAILED, "one");
    CHECK_INT(lazy.index(), 0);
    CHECK(lazy.next() == "bb");
    CHECK(!lazy.next());

    /* Dropped half way. */
    auto left = pool.map_lazily(cube, in);
    CHECK_INT(left.next().value(), 0);
}

TEST(cpp_pool, index_and_statistics)
{
    mp::pool pool(2);
    CHECK(pool.map([](int) { return mp::this_task::index(); }, numbers(3)) == (std::vector<std::size_t>{0, 1, 2}));
    CHECK_INT(pool.stats().workers, 2);
    CHECK(pool.stats_of(0).pid > 1);
    CHECK_THROWS(pool.stats_of(2), MP_ERR_INVALID, "mp_pool_worker_stats");
    CHECK(pool.describe() == "<Pool state=RUN pool_size=2>");
    CHECK(pool.shutdown());
    CHECK_THROWS(pool.map(cube, numbers(1)), MP_ERR_STATE, "mp_pool_map_array");
}

TEST(cpp_pool, no_allocation_for_an_item)
{
    mp::pool pool(2);
    int k = 1;
    const auto few = numbers(10), many = numbers(10000);
    const auto cost = [&](const std::vector<int> &in, const auto &function) {
        const std::size_t before = allocations();
        pool.map(function, in);
        return allocations() - before;
    };
    const auto plain = [](int n) { return n; };
    const auto capturing = [k](int n) { return n + k; };

    CHECK_INT(cost(few, plain), 1);
    CHECK_INT(cost(many, plain), 1);
    /* Captures go along with each item, side by side. */
    CHECK_INT(cost(many, capturing), 2);
    /* Text in, numbers out: the bytes and their places. */
    const std::vector<std::string> words(10000, "word");
    const std::size_t before = allocations();
    pool.map([](const std::string &s) { return s.size(); }, words);
    CHECK(allocations() - before < 60);
}
