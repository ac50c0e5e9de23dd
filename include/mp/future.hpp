/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * future: what an asynchronous call comes to. */
#ifndef MP_FUTURE_HPP
#define MP_FUTURE_HPP

#include <mp/task.hpp>

namespace mp {

/* What an asynchronous call comes to: mp_result, with the members of std::future. Whoever destroys
 * it lets the call go on. */
template <class R>
class future : public detail::handle<mp_result, mp_result_free> {
public:
    using handle::handle;
    /* n is 0 for one value, else how many byte strings it has. */
    future(given_handle<mp_result> given, std::size_t items) noexcept : handle(given), items_(items) {}

    /* As often as it is asked for. */
    R get(timeout limit = forever) const { return get(std::nothrow, limit).value(); }
    result<R> get(std::nothrow_t, timeout limit = forever) const
    {
        if constexpr (std::is_void_v<R>) {
            return detail::outcome(mp_result_get(native(), limit, nullptr));
        } else {
            if constexpr (is_vector<R>::value)
                if (items_) {
                    detail::buffers all(*items_);
                    const int status = mp_result_get_each(native(), limit, all.data(), *items_);
                    if (status < 0)
                        return error(status);
                    return all.values<typename R::value_type>();
                }
            mp_buffer *value = nullptr;
            const int status = mp_result_get(native(), limit, &value);
            const detail::buffer message{adopt(value)};
            if (status < 0)
                return error(status);
            return detail::try_unpacked<R>(detail::view(message));
        }
    }
    /* Whether it was ready in time. */
    bool wait(timeout limit = forever) const { return wait(std::nothrow, limit).value(); }
    result<bool> wait(std::nothrow_t, timeout limit = forever) const
    {
        return detail::waited(mp_result_wait(native(), limit));
    }
    bool ready() const { return ready(std::nothrow).value(); }
    result<bool> ready(std::nothrow_t) const { return detail::ask<bool>(mp_result_ready, native()); }
    bool successful() const { return successful(std::nothrow).value(); }
    result<bool> successful(std::nothrow_t) const { return detail::ask<bool>(mp_result_successful, native()); }
    mp_call_state state() const { return state(std::nothrow).value(); }
    result<mp_call_state> state(std::nothrow_t) const
    {
        const result<int> state = detail::ask<int>(mp_result_state, native());
        if (!state)
            return state.error();
        return static_cast<mp_call_state>(*state);
    }
    /* What each of its n items came to. */
    std::vector<mp_status> statuses(std::size_t n, timeout limit = forever) const
    {
        return statuses(std::nothrow, n, limit).value();
    }
    result<std::vector<mp_status>> statuses(std::nothrow_t, std::size_t n, timeout limit = forever) const
    {
        std::vector<mp_status> all(n);
        const int status = mp_result_statuses(native(), limit, all.data(), n);
        if (status < 0)
            return error(status);
        return all;
    }
    /* How many of its items came back, and how many there are. */
    std::pair<std::size_t, std::size_t> progress() const { return progress(std::nothrow).value(); }
    result<std::pair<std::size_t, std::size_t>> progress(std::nothrow_t) const
    {
        std::pair<std::size_t, std::size_t> far{};
        const int status = mp_result_progress(native(), &far.first, &far.second);
        if (status < 0)
            return error(status);
        return far;
    }
    void cancel(timeout grace = timeout(MP_MS(100))) { cancel(std::nothrow, grace).value(); }
    result<void> cancel(std::nothrow_t, timeout grace = timeout(MP_MS(100)))
    {
        return detail::outcome(mp_result_cancel(native(), grace));
    }

private:
    template <class T>
    struct is_vector : std::false_type {};
    template <class T>
    struct is_vector<std::vector<T>> : std::true_type {};

    std::optional<std::size_t> items_;
};

/* Waits until all of them are ready, or as what says. */
template <class R>
bool wait_many(const std::vector<future<R>> &futures, mp_wait_for what = MP_WAIT_ALL, timeout limit = forever)
{
    std::vector<mp_result *> natives;
    for (const auto &one : futures)
        natives.push_back(one.native());
    return detail::waited(mp_result_wait_many(natives.data(), natives.size(), what, limit)).value();
}
/* Takes the one that was ready first out of the vector; nothing when it is empty. */
template <class R>
std::optional<future<R>> next_ready(std::vector<future<R>> &futures, timeout limit = forever)
{
    std::vector<mp_result *> natives;
    std::size_t index = 0;
    for (const auto &one : futures)
        natives.push_back(one.native());
    const int status = mp_result_next(natives.data(), natives.size(), limit, &index);
    if (status == MP_ERR_EOF)
        return std::nullopt;
    detail::check(status);
    std::optional<future<R>> first(std::move(futures[index]));
    futures.erase(futures.begin() + static_cast<std::ptrdiff_t>(index));
    return first;
}

} // namespace mp

#endif
