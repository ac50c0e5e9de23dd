// what it captures is not trivially copyable
#include <mp.hpp>
void use(mp::pool &pool)
{
    pool.apply(std::function<int()>([] { return 1; }));
}
