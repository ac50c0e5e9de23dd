// nodiscard
#include <mp.hpp>
void use(mp::event &e)
{
    e.set(std::nothrow);
}
