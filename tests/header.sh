#!/bin/sh
# mp.h stands on its own in every C and C++ it promises, and beside the headers of other libraries
# whose names begin with mp_.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=build/check/header
rm -rf "$out"
mkdir -p "$out"

# A source that uses every macro of mp.h: the initialisers, then whatever has no parameters.
# MP_X_OPTIONS and the like: a struct in braces, whose type has the macro's name in small letters.
initialises() { grep -q "^#define $1 {" include/mp.h; }
macros=$(sed -n 's/^#define \(MP_[A-Z0-9_]*\) .*/\1/p' include/mp.h)
{
    echo '#include <mp.h>'
    echo '#include <mp.h>'
    echo 'int used(void);'
    echo 'int used(void)'
    echo '{'
    for macro in $macros; do
        type=$(echo "$macro" | tr '[:upper:]' '[:lower:]')
        if initialises "$macro"; then echo "    $type a_$type = $macro;"; fi
    done
    for macro in $macros; do
        type=$(echo "$macro" | tr '[:upper:]' '[:lower:]')
        if initialises "$macro"; then echo "    (void)a_$type;"; else echo "    (void)($macro);"; fi
    done
    echo '    return MP_FAILED(MP_OK) || MP_MS(1) > MP_SEC(1);'
    echo '}'
} >"$out/used.c"
cp "$out/used.c" "$out/used.cc"
printf '#include <mp.h>\nextern "C" int used(void);\nint main() { return used() || mp_version()[0] == 0; }\n' >"$out/main.cc"
printf '#include <mp.h>\nint used(void);\nint main(void) { return used() || mp_version()[0] == 0; }\n' >"$out/main.c"

strict="-Wall -Wextra -pedantic -Werror -Iinclude"
plus_plus() { if [ "$1" = gcc ]; then echo g++; else echo clang++; fi; }

compilers=0
for cc in gcc clang; do
    cxx=$(plus_plus $cc)
    if ! command -v $cc >/dev/null || ! command -v "$cxx" >/dev/null; then
        skip "no $cc"
        continue
    fi
    compilers=$((compilers + 1))
    for std in c99 c11 c2x; do
        # shellcheck disable=SC2086 # $strict is a list
        try "$cc -std=$std" $cc -std=$std $strict -Wc++-compat -c "$out/used.c" -o "$out/$cc-$std.o"
    done
    for std in c++11 c++20; do
        # shellcheck disable=SC2086
        try "$cxx -std=$std" "$cxx" -std=$std $strict -c "$out/used.cc" -o "$out/$cc-$std.o"
    done
    # Two translation units: the header defines nothing, and C++ finds the names of C.
    lib="-Lbuild/lib -Wl,-rpath,$PWD/build/lib -lmp"
    # shellcheck disable=SC2086
    try "$cc links two" $cc -std=c99 $strict "$out/main.c" "$out/$cc-c99.o" -o "$out/$cc-two" $lib
    # shellcheck disable=SC2086
    try "$cxx links two" "$cxx" -std=c++11 $strict "$out/main.cc" "$out/$cc-c99.o" -o "$out/$cc-both" $lib
    try "$cc two run" "$out/$cc-two"
    try "$cxx two run" "$out/$cc-both"
done
equal "a compiler to try" yes "$([ "$compilers" -gt 0 ] && echo yes)"

# The names of NSS and libtommath that are taken for good, declared or not.
words=$("${CC:-cc}" -E -P -dD -Iinclude include/mp.h | grep -ow 'mp_[a-zA-Z0-9_]*' | LC_ALL=C sort -u)
for name in mp_init mp_clear mp_set mp_copy mp_int mp_err; do
    try "$name stays theirs" test "$(echo "$words" | grep -cx $name)" -eq 0
done

# beside PACKAGE HEADER: both orders, and no name in common.
beside() {
    if ! tests/need.sh "$1" "${CC:-cc}" -E -include "$2" -x c /dev/null; then
        skip "mp.h beside $2: no $1"
        return
    fi
    for order in "$2 mp.h" "mp.h $2"; do
        for language in c c++; do
            # shellcheck disable=SC2086 # $order is two names
            printf '#include <%s>\n' $order >"$out/beside.c"
            # shellcheck disable=SC2086
            try "$order, $language" "${CC:-cc}" $strict -x $language -c "$out/beside.c" -o "$out/beside.o"
        done
    done
    theirs=$("${CC:-cc}" -E -P -dD -include "$2" -x c /dev/null | grep -ow 'mp_[a-zA-Z0-9_]*' | LC_ALL=C sort -u)
    equal "names shared with $2" "" "$(printf '%s\n%s\n' "$words" "$theirs" | LC_ALL=C sort | uniq -d)"
}
beside libgmp-dev gmp.h
beside libtommath-dev tommath.h
finish
