/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Functions that go to another process. */
#ifndef MP_CALLABLE_HPP
#define MP_CALLABLE_HPP

#include <mp/codec.hpp>

#include <exception>

/* The first and the last byte of the executable or shared object that this is linked into: the
 * linker's names. */
extern "C" {
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
}

/* Each module has what this stands before for itself: a copy of another module's would take that
 * one's functions for its own. */
#define MP_LOCAL_ __attribute__((visibility("hidden")))

namespace mp {

/* A function as a type, which every process knows: pool.map(mp::fn<square>, items). A plain
 * function can be handed over as well where it lies in the module that calls mp.hpp. */
template <auto Function>
struct function_constant {
    template <class... Arguments>
    auto operator()(Arguments &&...arguments) const
        -> decltype(Function(std::forward<Arguments>(arguments)...))
    {
        return Function(std::forward<Arguments>(arguments)...);
    }
};
template <auto Function>
inline constexpr function_constant<Function> fn{};

namespace detail {

template <class F>
inline constexpr bool plain_function =
    std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>;

/* A callable's bytes. An image of its own has its functions at other addresses, so that a plain
 * function goes as its place in the module. */
template <class F, bool Plain = plain_function<F>>
struct MP_LOCAL_ sent {
    static_assert(std::is_trivially_copyable_v<F>,
                  "mp: this callable cannot go to another process, because what it captures is not "
                  "trivially copyable: capture plain values, and pass strings, containers, locks and "
                  "queues as arguments");
    static_assert(!std::is_pointer_v<F> && !std::is_member_pointer_v<F> && !is_view<F>::value,
                  "mp: a pointer or a reference to a callable means nothing in another process: pass "
                  "a lambda, a functor or a plain function");

    /* An object without members has no bytes, so that items go without a copy. */
    static constexpr std::size_t size = std::is_empty_v<F> ? 0 : sizeof(F);

    explicit sent(const F &f) noexcept : bytes{} { std::memcpy(bytes, std::addressof(f), sizeof(F)); }
    explicit sent(const void *from) noexcept : bytes{}
    {
        if constexpr (size != 0)
            std::memcpy(bytes, from, size);
    }
    const void *data() const noexcept { return bytes; }
    F &function() noexcept { return *std::launder(reinterpret_cast<F *>(bytes)); }

private:
    alignas(F) unsigned char bytes[sizeof(F)];
};

template <class F>
struct MP_LOCAL_ sent<F, true> {
    static constexpr std::size_t size = sizeof(std::uintptr_t);

    explicit sent(F f) : place(0)
    {
        const auto address = reinterpret_cast<std::uintptr_t>(f);
        const auto first = reinterpret_cast<std::uintptr_t>(__ehdr_start);

        if (address < first || address >= reinterpret_cast<std::uintptr_t>(_end))
            throw error(MP_ERR_UNKNOWN_TARGET,
                        "mp: this function lies in another module than the call: pass mp::fn<function> or a lambda");
        place = address - first;
    }
    explicit sent(const void *from) noexcept { std::memcpy(&place, from, size); }
    const void *data() const noexcept { return &place; }
    F function() const noexcept
    {
        return reinterpret_cast<F>(reinterpret_cast<std::uintptr_t>(__ehdr_start) + place);
    }

private:
    std::uintptr_t place;
};

/* Calls with the items of a tuple. */
template <class F>
struct spread {
    F f;
    template <class Tuple>
    auto operator()(Tuple &&tuple) -> decltype(std::apply(f, std::forward<Tuple>(tuple)))
    {
        return std::apply(f, std::forward<Tuple>(tuple));
    }
};
template <class F>
struct MP_LOCAL_ sent<spread<F>, false> {
    static constexpr std::size_t size = sent<F>::size;

    explicit sent(const spread<F> &spreading) : sent_(spreading.f) {}
    explicit sent(const void *from) noexcept : sent_(from) {}
    const void *data() const noexcept { return sent_.data(); }
    auto function() noexcept
    {
        return [this](auto &&tuple) -> decltype(auto) {
            return std::apply(sent_.function(), std::forward<decltype(tuple)>(tuple));
        };
    }

private:
    sent<F> sent_;
};

/* Runs body, and hands what it throws to told as text: nothing may cross into C. */
template <class Body, class Told>
void guarded(Body body, Told told) noexcept
{
    try {
        body();
    } catch (const std::exception &e) {
        told(e.what());
    } catch (...) {
        told("an exception that is no std::exception");
    }
}

} // namespace detail
} // namespace mp

#endif
