// pointers, references and views mean nothing in another process
#include <mp.hpp>
void use()
{
    mp::queue<std::string_view> q;
    q.put("x");
}
