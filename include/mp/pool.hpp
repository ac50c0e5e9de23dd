/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * pool: functions over ranges, in worker processes. */
#ifndef MP_POOL_HPP
#define MP_POOL_HPP

#include <mp/future.hpp>
#include <mp/imap.hpp>

namespace mp {

struct pool_options : mp_pool_options {
    pool_options() noexcept : mp_pool_options MP_POOL_OPTIONS {}
};
struct map_options : mp_map_options {
    map_options() noexcept : mp_map_options MP_MAP_OPTIONS {}
    /* Told how many of the items are done; false cancels the map. Of calls that wait. */
    std::function<bool(std::size_t done, std::size_t total)> on_progress;
};
struct apply_options : mp_apply_options {
    apply_options() noexcept : mp_apply_options MP_APPLY_OPTIONS {}
};
struct async_options {
    /* As in mp_async_options. */
    int priority = 0;
    /* Told, by the pool's thread, that the call is over and how it ended. It must not wait. What it
     * throws is logged. */
    std::function<void(mp_status)> on_end;
};
struct imap_options : mp_imap_options {
    imap_options() noexcept : mp_imap_options MP_IMAP_OPTIONS {}
};
struct pool_stats : mp_pool_stats {
    pool_stats() noexcept : mp_pool_stats MP_POOL_STATS {}
};
struct worker_stats : mp_worker_stats {
    worker_stats() noexcept : mp_worker_stats MP_WORKER_STATS {}
};

/* Worker processes: mp_pool. Destroying it terminates them: close() and join(), or shutdown(), come
 * first where asynchronous calls are on their way.
 *
 *   mp::pool pool;
 *   std::vector<int> squares = pool.map([](int x) { return x * x; }, numbers);
 *
 * Functions are what mp::process takes, with one item as their argument. Arguments, items and results
 * go as mp::codec says. An exception that leaves a function fails its item, with what() as the
 * sentence of the MP_ERR_TASK_FAILED. Workers know no nouns but those with names. */
class pool : public detail::handle<mp_pool, mp_pool_free> {
public:
    using handle::handle;
    explicit pool(const pool_options &options = {}) : handle(detail::made<mp_pool>(mp_pool_new, &options)) {}
    explicit pool(std::size_t workers) : pool(of_workers(workers)) {}
    /* Each worker calls initializer(arguments...) before its first task. */
    template <class F, class... Arguments>
    MP_LOCAL_ pool(pool_options options, F &&initializer, const Arguments &...arguments)
        : pool(with_initializer(options, std::forward<F>(initializer), arguments...))
    {
    }
    static result<pool> make(std::nothrow_t, const pool_options &options = {})
    {
        return detail::try_made<pool>(mp_pool_new, &options);
    }

    /* A function's results for the items of a range, in their order. */
    template <class F, class Range>
    MP_LOCAL_ auto map(F &&f, Range &&range, const map_options &options = {})
    {
        return map(std::nothrow, std::forward<F>(f), std::forward<Range>(range), options).value();
    }
    template <class F, class Range>
    MP_LOCAL_ auto map(std::nothrow_t, F &&f, Range &&range, const map_options &options = {})
        -> result<typename detail::results_of<typename detail::task_main<std::decay_t<F>, detail::item_of<Range>>::outcome_type>::type>
    {
        using function = std::decay_t<F>;
        using item = detail::item_of<Range>;
        using main = detail::task_main<function, item>;
        using R = typename main::outcome_type;

        try {
            const detail::sent<function> sent(std::forward<F>(f));
            const detail::input<function, item> in(sent, static_cast<detail::read_as_t<Range>>(range));
            progress told{options.on_progress, nullptr};
            mp_map_options how = options;
            int status;

            if (options.on_progress) {
                how.progress = progress::tell;
                how.progress_user = &told;
            }
            if constexpr (detail::whole_inputs<function, item> && std::is_void_v<R>) {
                status = mp_pool_map_array(native(), main::run, nullptr, in.data(), in.item_size, in.count(), nullptr, 0, &how);
                if (told.thrown)
                    std::rethrow_exception(told.thrown);
                return detail::outcome(status);
            } else if constexpr (detail::whole_inputs<function, item> && detail::whole_items<R> && std::is_default_constructible_v<R>) {
                std::vector<R> out(in.count());
                status = mp_pool_map_array(native(), main::run, nullptr, in.data(), in.item_size, in.count(), out.data(),
                                           sizeof(R), &how);
                if (told.thrown)
                    std::rethrow_exception(told.thrown);
                if (status < 0)
                    return error(status);
                return out;
            } else {
                detail::buffers out(in.count());
                const auto &strings = in.strings();
                status = mp_pool_map(native(), main::run, nullptr, strings.data(), in.count(), out.data(), &how);
                if (told.thrown)
                    std::rethrow_exception(told.thrown);
                if (status < 0)
                    return error(status);
                if constexpr (std::is_void_v<R>)
                    return result<void>();
                else
                    return out.values<R>();
            }
        } catch (const error &e) {
            return e;
        }
    }
    /* The same with items that are tuples of the function's arguments. */
    template <class F, class Range>
    MP_LOCAL_ auto starmap(F &&f, Range &&range, const map_options &options = {})
    {
        return map(spread(std::forward<F>(f)), std::forward<Range>(range), options);
    }
    template <class F, class Range>
    MP_LOCAL_ auto starmap(std::nothrow_t, F &&f, Range &&range, const map_options &options = {})
    {
        return map(std::nothrow, spread(std::forward<F>(f)), std::forward<Range>(range), options);
    }
    template <class F, class Range>
    MP_LOCAL_ auto map_async(F &&f, Range &&range, const map_options &options = {}, const async_options &how = {})
    {
        return map_async(std::nothrow, std::forward<F>(f), std::forward<Range>(range), options, how).value();
    }
    template <class F, class Range>
    MP_LOCAL_ auto map_async(std::nothrow_t, F &&f, Range &&range, const map_options &options = {}, const async_options &how = {})
        -> result<future<typename detail::results_of<typename detail::task_main<std::decay_t<F>, detail::item_of<Range>>::outcome_type>::type>>
    {
        using function = std::decay_t<F>;
        using item = detail::item_of<Range>;
        using main = detail::task_main<function, item>;
        using R = typename main::outcome_type;
        using made = future<typename detail::results_of<R>::type>;

        try {
            const detail::sent<function> sent(std::forward<F>(f));
            const detail::input<function, item> in(sent, static_cast<detail::read_as_t<Range>>(range));
            ended told(how);
            mp_result *native_result = nullptr;

            if constexpr (detail::whole_inputs<function, item> && (std::is_void_v<R> || detail::is_flat<std::vector<R>>::value)) {
                std::size_t size = 0;
                if constexpr (!std::is_void_v<R>)
                    size = sizeof(R);
                detail::check(mp_pool_map_array_async(native(), main::run, nullptr, in.data(), in.item_size, in.count(), size,
                                                      &options, told.options(), &native_result));
                told.handed_over();
                return made(adopt(native_result));
            } else {
                const auto &strings = in.strings();
                detail::check(mp_pool_map_async(native(), main::run, nullptr, strings.data(), in.count(), &options,
                                                told.options(), &native_result));
                told.handed_over();
                return made(adopt(native_result), in.count());
            }
        } catch (const error &e) {
            return e;
        }
    }
    /* Results one by one, of a range that may be without end. A range that has a name must outlive them. */
    template <class F, class Range>
    MP_LOCAL_ auto map_lazily(F &&f, Range &&range, const imap_options &options = {})
    {
        using function = std::decay_t<F>;
        using item = detail::item_of<Range>;
        using main = detail::task_main<function, item>;
        using R = typename main::outcome_type;

        auto from = std::make_unique<ranged<R, function, item, Range>>(detail::sent<function>(std::forward<F>(f)),
                                                                       std::forward<Range>(range));
        mp_imap *native_imap = nullptr;
        detail::check(mp_pool_imap(native(), main::run, nullptr, imap<R>::source::pull,
                                   static_cast<typename imap<R>::source *>(from.get()), &options, &native_imap));
        return imap<R>(adopt(native_imap), std::move(from));
    }

    /* A function's result, called once in one worker. */
    template <class F, class... Arguments>
    MP_LOCAL_ auto apply(F &&f, const Arguments &...arguments)
    {
        return apply(std::nothrow, std::forward<F>(f), arguments...).value();
    }
    template <class F, class... Arguments>
    MP_LOCAL_ auto apply(std::nothrow_t, F &&f, const Arguments &...arguments)
    {
        return apply_with(std::nothrow, apply_options(), std::forward<F>(f), arguments...);
    }
    template <class F, class... Arguments>
    MP_LOCAL_ auto apply_with(const apply_options &options, F &&f, const Arguments &...arguments)
    {
        return apply_with(std::nothrow, options, std::forward<F>(f), arguments...).value();
    }
    template <class F, class... Arguments>
    MP_LOCAL_ auto apply_with(std::nothrow_t, const apply_options &options, F &&f, const Arguments &...arguments)
        -> result<typename detail::task_main<detail::spread<std::decay_t<F>>, std::tuple<detail::sent_as_t<Arguments>...>>::outcome_type>
    {
        using main = detail::task_main<detail::spread<std::decay_t<F>>, std::tuple<detail::sent_as_t<Arguments>...>>;
        using R = typename main::outcome_type;

        try {
            mp_buffer *value = nullptr;
            const int status = with_call(f, [&](bytes_view call) {
                return mp_pool_apply(native(), main::run, nullptr, call.data(), call.size(), &value, &options);
            }, arguments...);
            if (status < 0)
                return error(status);
            const detail::buffer message{adopt(value)};
            if constexpr (std::is_void_v<R>)
                return result<void>();
            else
                return detail::unpacked<R>(detail::view(message));
        } catch (const error &e) {
            return e;
        }
    }
    /* The same without waiting: the pool is an executor. */
    template <class F, class... Arguments>
    MP_LOCAL_ auto submit(F &&f, const Arguments &...arguments)
    {
        return submit(std::nothrow, std::forward<F>(f), arguments...).value();
    }
    template <class F, class... Arguments>
    MP_LOCAL_ auto submit(std::nothrow_t, F &&f, const Arguments &...arguments)
    {
        return submit_with(std::nothrow, apply_options(), async_options(), std::forward<F>(f), arguments...);
    }
    template <class F, class... Arguments>
    MP_LOCAL_ auto submit_with(const apply_options &options, const async_options &how, F &&f, const Arguments &...arguments)
    {
        return submit_with(std::nothrow, options, how, std::forward<F>(f), arguments...).value();
    }
    template <class F, class... Arguments>
    MP_LOCAL_ auto submit_with(std::nothrow_t, const apply_options &options, const async_options &how, F &&f, const Arguments &...arguments)
        -> result<future<typename detail::task_main<detail::spread<std::decay_t<F>>, std::tuple<detail::sent_as_t<Arguments>...>>::outcome_type>>
    {
        using main = detail::task_main<detail::spread<std::decay_t<F>>, std::tuple<detail::sent_as_t<Arguments>...>>;

        try {
            ended told(how);
            mp_result *native_result = nullptr;
            const int status = with_call(f, [&](bytes_view call) {
                return mp_pool_apply_async(native(), main::run, nullptr, call.data(), call.size(), &options, told.options(),
                                           &native_result);
            }, arguments...);
            if (status < 0)
                return error(status);
            told.handed_over();
            return future<typename main::outcome_type>(adopt(native_result));
        } catch (const error &e) {
            return e;
        }
    }

    std::size_t workers() const { return workers(std::nothrow).value(); }
    result<std::size_t> workers(std::nothrow_t) const { return detail::ask<std::size_t>(mp_pool_workers, native()); }
    void close() { close(std::nothrow).value(); }
    result<void> close(std::nothrow_t) { return detail::outcome(mp_pool_close(native())); }
    void terminate() { terminate(std::nothrow).value(); }
    result<void> terminate(std::nothrow_t) { return detail::outcome(mp_pool_terminate(native())); }
    /* Whether all calls were over in time, and the workers gone. */
    bool join(timeout limit = forever) { return join(std::nothrow, limit).value(); }
    result<bool> join(std::nothrow_t, timeout limit = forever) { return detail::waited(mp_pool_join(native(), limit)); }
    bool shutdown(bool cancel_pending = false, timeout limit = forever)
    {
        return shutdown(std::nothrow, cancel_pending, limit).value();
    }
    result<bool> shutdown(std::nothrow_t, bool cancel_pending = false, timeout limit = forever)
    {
        return detail::waited(mp_pool_shutdown(native(), cancel_pending, limit));
    }
    pool_stats stats() const { return stats(std::nothrow).value(); }
    result<pool_stats> stats(std::nothrow_t) const { return detail::ask<pool_stats>(mp_pool_stats_get, native()); }
    worker_stats stats_of(std::size_t worker) const { return stats_of(std::nothrow, worker).value(); }
    result<worker_stats> stats_of(std::nothrow_t, std::size_t worker) const
    {
        return detail::ask<worker_stats>(mp_pool_worker_stats, native(), worker);
    }
    result<std::string> describe(std::nothrow_t) const { return detail::text(mp_pool_describe, native()); }
    std::string describe() const { return describe(std::nothrow).value(); }

private:
    struct progress {
        const std::function<bool(std::size_t, std::size_t)> &function;
        std::exception_ptr thrown;

        static int tell(std::size_t done, std::size_t total, void *user) noexcept
        {
            auto *self = static_cast<progress *>(user);
            try {
                return self->function(done, total) ? 0 : 1;
            } catch (...) {
                self->thrown = std::current_exception();
                return 1;
            }
        }
    };

    /* What an asynchronous call's end is told to; it lives until then. */
    class ended {
    public:
        explicit ended(const async_options &how) : options_ MP_ASYNC_OPTIONS
        {
            options_.priority = how.priority;
            if (how.on_end) {
                function_ = std::make_unique<std::function<void(mp_status)>>(how.on_end);
                options_.user = function_.get();
                options_.done = options_.failed = tell;
            }
        }
        const mp_async_options *options() const noexcept { return &options_; }
        void handed_over() noexcept { static_cast<void>(function_.release()); }

    private:
        static void tell(mp_result *result, void *user) noexcept
        {
            const std::unique_ptr<std::function<void(mp_status)>> function(
                static_cast<std::function<void(mp_status)> *>(user));
            const int status = mp_result_get(result, MP_NO_WAIT, nullptr);

            detail::guarded([&] { (*function)(static_cast<mp_status>(status)); },
                            [](const char *what) { mp_log_write(MP_LOG_ERROR, what); });
        }

        mp_async_options options_;
        std::unique_ptr<std::function<void(mp_status)>> function_;
    };

    template <class R, class F, class T, class Range>
    struct MP_LOCAL_ ranged : imap<R>::source {
        ranged(const detail::sent<F> &function, Range &&given)
            : function(function), range(std::forward<Range>(given)),
              next_item(std::begin(static_cast<detail::read_as_t<Range>>(range))),
              end(std::end(static_cast<detail::read_as_t<Range>>(range)))
        {
        }
        bool next(bytes_view &item) override
        {
            if (next_item == end)
                return false;
            bytes.clear();
            if constexpr (detail::whole_inputs<F, T>) {
                if constexpr (detail::sent<F>::size == 0) {
                    const T value(*next_item);
                    writer(bytes).bytes(&value, sizeof value);
                } else {
                    const detail::captured<detail::sent<F>, T> value{function, T(*next_item)};
                    writer(bytes).bytes(&value, sizeof value);
                }
            } else {
                detail::write_item<T>(bytes, function, *next_item);
            }
            ++next_item;
            item = bytes_view(bytes);
            return true;
        }

        detail::sent<F> function;
        /* A reference, or what was handed over. */
        Range range;
        detail::first_of<Range> next_item;
        decltype(std::end(std::declval<detail::read_as_t<Range>>())) end;
        std::vector<unsigned char> bytes;
    };

    template <class F>
    static detail::spread<std::decay_t<F>> spread(F &&f)
    {
        return {std::forward<F>(f)};
    }
    /* Calls use with a call's bytes: the function, and its arguments. */
    template <class F, class Use, class... Arguments>
    MP_LOCAL_ static int with_call(const F &f, Use use, const Arguments &...arguments)
    {
        detail::scratch<detail::way::out> room;

        room.bytes.clear();
        detail::write_item<std::tuple<detail::sent_as_t<Arguments>...>>(
            room.bytes, detail::sent<detail::spread<std::decay_t<F>>>({f}),
            std::tuple<detail::sent_as_t<Arguments>...>(arguments...));
        return use(bytes_view(room.bytes));
    }
    static pool_options of_workers(std::size_t workers)
    {
        pool_options options;
        options.workers = workers;
        return options;
    }
    template <class F, class... Arguments>
    MP_LOCAL_ static given_handle<mp_pool> with_initializer(pool_options &options, F &&f, const Arguments &...arguments)
    {
        mp_pool *native = nullptr;

        detail::check(with_call(f, [&](bytes_view call) {
            options.initializer =
                detail::task_main<detail::spread<std::decay_t<F>>, std::tuple<detail::sent_as_t<Arguments>...>>::run;
            options.initializer_data = call.data();
            options.initializer_len = call.size();
            return mp_pool_new(&native, &options);
        }, arguments...));
        return adopt(native);
    }
};

} // namespace mp

#endif
