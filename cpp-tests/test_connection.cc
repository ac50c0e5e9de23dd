/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pipes, connections, listeners, clients. */
#include "test.hpp"

#include <sys/socket.h>
#include <unistd.h>

using pair_of = std::pair<std::string, int>;

TEST(cpp_connection, values_through_a_pipe)
{
    auto [mine, theirs] = mp::pipe();
    mp::process p(
        [](mp::connection &c) {
            auto got = c.recv<pair_of>();
            c.send(pair_of(got.first + "!", got.second + 1));
            c.send(std::string(200000, 'x'));
            c.send("literal");
            auto with = c.recv_with<int>();
            with.take<mp::event>(0).set();
        },
        theirs);

    CHECK(!mine.poll());
    mine.send(pair_of("hello", 41));
    CHECK(mine.poll(mp::forever));
    CHECK(mine.recv<pair_of>() == pair_of("hello!", 42));
    CHECK_INT(mine.recv<std::string>().size(), 200000);
    CHECK(mine.recv<std::string>() == "literal");
    mp::event seen;
    mine.send_with(1, seen);
    CHECK(seen.wait());
    CHECK(p.join());
    theirs.close();
    CHECK(theirs.closed());
    CHECK_THROWS(mine.recv<int>(), MP_ERR_EOF, "mp_connection_recv");

    auto [left, right] = mp::pipe();
    {
        auto room = left.reserve(1000);
        std::memcpy(room.data(), "in place", 8);
        room.commit(8);
        const auto given_up = left.reserve(1000);
        const auto seen = right.peek();
        CHECK(seen.bytes().str() == "in place");
    }
    CHECK_INT(right.peek(std::nothrow, mp::no_wait).status(), MP_ERR_TIMEOUT);
    {
        const mp::event carried;
        left.send_fds(std::string("laden"), {2, 2}, carried);
        auto m = right.recv_with<std::string>();
        CHECK(m.value() == "laden");
        CHECK_INT(m.handles(), 1);
        CHECK_INT(m.fds(), 2);
        CHECK(close(m.take_fd(1)) == 0);
        CHECK_INT(m.take_fd(std::nothrow, 2).status(), MP_ERR_INVALID);
    }

    mp::pipe_options one_way;
    one_way.duplex = false;
    auto [from, to] = mp::pipe(one_way);
    CHECK(from.readable() && !from.writable() && to.writable());
    to.send(std::uint16_t{3});
    CHECK_THROWS(from.recv<int>(), MP_ERR_INVALID, "ends");
    CHECK_THROWS(from.recv<int>(1ms), MP_ERR_TIMEOUT, "mp_connection_recv");
}

TEST(cpp_connection, listeners_and_clients)
{
    mp::listener_options open;
    open.set_key("secret");
    mp::listener listener("127.0.0.1:0", open);
    mp::process p(
        [](const std::string &address) {
            mp::client_options options;
            options.set_key("wrong");
            CHECK_THROWS(mp::connect(address, options), MP_ERR_AUTH, "mp_client_connect");
            options.set_key("secret");
            mp::connection c = mp::connect(address, options, 10s);
            c.send_fd(1);
            c.send(c.recv<int>() * 2);
        },
        listener.address());

    CHECK_THROWS(listener.accept(), MP_ERR_AUTH, "mp_listener_accept");
    mp::connection c = listener.accept();
    CHECK(listener.last_accepted().find("127.0.0.1:") == 0);
    (void)c.recv_fd(std::nothrow);
    CHECK(c.fileno() >= 0 && listener.fileno() >= 0);
    c.send(21);
    CHECK(p.join());
    listener.close();
}

TEST(cpp_connection, keys_and_descriptors)
{
    mp::listener listener("@mp-cpp-" + std::to_string(getpid()));
    mp::process p(
        [](const std::string &address) {
            mp::connection c = mp::connect(address);
            c.answer_challenge("key");
            c.deliver_challenge("key");
            const int fd = c.recv_fd();
            CHECK_INT(write(fd, "x", 1), 1);
            close(fd);
            CHECK_THROWS(c.answer_challenge("other"), MP_ERR_AUTH, "mp_connection_answer_challenge");
        },
        listener.address());
    mp::connection c = listener.accept();
    int ends[2];
    char got = 0;

    CHECK_INT(::pipe(ends), 0);
    c.deliver_challenge("key");
    c.answer_challenge("key");
    c.send_fd(ends[1]);
    CHECK_INT(read(ends[0], &got, 1), 1);
    CHECK_INT(c.deliver_challenge(std::nothrow, "key").status(), MP_ERR_AUTH);
    CHECK(p.join());
    CHECK_INT(p.exitcode(), 0);
    close(ends[0]);
    close(ends[1]);

    /* Over a descriptor of the program's own. */
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    mp::connection_options reads, writes;
    reads.writable = writes.readable = false;
    mp::connection from(ends[0], reads), to(ends[1], writes);
    to.send(5);
    CHECK_INT(from.recv<int>(), 5);
}
