#!/bin/sh
# Programs build and run against an installed libmp, through pkg-config alone.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=build/check/install
rm -rf "$out"
mkdir -p "$out"
stage=$PWD/$out/stage

# For the manual.
tests/need.sh doxygen doxygen --version || true
remake install DESTDIR="$stage" PREFIX=/usr
pc() {
    PKG_CONFIG_LIBDIR="$stage/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage" PKG_CONFIG_PATH='' \
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 "${PKG_CONFIG:-pkg-config}" "$@" libmp
}
run() { LD_LIBRARY_PATH="$stage/usr/lib" "$@"; }

equal "pkg-config --modversion" "$VERSION" "$(pc --modversion)"
# shellcheck disable=SC2046 # flags are lists
try "C builds" "${CC:-cc}" examples-c/pool_square.c -o "$out/c" $(pc --cflags --libs)
equal "C runs" "[1, 4, 9]" "$(run "$out/c")"
if command -v "${CXX:-c++}" >/dev/null; then
    # shellcheck disable=SC2046
    try "C++ builds" "${CXX:-c++}" -std=c++11 -Wall -Wextra -pedantic -Werror tests/install.cc -o "$out/cxx" $(pc --cflags --libs)
    equal "C++ runs" "[3, 6, 9]" "$(run "$out/cxx")"
else
    skip "no C++ compiler"
fi

# A packager's own check, of one suite here.
suite=$(printf ' c-tests/%s.c' runner batch names inside harness job procfs test_util test_lock)
installcheck() {
    LD_LIBRARY_PATH="$stage/usr/lib" PKG_CONFIG_LIBDIR="$stage/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage" \
        PKG_CONFIG_PATH='' PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
        remake installcheck INSTALLED_TESTS="$suite" | tail -n 1
}
try "make installcheck" test -n "$(installcheck | grep '^[1-9][0-9]* passed, 0 failed')"

# The manual has each function; some have a page with others. On its way out it takes no other's page along.
man=$stage/usr/share/man
if command -v doxygen >/dev/null; then
    for name in $(declared); do test -e "$man/man3/$name.3" || echo "$name"; done >"$out/unwritten"
    equal "functions without an installed page" "" "$(cat "$out/unwritten")"
    equal "pages of something else" "" "$(find "$man" -type f ! -name 'libmp_*' ! -name '[Mm][Pp][._]*')"
    if command -v man >/dev/null; then
        for name in mp_pool_map mp_child_array; do
            # shellcheck disable=SC2016 # for the inner shell
            try "man $name" sh -c 'man -M "$1" "$2" | grep -q "$2 *("' - "$man" $name
        done
    else
        skip "no man"
    fi
else
    skip "manual pages: no doxygen"
fi
mkdir -p "$man/man3"
echo '.TH "mp_others" 3' >"$man/man3/mp_others.3"

# static NAME FLAGS...: a program that gets libmp from libmp.a, which is all that is there.
rm -f "$stage"/usr/lib/libmp.so*
static() {
    kind=$1
    shift
    # shellcheck disable=SC2046
    try "$kind builds" "${CC:-cc}" "$@" examples-c/pool_square.c -o "$out/static" $(pc --static --cflags --libs)
    equal "$kind runs" "[1, 4, 9]" "$("$out/static")"
    equal "$kind needs no libmp.so" "" "$(readelf -dW "$out/static" | grep 'NEEDED.*libmp' || true)"
}
static "libmp.a"
echo 'int main(void) { return 0; }' >"$out/empty.c"
if "${CC:-cc}" -static -o "$out/empty" "$out/empty.c" 2>/dev/null; then
    static "static program" -static
else
    skip "static programs: no static C library"
fi

# What packagers do: strip everything.
remake install-strip DESTDIR="$stage" PREFIX=/usr
equal "stripped of debugging information" "" "$(readelf -SW "$stage/usr/lib/libmp.so" | grep '\.debug' || true)"
equal "and of names" "" "$(readelf -SW "$stage/usr/lib/libmp.so" | grep '\.symtab' || true)"
equal "not the one in build" 1 "$(readelf -SW "build/lib/libmp.so" | grep -c '\.symtab')"
equal "C runs with the stripped one" "[1, 4, 9]" "$(run "$out/c")"
rm -f "$stage"/usr/lib/libmp.so*
static "stripped libmp.a"

# A tree of another shape: pkg-config has to follow it.
lib=lib/x86_64-linux-gnu
remake install DESTDIR="$stage/other" PREFIX=/opt/mp LIBDIR=/opt/mp/$lib INCLUDEDIR=/opt/inc
pc_file=$stage/other/opt/mp/$lib/pkgconfig/libmp.pc
equal "libdir below prefix" "libdir=\${prefix}/$lib" "$(grep '^libdir' "$pc_file")"
equal "includedir elsewhere" 'includedir=/opt/inc' "$(grep '^includedir' "$pc_file")"
equal "nothing unfilled" "" "$(grep @ "$pc_file" || true)"
try "libmp.so there" test "$(readlink -f "$stage/other/opt/mp/$lib/libmp.so")" -ef \
    "$stage/other/opt/mp/$lib/libmp.so.$VERSION"
remake uninstall DESTDIR="$stage/other" PREFIX=/opt/mp LIBDIR=/opt/mp/$lib INCLUDEDIR=/opt/inc

# The compiler and the flags that a distribution asks for.
said=$(remake -n -B "build/lib/libmp.so.$VERSION" CC=their-cc CFLAGS=-Otheir LDFLAGS=-Wl,-z,their CARGO=their-cargo)
try "CC, CFLAGS, LDFLAGS" test -n "$(echo "$said" | grep -e 'their-cc -Otheir -Wl,-z,their -shared')"
try "CARGO" test -n "$(echo "$said" | grep 'their-cargo build')"

remake uninstall DESTDIR="$stage" PREFIX=/usr
equal "uninstall leaves" "$man/man3/mp_others.3" "$(find "$stage" ! -type d)"
finish
