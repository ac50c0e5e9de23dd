/* What both projects build: a program in C++, and with it the part in C. */
#include <iostream>
#include <mp.hpp>

extern "C" const char *version_in_c(void);

int main(int argc, char **argv)
{
    mp::bootstrap(argc, argv);
    mp::pool pool(2);

    for (int y : pool.map([](int x) { return x * x; }, std::vector{1, 2, 3}))
        std::cout << y << ' ';
    std::cout << version_in_c() << '\n';
}
