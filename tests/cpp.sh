#!/bin/sh
# mp.hpp: every header alone and every test in each C++ that it promises; what must not compile; the tests under each
# start method, and with sanitizers; functions of two modules; the examples; README's program.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=$PWD/build/check/cpp
rm -rf "$out"
mkdir -p "$out"
trap 'exit 130' INT TERM
strict="-Wall -Wextra -pedantic -Werror -Iinclude"
# shellcheck disable=SC2086 # a list of words
set -- -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-}

compilers=
for cxx in g++ clang++; do
    if command -v $cxx >/dev/null; then compilers="$compilers $cxx"; else skip "no $cxx"; fi
done

# Every header alone, and all tests in one, in each C++.
for source in cpp-tests/*.cc; do echo "#include \"$PWD/$source\""; done >"$out/all.cc"
for header in include/mp.hpp include/mp/*.hpp; do echo "#include <${header#include/}>"; done >"$out/headers"
n=0
while read -r include; do
    n=$((n + 1))
    printf '%s\n%s\n' "$include" "$include" >"$out/header-$n.cc"
done <"$out/headers"
for cxx in $compilers; do
    for std in c++17 c++20 c++23; do
        case $cxx/$std in clang++/c++23) std=c++2b ;; esac
        # shellcheck disable=SC2086 # $strict is a list
        try "$cxx -std=$std: the tests" "$cxx" -std=$std $strict -fsyntax-only "$out/all.cc"
    done
    # shellcheck disable=SC2086
    for source in "$out"/header-*.cc; do
        try "$cxx: $(head -n 1 "$source") alone" "$cxx" -std=c++17 $strict -fsyntax-only "$source"
    done

    # Behind headers whose macros are in the way; -std=gnu++17 has more of them.
    for header in complex.h curses.h sys/sysmacros.h X11/Xlib.h; do
        printf '#include <%s>\n' "$header" >"$out/before.cc"
        if ! "$cxx" -fsyntax-only "$out/before.cc" 2>"$out/said"; then skip "no $header"; continue; fi
        echo '#include <mp.hpp>' >>"$out/before.cc"
        try "$cxx: mp.hpp behind $header" "$cxx" -std=gnu++17 -Iinclude -fsyntax-only "$out/before.cc"
    done
    echo '#include <mp.hpp>' >"$out/none.cc"
    try "$cxx -fno-rtti" "$cxx" -std=c++17 -fno-rtti -Iinclude -fsyntax-only "$out/none.cc"
    "$cxx" -std=c++17 -fno-exceptions -Iinclude -fsyntax-only "$out/none.cc" >"$out/said" 2>&1 || true
    try "$cxx -fno-exceptions says what is missing" grep -q 'error.*mp.hpp throws exceptions' "$out/said"

    # The first line of each says what the compiler has to say.
    for source in cpp-tests/fail/*.cc; do
        wanted=$(sed -n '1s,^// ,,p' "$source")
        # shellcheck disable=SC2086
        if "$cxx" -std=c++17 $strict -fsyntax-only "$source" >"$out/said" 2>&1; then
            equal "$cxx refuses $source" "refused" "compiled"
        else
            try "$cxx says why it refuses $source" grep -q "error.*$wanted" "$out/said"
        fi
    done

    # The same types of functions in a program and its shared object, which may not be taken for one another.
    for level in -O0 -O2; do
        # shellcheck disable=SC2086
        "$cxx" -std=c++17 $level $strict -shared -fPIC cpp-tests/module/library.cc -o "$out/liblibrary.so" "$@" -lmp
        # shellcheck disable=SC2086
        "$cxx" -std=c++17 $level $strict cpp-tests/module/program.cc -o "$out/program" -L"$out" -llibrary \
            -Wl,-rpath,"$out" "$@" -lmp
        for method in fork spawn forkserver; do
            equal "two modules, $cxx $level, $method" "1293 1462" "$(timeout 60 "$out/program" $method 2>&1)"
        done
    done
done

for method in fork spawn forkserver; do
    try "the tests by $method" build/cpp-tests/run --start $method
done

# With sanitizers, in one of them. The process's own handle is kept where the search for leaks does not look.
if command -v clang++ >/dev/null; then sanitized="clang++ -std=c++20"; else sanitized="g++ -std=c++20"; fi
echo 'leak:mp_current_process' >"$out/kept"
# shellcheck disable=SC2086 # lists of words
try "$sanitized with sanitizers" $sanitized $strict -g -fsanitize=address,undefined -fno-sanitize-recover=all \
    "$out/all.cc" $HARNESS -o "$out/sanitized" "$@" -lmp -pthread
for method in fork spawn; do
    try "the tests with sanitizers by $method" env ASAN_OPTIONS=fast_unwind_on_malloc=0 \
        LSAN_OPTIONS="suppressions=$out/kept:print_suppressions=0" "$out/sanitized" --start $method
done

for source in examples-cpp/*.cc; do
    example=$(basename "$source" .cc)
    equal "$example" "$(cat "examples-cpp/expected/$example.txt")" "$(timeout 60 "build/examples-cpp/$example" 2>&1)"
done
# Nothing of mp.h is out of reach; what is listed is out of reach, and there.
sed -e '/^#/d' -e 's/   *[^ ].*//' -e 's/  .*//' cpp-tests/unreached.txt | tr ' ' '\n' >"$out/patterns"
declared >"$out/declared"
: >"$out/used"
while read -r pattern; do
    expression="^$(printf '%s' "$pattern" | sed 's/\*/.*/')\$"
    try "$pattern is something of mp.h's" grep -q "$expression" "$out/declared"
    echo "$expression" >>"$out/expressions"
done <"$out/patterns"
grep -v -f "$out/expressions" "$out/declared" >"$out/wanted"
grep -o 'mp_[a-z0-9_]*' include/mp.hpp include/mp/*.hpp -h | LC_ALL=C sort -u >"$out/reached"
equal "functions that mp.hpp does not reach" "" "$(LC_ALL=C comm -23 "$out/wanted" "$out/reached")"
equal "functions that are listed and reached" "" \
    "$(grep -f "$out/expressions" "$out/declared" | LC_ALL=C comm -12 - "$out/reached")"

equal "README's program" "$(sed 1d examples-cpp/pool_square.cc)" \
    "$(awk '/^```c\+\+$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md)"
finish
