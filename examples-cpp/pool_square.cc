/* The square of each number, in worker processes. */
#include <iostream>
#include <mp.hpp>
#include <vector>

int main(int argc, char **argv)
{
    mp::bootstrap(argc, argv);
    mp::pool pool;

    for (int y : pool.map([](int x) { return x * x; }, std::vector{1, 2, 3}))
        std::cout << y << '\n';
}
