/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * manager: a server of objects, for processes here and elsewhere. */
#ifndef MP_MANAGER_HPP
#define MP_MANAGER_HPP

#include <mp/object_type.hpp>

namespace mp {

struct manager_options : mp_manager_options {
    manager_options() noexcept : mp_manager_options MP_MANAGER_OPTIONS {}
    void set_key(bytes_view bytes) noexcept
    {
        key = bytes.data();
        key_size = bytes.size();
    }
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
