#!/bin/sh
# libmp.a defines nothing but the exports, and can be linked beside another Rust archive, however that
# one was optimised.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=build/check/archive
rm -rf "$out"
mkdir -p "$out"
remake all build/rust/libs-private

# names OPTION FILE...: of the symbols that nm lists with the option, without versions.
names() { nm "$@" 2>/dev/null | awk 'NF > 1 { sub(/@.*/, "", $NF); print $NF }' | LC_ALL=C sort -u; }
declared >"$out/declared"
names -g --defined-only build/lib/libmp.a >"$out/defined"
names -g --undefined-only build/lib/libmp.a >"$out/needed"
names -D --undefined-only "build/lib/libmp.so.$VERSION" >"$out/so-needed"
try "mp.h declares functions" test -s "$out/declared"
equal "declared, not defined" "" "$(LC_ALL=C comm -23 "$out/declared" "$out/defined")"
equal "defined, not declared" "" "$(LC_ALL=C comm -13 "$out/declared" "$out/defined")"
# The shared object knows what is needed; __dso_handle and the table of addresses are the linker's, and atexit lies in
# the part of the C library that is always linked statically.
if "${LD:-ld}" --version | grep -q '^GNU ld'; then
    equal "needed, not by libmp.so" "" "$(LC_ALL=C comm -23 "$out/needed" "$out/so-needed" |
        grep -vxE '__dso_handle|_GLOBAL_OFFSET_TABLE_|atexit' || true)"
else
    skip "names that nothing needs: this ld drops nothing"
fi

libs=$(cat build/rust/libs-private)
"${CC:-cc}" -std=c99 -Wall -Wextra -Iinclude -c -o "$out/beside.o" tests/archive/beside.c
# beside NAME FLAGS...: links and runs.
beside() {
    order=$1
    shift
    # shellcheck disable=SC2086 # $libs is a list
    try "$order: links" "${CC:-cc}" -o "$out/beside" "$out/beside.o" "$@" $libs
    equal "$order: runs" "3 4 5 12" "$("$out/beside" 2>&1 || echo "status $?")"
    rm -f "$out/beside"
}
static=yes
echo 'int main(void) { return 0; }' >"$out/empty.c"
if ! "${CC:-cc}" -static -o "$out/empty" "$out/empty.c" 2>/dev/null; then
    static=
    skip "static programs: no static C library"
fi
for lto in off thin fat; do
    second=$out/libsecond-$lto.a
    if ! "${RUSTC:-rustc}" --edition 2024 -O -C lto=$lto --crate-type staticlib -o "$second" tests/archive/second.rs; then
        try "rustc with lto=$lto" false
        continue
    fi
    beside "before lto=$lto" build/lib/libmp.a "$second"
    beside "behind lto=$lto" "$second" build/lib/libmp.a
    beside "with --gc-sections, before lto=$lto" -Wl,--gc-sections build/lib/libmp.a "$second"
    if [ -n "$static" ]; then beside "static, before lto=$lto" -static build/lib/libmp.a "$second"; fi
    rm -f "$second"
done
echo "size: libmp.a is $(($(stat -c %s build/lib/libmp.a) / 1024)) KiB, and $({
    "${STRIP:-strip}" -g -o "$out/stripped.a" build/lib/libmp.a
    echo $(($(stat -c %s "$out/stripped.a") / 1024))
}) KiB without debugging information"
finish
