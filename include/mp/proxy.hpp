/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * proxy: what stands for a manager's object; answer: what a call came to. */
#ifndef MP_PROXY_HPP
#define MP_PROXY_HPP

#include <mp/item.hpp>
#include <mp/shared_memory.hpp>

#include <deque>

namespace mp {

class proxy;

/* What a call came to: items. */
class answer : public detail::handle<mp_answer, mp_answer_free> {
public:
    using handle::handle;
    std::size_t size() const noexcept { return mp_answer_count(native()); }
    mp::item item(std::size_t index = 0) const { return item(std::nothrow, index).value(); }
    result<mp::item> item(std::nothrow_t, std::size_t index = 0) const
    {
        mp_item found{};
        const int status = mp_answer_item(native(), index, &found);
        if (status < 0)
            return error(status);
        return detail::owned(found);
    }
    /* An item that is an object. */
    mp::proxy proxy(std::size_t index = 0) const;
};

/* What stands for a manager's object: mp_proxy. Its methods' names are in docs/manager-protocol.md. */
class proxy : public detail::handle<mp_proxy, mp_proxy_free> {
public:
    using handle::handle;
    /* Of the bytes of exported(), in whichever process. */
    static proxy imported(bytes_view bytes) { return imported(std::nothrow, bytes).value(); }
    static result<proxy> imported(std::nothrow_t, bytes_view bytes)
    {
        return detail::try_made<proxy>(mp_proxy_import, bytes.data(), bytes.size());
    }
    std::string exported() const { return exported(std::nothrow).value(); }
    result<std::string> exported(std::nothrow_t) const { return buffered(mp_proxy_export); }

    /* Calls a method with any number of items. */
    template <class... Items>
    answer call(const std::string &method, const Items &...items) const
    {
        return call_for(std::nothrow, forever, method, items...).value();
    }
    template <class... Items>
    result<answer> call(std::nothrow_t, const std::string &method, const Items &...items) const
    {
        return call_for(std::nothrow, forever, method, items...);
    }
    template <class... Items>
    answer call_for(timeout limit, const std::string &method, const Items &...items) const
    {
        return call_for(std::nothrow, limit, method, items...).value();
    }
    template <class... Items>
    result<answer> call_for(std::nothrow_t, timeout limit, const std::string &method, const Items &...items) const
    {
        const mp_item natives[] = {item_view(items).native()..., mp_item_none()};
        mp_answer *got = nullptr;
        const int status = mp_proxy_call(native(), method.c_str(), natives, sizeof...(items), &got, limit);
        if (status < 0)
            return error(status);
        return answer(adopt(got));
    }

    mp::item get(item_view key = {}) const { return get(std::nothrow, key).value(); }
    result<mp::item> get(std::nothrow_t, item_view key = {}) const
    {
        const result<answer> got = got_at(key);
        if (!got)
            return got.error();
        return got->item(std::nothrow);
    }
    /* An item that is an object itself. */
    proxy get_proxy(item_view key) const { return got_at(key).value().proxy(); }
    std::int64_t get_int(item_view key = {}) const { return get_int(std::nothrow, key).value(); }
    result<std::int64_t> get_int(std::nothrow_t, item_view key = {}) const
    {
        return detail::ask<std::int64_t>(mp_proxy_get_int, native(), key.native());
    }
    void set(item_view key, item_view to) { set(std::nothrow, key, to).value(); }
    result<void> set(std::nothrow_t, item_view key, item_view to)
    {
        return detail::outcome(mp_proxy_set(native(), key.native(), to.native()));
    }
    void erase(item_view key) { erase(std::nothrow, key).value(); }
    result<void> erase(std::nothrow_t, item_view key) { return detail::outcome(mp_proxy_del(native(), key.native())); }
    bool contains(item_view key) const { return contains(std::nothrow, key).value(); }
    result<bool> contains(std::nothrow_t, item_view key) const
    {
        return detail::ask<bool>(mp_proxy_contains, native(), key.native());
    }
    std::size_t size() const { return size(std::nothrow).value(); }
    result<std::size_t> size(std::nothrow_t) const { return detail::ask<std::size_t>(mp_proxy_len, native()); }
    void push_back(item_view to) { push_back(std::nothrow, to).value(); }
    result<void> push_back(std::nothrow_t, item_view to)
    {
        return detail::outcome(mp_proxy_append(native(), to.native()));
    }
    /* Adds to an integer, and gives the sum. */
    std::int64_t add(item_view key, std::int64_t more) { return add(std::nothrow, key, more).value(); }
    result<std::int64_t> add(std::nothrow_t, item_view key, std::int64_t more)
    {
        return detail::ask<std::int64_t>(mp_proxy_fetch_add, native(), key.native(), more);
    }
    bool compare_and_set(item_view key, item_view expected, item_view to)
    {
        return compare_and_set(std::nothrow, key, expected, to).value();
    }
    result<bool> compare_and_set(std::nothrow_t, item_view key, item_view expected, item_view to)
    {
        return detail::ask<bool>(mp_proxy_compare_and_set, native(), key.native(), expected.native(), to.native());
    }
    /* Some of the items from a position on, which begins with 0; none at the end. */
    answer next(std::int64_t &position, std::size_t most = 1000) const
    {
        return next(std::nothrow, position, most).value();
    }
    result<answer> next(std::nothrow_t, std::int64_t &position, std::size_t most = 1000) const
    {
        mp_answer *got = nullptr;
        const int status = mp_proxy_next(native(), &position, most, &got);
        if (status < 0)
            return error(status);
        return answer(adopt(got));
    }

    /* Waits until a dict's key has changed, since version, which is 0 at first and kept up to date here:
     * the key's item, or an answer without one where it is not there. */
    answer watch(item_view key, std::int64_t &version, timeout limit = forever) const
    {
        return watch(std::nothrow, key, version, limit).value();
    }
    result<answer> watch(std::nothrow_t, item_view key, std::int64_t &version, timeout limit = forever) const
    {
        mp_answer *got = nullptr;
        const int status = mp_proxy_watch(native(), key.native(), &version, &got, limit);
        if (status < 0)
            return error(status);
        return answer(adopt(got));
    }
    /* At a managed condition: whether the predicate held in time. What it throws comes out of here,
     * with the lock held. */
    template <class Predicate>
    bool wait(Predicate predicate, timeout limit = forever)
    {
        return wait(std::nothrow, std::move(predicate), limit).value();
    }
    template <class Predicate>
    result<bool> wait(std::nothrow_t, Predicate predicate, timeout limit = forever)
    {
        detail::asked<Predicate> user{predicate, nullptr};
        const int status = mp_proxy_wait_for(
            native(), [](const mp_proxy *, void *asking) { return detail::asked<Predicate>::holds(asking); }, &user, limit);

        if (user.thrown)
            std::rethrow_exception(user.thrown);
        return detail::waited(status);
    }

    /* Of locks and semaphores, for std::scoped_lock and std::unique_lock. */
    void lock() { try_lock_for(forever); }
    bool try_lock() { return try_lock_for(no_wait); }
    bool try_lock_for(timeout limit) { return try_lock_for(std::nothrow, limit).value(); }
    result<bool> try_lock_for(std::nothrow_t, timeout limit)
    {
        return detail::waited(mp_proxy_acquire(native(), limit));
    }
    void unlock() { unlock(std::nothrow).value(); }
    result<void> unlock(std::nothrow_t) { return detail::outcome(mp_proxy_release(native())); }

    /* The memory of a SharedMemory, and the list of a ShareableList, in place: on the server's machine. */
    shared_memory memory() const { return memory(std::nothrow).value(); }
    result<shared_memory> memory(std::nothrow_t) const { return in_place<shared_memory>(mp_proxy_shared_memory); }
    shareable_list list() const { return list(std::nothrow).value(); }
    result<shareable_list> list(std::nothrow_t) const { return in_place<shareable_list>(mp_proxy_shareable_list); }

    /* The object as text. */
    std::string str() const { return str(std::nothrow).value(); }
    result<std::string> str(std::nothrow_t) const { return buffered(mp_proxy_str); }
    std::string describe() const { return describe(std::nothrow).value(); }
    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_proxy_describe, native()); }

private:
    template <class Noun, class Native>
    result<Noun> in_place(mp_status (*call)(const mp_proxy *, Native **)) const
    {
        Native *found = nullptr;
        const int status = call(native(), &found);
        if (status < 0)
            return error(status);
        return Noun(adopt(found));
    }
    result<answer> got_at(item_view key) const
    {
        mp_answer *got = nullptr;
        const int status = mp_proxy_get(native(), key.native(), &got);
        if (status < 0)
            return error(status);
        return answer(adopt(got));
    }
    template <class Call>
    result<std::string> buffered(Call call) const
    {
        mp_buffer *text = nullptr;
        const int status = call(native(), &text);
        if (status < 0)
            return error(status);
        return detail::view(detail::buffer(adopt(text))).str();
    }
};

inline mp::proxy answer::proxy(std::size_t index) const
{
    mp_proxy *found = nullptr;
    detail::check(mp_answer_proxy(native(), index, &found));
    return mp::proxy(adopt(found));
}

/* Several calls as one, with nobody in between: mp_proxy_batch. */
struct proxy_step {
    const mp::proxy &object;
    std::string method;
    std::vector<item_view> items;
};
inline result<answer> batch(std::nothrow_t, const std::vector<proxy_step> &steps)
{
    std::deque<std::vector<mp_item>> items;
    std::vector<mp_proxy_step> natives;
    mp_answer *got = nullptr;

    for (const proxy_step &step : steps) {
        items.push_back(detail::natives(step.items.data(), step.items.size()));
        natives.push_back({step.object.native(), step.method.c_str(), items.back().data(), items.back().size()});
    }
    const int status = mp_proxy_batch(natives.data(), natives.size(), &got);
    if (status < 0)
        return error(status);
    return answer(adopt(got));
}
inline answer batch(const std::vector<proxy_step> &steps) { return batch(std::nothrow, steps).value(); }

} // namespace mp

#endif
