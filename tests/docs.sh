#!/bin/sh
# The pages of docs/ and the README: their C is compiled, and run where it is a program; what a page says of Python's names
# is compared with every Python that is found.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=$PWD/build/check/docs
rm -rf "$out"
mkdir -p "$out"

# blocks PAGE: each C block goes into a file, OUT/PAGE-N.c, and a text block behind it into OUT/PAGE-N.txt.
blocks() {
    awk -v name="$out/$(basename "$1" .md)" '
        /^```c$/ { file = name "-" ++n ".c"; next }
        /^```text$/ { file = name "-" n ".txt"; next }
        /^```$/ { file = ""; next }
        file != "" { print >file }' "$1"
}

# compile SOURCE ARGUMENT...
compile() {
    # shellcheck disable=SC2086 # lists of words
    "${CC:-cc}" $C_TEST_FLAGS -Iinclude "$@" -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-} -lmp
}

# A fragment is statements, or functions where its first line begins one.
fragment() {
    cat tests/docs/prelude.c
    if head -n 1 "$1" | grep -q '^static '; then
        cat "$1"
    else
        printf 'int fragment(void);\nint fragment(void)\n{\n'
        cat "$1"
        printf 'return 0;\n}\n'
    fi
}

for page in README.md docs/guide.md; do blocks "$page"; done
for source in "$out"/*.c; do
    block=$(basename "$source" .c)
    if grep -q '^int main' "$source"; then
        try "$block compiles" compile "$source" -o "$out/$block"
        got=$(timeout 60 "$out/$block" 2>&1 </dev/null) || got="$got, and fails"
        if [ -e "$out/$block.txt" ]; then equal "$block prints" "$(cat "$out/$block.txt")" "$got"; fi
    else
        fragment "$source" >"$out/fragment-$block.c"
        try "$block compiles" compile -c -Wno-unused-function "$out/fragment-$block.c" -o "$out/$block.o"
    fi
done
equal "blocks that the guide has" "$(grep -c '^```c$' docs/guide.md)" "$(find "$out" -name 'guide-*.c' | wc -l)"

# Pages that are named are there.
for page in README.md docs/*.md; do
    sed -n -e '/^```/,/^```$/d' -e 's/.*](\([^):]*\)).*/\1/p' "$page" >"$out/links"
    while read -r link; do
        try "$page leads to $link" test -e "$(dirname "$page")/${link%%#*}"
    done <"$out/links"
done

# A manual page for each function, and comments in the form that Doxygen is told of.
if tests/need.sh doxygen doxygen --version; then
    try "make docs" make/docs.sh "$out/reference"
    # A page is another's, or itself.
    for name in $(declared); do
        page=$out/reference/man/man3/$name.3
        other=$(sed -n 's/^\.so //p' "$page") || true
        if [ ! -s "$page" ] || [ ! -e "$out/reference/man/$other" ]; then echo "$name"; fi
    done >"$out/unwritten"
    equal "functions without a manual page" '' "$(cat "$out/unwritten")"
    equal "what Doxygen does not understand" '' "$(cat "$out/reference/warnings")"
else
    skip "make docs: no doxygen"
fi

# Each Python once, by its version: pyenv's, and those that PATH has.
seen=' '
for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 $(command -v python3 || true); do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in 3.[0-6]) continue ;; esac
    case $seen in *" $version "*) continue ;; esac
    seen="$seen$version "
    try "names of Python $version" "$python" tests/docs/names.py docs/coming-from-python.md include/mp.h
    # The check finds what is missing.
    # shellcheck disable=SC2016 # the page's quotes, and the inner shell's words
    grep -vF '| `Queue'.put docs/coming-from-python.md >"$out/less.md"
    try "a row less is found with Python $version" sh -c '! "$@"' - "$python" tests/docs/names.py "$out/less.md" include/mp.h
done
if [ "$seen" = ' ' ]; then skip "names of Python's: no Python 3.7 or later"; fi
finish
