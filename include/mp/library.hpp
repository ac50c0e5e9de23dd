/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The library as a whole: its begin, start methods, hooks, waiting for many things, names, log. */
#ifndef MP_LIBRARY_HPP
#define MP_LIBRARY_HPP

#include <mp/base.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <vector>

namespace mp {

/* Every main begins with this call: mp_bootstrap. */
inline void bootstrap(int argc, char **argv) { detail::check(mp_bootstrap(argc, argv)); }
inline result<void> bootstrap(std::nothrow_t, int argc, char **argv)
{
    return detail::outcome(mp_bootstrap(argc, argv));
}
inline std::string version() { return mp_version(); }
inline std::size_t cpu_count() noexcept { return mp_cpu_count(); }

} // namespace mp

#endif
