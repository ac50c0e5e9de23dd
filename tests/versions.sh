#!/bin/sh
# Cargo.toml's version is the one that every other place says.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=build/check/versions
rm -rf "$out"
mkdir -p "$out"

stage=$PWD/$out/stage
remake install DESTDIR="$stage" PREFIX=/usr >/dev/null
cat >"$out/version.c" <<'C'
#include <mp.h>
#include <stdio.h>

int main(void)
{
    printf("%s %s %d.%d.%d\n", mp_version(), MP_VERSION_STRING, MP_VERSION_MAJOR, MP_VERSION_MINOR,
           MP_VERSION_PATCH);
    return 0;
}
C
"${CC:-cc}" -I"$stage/usr/include" "$out/version.c" -o "$out/version" -L"$stage/usr/lib" -lmp
said=$(LD_LIBRARY_PATH="$stage/usr/lib" "$out/version")
# shellcheck disable=SC2086 # three words
set -- $said

plain=${VERSION%%-*}
equal "mp_version()" "$VERSION" "$1"
equal "MP_VERSION_STRING" "$VERSION" "$2"
equal "MP_VERSION_MAJOR.MINOR.PATCH" "$plain" "$3"
equal "libmp.pc" "$VERSION" "$(sed -n 's/^Version: //p' "$stage/usr/lib/pkgconfig/libmp.pc")"
equal "SONAME" "[libmp.so.${VERSION%%.*}]" "$(readelf -dW "$stage/usr/lib/libmp.so" | awk '/SONAME/ { print $NF }')"
equal "file name" "libmp.so.$VERSION" "$(basename "$(readlink -f "$stage/usr/lib/libmp.so")")"
equal "CHANGELOG.md" "$VERSION" "$(awk '/^## / { print $2; exit }' CHANGELOG.md)"
equal "Cargo.lock" "$VERSION" "$(awk '/^name = "libmp"$/ { getline; gsub(/"/, "", $3); print $3 }' Cargo.lock)"
finish
