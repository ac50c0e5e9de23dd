/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * value, array, shared_memory, shareable_list: memory that processes share. */
#ifndef MP_SHARED_HPP
#define MP_SHARED_HPP

#include <mp/item.hpp>
#include <mp/sync.hpp>

#include <initializer_list>

namespace mp {

struct value_options : mp_value_options {
    value_options() noexcept : mp_value_options MP_VALUE_OPTIONS {}
};
struct array_options : mp_array_options {
    array_options() noexcept : mp_array_options MP_ARRAY_OPTIONS {}
};
struct shared_memory_options : mp_shared_memory_options {
    shared_memory_options() noexcept : mp_shared_memory_options MP_SHARED_MEMORY_OPTIONS {}
};
struct shareable_list_options : mp_shareable_list_options {
    shareable_list_options() noexcept : mp_shareable_list_options MP_SHAREABLE_LIST_OPTIONS {}
};

namespace detail {

template <class T>
inline constexpr bool is_whole = std::is_integral_v<T> && !std::is_same_v<T, bool>;
template <class T>
inline constexpr bool is_real = std::is_same_v<T, double> || std::is_same_v<T, float>;

/* mp.h's number for a type; 0 for a struct. */
template <class T>
constexpr int type_number()
{
    if constexpr (std::is_same_v<T, double>)
        return MP_DOUBLE;
    else if constexpr (std::is_same_v<T, float>)
        return MP_FLOAT;
    else if constexpr (is_whole<T> && sizeof(T) == 1)
        return std::is_signed_v<T> ? MP_INT8 : MP_UINT8;
    else if constexpr (is_whole<T> && sizeof(T) == 2)
        return std::is_signed_v<T> ? MP_INT16 : MP_UINT16;
    else if constexpr (is_whole<T> && sizeof(T) == 4)
        return std::is_signed_v<T> ? MP_INT32 : MP_UINT32;
    else if constexpr (is_whole<T> && sizeof(T) == 8)
        return std::is_signed_v<T> ? MP_INT64 : MP_UINT64;
    else
        return 0;
}

/* A handle that a call hands out by its last parameter. */
template <class Native, class Call, class From>
given_handle<Native> handed(Call call, const From *from)
{
    Native *native = nullptr;

    check(call(from, &native));
    return adopt(native);
}

template <class T>
constexpr void check_shareable()
{
    static_assert(raw<T>, "mp: only what is trivially copyable, and no pointer or view, can lie in shared memory");
    static_assert(alignof(T) <= 64, "mp: shared memory is aligned to 64 bytes at most");
}

/* The atomic operations, of a value or of an array's item: where is the handle, and the index. */
template <class T, class Call, class... Where>
result<T> changed(Call call, T by, Where... where)
{
    std::int64_t before = 0;
    const int status = call(where..., static_cast<std::int64_t>(by), &before);

    if (status < 0)
        return error(status);
    return static_cast<T>(before);
}
template <class T, class Call, class... Where>
result<T> changed_real(Call call, T by, Where... where)
{
    double before = 0;
    const int status = call(where..., static_cast<double>(by), &before);

    if (status < 0)
        return error(status);
    return static_cast<T>(before);
}
template <class T, class Call, class... Where>
result<bool> exchanged(Call call, T &expected, T desired, Where... where)
{
    auto wanted = static_cast<std::int64_t>(expected);
    bool done = false;
    const int status = call(where..., &wanted, static_cast<std::int64_t>(desired), &done);

    if (status < 0)
        return error(status);
    expected = static_cast<T>(wanted);
    return done;
}

} // namespace detail

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
    T operator++() { return static_cast<T>(fetch_add(1) + 1); }
    T operator++(int) { return fetch_add(1); }
    T operator--() { return static_cast<T>(fetch_sub(1) - 1); }
    T operator--(int) { return fetch_sub(1); }
    T operator+=(T by) { return static_cast<T>(fetch_add(by) + by); }

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

/* Bytes: mp_shared_memory. */
class shared_memory : public detail::handle<mp_shared_memory, mp_shared_memory_free> {
public:
    using handle::handle;
    explicit shared_memory(std::size_t size, const shared_memory_options &options = {})
        : handle(detail::made<mp_shared_memory>(mp_shared_memory_new, size, &options))
    {
    }
    static result<shared_memory> make(std::nothrow_t, std::size_t size, const shared_memory_options &options = {})
    {
        return detail::try_made<shared_memory>(mp_shared_memory_new, size, &options);
    }
    void *data() { return data(std::nothrow).value(); }
    result<void *> data(std::nothrow_t)
    {
        void *data = nullptr;
        const int status = mp_shared_memory_data(native(), &data, nullptr);
        if (status < 0)
            return error(status);
        return data;
    }
    std::size_t size() const { return size(std::nothrow).value(); }
    result<std::size_t> size(std::nothrow_t) const
    {
        return detail::ask<std::size_t>(mp_shared_memory_size, native());
    }
#if __cplusplus >= 202002L
    operator std::span<std::byte>() { return {static_cast<std::byte *>(data()), size()}; }
#endif
};

/* A list of mixed items: mp_shareable_list. */
class shareable_list : public detail::handle<mp_shareable_list, mp_shareable_list_free> {
public:
    using handle::handle;
    explicit shareable_list(const std::vector<item_view> &items, const shareable_list_options &options = {})
        : handle(make_native(items, options))
    {
    }
    /* The list that lies in this memory. */
    explicit shareable_list(shared_memory &memory)
        : handle(detail::made<mp_shareable_list>(mp_shareable_list_open, memory.native()))
    {
    }
    static result<shareable_list> make(std::nothrow_t, const std::vector<item_view> &items,
                                       const shareable_list_options &options = {})
    {
        try {
            return shareable_list(items, options);
        } catch (const error &e) {
            return e;
        }
    }
    shared_memory memory() const { return memory(std::nothrow).value(); }
    result<shared_memory> memory(std::nothrow_t) const
    {
        mp_shared_memory *memory = nullptr;
        const int status = mp_shareable_list_memory(native(), &memory);
        if (status < 0)
            return error(status);
        return shared_memory(adopt(memory));
    }
    std::size_t size() const { return size(std::nothrow).value(); }
    result<std::size_t> size(std::nothrow_t) const
    {
        return detail::ask<std::size_t>(mp_shareable_list_length, native());
    }
    item get(std::size_t index) const { return get(std::nothrow, index).value(); }
    result<item> get(std::nothrow_t, std::size_t index) const
    {
        std::string room(63, '\0');
        mp_item found{};
        int status;

        /* It may grow between two calls. */
        while ((status = mp_shareable_list_get(native(), index, &found, room.data(), room.size())) == MP_ERR_TOO_SMALL)
            room.resize(found.data_size + 1);
        if (status < 0)
            return error(status);
        return detail::owned(found);
    }
    item operator[](std::size_t index) const { return get(index); }
    void set(std::size_t index, item_view to) { set(std::nothrow, index, to).value(); }
    result<void> set(std::nothrow_t, std::size_t index, item_view to)
    {
        return detail::outcome(mp_shareable_list_set(native(), index, &to.native()));
    }
    /* Where the item is, at or behind from. */
    std::size_t index(item_view of, std::size_t from = 0) const { return index(std::nothrow, of, from).value(); }
    result<std::size_t> index(std::nothrow_t, item_view of, std::size_t from = 0) const
    {
        return detail::ask<std::size_t>(mp_shareable_list_index, native(), &of.native(), from);
    }
    std::size_t count(item_view of) const { return count(std::nothrow, of).value(); }
    result<std::size_t> count(std::nothrow_t, item_view of) const
    {
        return detail::ask<std::size_t>(mp_shareable_list_count, native(), &of.native());
    }
    /* How the item is stored, as Python's struct has it. */
    std::string format(std::size_t index) const { return format(std::nothrow, index).value(); }
    result<std::string> format(std::nothrow_t, std::size_t index) const
    {
        return detail::text(mp_shareable_list_format, native(), index);
    }

private:
    static given_handle<mp_shareable_list> make_native(const std::vector<item_view> &items,
                                                       const shareable_list_options &options)
    {
        const std::vector<mp_item> natives = detail::natives(items.data(), items.size());
        return detail::made<mp_shareable_list>(mp_shareable_list_new, natives.data(), natives.size(), &options);
    }
};

} // namespace mp

#endif
