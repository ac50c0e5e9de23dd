/* A shared object that sends functions of its own, of the same types as those of the program. */
#include "module.hpp"

static int twice(int n) { return 2 * n; }

int library_answers(mp::pool &pool)
{
    return answers(pool, twice, [](int n) { return n + 200; });
}
