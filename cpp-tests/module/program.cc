/* Prints what its own functions and those of its shared object answer, by the start method that it is told. */
#include "module.hpp"

#include <iostream>

static int thrice(int n) { return 3 * n; }

int main(int argc, char **argv)
{
    int method = MP_START_DEFAULT;

    mp::bootstrap(argc, argv);
    if (argc != 2 || mp_start_method_from_name(argv[1], &method) < 0)
        return 2;
    mp_set_start_method(method, false);
    mp::pool pool(2);
    std::cout << answers(pool, thrice, [](int n) { return n + 100; }) << ' ' << library_answers(pool) << '\n';
}
