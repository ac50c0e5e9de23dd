/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The library as a whole: start methods, hooks, waiting, names, log. */
#include "test.hpp"

#include <unistd.h>

TEST(cpp_library, start_methods)
{
    CHECK(mp::version() == MP_VERSION_STRING && mp::cpu_count() >= 1);
    CHECK(mp::all_start_methods() == (std::vector{MP_START_FORK, MP_START_SPAWN, MP_START_FORKSERVER}));
    CHECK(mp::start_method_name(mp::start_method()) == test_start_method());
    CHECK_INT(mp::start_method_from_name("spawn"), MP_START_SPAWN);
    CHECK_THROWS(mp::start_method_from_name("none"), MP_ERR_INVALID, "mp_start_method_from_name");
    CHECK_THROWS(mp::start_method_name(MP_START_DEFAULT), MP_ERR_INVALID, "mp_start_method_name");
    CHECK_THROWS(mp::set_start_method(MP_START_DEFAULT), MP_ERR_INVALID, "mp_set_start_method");
    mp::set_start_method(mp::start_method(), true);

    for (mp_start_method method : mp::all_start_methods()) {
        const mp::context context(method);
        mp::process_options options;
        options.context = context.native();
        CHECK_INT(context.start_method(), method);
        CHECK_INT(mp::process(options, [] { return 4; }).returned<int>(), 4);
    }
    if (mp::start_method() != MP_START_FORKSERVER)
        mp::forkserver_stop();

    const std::string own = mp::executable();
    mp::set_executable("/somewhere/else", {"else", "--quiet"});
    CHECK(mp::executable() == "/somewhere/else");
    mp::reset_executable();
    CHECK(mp::executable() == own);
    CHECK_INT(mp::context::of_executable("/somewhere/else").start_method(), MP_START_SPAWN);
    CHECK(mp::stats().processes >= 1);
}

/* Set by the fork server. */
static int prepared = 0;

TEST(cpp_library, fork_server)
{
    if (std::strcmp(test_start_method(), "forkserver") == 0)
        SKIP("the server runs already");
    const mp::context context(MP_START_FORKSERVER);
    mp::process_options options;

    options.context = context.native();
    mp::forkserver_stop();
    mp::forkserver_preload([] { prepared = 7; });
    mp::forkserver_start();
    CHECK_INT(mp::process(options, [] { return prepared; }).returned<int>(), 7);
    mp::forkserver_stop();
}

TEST(cpp_library, hooks)
{
    mp::queue<std::string> told;
    mp::process p(
        [](mp::queue<std::string> &told) {
            /* The handle is the child's, and is there until its end. */
            mp_queue *q = told.native();
            mp::at_exit([q, text = std::string("second")] { mp::queue<std::string>(mp::borrow(q)).put(text); });
            mp::at_exit([] { throw std::runtime_error("is logged"); }, 5);
            mp::at_exit([q] { mp::queue<std::string>(mp::borrow(q)).put("first"); }, 10);
            told.put("body");
        },
        told);

    CHECK(p.join());
    CHECK_INT(p.exitcode(), 0);
    CHECK(told.get() == "body" && told.get() == "first" && told.get() == "second");

    mp::process_options fork;
    fork.start_method = MP_START_FORK;
    int seen = 1;
    mp::after_fork([&seen] { seen = 2; });
    int *address = &seen;
    CHECK_INT(mp::process(fork, [address] { return *address; }).returned<int>(), 2);
    CHECK_INT(seen, 1);
}

TEST(cpp_library, waits_for_any)
{
    mp::queue<int> q;
    mp::event e;
    mp::process p([](mp::event &e) { e.wait(); }, e);
    int ends[2];

    CHECK_INT(::pipe(ends), 0);
    CHECK(mp::wait({q, e, p, ends[0]}, 1ms).empty());
    q.put(1);
    CHECK(mp::wait({e, q, p}) == (std::vector<std::size_t>{1}));
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK(mp::wait({ends[0], q}) == (std::vector<std::size_t>{0, 1}));
    CHECK_THROWS(mp::wait({}), MP_ERR_INVALID, "mp_wait");
    CHECK(mp::descriptor(q) >= 0);
    CHECK_THROWS(mp::descriptor(mp::context(MP_START_FORK)), MP_ERR_UNSUPPORTED, "mp_descriptor");
    e.set();
    CHECK(mp::wait({p}) == (std::vector<std::size_t>{0}));
    close(ends[0]);
    close(ends[1]);
}

TEST(cpp_library, names)
{
    const std::string name = "mp-cpp-" + std::to_string(getpid());
    mp::mutex_options options;

    options.name = name.c_str();
    options.open = MP_OPEN_CREATE;
    mp::mutex first(options);
    CHECK_THROWS(mp::mutex(options), MP_ERR_EXISTS, "mp_lock_new");
    options.open = MP_OPEN_ATTACH;
    mp::mutex second(options);
    first.lock();
    CHECK(!second.try_lock());
    mp::unlink_name(name);
    CHECK_THROWS(mp::unlink_name(name), MP_ERR_NOT_FOUND, "mp_name_unlink");
    CHECK_INT(mp::reap_names(std::nothrow).status(), MP_OK);
}

TEST(cpp_log, sinks_and_queues)
{
    std::string seen;
    mp::log::set_level(MP_LOG_INFO);
    mp::log::set_sink([&seen](const mp_log_record &record) {
        seen += std::string(record.level_name) + ":" + record.message + " ";
        throw std::runtime_error("is lost");
    });
    mp::log::info("one");
    mp::log::debug("not this");
    mp::log::error("two");
    mp::log::remove_sink();
    mp::log::warning("nobody hears it");
    CHECK(seen == "INFO:one ERROR:two ");
    CHECK_INT(mp::log::level(), MP_LOG_INFO);

    mp::queue<std::string> records;
    mp::log::set_level(MP_LOG_WARNING);
    mp::log::to_queue(records);
    CHECK(mp::log::enabled(MP_LOG_ERROR));
    mp::process([] { mp::log::warning("from a child"); }).join();
    mp::log::warning("from here");
    mp::log::to_no_queue();
    std::vector<std::string> heard;
    CHECK(!mp::log::listen(records, [&](const mp_log_record &r) { heard.push_back(r.message); }, mp::no_wait));
    CHECK(heard == (std::vector<std::string>{"from a child", "from here"}));
    mp::log::to_queue(records);
    mp::log::warning("thrown");
    mp::log::to_no_queue();
    bool thrown = false;
    try {
        mp::log::listen(records, [](const mp_log_record &) { throw 1; }, mp::no_wait);
    } catch (int) {
        thrown = true;
    }
    CHECK(thrown);
    /* Without captures. */
    mp::log::set_sink([](const mp_log_record &) {});
    mp::log::remove_sink();
}
