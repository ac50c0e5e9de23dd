// what it captures is not trivially copyable
#include <mp.hpp>
void use()
{
    mp::queue<int> q;
    mp::process p([q = std::move(q)] {});
}
