#!/bin/sh
# Another directory, time zone, language and umask give the same libraries, byte for byte.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=build/check/reproducible
there=$out/of/another/length
rm -rf "$out"
mkdir -p "$there"
remake all

# build and target stay, whatever they are called.
tar cf - Cargo.toml Cargo.lock Makefile libmp.map make src tests | tar xf - -C "$there"
elsewhere() (
    umask 077
    export CARGO_TARGET_DIR=elsewhere TZ=UTC-14 LC_ALL=C
    remake -C "$there" -j2
)
try "builds elsewhere" elsewhere
for library in "libmp.so.$VERSION" libmp.a; do
    try "the same $library" cmp "build/lib/$library" "$there/build/lib/$library"
done
rm -rf "$there"
finish
