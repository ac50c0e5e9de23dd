// this type is not trivially copyable: give it an mp::codec<T>
#include <mp.hpp>
struct node {
    std::string name;
};
void use(mp::pool &pool)
{
    pool.map([](int) { return node{"x"}; }, std::vector{1});
}
