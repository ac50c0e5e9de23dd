/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * connection, pipe, listener, client. */
#ifndef MP_CONNECTION_HPP
#define MP_CONNECTION_HPP

#include <mp/message.hpp>

#include <initializer_list>

namespace mp {

struct connection_options : mp_connection_options {
    connection_options() noexcept : mp_connection_options MP_CONNECTION_OPTIONS {}
};
struct pipe_options : mp_pipe_options {
    pipe_options() noexcept : mp_pipe_options MP_PIPE_OPTIONS {}
};
struct listener_options : mp_listener_options {
    listener_options() noexcept : mp_listener_options MP_LISTENER_OPTIONS {}
    void set_key(bytes_view bytes) noexcept
    {
        key = bytes.data();
        key_size = bytes.size();
    }
};
struct client_options : mp_client_options {
    client_options() noexcept : mp_client_options MP_CLIENT_OPTIONS {}
    void set_key(bytes_view bytes) noexcept
    {
        key = bytes.data();
        key_size = bytes.size();
    }
};

/* One end of a connection: mp_connection. Messages are values, as mp::codec has them. */
class connection : public detail::handle<mp_connection, mp_connection_free> {
public:
    using handle::handle;
    /* Over a descriptor, which it closes. */
    explicit connection(int fd, const connection_options &options = {})
        : handle(detail::made<mp_connection>(mp_connection_from_fd, fd, &options))
    {
    }
    static result<connection> make(std::nothrow_t, int fd, const connection_options &options = {})
    {
        return detail::try_made<connection>(mp_connection_from_fd, fd, &options);
    }

    template <class T>
    void send(const T &value, timeout limit = forever)
    {
        send(std::nothrow, value, limit).value();
    }
    template <class T>
    result<void> send(std::nothrow_t, const T &value, timeout limit = forever)
    {
        using type = detail::sent_as_t<T>;
        const auto put = [&](bytes_view m) { return mp_connection_send(native(), m.data(), m.size(), limit); };

        if constexpr (std::is_same_v<type, T>)
            return detail::outcome(detail::packed(value, put));
        else
            return detail::outcome(put(bytes_view(std::string_view(value))));
    }
    template <class T>
    T recv(timeout limit = forever)
    {
        return recv<T>(std::nothrow, limit).value();
    }
    template <class T>
    result<T> recv(std::nothrow_t, timeout limit = forever)
    {
        return detail::taken<T>(
            [&](void *room, std::size_t size, std::size_t *len, bool *) {
                return mp_connection_recv(native(), room, size, len, limit);
            },
            [&](mp_buffer **buffer) { return mp_connection_recv_buffer(native(), buffer, SIZE_MAX, nullptr, limit); });
    }
    /* Messages of a pipe that are written and read in place. */
    using reservation = basic_reservation<mp_connection, mp_connection_commit, mp_connection_cancel>;
    using peeked = basic_peeked<mp_connection, mp_connection_release>;
    reservation reserve(std::size_t size) { return reserve(std::nothrow, size).value(); }
    result<reservation> reserve(std::nothrow_t, std::size_t size)
    {
        void *data = nullptr;
        const int status = mp_connection_reserve(native(), size, &data);

        if (status < 0)
            return error(status);
        return reservation(native(), data, size);
    }
    peeked peek(timeout limit = forever) { return peek(std::nothrow, limit).value(); }
    result<peeked> peek(std::nothrow_t, timeout limit = forever)
    {
        const void *data = nullptr;
        std::size_t size = 0;
        const int status = mp_connection_peek(native(), &data, &size, limit);

        if (status < 0)
            return error(status);
        return peeked(native(), {data, size}, false);
    }

    /* A message that carries nouns, through a pipe. */
    template <class T, class... Noun>
    void send_with(const T &value, const Noun &...nouns)
    {
        send_with(std::nothrow, value, nouns...).value();
    }
    template <class T, class... Noun>
    result<void> send_with(std::nothrow_t, const T &value, const Noun &...nouns)
    {
        const void *const handles[] = {nouns.native()..., nullptr};

        return detail::outcome(detail::packed(value, [&](bytes_view m) {
            return mp_connection_send_handles(native(), m.data(), m.size(), handles, sizeof...(nouns), MP_FOREVER);
        }));
    }
    /* And descriptors besides. */
    template <class T, class... Noun>
    void send_fds(const T &value, std::initializer_list<int> fds, const Noun &...nouns)
    {
        send_fds(std::nothrow, value, fds, nouns...).value();
    }
    template <class T, class... Noun>
    result<void> send_fds(std::nothrow_t, const T &value, std::initializer_list<int> fds, const Noun &...nouns)
    {
        const void *const handles[] = {nouns.native()..., nullptr};

        return detail::outcome(detail::packed(value, [&](bytes_view m) {
            return mp_connection_send_fds(native(), m.data(), m.size(), handles, sizeof...(nouns), fds.begin(),
                                          fds.size(), MP_FOREVER);
        }));
    }
    template <class T>
    message<T> recv_with(timeout limit = forever)
    {
        return recv_with<T>(std::nothrow, limit).value();
    }
    template <class T>
    result<message<T>> recv_with(std::nothrow_t, timeout limit = forever)
    {
        mp_buffer *native_buffer = nullptr;
        const int status = mp_connection_recv_buffer(native(), &native_buffer, SIZE_MAX, nullptr, limit);

        if (status < 0)
            return error(status);
        detail::buffer carrier{adopt(native_buffer)};
        result<T> value = detail::try_unpacked<T>(detail::view(carrier));
        if (!value)
            return value.error();
        return message<T>(std::move(*value), std::move(carrier));
    }

    /* Whether something came in time: a message, its beginning, or the end. */
    bool poll(timeout limit = no_wait) { return poll(std::nothrow, limit).value(); }
    result<bool> poll(std::nothrow_t, timeout limit = no_wait)
    {
        return detail::waited(mp_connection_poll(native(), limit));
    }
    void send_fd(int fd, timeout limit = forever) { send_fd(std::nothrow, fd, limit).value(); }
    result<void> send_fd(std::nothrow_t, int fd, timeout limit = forever)
    {
        return detail::outcome(mp_connection_send_fd(native(), fd, limit));
    }
    /* A descriptor, which is the caller's to close. */
    int recv_fd(timeout limit = forever) { return recv_fd(std::nothrow, limit).value(); }
    result<int> recv_fd(std::nothrow_t, timeout limit = forever)
    {
        int fd = -1;
        const int status = mp_connection_recv_fd(native(), &fd, limit);
        if (status < 0)
            return error(status);
        return fd;
    }
    void deliver_challenge(bytes_view key, bool allow_md5 = false, timeout limit = forever)
    {
        deliver_challenge(std::nothrow, key, allow_md5, limit).value();
    }
    result<void> deliver_challenge(std::nothrow_t, bytes_view key, bool allow_md5 = false, timeout limit = forever)
    {
        return detail::outcome(mp_connection_deliver_challenge(native(), key.data(), key.size(), allow_md5, limit));
    }
    void answer_challenge(bytes_view key, bool allow_md5 = false, timeout limit = forever)
    {
        answer_challenge(std::nothrow, key, allow_md5, limit).value();
    }
    result<void> answer_challenge(std::nothrow_t, bytes_view key, bool allow_md5 = false, timeout limit = forever)
    {
        return detail::outcome(mp_connection_answer_challenge(native(), key.data(), key.size(), allow_md5, limit));
    }
    int fileno() const { return fileno(std::nothrow).value(); }
    result<int> fileno(std::nothrow_t) const { return detail::ask<int>(mp_connection_fileno, native()); }
    bool readable() const { return readable(std::nothrow).value(); }
    result<bool> readable(std::nothrow_t) const { return detail::ask<bool>(mp_connection_readable, native()); }
    bool writable() const { return writable(std::nothrow).value(); }
    result<bool> writable(std::nothrow_t) const { return detail::ask<bool>(mp_connection_writable, native()); }
    bool closed() const { return closed(std::nothrow).value(); }
    result<bool> closed(std::nothrow_t) const { return detail::ask<bool>(mp_connection_closed, native()); }
    void close() { close(std::nothrow).value(); }
    result<void> close(std::nothrow_t) { return detail::outcome(mp_connection_close(native())); }
};

/* Two ends; of a pipe that is not duplex the first reads and the second writes. */
inline result<std::pair<connection, connection>> pipe(std::nothrow_t, const pipe_options &options = {})
{
    mp_connection *first = nullptr, *second = nullptr;
    const int status = mp_pipe_new(&first, &second, &options);

    if (status < 0)
        return error(status);
    return std::pair(connection(adopt(first)), connection(adopt(second)));
}
inline std::pair<connection, connection> pipe(const pipe_options &options = {})
{
    return pipe(std::nothrow, options).value();
}

/* Takes connections at an address: mp_listener. */
class listener : public detail::handle<mp_listener, mp_listener_free> {
public:
    using handle::handle;
    explicit listener(const std::string &address, const listener_options &options = {})
        : handle(detail::made<mp_listener>(mp_listener_new, address.c_str(), &options))
    {
    }
    static result<listener> make(std::nothrow_t, const std::string &address, const listener_options &options = {})
    {
        return detail::try_made<listener>(mp_listener_new, address.c_str(), &options);
    }
    connection accept(timeout limit = forever) { return accept(std::nothrow, limit).value(); }
    result<connection> accept(std::nothrow_t, timeout limit = forever)
    {
        mp_connection *accepted = nullptr;
        const int status = mp_listener_accept(native(), &accepted, limit);
        if (status < 0)
            return error(status);
        return connection(adopt(accepted));
    }
    std::string address() const { return address(std::nothrow).value(); }
    result<std::string> address(std::nothrow_t) const { return detail::text(mp_listener_address, native()); }
    std::string last_accepted() const { return last_accepted(std::nothrow).value(); }
    result<std::string> last_accepted(std::nothrow_t) const
    {
        return detail::text(mp_listener_last_accepted, native());
    }
    int fileno() const { return fileno(std::nothrow).value(); }
    result<int> fileno(std::nothrow_t) const { return detail::ask<int>(mp_listener_fileno, native()); }
    void close() { close(std::nothrow).value(); }
    result<void> close(std::nothrow_t) { return detail::outcome(mp_listener_close(native())); }
};

/* A connection to a listener. */
inline result<connection> connect(std::nothrow_t, const std::string &address, const client_options &options = {},
                                  timeout limit = forever)
{
    return detail::try_made<connection>(mp_client_connect, address.c_str(), &options, mp_timeout(limit));
}
inline connection connect(const std::string &address, const client_options &options = {}, timeout limit = forever)
{
    return connect(std::nothrow, address, options, limit).value();
}

} // namespace mp

#endif
