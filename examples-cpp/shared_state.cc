/* What processes share: a number, an array with its lock, and a dict that a server keeps. */
#include <iostream>
#include <mp.hpp>
#include <mutex>
#include <vector>

int main(int argc, char **argv)
{
    mp::bootstrap(argc, argv);
    mp::value<int> visits;
    mp::array<double> sums{0, 0, 0};
    mp::manager manager;
    manager.start();
    mp::proxy dict = manager.dict("children", 0);

    {
        std::vector<mp::process> children;
        for (int i = 0; i < 3; ++i)
            children.emplace_back(
                [i](mp::value<int> &visits, mp::array<double> &sums, mp::proxy &dict) {
                    ++visits;
                    {
                        std::scoped_lock hold(sums);
                        for (double &sum : sums)
                            sum += i;
                    }
                    dict.add("children", 1);
                    dict.set("child " + std::to_string(i), "was here");
                },
                visits, sums, dict);
    } /* joins them */

    std::cout << visits << ' ' << sums[0] << ' ' << sums[2] << '\n';
    std::cout << dict.get_int("children") << ' ' << dict.size() << '\n';
}
