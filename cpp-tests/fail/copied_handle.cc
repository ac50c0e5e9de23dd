// deleted
#include <mp.hpp>
void use(mp::mutex &m)
{
    mp::mutex copy(m);
}
