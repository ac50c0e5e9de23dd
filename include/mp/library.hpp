/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The library as a whole: its begin, start methods, hooks, waiting for many things, names, log. */
#ifndef MP_LIBRARY_HPP
#define MP_LIBRARY_HPP

#include <mp/callable.hpp>

#include <atomic>
#include <memory>

namespace mp {

namespace detail {

/* Keeps something for the process's life, whichever thread or child may still use it. */
template <class T>
T *kept(T value)
{
    struct node {
        T value;
        node *next;
    };
    static std::atomic<node *> all{nullptr};
    auto *one = new node{std::move(value), all.load()};

    while (!all.compare_exchange_weak(one->next, one)) {
    }
    return &one->value;
}

} // namespace detail

/* Every main begins with this call: mp_bootstrap. */
inline result<void> bootstrap(std::nothrow_t, int argc, char **argv)
{
    return detail::outcome(mp_bootstrap(argc, argv));
}
inline void bootstrap(int argc, char **argv) { bootstrap(std::nothrow, argc, argv).value(); }
inline std::string version() { return mp_version(); }
inline std::size_t cpu_count() noexcept { return mp_cpu_count(); }

struct library_stats : mp_stats {
    library_stats() noexcept : mp_stats MP_STATS {}
};
inline result<library_stats> stats(std::nothrow_t) { return detail::ask<library_stats>(mp_stats_get); }
inline library_stats stats() { return stats(std::nothrow).value(); }

/* ---- start methods ---- */

inline result<void> set_start_method(std::nothrow_t, mp_start_method method, bool force = false)
{
    return detail::outcome(mp_set_start_method(method, force));
}
inline void set_start_method(mp_start_method method, bool force = false)
{
    set_start_method(std::nothrow, method, force).value();
}
inline mp_start_method start_method() noexcept { return static_cast<mp_start_method>(mp_get_start_method()); }
inline result<mp_start_method> start_method_from_name(std::nothrow_t, const std::string &name)
{
    const result<int> method = detail::ask<int>(mp_start_method_from_name, name.c_str());
    if (!method)
        return method.error();
    return static_cast<mp_start_method>(*method);
}
inline mp_start_method start_method_from_name(const std::string &name)
{
    return start_method_from_name(std::nothrow, name).value();
}
inline result<std::string> start_method_name(std::nothrow_t, mp_start_method method)
{
    const char *name = mp_start_method_name(method);
    if (name == nullptr)
        return error(MP_ERR_INVALID, mp_last_error());
    return std::string(name);
}
inline std::string start_method_name(mp_start_method method) { return start_method_name(std::nothrow, method).value(); }
/* The library's default first. */
inline std::vector<mp_start_method> all_start_methods()
{
    std::size_t count = 0;
    const int asked = mp_get_all_start_methods(nullptr, 0, &count);
    if (asked < 0 && asked != MP_ERR_TOO_SMALL)
        throw error(asked);
    std::vector<int> numbers(count);
    detail::check(mp_get_all_start_methods(numbers.data(), count, &count));
    std::vector<mp_start_method> methods;
    for (int number : numbers)
        methods.push_back(static_cast<mp_start_method>(number));
    return methods;
}

/* A start method to hand on: mp_context. */
class context : public detail::handle<mp_context, mp_context_free> {
public:
    using handle::handle;
    explicit context(mp_start_method method) : handle(detail::made<mp_context>(mp_context_new, static_cast<int>(method))) {}
    static result<context> make(std::nothrow_t, mp_start_method method)
    {
        return detail::try_made<context>(mp_context_new, static_cast<int>(method));
    }
    /* Children that are runs of another executable. argv may be empty, for the path alone. */
    static context of_executable(const std::string &path, const std::vector<std::string> &argv = {})
    {
        std::vector<const char *> words;
        for (const std::string &word : argv)
            words.push_back(word.c_str());
        words.push_back(nullptr);
        return context(detail::made<mp_context>(mp_context_new_executable, path.c_str(),
                                                argv.empty() ? nullptr : words.data()));
    }
    mp_start_method start_method() const { return start_method(std::nothrow).value(); }
    result<mp_start_method> start_method(std::nothrow_t) const
    {
        const result<int> method = detail::ask<int>(mp_context_start_method, native());
        if (!method)
            return method.error();
        return static_cast<mp_start_method>(*method);
    }
};

/* Has the fork server run a lambda without captures, or a functor without members, at its start. */
template <class F>
void forkserver_preload(F)
{
    static_assert(std::is_empty_v<F> && std::is_trivially_copyable_v<F>,
                  "mp: what the fork server runs must capture nothing");
    struct MP_LOCAL_ preload {
        static void run() noexcept
        {
            detail::sent<F> function(nullptr);
            detail::guarded([&] { function.function()(); }, [](const char *what) { mp_log_write(MP_LOG_ERROR, what); });
        }
    };
    detail::check(mp_forkserver_preload(preload::run));
}
inline void forkserver_start() { detail::check(mp_forkserver_start()); }
inline void forkserver_stop() { detail::check(mp_forkserver_stop()); }

/* What spawn runs instead of the program's own executable; argv may be empty. */
inline void set_executable(const std::string &path, const std::vector<std::string> &argv = {})
{
    std::vector<const char *> words;
    for (const std::string &word : argv)
        words.push_back(word.c_str());
    words.push_back(nullptr);
    detail::check(mp_set_executable(path.c_str(), argv.empty() ? nullptr : words.data()));
}
inline void reset_executable() { detail::check(mp_set_executable(nullptr, nullptr)); }
inline std::string executable() { return detail::text(mp_get_executable).value(); }

/* ---- hooks: what they throw is logged ---- */

/* Called at this process's normal end, and only in this process: mp_at_exit. */
template <class F>
void at_exit(F function, int priority = 0)
{
    auto kept = std::make_unique<F>(std::move(function));
    detail::check(mp_at_exit(
        [](void *user) {
            const std::unique_ptr<F> function(static_cast<F *>(user));
            detail::guarded([&] { (*function)(); }, [](const char *what) { mp_log_write(MP_LOG_ERROR, what); });
        },
        kept.get(), priority));
    static_cast<void>(kept.release());
}
/* Called in every child by fork, before its function: mp_after_fork. It stays for the process's life. */
template <class F>
void after_fork(F function)
{
    detail::check(mp_after_fork(
        [](void *user) {
            detail::guarded([&] { (*static_cast<F *>(user))(); },
                            [](const char *what) { mp_log_write(MP_LOG_ERROR, what); });
        },
        detail::kept(std::move(function))));
}

/* ---- waiting for any of many things ---- */

/* A noun that can be waited for, or a descriptor. */
class waitable {
public:
    waitable(int descriptor) noexcept : item_{nullptr, descriptor, false} {}
    template <class Noun, class = typename Noun::native_type>
    waitable(const Noun &noun) noexcept : item_{noun.native(), -1, false}
    {
    }
    const mp_wait_item &native() const noexcept { return item_; }

private:
    mp_wait_item item_;
};
/* Waits until one of them is ready, and gives the places of all that are; none when the time is
 * over. Nothing is taken: mp_wait. */
inline result<std::vector<std::size_t>> wait(std::nothrow_t, const std::vector<waitable> &things, timeout limit = forever)
{
    std::vector<mp_wait_item> items;
    for (const waitable &thing : things)
        items.push_back(thing.native());
    const int status = mp_wait(items.data(), items.size(), nullptr, limit);
    if (status < 0 && status != MP_ERR_TIMEOUT)
        return error(status);
    std::vector<std::size_t> ready;
    for (std::size_t i = 0; i < items.size(); ++i)
        if (items[i].ready)
            ready.push_back(i);
    return ready;
}
inline std::vector<std::size_t> wait(const std::vector<waitable> &things, timeout limit = forever)
{
    return wait(std::nothrow, things, limit).value();
}
/* For the program's own event loop: mp_descriptor. */
template <class Noun>
result<int> descriptor(std::nothrow_t, const Noun &noun)
{
    return detail::ask<int>(mp_descriptor, static_cast<const void *>(noun.native()));
}
template <class Noun>
int descriptor(const Noun &noun)
{
    return descriptor(std::nothrow, noun).value();
}

/* ---- names ---- */

inline result<void> unlink_name(std::nothrow_t, const std::string &name)
{
    return detail::outcome(mp_name_unlink(name.c_str()));
}
inline void unlink_name(const std::string &name) { unlink_name(std::nothrow, name).value(); }
/* Takes away the names that only the dead have used, and tells how many. */
inline result<std::size_t> reap_names(std::nothrow_t) { return detail::ask<std::size_t>(mp_names_reap); }
inline std::size_t reap_names() { return reap_names(std::nothrow).value(); }

/* ---- log ---- */

namespace log {

inline void set_level(int level) { detail::check(mp_log_set_level(level)); }
inline int level() noexcept { return mp_log_get_level(); }
inline bool enabled(int level) noexcept { return mp_log_enabled(level); }
inline void to_stderr(int level = MP_LOG_NOTSET) { detail::check(mp_log_to_stderr(level)); }
inline void write(int level, const std::string &message) { detail::check(mp_log_write(level, message.c_str())); }
inline void debug(const std::string &message) { write(MP_LOG_DEBUG, message); }
inline void info(const std::string &message) { write(MP_LOG_INFO, message); }
inline void warning(const std::string &message) { write(MP_LOG_WARNING, message); }
inline void error(const std::string &message) { write(MP_LOG_ERROR, message); }

/* Has every record given to a function. What it throws is lost. It stays for the process's life, as
 * another thread may still be in it; one without captures is there in all children as well. */
template <class F>
void set_sink(F sink)
{
    if constexpr (std::is_empty_v<F> && std::is_trivially_copyable_v<F>) {
        struct MP_LOCAL_ stateless {
            static void take(const mp_log_record *record, void *) noexcept
            {
                detail::sent<F> function(nullptr);
                detail::guarded([&] { function.function()(*record); }, [](const char *) {});
            }
        };
        detail::check(mp_log_set_sink(stateless::take, nullptr));
    } else {
        detail::check(mp_log_set_sink(
            [](const mp_log_record *record, void *user) {
                detail::guarded([&] { (*static_cast<F *>(user))(*record); }, [](const char *) {});
            },
            detail::kept(std::move(sink))));
    }
}
inline void remove_sink() { detail::check(mp_log_set_sink(nullptr, nullptr)); }
/* Every record into a queue, which listen() reads, here or in another process. */
template <class Queue>
void to_queue(const Queue &queue)
{
    detail::check(mp_log_to_queue(queue.native()));
}
inline void to_no_queue() { detail::check(mp_log_to_queue(nullptr)); }
/* Gives the records of a queue to a function until "none" comes, the queue ends or the function
 * throws, which comes out of here behind the records that were there; false when the time is over. */
template <class Queue, class F>
bool listen(Queue &queue, F sink, timeout limit = forever)
{
    struct listening {
        F &sink;
        std::exception_ptr thrown;
    } user{sink, nullptr};
    const int status = mp_log_listen(
        queue.native(),
        [](const mp_log_record *record, void *user) {
            auto &self = *static_cast<listening *>(user);
            try {
                if (!self.thrown)
                    self.sink(*record);
            } catch (...) {
                self.thrown = std::current_exception();
            }
        },
        &user, limit);

    if (user.thrown)
        std::rethrow_exception(user.thrown);
    return detail::waited(status).value();
}

} // namespace log
} // namespace mp

#endif
