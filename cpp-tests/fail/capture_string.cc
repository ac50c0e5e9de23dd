// what it captures is not trivially copyable
#include <mp.hpp>
void use(mp::pool &pool, const std::vector<int> &items)
{
    pool.map([text = std::string("x")](int n) { return n + static_cast<int>(text.size()); }, items);
}
