// mp::process: this noun cannot be an argument
#include <mp.hpp>
void use(mp::process &other)
{
    mp::process p([](mp::process &q) { q.join(); }, other);
}
