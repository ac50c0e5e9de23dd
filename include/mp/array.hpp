/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * array: numbers or structs side by side that processes share. */
#ifndef MP_ARRAY_HPP
#define MP_ARRAY_HPP

#include <mp/number.hpp>

#include <initializer_list>

namespace mp {

struct array_options : mp_array_options {
    array_options() noexcept : mp_array_options MP_ARRAY_OPTIONS {}
};

/* Numbers or structs side by side in shared memory: mp_array. A contiguous range, whose accesses ask
 * nobody's lock: hold it by std::scoped_lock where others write. */
template <class T>
class array : public detail::lockable<array<T>, mp_array, mp_array_free, mp_array_acquire, mp_array_release,
                                      mp_array_locked, mp_array_recovered> {
    using base = detail::lockable<array<T>, mp_array, mp_array_free, mp_array_acquire, mp_array_release,
                                  mp_array_locked, mp_array_recovered>;

public:
    using value_type = T;
    using iterator = T *;
    using const_iterator = const T *;

    explicit array(given_handle<mp_array> given) : base(given)
    {
        void *data = nullptr;
        std::size_t bytes = 0;
        if (given.handle != nullptr && mp_array_data(given.handle, &data, &bytes) >= 0) {
            data_ = static_cast<T *>(data);
            size_ = bytes / sizeof(T);
        }
    }
    /* Zeros. */
    explicit array(std::size_t size, const array_options &options = {}) : array(make_native(size, nullptr, options)) {}
    array(std::initializer_list<T> items, const array_options &options = {})
        : array(make_native(items.size(), items.begin(), options))
    {
    }
    template <class Contiguous, class = std::enable_if_t<std::is_same_v<
                                    std::decay_t<decltype(*std::data(std::declval<const Contiguous &>()))>, T>>>
    explicit array(const Contiguous &items, const array_options &options = {})
        : array(make_native(std::size(items), std::data(items), options))
    {
    }
    static result<array> make(std::nothrow_t, std::size_t size, const array_options &options = {})
    {
        try {
            return array(size, options);
        } catch (const error &e) {
            return e;
        }
    }
    array copy(const array_options &options = {}) const
    {
        return array(detail::made<mp_array>(mp_array_copy, this->native(), &options));
    }

    /* Its lock by itself: a recursive_mutex, unless the options gave it a mutex. */
    recursive_mutex get_recursive_mutex() const
    {
        return recursive_mutex(detail::handed<mp_rlock>(mp_array_get_rlock, this->native()));
    }
    mutex get_mutex() const { return mutex(detail::handed<mp_lock>(mp_array_get_lock, this->native())); }

    T *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    T *begin() const noexcept { return data_; }
    T *end() const noexcept { return data_ + size_; }
    T &operator[](std::size_t index) const noexcept { return data_[index]; }
#if __cplusplus >= 202002L
    operator std::span<T>() const noexcept { return {data_, size_}; }
#endif

    /* Copies of some items, with the array's lock held. */
    std::vector<T> read(std::size_t first, std::size_t count) const { return read(std::nothrow, first, count).value(); }
    result<std::vector<T>> read(std::nothrow_t, std::size_t first, std::size_t count) const
    {
        if (first > size_ || count > size_ - first)
            return error(MP_ERR_INVALID, "mp::array: it has no such items");
        std::vector<T> items(count);
        const int status = mp_array_read(this->native(), first, count, items.data(), count * sizeof(T));
        if (status < 0)
            return error(status);
        return items;
    }
    template <class Contiguous>
    void write(std::size_t first, const Contiguous &items)
    {
        write(std::nothrow, first, items).value();
    }
    template <class Contiguous>
    result<void> write(std::nothrow_t, std::size_t first, const Contiguous &items)
    {
        const T *from = std::data(items);
        return detail::outcome(
            mp_array_write(this->native(), first, std::size(items), from, std::size(items) * sizeof(T)));
    }
    /* Of an array of char: up to the first zero. */
    std::string text() const { return text(std::nothrow).value(); }
    result<std::string> text(std::nothrow_t) const { return detail::text(mp_array_get_string, this->native()); }
    void text(const std::string &text) { this->text(std::nothrow, text).value(); }
    result<void> text(std::nothrow_t, const std::string &text)
    {
        return detail::outcome(mp_array_set_string(this->native(), text.c_str()));
    }

    /* One item, atomically. */
    T load(std::size_t i) const { return load(std::nothrow, i).value(); }
    result<T> load(std::nothrow_t, std::size_t i) const
    {
        if constexpr (detail::is_real<T>) {
            const result<double> got = detail::ask<double>(mp_array_get_double, this->native(), i);
            if (!got)
                return got.error();
            return static_cast<T>(*got);
        } else {
            static_assert(detail::is_whole<T>, "mp::array: read() reads structs");
            const result<std::int64_t> got = detail::ask<std::int64_t>(mp_array_get_int, this->native(), i);
            if (!got)
                return got.error();
            return static_cast<T>(*got);
        }
    }
    void store(std::size_t i, T to) { store(std::nothrow, i, to).value(); }
    result<void> store(std::nothrow_t, std::size_t i, T to)
    {
        if constexpr (detail::is_real<T>)
            return detail::outcome(mp_array_set_double(this->native(), i, static_cast<double>(to)));
        else
            return detail::outcome(mp_array_set_int(this->native(), i, static_cast<std::int64_t>(to)));
    }
    T fetch_add(std::size_t i, T by) { return fetch_add(std::nothrow, i, by).value(); }
    result<T> fetch_add(std::nothrow_t, std::size_t i, T by)
    {
        if constexpr (detail::is_real<T>)
            return detail::changed_real<T>(mp_array_fetch_add_double, by, this->native(), i);
        else
            return change(mp_array_fetch_add, i, by);
    }
    T fetch_sub(std::size_t i, T by) { return fetch_sub(std::nothrow, i, by).value(); }
    result<T> fetch_sub(std::nothrow_t, std::size_t i, T by) { return change(mp_array_fetch_sub, i, by); }
    T fetch_and(std::size_t i, T by) { return fetch_and(std::nothrow, i, by).value(); }
    result<T> fetch_and(std::nothrow_t, std::size_t i, T by) { return change(mp_array_fetch_and, i, by); }
    T fetch_or(std::size_t i, T by) { return fetch_or(std::nothrow, i, by).value(); }
    result<T> fetch_or(std::nothrow_t, std::size_t i, T by) { return change(mp_array_fetch_or, i, by); }
    T fetch_xor(std::size_t i, T by) { return fetch_xor(std::nothrow, i, by).value(); }
    result<T> fetch_xor(std::nothrow_t, std::size_t i, T by) { return change(mp_array_fetch_xor, i, by); }
    T fetch_min(std::size_t i, T by) { return fetch_min(std::nothrow, i, by).value(); }
    result<T> fetch_min(std::nothrow_t, std::size_t i, T by) { return change(mp_array_fetch_min, i, by); }
    T fetch_max(std::size_t i, T by) { return fetch_max(std::nothrow, i, by).value(); }
    result<T> fetch_max(std::nothrow_t, std::size_t i, T by) { return change(mp_array_fetch_max, i, by); }
    T exchange(std::size_t i, T to) { return exchange(std::nothrow, i, to).value(); }
    result<T> exchange(std::nothrow_t, std::size_t i, T to) { return change(mp_array_exchange, i, to); }
    bool compare_exchange(std::size_t i, T &expected, T desired)
    {
        return compare_exchange(std::nothrow, i, expected, desired).value();
    }
    result<bool> compare_exchange(std::nothrow_t, std::size_t i, T &expected, T desired)
    {
        static_assert(detail::is_whole<T>, "mp::array: only integers are exchanged");
        return detail::exchanged(mp_array_compare_exchange, expected, desired, this->native(), i);
    }

private:
    template <class Call>
    result<T> change(Call call, std::size_t i, T by)
    {
        static_assert(detail::is_whole<T>, "mp::array: only integers have this operation");
        return detail::changed<T>(call, by, this->native(), i);
    }
    static given_handle<mp_array> make_native(std::size_t size, const T *items, const array_options &options)
    {
        detail::check_shareable<T>();
        if constexpr (detail::type_number<T>() != 0)
            return detail::made<mp_array>(mp_array_new, detail::type_number<T>(), size, items, &options);
        else
            return detail::made<mp_array>(mp_array_new_struct, sizeof(T), size, items, &options);
    }

    T *data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace mp

#endif
