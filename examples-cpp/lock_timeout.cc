/* The standard library's scopes over a lock between processes; std::chrono; errors by choice. */
#include <iostream>
#include <mp.hpp>
#include <mutex>

using namespace std::chrono_literals;

int main(int argc, char **argv)
{
    mp::bootstrap(argc, argv);
    mp::mutex lock;
    mp::event held, enough;

    mp::process holder(
        [](mp::mutex &lock, mp::event &held, mp::event &enough) {
            std::scoped_lock hold(lock);
            held.set();
            enough.wait();
        },
        lock, held, enough);
    held.wait();

    std::unique_lock mine(lock, std::defer_lock);
    std::cout << (mine.try_lock_for(10ms) ? "have it" : "somebody else has it") << '\n';
    enough.set();
    mine.lock();
    std::cout << "now it is mine: " << lock.describe() << '\n';
    mine.unlock();

    if (auto released = lock.unlock(std::nothrow); !released)
        std::cout << released.error().what() << '\n';
}
