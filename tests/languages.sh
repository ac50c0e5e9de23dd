#!/bin/sh
# libmp from other languages: a C++ exception that nobody catches, and Python by ctypes.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=$PWD/build/check/languages
rm -rf "$out"
mkdir -p "$out"
trap 'exit 130' INT TERM

# shellcheck disable=SC2086 # lists of words
set -- -Iinclude -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-}
"${CXX:-c++}" -std=c++11 -Wall -Wextra -pedantic -Werror tests/languages/uncaught.cc -o "$out/uncaught" "$@" -lmp
# The C++ library in the program itself, where the loader does not find its functions by their names.
"${CXX:-c++}" -std=c++11 tests/languages/uncaught.cc -static-libstdc++ -static-libgcc -o "$out/uncaught-static" "$@" -lmp
# shellcheck disable=SC2046 # a list of words
"${CXX:-c++}" -std=c++11 tests/languages/uncaught.cc -static-libstdc++ -static-libgcc -o "$out/uncaught-archive" "$@" \
    -l:libmp.a $(cat build/rust/libs-private)
# shellcheck disable=SC2086
"${CC:-cc}" $C_TEST_FLAGS tests/languages/targets.c -shared -fPIC -o "$out/targets.so" "$@" -lmp
# shellcheck disable=SC2086
"${CC:-cc}" $C_TEST_FLAGS -DMAIN tests/languages/targets.c -o "$out/targets" "$@" -lmp

for program in uncaught uncaught-static uncaught-archive; do
    for method in fork spawn forkserver; do
        code=0
        timeout 60 "$out/$program" $method 2>"$out/err" </dev/null || code=$?
        equal "an uncaught exception, $program, $method" 1 "$code"
        equal "its headline, $program, $method" "Process unlucky:" "$(head -n 1 "$out/err")"
        try "what it was, $program, $method" grep -q 'out of luck' "$out/err"
    done
done

if command -v python3 >/dev/null 2>&1; then
    code=0
    printed=$(timeout 60 python3 c-tests/ctypes_program.py build/lib/libmp.so "$out/targets.so" "$out/targets" 2>&1) ||
        code=$?
    equal "Python by ctypes" "0: Process-1 5050 42
[1, 8, 27, 64, 125]" "$code: $printed"
else
    skip "Python by ctypes: no python3"
fi
finish
