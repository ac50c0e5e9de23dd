/* What the program and its shared object both have. */
#ifndef MODULE_HPP
#define MODULE_HPP

#include <mp.hpp>

template <class Lambda>
int answers(mp::pool &pool, int (*plain)(int), Lambda lambda)
{
    int k = 1000;

    return pool.map(plain, std::vector{1}).at(0) + pool.apply(plain, 10) + mp::process(plain, 20).returned<int>() +
           pool.map(lambda, std::vector{0}).at(0) + mp::process(lambda, 0).returned<int>() +
           pool.submit([k](int n) { return n + k; }, 0).get();
}

int library_answers(mp::pool &pool);

#endif
