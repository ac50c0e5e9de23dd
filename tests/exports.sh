#!/bin/sh
# libmp.so exports exactly the functions that mp.h declares, and is a shared object as packagers want it.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
library=build/lib/libmp.so.$VERSION
out=build/check/exports
rm -rf "$out"
mkdir -p "$out"
remake "$library"

declared >"$out/declared"
nm -D --with-symbol-versions --defined-only "$library" | awk '{ print $2, $3 }' | LC_ALL=C sort >"$out/symbols"
sed -n 's/^T \(.*\)@@.*/\1/p' "$out/symbols" >"$out/exported"
dynamic=$(readelf -dW "$library")
segments=$(readelf -lW "$library")
flags() { echo "$dynamic" | sed -n "s/.*($1)//p"; }

try "mp.h declares functions" test -s "$out/declared"
equal "declared, not exported" "" "$(LC_ALL=C comm -23 "$out/declared" "$out/exported")"
equal "exported, not declared" "" "$(LC_ALL=C comm -13 "$out/declared" "$out/exported")"
# Some linkers make a symbol of the version itself.
equal "exported, no function" "" "$(grep -v '^T ' "$out/symbols" | grep -vE "^A $ABI(@.*)?\$" || true)"
equal "functions of another version" "" "$(grep '^T ' "$out/symbols" | grep -v "@@$ABI\$" || true)"
equal "SONAME" "[$SONAME]" "$(echo "$dynamic" | awk '/SONAME/ { print $NF }')"
equal "run path" "" "$(echo "$dynamic" | grep -E 'RPATH|RUNPATH' || true)"
equal "text relocations" "" "$(echo "$dynamic" | grep TEXTREL || true)"
equal "stack" RW "$(echo "$segments" | awk '/GNU_STACK/ { print $7 }')"
equal "writable and executable" "" "$(echo "$segments" | grep 'LOAD.*RWE' || true)"
try "relocations become read-only" test -n "$(echo "$segments" | grep GNU_RELRO)"
try "all bound at the start" test -n "$(flags FLAGS_1 | grep -w NOW)"
try "never unloaded" test -n "$(flags FLAGS_1 | grep -w NODELETE)"
try "has a build id" test -n "$(readelf -nW "$library" | grep 'Build ID')"
# glibc 2.36 is Debian 12's; the C library's own names are all the versions there may be.
equal "newer than Debian 12" "" "$(
    nm -D --with-symbol-versions --undefined-only "$library" | sed -n 's/.*@GLIBC_\(2\.[0-9.]*\)$/\1/p' |
        sort -uV | awk -F. '$2 > 36'
)"
equal "from other libraries" "" "$(echo "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vE '^(libc\.so\.6|libgcc_s\.so\.1|ld-linux[-a-z0-9_]*\.so\.[0-9])$' || true)"
equal "paths of this machine" "" "$(grep -lF -e "$PWD/" -e "${CARGO_HOME:-${HOME:-}/.cargo}/" "$library" build/lib/libmp.a || true)"

# A plugin host loads and unloads it.
"${CC:-cc}" -std=gnu99 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude tests/dlopen.c -o "$out/dlopen" -pthread -ldl
try "dlopen and dlclose" "$out/dlopen" "$PWD/$library" "$ABI"

"${STRIP:-strip}" -o "$out/stripped.so" "$library"
echo "size: libmp.so is $(($(stat -c %s "$out/stripped.so") / 1024)) KiB when stripped; it needs" \
    "$(nm -D --with-symbol-versions --undefined-only "$library" | grep -o 'GLIBC_.*' | sort -uV | tail -n 1) or newer"
finish
