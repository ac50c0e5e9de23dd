/* Processes that take work out of one queue and put answers into another, until there is no more. */
#include <algorithm>
#include <iostream>
#include <mp.hpp>
#include <vector>

struct job {
    int from, to;
};

static void work(mp::queue<std::optional<job>> &jobs, mp::queue<long> &sums)
{
    while (auto one = jobs.get()) {
        long sum = 0;
        for (int n = one->from; n < one->to; ++n)
            sum += n;
        sums.put(sum);
    }
}

int main(int argc, char **argv)
{
    mp::bootstrap(argc, argv);
    mp::queue<std::optional<job>> jobs;
    mp::queue<long> sums;
    std::vector<mp::process> workers;

    for (int i = 0; i < 2; ++i)
        workers.emplace_back(work, jobs, sums);
    for (int n = 0; n < 1000; n += 100)
        jobs.put(job{n, n + 100});
    for (std::size_t i = 0; i < workers.size(); ++i)
        jobs.put(std::nullopt);

    long all = 0;
    for (int i = 0; i < 10; ++i)
        all += sums.get();
    std::cout << all << '\n';
}
