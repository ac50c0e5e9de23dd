/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * value: a number or a struct that processes share. */
#ifndef MP_VALUE_HPP
#define MP_VALUE_HPP

#include <mp/number.hpp>

namespace mp {

struct value_options : mp_value_options {
    value_options() noexcept : mp_value_options MP_VALUE_OPTIONS {}
};

/* A number or a struct in shared memory: mp_value, with the members of std::atomic for integers.
 * It can be locked for more than that; its atomic operations ask nobody's lock. */
template <class T>
class value : public detail::lockable<value<T>, mp_value, mp_value_free, mp_value_acquire, mp_value_release,
                                      mp_value_locked, mp_value_recovered> {
    using base = detail::lockable<value<T>, mp_value, mp_value_free, mp_value_acquire, mp_value_release,
                                  mp_value_locked, mp_value_recovered>;

public:
    using value_type = T;
    using base::base;
    explicit value(const T &initial = T(), const value_options &options = {}) : base(make_native(initial, options)) {}
    static result<value> make(std::nothrow_t, const T &initial = T(), const value_options &options = {})
    {
        try {
            return value(initial, options);
        } catch (const error &e) {
            return e;
        }
    }
    /* Another one with the same content. */
    value copy(const value_options &options = {}) const
    {
        return value(detail::made<mp_value>(mp_value_copy, this->native(), &options));
    }

    T load() const { return load(std::nothrow).value(); }
    result<T> load(std::nothrow_t) const
    {
        if constexpr (detail::is_whole<T>) {
            const result<std::int64_t> got = detail::ask<std::int64_t>(mp_value_get_int, this->native());
            if (!got)
                return got.error();
            return static_cast<T>(*got);
        } else if constexpr (detail::is_real<T>) {
            const result<double> got = detail::ask<double>(mp_value_get_double, this->native());
            if (!got)
                return got.error();
            return static_cast<T>(*got);
        } else {
            alignas(T) unsigned char room[sizeof(T)];
            const int status = mp_value_get(this->native(), room, sizeof room);
            if (status < 0)
                return error(status);
            return detail::load<T>(room);
        }
    }
    void store(const T &to) { store(std::nothrow, to).value(); }
    result<void> store(std::nothrow_t, const T &to)
    {
        if constexpr (detail::is_whole<T>)
            return detail::outcome(mp_value_set_int(this->native(), static_cast<std::int64_t>(to)));
        else if constexpr (detail::is_real<T>)
            return detail::outcome(mp_value_set_double(this->native(), static_cast<double>(to)));
        else
            return detail::outcome(mp_value_set(this->native(), std::addressof(to), sizeof to));
    }
    operator T() const { return load(); }
    value &operator=(const T &to)
    {
        store(to);
        return *this;
    }

    /* What it was before. Of integers, and fetch_add of doubles and floats. */
    T fetch_add(T by) { return fetch_add(std::nothrow, by).value(); }
    result<T> fetch_add(std::nothrow_t, T by)
    {
        if constexpr (detail::is_real<T>)
            return detail::changed_real<T>(mp_value_fetch_add_double, by, this->native());
        else
            return change(mp_value_fetch_add, by);
    }
    T fetch_sub(T by) { return fetch_sub(std::nothrow, by).value(); }
    result<T> fetch_sub(std::nothrow_t, T by) { return change(mp_value_fetch_sub, by); }
    T fetch_and(T by) { return fetch_and(std::nothrow, by).value(); }
    result<T> fetch_and(std::nothrow_t, T by) { return change(mp_value_fetch_and, by); }
    T fetch_or(T by) { return fetch_or(std::nothrow, by).value(); }
    result<T> fetch_or(std::nothrow_t, T by) { return change(mp_value_fetch_or, by); }
    T fetch_xor(T by) { return fetch_xor(std::nothrow, by).value(); }
    result<T> fetch_xor(std::nothrow_t, T by) { return change(mp_value_fetch_xor, by); }
    T fetch_min(T by) { return fetch_min(std::nothrow, by).value(); }
    result<T> fetch_min(std::nothrow_t, T by) { return change(mp_value_fetch_min, by); }
    T fetch_max(T by) { return fetch_max(std::nothrow, by).value(); }
    result<T> fetch_max(std::nothrow_t, T by) { return change(mp_value_fetch_max, by); }
    T exchange(T to) { return exchange(std::nothrow, to).value(); }
    result<T> exchange(std::nothrow_t, T to) { return change(mp_value_exchange, to); }
    bool compare_exchange(T &expected, T desired) { return compare_exchange(std::nothrow, expected, desired).value(); }
    result<bool> compare_exchange(std::nothrow_t, T &expected, T desired)
    {
        static_assert(detail::is_whole<T>, "mp::value: only integers are exchanged");
        return detail::exchanged(mp_value_compare_exchange, expected, desired, this->native());
    }
    T operator++() { return detail::sum<T>(fetch_add(1), 1); }
    T operator++(int) { return fetch_add(1); }
    T operator--() { return detail::sum<T>(fetch_sub(1), static_cast<T>(-1)); }
    T operator--(int) { return fetch_sub(1); }
    T operator+=(T by) { return detail::sum<T>(fetch_add(by), by); }

    /* Its lock by itself: a recursive_mutex, unless the options gave it a mutex. */
    recursive_mutex get_recursive_mutex() const
    {
        return recursive_mutex(detail::handed<mp_rlock>(mp_value_get_rlock, this->native()));
    }
    mutex get_mutex() const { return mutex(detail::handed<mp_lock>(mp_value_get_lock, this->native())); }
    /* Where it lies in this process, for members of structs; the caller locks. */
    T *data() { return data(std::nothrow).value(); }
    result<T *> data(std::nothrow_t)
    {
        void *data = nullptr;
        const int status = mp_value_data(this->native(), &data, nullptr);
        if (status < 0)
            return error(status);
        return static_cast<T *>(data);
    }
    T *operator->() { return data(); }
    T &operator*() { return *data(); }

private:
    template <class Call>
    result<T> change(Call call, T by)
    {
        static_assert(detail::is_whole<T>, "mp::value: only integers have this operation");
        return detail::changed<T>(call, by, this->native());
    }
    static given_handle<mp_value> make_native(const T &initial, const value_options &options)
    {
        detail::check_shareable<T>();
        if constexpr (detail::type_number<T>() != 0)
            return detail::made<mp_value>(mp_value_new, detail::type_number<T>(), &initial, &options);
        else
            return detail::made<mp_value>(mp_value_new_struct, sizeof(T), &initial, &options);
    }
};

} // namespace mp

#endif
