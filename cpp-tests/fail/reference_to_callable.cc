// a pointer or a reference to a callable means nothing in another process
#include <mp.hpp>
void use()
{
    const auto f = [] {};
    mp::process p(std::ref(f));
}
