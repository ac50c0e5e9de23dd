/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * process: functions in other processes, with arguments and a result. */
#ifndef MP_PROCESS_HPP
#define MP_PROCESS_HPP

#include <mp/callable.hpp>

#include <cstdio>
#include <cstdlib>

namespace mp {

/* What a function returns to end its process with this code. Anything else that it returns is its
 * result, and the code is 0. */
enum class exit_code : int {};

struct process_options : mp_process_options {
    process_options() noexcept : mp_process_options MP_PROCESS_OPTIONS {}
};

namespace detail {

/* How a child gets an argument that is a noun; by the handle's type. */
template <class Native>
struct child_handle {
    static constexpr auto get = nullptr;
};
template <class Native, Native *(*Get)(mp_child *, std::size_t)>
struct child_handle_by {
    static constexpr auto get = Get;
};
template <> struct child_handle<mp_lock> : child_handle_by<mp_lock, mp_child_lock> {};
template <> struct child_handle<mp_rlock> : child_handle_by<mp_rlock, mp_child_rlock> {};
template <> struct child_handle<mp_semaphore> : child_handle_by<mp_semaphore, mp_child_semaphore> {};
template <> struct child_handle<mp_condition> : child_handle_by<mp_condition, mp_child_condition> {};
template <> struct child_handle<mp_event> : child_handle_by<mp_event, mp_child_event> {};
template <> struct child_handle<mp_barrier> : child_handle_by<mp_barrier, mp_child_barrier> {};
template <> struct child_handle<mp_value> : child_handle_by<mp_value, mp_child_value> {};
template <> struct child_handle<mp_array> : child_handle_by<mp_array, mp_child_array> {};
template <> struct child_handle<mp_shared_memory> : child_handle_by<mp_shared_memory, mp_child_shared_memory> {};
template <> struct child_handle<mp_shareable_list> : child_handle_by<mp_shareable_list, mp_child_shareable_list> {};
template <> struct child_handle<mp_queue> : child_handle_by<mp_queue, mp_child_queue> {};
template <> struct child_handle<mp_priority_queue> : child_handle_by<mp_priority_queue, mp_child_priority_queue> {};
template <> struct child_handle<mp_connection> : child_handle_by<mp_connection, mp_child_connection> {};
template <> struct child_handle<mp_listener> : child_handle_by<mp_listener, mp_child_listener> {};
template <> struct child_handle<mp_proxy> : child_handle_by<mp_proxy, mp_child_proxy> {};

template <class T, class = void>
inline constexpr bool is_noun = false;
template <class T>
inline constexpr bool is_noun<T, std::void_t<typename T::native_type>> = true;

/* A noun goes to the function as an lvalue, which it owns nothing of; a value as its own copy. */
template <class T>
using parameter = std::conditional_t<is_noun<T>, T &, T &&>;

/* What a child has left: whether all went well, and then the result or the exception's text. */
enum class ending : unsigned char { returned, thrown };

inline void leave(mp_child *child, ending how, bytes_view what)
{
    scratch<way::out> room;

    room.bytes.clear();
    writer out(room.bytes);
    out.put(how);
    out.bytes(what.data(), what.size());
    check(mp_child_return(child, room.bytes.data(), room.bytes.size()));
}

/* Runs a function of type F, whose arguments went as As. */
template <class F, class... As>
struct MP_LOCAL_ child_main {
    using outcome_type = std::decay_t<std::invoke_result_t<F &, parameter<As>...>>;

    static int run(mp_child *child, void *) noexcept
    {
        int code = 0;

        guarded([&] { code = call(child, std::index_sequence_for<As...>()); },
                [&](const char *what) {
                    const char *name = mp_process_name(mp_current_process());

                    code = 1;
                    std::fprintf(stderr, "Process %s:\n  what():  %s\n", name == nullptr ? "?" : name, what);
                    guarded([&] { leave(child, ending::thrown, what); }, [](const char *) {});
                });
        return code;
    }

private:
    /* The handles are behind the bytes, in the arguments' order. */
    template <std::size_t Index>
    static constexpr std::size_t place()
    {
        constexpr bool nouns[] = {is_noun<As>..., false};
        std::size_t n = 1;

        for (std::size_t i = 0; i < Index; ++i)
            n += nouns[i];
        return n;
    }
    template <class A, std::size_t Index>
    static A argument(mp_child *child, [[maybe_unused]] reader &in)
    {
        if constexpr (is_noun<A>) {
            static_assert(!std::is_same_v<std::nullptr_t, std::decay_t<decltype(child_handle<typename A::native_type>::get)>>,
                          "mp::process: this noun cannot be an argument");
            auto *native = child_handle<typename A::native_type>::get(child, place<Index>());
            if (native == nullptr)
                throw error(MP_ERR_BAD_HANDLE, mp_last_error());
            return A(borrow(native));
        } else {
            return in.get<A>();
        }
    }
    template <std::size_t... Index>
    static int call(mp_child *child, std::index_sequence<Index...>)
    {
        std::size_t size = 0;
        const void *bytes = mp_child_bytes(child, 0, &size);
        if (bytes == nullptr)
            throw error(MP_ERR_INVALID, mp_last_error());
        reader in({bytes, size});
        sent<F> function(in.bytes(sent<F>::size));
        /* Braces, for their order. */
        std::tuple<As...> arguments{argument<As, Index>(child, in)...};
        auto called = [&]() -> decltype(auto) {
            return std::invoke(function.function(), static_cast<parameter<As>>(std::get<Index>(arguments))...);
        };

        if constexpr (std::is_void_v<outcome_type>) {
            called();
        } else if constexpr (std::is_same_v<outcome_type, exit_code>) {
            return static_cast<int>(called());
        } else {
            const outcome_type value = called();
            packed(value, [&](bytes_view m) { leave(child, ending::returned, m); });
        }
        return 0;
    }
};

} // namespace detail

/* A process of this program: mp_process. One that runs is joined by the destructor, and a daemon is
 * terminated first.
 *
 *   mp::process p([](int times, mp::queue<int> &out) { ... }, 3, queue);
 *
 * The function is a lambda or a functor whose captures are trivially copyable, or a plain function.
 * Its captures go along byte by byte; what a captured pointer or reference leads to does not.
 * Arguments are copied as mp::codec says, but nouns (locks, queues, connections...) are shared: the
 * function takes those as lvalues. An exception that leaves it is written to the child's stderr,
 * its exit code is 1, and returned() throws it as an mp::error with MP_ERR_TASK_FAILED. */
class process : public detail::handle<mp_process, mp_process_free> {
    template <class F>
    using if_function = std::enable_if_t<!std::is_base_of_v<process_options, std::decay_t<F>> &&
                                         !std::is_same_v<process, std::decay_t<F>> &&
                                         !std::is_same_v<given_handle<mp_process>, std::decay_t<F>>>;

public:
    using handle::handle;

    /* Makes a process, and starts it. */
    template <class F, class... Arguments, class = if_function<F>>
    MP_LOCAL_ explicit process(F &&f, Arguments &&...arguments)
        : process(process_options(), std::forward<F>(f), std::forward<Arguments>(arguments)...)
    {
    }
    template <class F, class... Arguments, class = if_function<F>>
    MP_LOCAL_ process(const process_options &options, F &&f, Arguments &&...arguments)
        : process(prepare(options, std::forward<F>(f), std::forward<Arguments>(arguments)...))
    {
        start();
    }
    /* Makes one, and does not start it. */
    template <class F, class... Arguments>
    MP_LOCAL_ static process prepare(const process_options &options, F &&f, Arguments &&...arguments)
    {
        return prepare(std::nothrow, options, std::forward<F>(f), std::forward<Arguments>(arguments)...).value();
    }
    template <class F, class... Arguments>
    MP_LOCAL_ static result<process> prepare(std::nothrow_t, const process_options &options, F &&f, Arguments &&...arguments)
    {
        using function = std::decay_t<F>;
        mp_process *native = nullptr;
        const int status =
            mp_process_new(&native, detail::child_main<function, detail::sent_as_t<Arguments>...>::run, nullptr, &options);

        if (status < 0)
            return error(status);
        process made{adopt(native)};
        try {
            made.add(detail::sent<function>(std::forward<F>(f)), arguments...);
        } catch (const error &e) {
            return e;
        }
        return made;
    }

    process(process &&) noexcept = default;
    process &operator=(process &&other) noexcept
    {
        process taken(std::move(other));
        finish();
        handle::operator=(std::move(taken));
        return *this;
    }
    ~process() { finish(); }

    void start() { start(std::nothrow).value(); }
    result<void> start(std::nothrow_t) { return detail::outcome(mp_process_start(native())); }
    /* Whether it ended in time. */
    bool join(timeout limit = forever) { return join(std::nothrow, limit).value(); }
    result<bool> join(std::nothrow_t, timeout limit = forever)
    {
        return detail::waited(mp_process_join(native(), limit));
    }
    /* Goes on without this object: the parent's normal end joins it. */
    void detach() noexcept { mp_process_free(release()); }

    int exitcode() const { return exitcode(std::nothrow).value(); }
    result<int> exitcode(std::nothrow_t) const { return detail::ask<int>(mp_process_exitcode, native()); }
    int pid() const { return pid(std::nothrow).value(); }
    result<int> pid(std::nothrow_t) const { return detail::ask<int>(mp_process_pid, native()); }
    bool is_alive() const { return is_alive(std::nothrow).value(); }
    result<bool> is_alive(std::nothrow_t) const { return detail::ask<bool>(mp_process_is_alive, native()); }

    /* Waits for its end and gives what its function returned. */
    template <class T>
    T returned()
    {
        return returned<T>(std::nothrow).value();
    }
    template <class T>
    result<T> returned(std::nothrow_t)
    {
        mp_buffer *left = nullptr;
        int status = mp_process_join(native(), MP_FOREVER);

        if (status >= 0 || status == MP_ERR_STATE)
            status = mp_process_result(native(), &left);
        if (status < 0)
            return error(status);
        const detail::buffer message{adopt(left)};
        const bytes_view bytes = detail::view(message);
        if (bytes.size() == 0)
            return error(MP_ERR_INVALID, "mp::process: it has left no result of mp.hpp's");
        const auto *first = static_cast<const unsigned char *>(bytes.data());
        const bytes_view rest(first + 1, bytes.size() - 1);
        if (*first != static_cast<unsigned char>(detail::ending::returned))
            return error(MP_ERR_TASK_FAILED, rest.str());
        return detail::try_unpacked<T>(rest);
    }

    std::string name() const { return name(std::nothrow).value(); }
    result<std::string> name(std::nothrow_t) const
    {
        const char *name = mp_process_name(native());
        if (name == nullptr)
            return error(MP_ERR_BAD_HANDLE);
        return std::string(name);
    }
    void name(const std::string &name) { this->name(std::nothrow, name).value(); }
    result<void> name(std::nothrow_t, const std::string &name)
    {
        return detail::outcome(mp_process_set_name(native(), name.c_str()));
    }
    bool daemon() const { return daemon(std::nothrow).value(); }
    result<bool> daemon(std::nothrow_t) const { return detail::ask<bool>(mp_process_daemon, native()); }
    void daemon(bool daemon) { this->daemon(std::nothrow, daemon).value(); }
    result<void> daemon(std::nothrow_t, bool daemon)
    {
        return detail::outcome(mp_process_set_daemon(native(), daemon));
    }
    /* A descriptor that is readable from its end on. */
    int sentinel() { return sentinel(std::nothrow).value(); }
    result<int> sentinel(std::nothrow_t) { return detail::ask<int>(mp_process_sentinel, native()); }

    void terminate() { terminate(std::nothrow).value(); }
    result<void> terminate(std::nothrow_t) { return detail::outcome(mp_process_terminate(native())); }
    void kill() { kill(std::nothrow).value(); }
    result<void> kill(std::nothrow_t) { return detail::outcome(mp_process_kill(native())); }
    void interrupt() { interrupt(std::nothrow).value(); }
    result<void> interrupt(std::nothrow_t) { return detail::outcome(mp_process_interrupt(native())); }
    void signal(int number) { signal(std::nothrow, number).value(); }
    result<void> signal(std::nothrow_t, int number)
    {
        return detail::outcome(mp_process_signal(native(), number));
    }

    /* Runs the function here and now; its exit code. */
    int run() { return run(std::nothrow).value(); }
    result<int> run(std::nothrow_t) { return detail::ask<int>(mp_process_run, native()); }
    /* One more of the same, not started. */
    process again() const { return again(std::nothrow).value(); }
    result<process> again(std::nothrow_t) const
    {
        mp_process *native_again = nullptr;
        const int status = mp_process_again(native(), &native_again);
        if (status < 0)
            return error(status);
        return process(adopt(native_again));
    }
    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_process_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }

private:
    template <class Sent, class... Arguments>
    MP_LOCAL_ void add(const Sent &function, const Arguments &...arguments)
    {
        {
            detail::scratch<detail::way::out> room;
            room.bytes.clear();
            writer out(room.bytes);
            out.bytes(function.data(), Sent::size);
            (add_value(out, arguments), ...);
            detail::check(mp_process_add_bytes(native(), room.bytes.data(), room.bytes.size()));
        }
        (add_noun(arguments), ...);
    }
    template <class Argument>
    static void add_value(writer &out, const Argument &argument)
    {
        using type = detail::sent_as_t<const Argument &>;
        if constexpr (!detail::is_noun<type>) {
            if constexpr (std::is_same_v<type, std::decay_t<const Argument &>>)
                out.put<type>(argument);
            else
                out.put(type(argument));
        }
    }
    template <class Argument>
    void add_noun(const Argument &argument)
    {
        if constexpr (detail::is_noun<Argument>)
            detail::check(mp_process_add_handle(native(), argument.native()));
    }
    void finish() noexcept
    {
        if (!owned())
            return;
        if (mp_process_free(native()) >= 0) {
            release();
            return;
        }
        bool daemon = false;
        if (mp_process_daemon(native(), &daemon) >= 0 && daemon)
            mp_process_terminate(native());
        mp_process_join(native(), MP_FOREVER);
    }
};

/* This process, and the one that has started it, whose object is empty in a main process. */
inline process current_process() { return process(borrow(mp_current_process())); }
inline process parent_process() { return process(borrow(mp_parent_process())); }
inline bool is_main_process() noexcept { return mp_is_main_process(); }

/* The children that run. An object of those does not join its child where there is another one. */
inline std::vector<process> active_children()
{
    std::vector<mp_process *> found;
    std::size_t count = 0;
    int status;

    while ((status = mp_active_children(found.data(), found.size(), &count)) == MP_ERR_TOO_SMALL)
        found.resize(count + 8);
    detail::check(status);
    std::vector<process> children;
    children.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        children.emplace_back(adopt(found[i]));
    return children;
}

/* Ends this process from wherever it is called; nothing is unwound. */
[[noreturn]] inline void exit(int code)
{
    mp_exit(code);
    std::abort(); /* not reached */
}

/* The key by which connections and managers of this program prove themselves. */
inline std::string authkey()
{
    std::string key(32, '\0');
    std::size_t size = 0;
    int status;

    while ((status = mp_get_authkey(key.data(), key.size(), &size)) == MP_ERR_TOO_SMALL)
        key.resize(size);
    detail::check(status);
    key.resize(size);
    return key;
}
inline void authkey(bytes_view key) { detail::check(mp_set_authkey(key.data(), key.size())); }

} // namespace mp

#endif
