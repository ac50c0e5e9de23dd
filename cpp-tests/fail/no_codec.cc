// this type is not trivially copyable: give it an mp::codec<T>
#include <mp.hpp>
struct node {
    std::string name;
};
void use(mp::queue<node> &q)
{
    q.put(node{"x"});
}
