#!/bin/sh
# Projects of CMake and of Meson find an installed libmp, and build and run with it, shared and static.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=$PWD/build/check/consumers
rm -rf "$out"
mkdir -p "$out"
trap 'exit 130' INT TERM
stage=$out/stage
answer="1 4 9 $VERSION"
projects=$PWD/tests/consumers

# The second tree is of another shape.
remake install DESTDIR="$stage" PREFIX=/usr
remake install DESTDIR="$out/other" PREFIX=/opt/mp LIBDIR=/opt/mp/lib/x86_64-linux-gnu INCLUDEDIR=/opt/inc
run() { LD_LIBRARY_PATH="$stage/usr/lib" timeout 60 "$@" 2>&1; }

# configure WANTED PREFIX: so that the project asks for a version.
configure() {
    rm -rf "$out/cmake"
    cmake -S "$projects/cmake" -B "$out/cmake" -DCMAKE_PREFIX_PATH="$2" -DWANTED="$1" \
        -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF
}
refuses() { ! configure "$@"; }

if tests/need.sh cmake cmake --version; then
    for prefix in "$stage/usr" "$out/other/opt/mp"; do
        try "CMake finds it in $prefix" configure "$VERSION" "$prefix"
        try "CMake builds" cmake --build "$out/cmake"
        equal "with CMake, shared" "$answer" "$(run "$out/cmake/shared")"
        equal "with CMake, static" "$answer" "$(run "$out/cmake/static")"
        equal "static needs no libmp.so" "" "$(readelf -dW "$out/cmake/static" | grep 'NEEDED.*libmp' || true)"
        try "shared needs it" test -n "$(readelf -dW "$out/cmake/shared" | grep "NEEDED.*$SONAME")"
    done
    try "CMake finds the minor version" configure "${VERSION%.*}" "$stage/usr"
    try "CMake refuses another minor version" refuses "0.99" "$stage/usr"
    try "CMake refuses another major version" refuses "7" "$stage/usr"
    rm "$stage"/usr/lib/libmp.a "$stage"/usr/lib/libmp.so*
    try "CMake says that the library is not there" refuses "" "$stage/usr"
    remake install DESTDIR="$stage" PREFIX=/usr
else
    skip "no cmake"
fi

if tests/need.sh meson meson --version; then
    mkdir "$out/project"
    cp "$projects"/program.cc "$projects"/part.c "$projects"/meson/meson.build "$out/project"
    try "Meson finds it" env PKG_CONFIG_LIBDIR="$stage/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage" PKG_CONFIG_PATH='' \
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 meson setup "$out/meson" "$out/project"
    try "Meson builds" ninja -C "$out/meson"
    equal "with Meson, shared" "$answer" "$(run "$out/meson/shared")"
    equal "with Meson, static" "$answer" "$(run "$out/meson/static")"
    equal "Meson's static needs no libmp.so" "" "$(readelf -dW "$out/meson/static" | grep 'NEEDED.*libmp' || true)"
else
    skip "no meson"
fi
finish
