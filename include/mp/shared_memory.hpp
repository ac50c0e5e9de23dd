/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * shared_memory, shareable_list. */
#ifndef MP_SHARED_MEMORY_HPP
#define MP_SHARED_MEMORY_HPP

#include <mp/item.hpp>

namespace mp {

struct shared_memory_options : mp_shared_memory_options {
    shared_memory_options() noexcept : mp_shared_memory_options MP_SHARED_MEMORY_OPTIONS {}
};
struct shareable_list_options : mp_shareable_list_options {
    shareable_list_options() noexcept : mp_shareable_list_options MP_SHAREABLE_LIST_OPTIONS {}
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
