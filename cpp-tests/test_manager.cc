/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers, proxies, and types of one's own. */
#include "test.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace {

struct counter {
    int number;
    std::string name;
};

struct meeting {
    std::atomic<int> here{0};
};

} // namespace

TEST(cpp_manager, dicts_and_lists)
{
    mp::manager manager;
    manager.start();
    mp::proxy dict = manager.dict("a", 1, "b", 2.5), list = manager.list(1, "two", true, nullptr);

    CHECK_INT(manager.pid() > 1, 1);
    CHECK_INT(manager.number_of_objects(), 2);
    mp::process([](mp::proxy &dict, mp::proxy &list) { dict.add("visits", 3); list.push_back("from a child"); }, dict, list).join();
    CHECK_INT(dict.get_int("visits"), 3);
    CHECK(dict.get("b") == mp::item(2.5) && std::get<std::string>(list.get(-1)) == "from a child");
    CHECK(list.get(2) == mp::item(true) && list.get(3) == mp::item());
    CHECK_THROWS(dict.get("c"), MP_ERR_NOT_FOUND, "mp_proxy_get");
    CHECK_THROWS(dict.set("c", UINT64_MAX), MP_ERR_INVALID, "greater than INT64_MAX");
    dict.set("c", mp::byte_string{std::byte{1}});
    CHECK(dict.contains("c") && !dict.contains("d") && dict.size() == 4);
    dict.erase("c");
    CHECK(dict.compare_and_set("a", 1, 10) && !dict.compare_and_set("a", 1, 11));
    CHECK_INT(dict.add("a", 5), 15);
    CHECK_INT(list.size(), 5);
    list.call("insert", 0, "first");
    CHECK(std::get<std::string>(list.call("get", 0).item()) == "first");
    CHECK_THROWS(list.call("no such method"), MP_ERR_UNSUPPORTED, "mp_proxy_call");

    std::int64_t at = 0;
    std::size_t items = 0;
    while (const std::size_t n = dict.next(at, 2).size())
        items += n / 2;
    CHECK_INT(items, 3);

    const mp::answer both = mp::batch({{dict, "get", {"a"}}, {list, "len", {}}});
    CHECK(both.size() == 4 && both.item(1) == mp::item(std::int64_t{15}) && both.item(3) == mp::item(std::int64_t{6}));

    /* Objects in objects, and through bytes. */
    dict.set("list", list);
    CHECK_INT(dict.get_proxy("list").size(), 6);
    mp::proxy same = mp::proxy::imported(list.exported());
    CHECK(same.str() == list.str() && list.str().find("'first', 1") != std::string::npos);
    CHECK(list.describe().find("<Proxy[list]") == 0);
    CHECK(!manager.debug_info().empty());

    std::int64_t version = 0;
    CHECK(dict.watch("a", version).item() == mp::item(std::int64_t{15}));
    CHECK_THROWS(dict.watch("a", version, 1ms), MP_ERR_TIMEOUT, "mp_proxy_watch");
    dict.erase("a");
    CHECK_INT(dict.watch("a", version).size(), 0);

    mp::proxy condition = manager.create("Condition");
    {
        std::scoped_lock hold(condition);
        CHECK(condition.wait([] { return true; }) && !condition.wait([] { return false; }, 1ms));
        bool thrown = false;
        try {
            condition.wait([]() -> bool { throw 5; });
        } catch (int) {
            thrown = true;
        }
        CHECK(thrown);
    }
    CHECK_THROWS(condition.wait([] { return false; }), MP_ERR_NOT_OWNER, "mp_proxy_wait_for");

    mp::proxy lock = manager.create("Lock");
    {
        std::scoped_lock hold(lock);
        CHECK(!lock.try_lock());
    }
    CHECK(lock.try_lock_for(1s));
    lock.unlock();

    mp::manager_options there;
    const std::string address = manager.address();
    there.address = address.c_str();
    mp::manager client(there);
    client.connect(10s);
    CHECK_INT(client.list(1, 2).size(), 2);
    manager.shutdown();
    CHECK(manager.join());
}

TEST(cpp_manager, types_of_ones_own)
{
    mp::object_type<counter> type;
    type.create([](int start, const std::string &name) {
        if (start < 0)
            throw mp::error(MP_ERR_INVALID, "no such start");
        return counter{start, name};
    });
    type.method("add", [](counter &c, int more) { return c.number += more; });
    type.method("name", [](counter &c) { return c.name; });
    type.method("rename", [](counter &c, std::string name) { c.name = name; });
    type.method("fail", [](counter &) -> int { throw std::runtime_error("on purpose"); });
    type.method("half", [](counter &, double d) { return d / 2; });
    type.method("length", [](counter &, mp::proxy list) { return list.size(); });
    type.method("same", [](counter &, mp::item any) { return any; });

    mp::manager manager;
    manager.add_type("Counter", type);
    CHECK_THROWS(manager.add_type("Counter", type), MP_ERR_EXISTS, "mp_manager_register");
    manager.start();
    mp::proxy counting = manager.create("Counter", 40, "c");

    CHECK(counting.call("add", 2).item() == mp::item(std::int64_t{42}));
    counting.call("rename", "other");
    CHECK(counting.call("name").item() == mp::item("other"));
    CHECK(counting.call("half", 3).item() == mp::item(1.5));
    CHECK(counting.call("same", true).item() == mp::item(true));
    CHECK(counting.call("length", manager.list(1, 2, 3)).item() == mp::item(std::int64_t{3}));
    CHECK_THROWS(counting.call("fail"), MP_ERR_REMOTE, "on purpose");
    CHECK_THROWS(counting.call("add"), MP_ERR_UNSUPPORTED, "1 arguments");
    CHECK_THROWS(counting.call("add", "x"), MP_ERR_INVALID, "another kind");
    CHECK_THROWS(counting.call("add", std::int64_t{1} << 40), MP_ERR_INVALID, "another kind");
    CHECK_THROWS(manager.create("Counter", -1, ""), MP_ERR_INVALID, "no such start");
    mp::process([](mp::proxy &p) { p.call("add", 1); }, counting).join();
    CHECK(counting.call("add", 0).item() == mp::item(std::int64_t{43}));
}

/* Each waits in the server for the other. */
TEST(cpp_manager, concurrent_type)
{
    mp::object_type<meeting> type;
    type.concurrent();
    type.create([] { return meeting{}; });
    type.method("meet", [](meeting &m) {
        ++m.here;
        while (m.here < 2)
            std::this_thread::yield();
    });
    mp::manager manager;
    manager.add_type("Meeting", type);
    manager.start();
    mp::proxy proxy = manager.create("Meeting");
    std::thread other([&] { proxy.call("meet"); });

    proxy.call("meet");
    other.join();
}

TEST(cpp_manager, memory_in_place)
{
    mp::manager manager;
    manager.start();
    mp::shared_memory memory = manager.create("SharedMemory", 100).memory();
    mp::shareable_list list = manager.create("ShareableList", 1, "two").list();

    CHECK_INT(memory.size(), 100);
    CHECK_INT(list.size(), 2);
    CHECK(list.get(1) == mp::item("two"));
    CHECK_THROWS(manager.dict().memory(), MP_ERR_UNSUPPORTED, "mp_proxy_shared_memory");
}
