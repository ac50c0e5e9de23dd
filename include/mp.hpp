/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * libmp for C++17 and later: everything of mp.h with moves, scopes, types, std::chrono and lambdas.
 *
 *   #include <mp.hpp>
 *
 *   int main(int argc, char **argv)
 *   {
 *       mp::bootstrap(argc, argv);
 *       mp::pool pool;
 *       for (int y : pool.map([](int x) { return x * x; }, std::vector{1, 2, 3}))
 *           std::cout << y << '\n';
 *   }
 *
 * Failures throw mp::error; with std::nothrow as the first argument, every call that can fail returns
 * an mp::result instead. Constructors have make(std::nothrow, ...). What a call does, its threads,
 * forks and killed peers, is said in mp.h at the function that it stands for.
 *
 * Link with:  c++ -std=c++17 program.cc $(pkg-config --cflags --libs libmp) */
#ifndef MP_HPP
#define MP_HPP

#include <mp/array.hpp>
#include <mp/base.hpp>
#include <mp/callable.hpp>
#include <mp/codec.hpp>
#include <mp/connection.hpp>
#include <mp/future.hpp>
#include <mp/imap.hpp>
#include <mp/item.hpp>
#include <mp/library.hpp>
#include <mp/manager.hpp>
#include <mp/message.hpp>
#include <mp/number.hpp>
#include <mp/object_type.hpp>
#include <mp/pool.hpp>
#include <mp/priority_queue.hpp>
#include <mp/process.hpp>
#include <mp/proxy.hpp>
#include <mp/queue.hpp>
#include <mp/shared_memory.hpp>
#include <mp/sync.hpp>
#include <mp/task.hpp>
#include <mp/value.hpp>

#endif
