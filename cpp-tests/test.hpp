/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The C tests' harness for tests in C++: the same TEST, checks, runner and search for what is left. */
#ifndef TEST_HPP
#define TEST_HPP

#include <mp.hpp>

#include <cstring>
#include <string>

extern "C" {
#include "../c-tests/harness.h"
}

using namespace std::chrono_literals;

/* With the commas of template arguments. */
#undef CHECK
#define CHECK(...)                                                                                 \
    ((__VA_ARGS__) ? (void)0 : check_failed(__FILE__, __LINE__, "CHECK(" #__VA_ARGS__ ")", ""))

/* The call throws an mp::error with this status, and the text in its sentence. */
#define CHECK_THROWS(call, want, text)                                                             \
    do {                                                                                           \
        int status_ = MP_OK;                                                                       \
        std::string sentence_;                                                                     \
        try {                                                                                      \
            static_cast<void>(call);                                                               \
        } catch (const mp::error &e_) {                                                            \
            status_ = e_.status();                                                                 \
            sentence_ = e_.what();                                                                 \
        }                                                                                          \
        if (status_ != (want) || sentence_.find(text) == std::string::npos)                        \
            check_failed(__FILE__, __LINE__, #call,                                                \
                         (std::string(" came to ") + mp_status_name(status_) + ": " + sentence_).c_str()); \
    } while (0)

/* How often operator new was called so far, by whatever thread of this process. */
std::size_t allocations();

#endif
