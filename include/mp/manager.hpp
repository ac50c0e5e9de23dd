/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * manager, proxy: objects that a server keeps, for processes here and elsewhere. */
#ifndef MP_MANAGER_HPP
#define MP_MANAGER_HPP

#include <mp/callable.hpp>
#include <mp/item.hpp>

#include <deque>
#include <initializer_list>
#include <limits>

namespace mp {

struct manager_options : mp_manager_options {
    manager_options() noexcept : mp_manager_options MP_MANAGER_OPTIONS {}
    void set_key(bytes_view bytes) noexcept
    {
        key = bytes.data();
        key_size = bytes.size();
    }
};

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

    /* The object as text. */
    std::string str() const { return str(std::nothrow).value(); }
    result<std::string> str(std::nothrow_t) const { return buffered(mp_proxy_str); }
    std::string describe() const { return describe(std::nothrow).value(); }
    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_proxy_describe, native()); }

private:
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
    template <std::size_t... I>
    static T *create([[maybe_unused]] mp_call *call, std::index_sequence<I...>)
    {
        sent<F> function(nullptr);
        return new T(function.function()(argument<As>(call, I)...));
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
    template <std::size_t... I>
    static void go(mp_call *call, T &object, std::index_sequence<I...>)
    {
        sent<F> function(nullptr);
        auto called = [&]() -> decltype(auto) { return function.function()(object, argument<As>(call, I)...); };

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
    mp_object_options options() const noexcept
    {
        mp_object_options options = MP_OBJECT_OPTIONS;
        options.create = create_;
        options.destroy = destroy;
        options.methods = methods_.data();
        options.method_count = methods_.size();
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
};

/* A server of objects, or the way to one: mp_manager. Destroying the one that started it ends it. */
class manager : public detail::handle<mp_manager, mp_manager_free> {
public:
    using handle::handle;
    explicit manager(const manager_options &options = {}) : handle(detail::made<mp_manager>(mp_manager_new, &options)) {}
    static result<manager> make(std::nothrow_t, const manager_options &options = {})
    {
        return detail::try_made<manager>(mp_manager_new, &options);
    }

    template <class T>
    void add_type(const std::string &name, const object_type<T> &type)
    {
        add_type(std::nothrow, name, type).value();
    }
    template <class T>
    result<void> add_type(std::nothrow_t, const std::string &name, const object_type<T> &type)
    {
        const mp_object_options options = type.options();
        return detail::outcome(mp_manager_register(native(), name.c_str(), &options));
    }
    void start() { start(std::nothrow).value(); }
    result<void> start(std::nothrow_t) { return detail::outcome(mp_manager_start(native())); }
    void connect(timeout limit = forever) { connect(std::nothrow, limit).value(); }
    result<void> connect(std::nothrow_t, timeout limit = forever)
    {
        return detail::outcome(mp_manager_connect(native(), limit));
    }
    void serve_forever() { serve_forever(std::nothrow).value(); }
    result<void> serve_forever(std::nothrow_t) { return detail::outcome(mp_manager_serve_forever(native())); }
    void shutdown() { shutdown(std::nothrow).value(); }
    result<void> shutdown(std::nothrow_t) { return detail::outcome(mp_manager_shutdown(native())); }
    bool join(timeout limit = forever) { return join(std::nothrow, limit).value(); }
    result<bool> join(std::nothrow_t, timeout limit = forever)
    {
        return detail::waited(mp_manager_join(native(), limit));
    }

    /* A new object of a type, "dict" for example, made of items. */
    template <class... Items>
    proxy create(const std::string &type, const Items &...items)
    {
        return create(std::nothrow, type, items...).value();
    }
    template <class... Items>
    result<proxy> create(std::nothrow_t, const std::string &type, const Items &...items)
    {
        const mp_item natives[] = {item_view(items).native()..., mp_item_none()};
        mp_proxy *made = nullptr;
        const int status = mp_manager_create(native(), &made, type.c_str(), natives, sizeof...(items));
        if (status < 0)
            return error(status);
        return proxy(adopt(made));
    }
    /* key, value, key, value... */
    template <class... Items>
    proxy dict(const Items &...items)
    {
        return create("dict", items...);
    }
    template <class... Items>
    proxy list(const Items &...items)
    {
        return create("list", items...);
    }

    std::string address() const { return address(std::nothrow).value(); }
    result<std::string> address(std::nothrow_t) const { return detail::text(mp_manager_address, native()); }
    int pid() const { return pid(std::nothrow).value(); }
    result<int> pid(std::nothrow_t) const { return detail::ask<int>(mp_manager_pid, native()); }
    std::uint64_t number_of_objects() const { return number_of_objects(std::nothrow).value(); }
    result<std::uint64_t> number_of_objects(std::nothrow_t) const
    {
        return detail::ask<std::uint64_t>(mp_manager_number_of_objects, native());
    }
    std::string debug_info() const { return debug_info(std::nothrow).value(); }
    result<std::string> debug_info(std::nothrow_t) const
    {
        mp_buffer *text = nullptr;
        const int status = mp_manager_debug_info(native(), &text);
        if (status < 0)
            return error(status);
        return detail::view(detail::buffer(adopt(text))).str();
    }
};

} // namespace mp

#endif
