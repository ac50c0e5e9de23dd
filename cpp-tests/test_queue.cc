/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Queues of values. */
#include "test.hpp"

#include <numeric>

using row = std::tuple<int, std::string, std::vector<double>>;

TEST(cpp_queue, values_through_processes)
{
    mp::queue<row> in, out;
    mp::process p(
        [](mp::queue<row> &in, mp::queue<row> &out) {
            for (int i = 0; i < 3; ++i) {
                auto [number, text, reals] = in.get();
                reals.push_back(number);
                out.put({number * 2, text + text, reals});
            }
        },
        in, out);

    in.put({1, "a", {}});
    in.put({2, std::string(100000, 'x'), {0.5}});
    in.put({3, "", std::vector<double>(20000, 1.0)});
    CHECK(out.get() == row(2, "aa", {1.0}));
    CHECK_INT(std::get<1>(out.get()).size(), 200000);
    CHECK_INT(std::get<2>(out.get()).size(), 20001);
    CHECK_THROWS(out.get(1ms), MP_ERR_EMPTY, "mp_queue_get");
    CHECK(p.join());
}

TEST(cpp_queue, nullopt_is_the_end)
{
    mp::queue<std::optional<std::string>> q;
    mp::process p(
        [](mp::queue<std::optional<std::string>> &q) {
            std::size_t n = 0;
            while (auto text = q.get())
                n += text->size();
            return n;
        },
        q);

    q.put("abc");
    q.put("");
    q.put("de");
    q.put(std::nullopt);
    CHECK_INT(p.returned<std::size_t>(), 5);

    /* As mp.h has it; and a queue without optionals says so. */
    mp::queue<int> numbers;
    CHECK_OK(mp_queue_put_none(numbers.native(), MP_NO_WAIT));
    numbers.put(1);
    CHECK_THROWS(numbers.get(), MP_ERR_INVALID, "none");
    CHECK_INT(numbers.get(), 1);
}

TEST(cpp_queue, a_message_of_another_type_is_an_error_and_gone)
{
    mp::queue<int> q;

    CHECK_OK(mp_queue_put(q.native(), "hello", 5, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(q.native(), "hi", 2, MP_NO_WAIT));
    q.put(3);
    CHECK_THROWS(q.get(), MP_ERR_INVALID, "goes on");
    CHECK_THROWS(q.get(), MP_ERR_INVALID, "ends");
    CHECK_INT(q.get(), 3);
    mp::queue<row> rows;
    CHECK_OK(mp_queue_put(rows.native(), "nonsense and more", 17, MP_NO_WAIT));
    CHECK_INT(rows.get(std::nothrow).status(), MP_ERR_INVALID);
    CHECK(rows.empty());
}

TEST(cpp_queue, text_is_for_everybody)
{
    mp::queue<std::string> q;
    char text[8] = "";
    std::size_t size = 0;

    q.put("hello");
    CHECK_OK(mp_queue_get(q.native(), text, sizeof text, &size, nullptr, MP_NO_WAIT));
    CHECK(size == 5 && std::strcmp(text, "hello") == 0);
    CHECK_OK(mp_queue_put(q.native(), "world", 5, MP_NO_WAIT));
    CHECK(q.get() == "world");
}

TEST(cpp_queue, many_at_once)
{
    mp::queue<std::optional<int>> q;
    std::vector<std::optional<int>> in{1, 2, std::nullopt, 4}, out;

    CHECK_INT(q.put_many(in), 4);
    while (out.size() < in.size())
        for (auto &one : q.get_many(3))
            out.push_back(one);
    CHECK(in == out);
    CHECK_THROWS(q.get_many(3, mp::no_wait), MP_ERR_EMPTY, "mp_queue_get_many");

    mp::queue<std::string> few(2);
    CHECK_INT(few.put_many(std::vector<std::string>{"a", "bb", "ccc"}, 1ms), 2);
    CHECK(few.full());
    CHECK_THROWS(few.put("d", 1ms), MP_ERR_FULL, "mp_queue_put");
    CHECK(few.get_many(9) == (std::vector<std::string>{"a", "bb"}));
    few.put(std::string(1 << 20, 'l'));
    CHECK_INT(few.get_many(9).at(0).size(), 1 << 20);
}

TEST(cpp_queue, nouns_in_messages)
{
    mp::queue<std::pair<std::string, int>> requests;
    mp::process server(
        [](mp::queue<std::pair<std::string, int>> &requests) {
            auto request = requests.get_with();
            CHECK_INT(request.handles(), 2);
            auto answer = request.take<mp::queue<int>>(0);
            answer.put(request.value().second + 1);
            request.take<mp::event>(1).set();
            CHECK_THROWS(request.take<mp::event>(2), MP_ERR_INVALID, "mp_buffer_handle");
        },
        requests);
    mp::queue<int> answer;
    mp::event done;

    requests.put_with({"next", 41}, answer, done);
    CHECK_INT(answer.get(), 42);
    CHECK(done.wait());
    CHECK(server.join());
    CHECK_INT(server.exitcode(), 0);
    /* get() takes such a message too, and gives its nouns up. */
    requests.put_with({"last", 1}, answer);
    CHECK(requests.get().first == "last");
}

TEST(cpp_queue, written_and_read_in_place)
{
    mp::queue<std::string> q;
    {
        auto room = q.reserve(1000);
        CHECK_INT(room.size(), 1000);
        std::memcpy(room.data(), "in place", 8);
        room.commit(8);
        /* Given up. */
        auto other = q.reserve(1000);
    }
    {
        const auto seen = q.peek();
        CHECK(seen.bytes().str() == "in place" && !seen.none());
    }
    CHECK_INT(q.peek(std::nothrow, mp::no_wait).status(), MP_ERR_EMPTY);
}

TEST(cpp_queue, tasks_and_ends)
{
    mp::queue<int> q;

    q.put(1);
    q.put(2);
    CHECK(!q.join(1ms));
    CHECK_INT(q.get() + q.get(), 3);
    q.task_done();
    q.task_done();
    CHECK(q.join());
    CHECK_THROWS(q.task_done(), MP_ERR_OVER_RELEASE, "mp_queue_task_done");
    CHECK_INT(q.stats().put_messages, 2);
    q.put(3);
    CHECK_INT(q.size(), 1);
    q.shutdown();
    CHECK_THROWS(q.put(4), MP_ERR_CLOSED, "mp_queue_put");
    CHECK_INT(q.get(), 3);
    CHECK_THROWS(q.get(), MP_ERR_CLOSED, "mp_queue_get");
    q.close();
}

TEST(cpp_queue, no_allocation_for_an_item)
{
    mp::queue<std::tuple<int, std::optional<double>, std::string>> q;
    mp::queue<int> numbers;
    const auto round = [&] {
        q.put({1, 2.5, "short"});
        numbers.put(3);
        CHECK_INT(std::get<0>(q.get()) + numbers.get(), 4);
    };

    round();
    const std::size_t before = allocations();
    for (int i = 0; i < 1000; ++i)
        round();
    CHECK_INT(allocations() - before, 0);
}

TEST(cpp_priority_queue, lowest_first)
{
    mp::priority_queue<std::string> q;

    q.put("later", 5);
    q.put("first", -1);
    CHECK_INT(q.size(), 2);
    CHECK(q.get() == "first");
    {
        auto lost = q.lease();
        CHECK(lost.value() == "later");
        CHECK_INT(lost.priority(), 5);
        CHECK_INT(lost.deliveries(), 1);
        CHECK_INT(q.unacknowledged(), 1);
    }
    /* It went back. */
    auto again = q.lease();
    CHECK_INT(again.deliveries(), 2);
    again.acknowledge();
    CHECK_THROWS(again.acknowledge(), MP_ERR_BAD_HANDLE, "mp_priority_queue_acknowledge");
    CHECK(q.empty());
    CHECK_THROWS(q.lease(1ms), MP_ERR_EMPTY, "mp_priority_queue_lease");

    mp::priority_queue<std::optional<int>> numbers;
    numbers.put(std::nullopt, 2);
    numbers.put(7, 1);
    CHECK_INT(numbers.get().value(), 7);
    CHECK(!numbers.get());
    /* What cannot be understood does not come again. */
    CHECK_OK(mp_priority_queue_put(numbers.native(), "x", 1, 0, MP_NO_WAIT));
    CHECK_THROWS(numbers.lease(), MP_ERR_INVALID, "ends");
    CHECK_INT(numbers.unacknowledged(), 0);
    CHECK(numbers.empty());
}
