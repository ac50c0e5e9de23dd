// pointers, references and views mean nothing in another process
#include <mp.hpp>
void use(int *n)
{
    mp::process p([](int *n) { ++*n; }, n);
}
