/* A type of one's own through a queue; waiting for several things; a priority queue's leases. */
#include <iostream>
#include <mp.hpp>

struct order {
    std::string what;
    std::optional<int> table;
};

template <>
struct mp::codec<order> {
    static void encode(mp::writer &out, const order &o)
    {
        out.put(o.what);
        out.put(o.table);
    }
    static order decode(mp::reader &in)
    {
        auto what = in.get<std::string>();
        return {std::move(what), in.get<std::optional<int>>()};
    }
};

int main(int argc, char **argv)
{
    mp::bootstrap(argc, argv);
    mp::queue<order> orders;
    mp::priority_queue<std::string> dishes;
    mp::event closed;

    mp::process kitchen(
        [](mp::queue<order> &orders, mp::priority_queue<std::string> &dishes, mp::event &closed) {
            for (;;) {
                mp::wait({orders, closed});
                auto next = orders.get(std::nothrow, mp::no_wait);
                if (!next)
                    break;
                dishes.put(next->what + (next->table ? " for " + std::to_string(*next->table) : " to go"),
                           next->table.value_or(100));
            }
        },
        orders, dishes, closed);
    orders.put({"soup", 4});
    orders.put({"tea", std::nullopt});
    orders.put({"bread", 2});
    closed.set();
    kitchen.join();

    while (!dishes.empty()) {
        auto dish = dishes.lease(); /* comes back if this process dies before it is served */
        std::cout << dish.value() << '\n';
        dish.acknowledge();
    }
}
