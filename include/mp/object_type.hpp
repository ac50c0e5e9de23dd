/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Types of the program's own for managers. */
#ifndef MP_OBJECT_TYPE_HPP
#define MP_OBJECT_TYPE_HPP

#include <mp/callable.hpp>
#include <mp/proxy.hpp>

namespace mp {

namespace detail {

template <class F>
struct signature : signature<decltype(&F::operator())> {};
template <class F, class R, class... As>
struct signature<R (F::*)(As...) const> {
    using arguments = std::tuple<std::decay_t<As>...>;
};
template <class F, class R, class... As>
struct signature<R (F::*)(As...) const noexcept> : signature<R (F::*)(As...) const> {};

/* An argument of a method, out of an item of a kind that fits. */
template <class T>
T argument(const mp_call *call, std::size_t index)
{
    if constexpr (std::is_same_v<T, proxy>) {
        mp_proxy *object = nullptr;
        check(mp_call_proxy(call, index, &object));
        return proxy(adopt(object));
    } else {
        mp_item from{};
        check(mp_call_item(call, index, &from));
        item value = owned(from);

        if constexpr (std::is_same_v<T, item>) {
            return value;
        } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
            if (const auto *number = std::get_if<std::int64_t>(&value))
                if (static_cast<std::int64_t>(static_cast<T>(*number)) == *number &&
                    (std::is_signed_v<T> || *number >= 0))
                    return static_cast<T>(*number);
        } else if constexpr (std::is_floating_point_v<T>) {
            if (const auto *number = std::get_if<double>(&value))
                return static_cast<T>(*number);
            if (const auto *number = std::get_if<std::int64_t>(&value))
                return static_cast<T>(*number);
        } else if (auto *same = std::get_if<T>(&value)) {
            return std::move(*same);
        }
        throw error(MP_ERR_INVALID, "argument " + std::to_string(index) + " is of another kind");
    }
}

/* Runs body for a call from a client, which is told what body throws. */
template <class Body>
void answering(mp_call *call, std::size_t arguments, Body body) noexcept
{
    guarded(
        [&] {
            try {
                if (mp_call_count(call) != arguments)
                    throw error(MP_ERR_UNSUPPORTED, "it takes " + std::to_string(arguments) + " arguments");
                body();
            } catch (const error &e) {
                mp_call_fail(call, e.status(), e.what());
            }
        },
        [&](const char *what) { mp_call_fail(call, MP_ERR_REMOTE, what); });
}

template <class T, class F, class Arguments = typename signature<F>::arguments>
struct creator;
template <class T, class F, class... As>
struct MP_LOCAL_ creator<T, F, std::tuple<As...>> {
    static void *run(mp_call *call) noexcept
    {
        T *made = nullptr;

        answering(call, sizeof...(As), [&] { made = create(call, std::index_sequence_for<As...>()); });
        return made;
    }
    template <std::size_t... Index>
    static T *create([[maybe_unused]] mp_call *call, std::index_sequence<Index...>)
    {
        sent<F> function(nullptr);
        return new T(function.function()(argument<As>(call, Index)...));
    }
};

template <class T, class F, class Arguments = typename signature<F>::arguments>
struct method_of;
template <class T, class F, class Object, class... As>
struct MP_LOCAL_ method_of<T, F, std::tuple<Object, As...>> {
    static void run(mp_call *call, void *object) noexcept
    {
        answering(call, sizeof...(As), [&] { go(call, *static_cast<T *>(object), std::index_sequence_for<As...>()); });
    }
    template <std::size_t... Index>
    static void go(mp_call *call, T &object, std::index_sequence<Index...>)
    {
        sent<F> function(nullptr);
        auto called = [&]() -> decltype(auto) { return function.function()(object, argument<As>(call, Index)...); };

        if constexpr (std::is_void_v<decltype(called())>) {
            called();
        } else {
            const auto &value = called();
            check(mp_call_return(call, item_view(value).native()));
        }
    }
};

} // namespace detail

/* A type of the program's own for managers, whose objects are Ts in the server.
 *
 *   mp::object_type<counter> type;
 *   type.create([](int start) { return counter{start}; });
 *   type.method("add", [](counter &c, int n) { return c.number += n; });
 *   manager.add_type("Counter", type);
 *
 * The lambdas capture nothing: they are found in the server, as a process's function is. Their
 * parameters are numbers, truth values, std::string, mp::byte_string, mp::item or mp::proxy. What they throw
 * fails the call: an mp::error with its status, anything else with MP_ERR_REMOTE. */
template <class T>
class object_type {
public:
    template <class F>
    MP_LOCAL_ void create(F)
    {
        check_function<F>();
        create_ = detail::creator<T, F>::run;
    }
    template <class F>
    MP_LOCAL_ void method(std::string name, F)
    {
        check_function<F>();
        names_.push_back(std::move(name));
        methods_.push_back({names_.back().c_str(), detail::method_of<T, F>::run});
    }
    /* Has the calls of one object run at the same time, and not one after the other. */
    void concurrent(bool yes = true) noexcept { concurrent_ = yes; }
    mp_object_options options() const noexcept
    {
        mp_object_options options = MP_OBJECT_OPTIONS;
        options.create = create_;
        options.destroy = destroy;
        options.methods = methods_.data();
        options.method_count = methods_.size();
        options.concurrent = concurrent_;
        return options;
    }

private:
    template <class F>
    static void check_function()
    {
        static_assert(std::is_empty_v<F> && std::is_trivially_copyable_v<F>,
                      "mp::object_type: the functions run in the server, so they must capture nothing");
    }
    static void destroy(void *object) noexcept { delete static_cast<T *>(object); }

    mp_object_create_fn create_ = nullptr;
    std::deque<std::string> names_;
    std::vector<mp_object_method> methods_;
    bool concurrent_ = false;
};

} // namespace mp

#endif
