/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * pool: functions over ranges, in worker processes; future: what an asynchronous call comes to. */
#ifndef MP_POOL_HPP
#define MP_POOL_HPP

#include <mp/callable.hpp>

#include <memory>

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

/* What a function learns of the task that it runs in, in a worker. */
class this_task {
public:
    /* Whether it shall return, because nobody wants the result any more. */
    static bool cancelled() noexcept { return current() != nullptr && mp_task_cancelled(current()); }
    /* The item's place in the map; a worker's number in an initializer. */
    static std::size_t index() noexcept { return current() == nullptr ? 0 : mp_task_index(current()); }

    static mp_task *&current() noexcept
    {
        static thread_local mp_task *task = nullptr;
        return task;
    }
};

namespace detail {

/* An item of a map whose function has captures: those, and then the item. Both are trivially copyable. */
template <class Sent, class T>
struct MP_LOCAL_ captured {
    Sent sent;
    T item;
};

template <class T>
inline constexpr bool whole_items = raw<T> && alignof(T) <= 16 && !std::is_same_v<T, bool>;

/* Runs a function of type F for an item that went as a T. */
template <class F, class T>
struct MP_LOCAL_ task_main {
    using call_result = std::invoke_result_t<F &, std::conditional_t<whole_items<T>, const T &, T &&>>;
    using outcome_type = std::decay_t<call_result>;

    static void run(mp_task *task, void *) noexcept
    {
        mp_task *&current = this_task::current();

        current = task;
        guarded([&] { call(task); }, [&](const char *what) { mp_task_fail(task, what); });
        current = nullptr;
    }

private:
    static void call(mp_task *task)
    {
        std::size_t size = 0;
        const void *input = mp_task_input(task, &size);

        if constexpr (whole_items<T>) {
            if constexpr (sent<F>::size == 0) {
                sent<F> function(nullptr);
                finish(task, function, *static_cast<const T *>(input));
            } else {
                const auto &pair = *static_cast<const captured<sent<F>, T> *>(input);
                sent<F> function(pair.sent);
                finish(task, function, pair.item);
            }
        } else {
            reader in({input, size});
            sent<F> function(in.bytes(sent<F>::size));
            finish(task, function, unpacked<T>({in.bytes(0), in.left()}));
        }
    }
    template <class Item>
    static void finish(mp_task *task, sent<F> &function, Item &&item)
    {
        if constexpr (std::is_void_v<outcome_type>) {
            std::invoke(function.function(), std::forward<Item>(item));
            check(mp_task_return(task, nullptr, 0));
        } else {
            const outcome_type value = std::invoke(function.function(), std::forward<Item>(item));
            check(packed(value, [&](bytes_view m) { return mp_task_return(task, m.data(), m.size()); }));
        }
    }
};

template <class Range>
using item_of = sent_as_t<decltype(*std::begin(std::declval<const Range &>()))>;
template <>
inline constexpr bool whole_items<void> = false;

template <class Range, class T, class = void>
inline constexpr bool is_contiguous = false;
template <class Range, class T>
inline constexpr bool is_contiguous<
    Range, T,
    std::enable_if_t<std::is_same_v<const T *, decltype(static_cast<const T *>(std::data(std::declval<const Range &>())))> &&
                     std::is_same_v<std::decay_t<decltype(*std::data(std::declval<const Range &>()))>, T>>> = true;

/* A range's items as mp.h takes them: side by side, or as byte strings. */
template <class F, class T>
class MP_LOCAL_ whole_input {
public:
    template <class Range>
    whole_input(const sent<F> &function, const Range &range)
    {
        if constexpr (sent<F>::size != 0) {
            captured_.reserve(static_cast<std::size_t>(std::distance(std::begin(range), std::end(range))));
            for (const auto &item : range)
                captured_.push_back({function, T(item)});
            data_ = captured_.data();
            count_ = captured_.size();
        } else if constexpr (is_contiguous<Range, T>) {
            data_ = std::data(range);
            count_ = std::size(range);
        } else {
            plain_.assign(std::begin(range), std::end(range));
            data_ = plain_.data();
            count_ = plain_.size();
        }
    }
    static constexpr std::size_t item_size = sent<F>::size == 0 ? sizeof(T) : sizeof(captured<sent<F>, T>);
    const void *data() const noexcept { return data_; }
    std::size_t count() const noexcept { return count_; }
    std::vector<mp_bytes> strings() const
    {
        std::vector<mp_bytes> strings(count_);
        const auto *next = static_cast<const unsigned char *>(data_);

        for (mp_bytes &string : strings)
            string = {std::exchange(next, next + item_size), item_size};
        return strings;
    }

private:
    std::vector<captured<sent<F>, T>> captured_;
    std::vector<T> plain_;
    const void *data_ = nullptr;
    std::size_t count_ = 0;
};

/* One item behind the captures, where a reader finds both. */
template <class T, class F, class Item>
MP_LOCAL_ void write_item(std::vector<unsigned char> &bytes, const sent<F> &function, const Item &item)
{
    writer(bytes).bytes(function.data(), sent<F>::size);
    const auto append = [&](const T &value) {
        packed(value, [&](bytes_view m) {
            writer(bytes).bytes(m.data(), m.size());
            return 0;
        });
    };
    if constexpr (std::is_same_v<T, Item>)
        append(item);
    else
        append(T(item));
}

template <class F, class T>
class MP_LOCAL_ written_input {
public:
    template <class Range>
    written_input(const sent<F> &function, const Range &range)
    {
        for (const auto &item : range) {
            const std::size_t before = bytes_.size();
            write_item<T>(bytes_, function, item);
            strings_.push_back({nullptr, bytes_.size() - before});
        }
        const unsigned char *next = bytes_.data();
        for (mp_bytes &string : strings_) {
            string.data = next;
            next += string.len;
        }
    }
    std::size_t count() const noexcept { return strings_.size(); }
    const std::vector<mp_bytes> &strings() const noexcept { return strings_; }

private:
    std::vector<unsigned char> bytes_;
    std::vector<mp_bytes> strings_;
};

template <class F, class T>
using input = std::conditional_t<whole_items<T>, whole_input<F, T>, written_input<F, T>>;

/* What comes of a whole call: nothing, or a value for each item. */
template <class R>
struct results_of {
    using type = std::vector<R>;
};
template <>
struct results_of<void> {
    using type = void;
};

/* Buffers on their way to become values; frees what it still has. */
class buffers {
public:
    explicit buffers(std::size_t n) : all_(n) {}
    ~buffers()
    {
        for (mp_buffer *one : all_)
            mp_buffer_free(one);
    }
    buffers(const buffers &) = delete;
    buffers &operator=(const buffers &) = delete;
    mp_buffer **data() noexcept { return all_.data(); }

    template <class R>
    std::vector<R> values() const
    {
        std::vector<R> values;

        values.reserve(all_.size());
        for (const mp_buffer *one : all_) {
            std::size_t size = 0;
            const void *data = mp_buffer_data(one, &size);
            values.push_back(unpacked<R>({data, size}));
        }
        return values;
    }

private:
    std::vector<mp_buffer *> all_;
};

} // namespace detail

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

/* The results of a function for the items of a range, one after the other: mp_imap. The range must
 * outlive it, and is read as results are taken. */
template <class R>
class imap : public detail::handle<mp_imap, mp_imap_free> {
public:
    /* The range and where it is. */
    struct source {
        virtual ~source() = default;
        /* The next item's bytes; false at the end. */
        virtual bool next(bytes_view &item) = 0;
        std::exception_ptr thrown;

        static int pull(mp_bytes *item, void *user) noexcept
        {
            auto *self = static_cast<source *>(user);
            try {
                bytes_view bytes;
                if (!self->next(bytes))
                    return 0;
                *item = {bytes.data(), bytes.size()};
                return 1;
            } catch (...) {
                self->thrown = std::current_exception();
                return -1;
            }
        }
    };
    imap(given_handle<mp_imap> given, std::unique_ptr<source> from) noexcept : handle(given), source_(std::move(from)) {}
    /* The handle goes before its source. */
    imap(imap &&) noexcept = default;
    imap &operator=(imap &&) = delete;
    ~imap() { mp_imap_free(release()); }

    /* The next result; nothing at the end. An item that failed is an error, and the next one comes
     * all the same. What the range throws comes out of here. */
    std::optional<R> next(timeout limit = forever) { return next(std::nothrow, limit).value(); }
    result<std::optional<R>> next(std::nothrow_t, timeout limit = forever)
    {
        mp_buffer *value = nullptr;
        const int status = mp_imap_next(native(), limit, &value, &index_);
        const detail::buffer message{adopt(value)};

        if (status == MP_ERR_EOF)
            return std::optional<R>();
        if (status < 0) {
            if (source_->thrown)
                std::rethrow_exception(std::exchange(source_->thrown, nullptr));
            return error(status);
        }
        result<R> got = detail::try_unpacked<R>(detail::view(message));
        if (!got)
            return got.error();
        return std::optional<R>(std::move(*got));
    }
    /* The place in the range of the item that next() was about last. */
    std::size_t index() const noexcept { return index_; }

    /* For range-for. */
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = R;
        using difference_type = std::ptrdiff_t;
        using pointer = R *;
        using reference = R &;

        iterator() = default;
        explicit iterator(imap *from) : from_(from) { ++*this; }
        R &operator*() { return *value_; }
        R *operator->() { return &*value_; }
        iterator &operator++()
        {
            value_ = from_->next();
            if (!value_)
                from_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator &a, const iterator &b) { return a.from_ == b.from_; }
        friend bool operator!=(const iterator &a, const iterator &b) { return a.from_ != b.from_; }

    private:
        imap *from_ = nullptr;
        std::optional<R> value_;
    };
    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

private:
    std::unique_ptr<source> source_;
    std::size_t index_ = 0;
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
    MP_LOCAL_ auto map(F &&f, const Range &range, const map_options &options = {})
    {
        return map(std::nothrow, std::forward<F>(f), range, options).value();
    }
    template <class F, class Range>
    MP_LOCAL_ auto map(std::nothrow_t, F &&f, const Range &range, const map_options &options = {})
        -> result<typename detail::results_of<typename detail::task_main<std::decay_t<F>, detail::item_of<Range>>::outcome_type>::type>
    {
        using function = std::decay_t<F>;
        using item = detail::item_of<Range>;
        using main = detail::task_main<function, item>;
        using R = typename main::outcome_type;

        try {
            const detail::sent<function> sent(std::forward<F>(f));
            const detail::input<function, item> in(sent, range);
            progress told{options.on_progress, nullptr};
            mp_map_options how = options;
            int status;

            if (options.on_progress) {
                how.progress = progress::tell;
                how.progress_user = &told;
            }
            if constexpr (detail::whole_items<item> && std::is_void_v<R>) {
                status = mp_pool_map_array(native(), main::run, nullptr, in.data(), in.item_size, in.count(), nullptr, 0, &how);
                if (told.thrown)
                    std::rethrow_exception(told.thrown);
                return detail::outcome(status);
            } else if constexpr (detail::whole_items<item> && detail::whole_items<R> && std::is_default_constructible_v<R>) {
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
    MP_LOCAL_ auto starmap(F &&f, const Range &range, const map_options &options = {})
    {
        return map(spread(std::forward<F>(f)), range, options);
    }
    template <class F, class Range>
    MP_LOCAL_ auto starmap(std::nothrow_t, F &&f, const Range &range, const map_options &options = {})
    {
        return map(std::nothrow, spread(std::forward<F>(f)), range, options);
    }
    template <class F, class Range>
    MP_LOCAL_ auto map_async(F &&f, const Range &range, const map_options &options = {}, const async_options &how = {})
    {
        return map_async(std::nothrow, std::forward<F>(f), range, options, how).value();
    }
    template <class F, class Range>
    MP_LOCAL_ auto map_async(std::nothrow_t, F &&f, const Range &range, const map_options &options = {}, const async_options &how = {})
        -> result<future<typename detail::results_of<typename detail::task_main<std::decay_t<F>, detail::item_of<Range>>::outcome_type>::type>>
    {
        using function = std::decay_t<F>;
        using item = detail::item_of<Range>;
        using main = detail::task_main<function, item>;
        using R = typename main::outcome_type;
        using made = future<typename detail::results_of<R>::type>;

        try {
            const detail::sent<function> sent(std::forward<F>(f));
            const detail::input<function, item> in(sent, range);
            ended told(how);
            mp_result *native_result = nullptr;

            if constexpr (detail::whole_items<item> && (std::is_void_v<R> || detail::is_flat<std::vector<R>>::value)) {
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
    /* Results one by one, of a range that may be without end. */
    template <class F, class Range>
    MP_LOCAL_ auto map_lazily(F &&f, const Range &range, const imap_options &options = {})
    {
        using function = std::decay_t<F>;
        using item = detail::item_of<Range>;
        using main = detail::task_main<function, item>;
        using R = typename main::outcome_type;

        auto from = std::make_unique<ranged<R, function, item, Range>>(detail::sent<function>(std::forward<F>(f)), range);
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
        ranged(const detail::sent<F> &function, const Range &range)
            : function(function), next_item(std::begin(range)), end(std::end(range))
        {
        }
        bool next(bytes_view &item) override
        {
            if (next_item == end)
                return false;
            bytes.clear();
            if constexpr (detail::whole_items<T>) {
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
        decltype(std::begin(std::declval<const Range &>())) next_item;
        decltype(std::end(std::declval<const Range &>())) end;
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
