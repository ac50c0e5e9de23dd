/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What runs in a pool's workers: functions for items, and how both get there. */
#ifndef MP_TASK_HPP
#define MP_TASK_HPP

#include <mp/callable.hpp>

#include <iterator>

namespace mp {

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
template <>
inline constexpr bool whole_items<void> = false;
/* Whether a function's items go as they are, with its captures; a task's input has this alignment. */
template <class F, class T>
inline constexpr bool whole_inputs = whole_items<T> && (sent<F>::size == 0 || alignof(sent<F>) <= 16);

/* Runs a function of type F for an item that went as a T. */
template <class F, class T>
struct MP_LOCAL_ task_main {
    using call_result = std::invoke_result_t<F &, std::conditional_t<whole_inputs<F, T>, const T &, T &&>>;
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

        if constexpr (whole_inputs<F, T>) {
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

/* A range as its items are read: as a constant where that has them. A view may have them only as a
 * variable. */
template <class Range, class = void>
struct read_as {
    using type = std::remove_reference_t<Range> &;
};
template <class Range>
struct read_as<Range, std::void_t<decltype(std::begin(std::declval<const std::remove_reference_t<Range> &>()))>> {
    using type = const std::remove_reference_t<Range> &;
};
template <class Range>
using read_as_t = typename read_as<Range>::type;
template <class Range>
using first_of = decltype(std::begin(std::declval<read_as_t<Range>>()));
#if __cplusplus >= 202002L
/* What views of several ranges call an item's value holds no references. */
template <class Range>
using item_of = sent_as_t<std::iter_value_t<first_of<Range>>>;
#else
template <class Range>
using item_of = sent_as_t<decltype(*std::declval<first_of<Range> &>())>;
#endif

template <class Range, class = void>
inline constexpr bool knows_its_size = false;
template <class Range>
inline constexpr bool knows_its_size<Range, std::void_t<decltype(std::size(std::declval<Range &>()))>> = true;

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
    whole_input(const sent<F> &function, Range &range)
    {
        if constexpr (sent<F>::size != 0) {
            reserve(captured_, range);
            for (auto &&item : range)
                captured_.push_back({function, T(item)});
            data_ = captured_.data();
            count_ = captured_.size();
        } else if constexpr (is_contiguous<Range, T>) {
            data_ = std::data(range);
            count_ = std::size(range);
        } else {
            reserve(plain_, range);
            for (auto &&item : range)
                plain_.push_back(T(item));
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
    /* An input range may be read only once. */
    template <class Items, class Range>
    static void reserve([[maybe_unused]] Items &items, [[maybe_unused]] Range &range)
    {
        if constexpr (knows_its_size<Range>)
            items.reserve(static_cast<std::size_t>(std::size(range)));
    }

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
    written_input(const sent<F> &function, Range &range)
    {
        for (auto &&item : range) {
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
using input = std::conditional_t<whole_inputs<F, T>, whole_input<F, T>, written_input<F, T>>;

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

} // namespace mp

#endif
