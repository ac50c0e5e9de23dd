/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Locks, semaphores, conditions, events and barriers as the standard library's algorithms use them. */
#include "test.hpp"

#include <mutex>

TEST(cpp_sync, standard_locks_hold_ours)
{
    mp::mutex a;
    mp::recursive_mutex b;
    mp::condition c;
    mp::semaphore s(1);

    {
        std::scoped_lock all(a, b, c, s);
        CHECK(a.locked() && b.locked() && c.locked() && s.locked());
        CHECK(!a.try_lock());
        CHECK(b.try_lock());
        b.unlock();
    }
    CHECK(!a.locked() && !b.locked() && !c.locked() && !s.locked());

    std::unique_lock<mp::mutex> later(a, std::defer_lock);
    CHECK(later.try_lock_for(1ms));
    std::unique_lock<mp::mutex> second(a, std::try_to_lock);
    CHECK(!second.owns_lock());
    CHECK(!second.try_lock_for(1ms));
    CHECK(!second.try_lock_until(std::chrono::steady_clock::now() + 1ms));
    later.unlock();
    CHECK(second.try_lock_until(std::chrono::system_clock::now() + 10s));
    CHECK_INT(std::try_lock(b, a), 1);
}

TEST(cpp_sync, a_mutex_counts_between_processes)
{
    mp::mutex m;
    mp::queue<int> seen;
    std::vector<mp::process> processes;

    for (int i = 0; i < 3; ++i)
        processes.emplace_back(
            [](mp::mutex &m, mp::queue<int> &seen) {
                for (int n = 0; n < 20; ++n) {
                    std::scoped_lock hold(m);
                    seen.put(1);
                    seen.put(2);
                }
            },
            m, seen);
    for (int i = 0; i < 60; ++i) {
        CHECK_INT(seen.get(), 1);
        CHECK_INT(seen.get(), 2);
    }
}

TEST(cpp_sync, a_dead_holder_is_told)
{
    mp::mutex m;
    mp::process p([](mp::mutex &m) { m.lock(); mp::exit(3); }, m);

    CHECK(p.join());
    CHECK_INT(p.exitcode(), 3);
    m.lock();
    CHECK(m.recovered());
    m.unlock();
    CHECK(!m.recovered());
}

TEST(cpp_sync, semaphores)
{
    mp::semaphore_options bounded;
    bounded.bounded = true;
    mp::semaphore s(2, bounded);

    s.acquire();
    CHECK(s.try_acquire());
    CHECK(!s.try_acquire_for(1ms));
    CHECK_INT(s.value(), 0);
    s.release(2);
    CHECK_THROWS(s.release(), MP_ERR_OVER_RELEASE, "mp_semaphore_release");
    CHECK(s.try_acquire_until(std::chrono::steady_clock::now()));
}

TEST(cpp_sync, conditions_wait_for_predicates)
{
    mp::mutex lock;
    mp::condition changed(lock);
    mp::queue<int> number;
    mp::process p(
        [](mp::condition &changed, mp::queue<int> &number) {
            std::scoped_lock hold(changed);
            number.put(7);
            changed.notify_all();
        },
        changed, number);

    {
        std::unique_lock hold(changed);
        CHECK(lock.locked());
        CHECK(changed.wait([&] { return number.size() == 1; }));
        CHECK(!changed.wait([] { return false; }, 1ms));
        CHECK(!changed.wait(1ms));
        /* What a predicate throws comes out, with the lock held. */
        bool thrown = false;
        try {
            changed.wait([]() -> bool { throw std::runtime_error("predicate"); });
        } catch (const std::runtime_error &e) {
            thrown = std::strcmp(e.what(), "predicate") == 0;
        }
        CHECK(thrown && lock.locked());
    }
    CHECK_THROWS(changed.notify_one(), MP_ERR_NOT_OWNER, "mp_condition_notify");
}

TEST(cpp_sync, events)
{
    mp::event begin, end;
    mp::process p([](mp::event &begin, mp::event &end) { if (begin.wait()) end.set(); }, begin, end);

    CHECK(!end.wait(1ms));
    begin.set();
    CHECK(end.wait());
    CHECK(end.is_set());
    end.clear();
    CHECK(!end.is_set());
}

TEST(cpp_sync, barriers)
{
    mp::barrier three(3);
    const auto party = [](mp::barrier &b) { return b.wait(); };
    mp::process a(party, three), b(party, three);
    const std::size_t mine = three.wait();

    CHECK_INT(mine + a.returned<std::size_t>() + b.returned<std::size_t>(), 3);
    CHECK_INT(three.parties(), 3);
    CHECK_INT(three.waiting(), 0);
    three.abort();
    CHECK(three.broken());
    CHECK_THROWS(three.wait(), MP_ERR_BROKEN_BARRIER, "mp_barrier_wait");
    three.reset();
    CHECK(!three.broken());

    /* The action is found in the process that comes last, and what it throws breaks the barrier. */
    mp::barrier acting = mp::barrier::with_action(1, [] {});
    CHECK_INT(acting.wait(), 0);
    mp::barrier throwing = mp::barrier::with_action(1, [] { throw 1; });
    CHECK_THROWS(throwing.wait(), MP_ERR_TASK_FAILED, "mp_barrier_wait");
    CHECK(throwing.broken());
}
