#!/bin/sh
# The bindings in bindings/: what each declares is what mp.h declares, and each of which the language is here passes
# its test and prints what its example shall print, with bindings/peer.c at the other end.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=$PWD/build/check/bindings
rm -rf "$out"
mkdir -p "$out"
trap 'exit 130' INT TERM
LIBMP=$PWD/build/lib/libmp.so
export LIBMP

# shellcheck disable=SC2086 # lists of words
"${CC:-cc}" $C_TEST_FLAGS bindings/peer.c -o "$out/peer" -Iinclude -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" \
    ${LDFLAGS:-} -lmp

# ---- declarations ----

# From a binding's text what stands between "from mp.h" and "end", as C beside mp.h: each function is declared again,
# and each struct compared with the one of its name.
declarations() {
    awk '
        BEGIN { print "#include <mp.h>\n#include <stddef.h>" }
        /\/\* end \*\// { inside = 0 }
        inside { $0 = substr($0, indented) }
        inside && /^typedef struct mp_[a-z_]* [{]$/ { sub(/mp_/, "own_mp_"); body = 1 }
        inside && body && /;$/ && !/^}/ {
            member = $NF
            gsub(/[*;]/, "", member)
            members = members " " member
        }
        inside && /^} mp_[a-z_]*;$/ {
            name = $2
            sub(/;/, "", name)
            print "} own_" name ";"
            same = "__builtin_types_compatible_p(__typeof__(((" name " *)0)->%s), __typeof__(((own_" name " *)0)->%s))"
            place = "offsetof(" name ", %s) == offsetof(own_" name ", %s)"
            count = split(members, each, " ")
            for (i = 1; i <= count; i++)
                printf "_Static_assert(" same " && " place ", \"%s\");\n", each[i], each[i], each[i], each[i], each[i]
            print "_Static_assert(sizeof(" name ") == sizeof(own_" name "), \"" name "\");"
            members = ""
            body = 0
            next
        }
        inside { print }
        /\/\* from mp.h \*\// { inside = 1; indented = index($0, "/") }
    ' "$1" >"$2"
}

# fits FILE: whether the C compiler finds nothing that contradicts mp.h, and no function that is not there.
fits() {
    "${CC:-cc}" -std=c11 -Wall -Werror -fsyntax-only -Iinclude "$1" || return 1
    grep -o '^[a-z].*mp_[a-z0-9_]*(' "$1" | sed 's/.*\(mp_[a-z0-9_]*\)($/\1/' | LC_ALL=C sort -u >"$1.names"
    unknown=$(LC_ALL=C comm -23 "$1.names" "$out/declared")
    if [ -n "$unknown" ]; then echo "mp.h does not declare: $unknown"; return 1; fi
}

declared >"$out/declared"
for binding in bindings/*/libmp.*; do
    case $binding in *.go) continue ;; esac # it includes mp.h
    declarations "$binding" "$out/declarations.c"
    try "$binding declares functions" grep -q '^mp_status mp_queue_put(' "$out/declarations.c"
    try "$binding declares what mp.h does" fits "$out/declarations.c"
done
# The comparison sees what is wrong.
for wrong in 's/size_t len, mp_timeout timeout/int len, mp_timeout timeout/' 's/, mp_timeout timeout//' \
    's/mp_queue_put_none(/mp_queue_put_nothing(/' 's/    int open;/    size_t open;/' '/    size_t memory;/d' \
    's/    size_t maxsize;/    size_t maximum;/'; do
    sed "$wrong" bindings/python/libmp.py >"$out/wrong"
    declarations "$out/wrong" "$out/wrong.c"
    if fits "$out/wrong.c" >"$out/said" 2>&1; then found=nothing; else found=something; fi
    equal "after $wrong" something "$found"
done

# ---- languages ----

# The C tests, should they run meanwhile, know by such a name whose it is.
names=test-$$-bindings

# binding NAME TEST EXAMPLE COMMAND...: each is run as COMMAND FILE.
binding() {
    name=$1
    test=$2
    example=$3
    shift 3
    code=0
    began=$(date +%s)
    printed=$(timeout 120 "$@" "$test" "$out/peer" "$names" 2>&1 </dev/null) || code=$?
    equal "$name: $printed" 0 "$code"
    equal "$name, its example" '[1, 8, 27, 64, 125]' "$(timeout 60 "$@" "$example" "$out/peer" 2>&1 </dev/null || true)"
    equal "$name, names left behind" '' "$(find /dev/shm -name "*$names*")"
    echo "$name: $(($(date +%s) - began)) s"
}

# The oldest and the newest.
pythons 3.8 | sort -V | sed -n '1p;$p' | uniq >"$out/pythons"
while read -r version python; do
    binding "Python $version" bindings/python/test_libmp.py bindings/python/example.py \
        env PYTHONPATH=bindings/python PYTHONDONTWRITEBYTECODE=1 "$python"
done <"$out/pythons"
if [ ! -s "$out/pythons" ]; then skip "the binding for Python: no Python 3.8 or later"; fi

# has PACKAGE PROBE...: whether it is here or could be installed; says so where it is not.
has() { tests/need.sh "$@" || { skip "the binding that needs $1"; return 1; }; }

if has luajit luajit -v && has lua-luv luajit -e 'require "luv"'; then
    binding LuaJIT bindings/lua/test_libmp.lua bindings/lua/example.lua env LUA_PATH="bindings/lua/?.lua;;" luajit
fi

mkdir "$out/node"
cp bindings/node/*.js bindings/node/*.json bindings/node/.npmrc "$out/node"
if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
    skip "the binding for Node: no Node 20 or later"
elif ! (cd "$out/node" && timeout 60 npm ci --ignore-scripts --no-audit --no-fund >"$out/npm" 2>&1); then
    skip "the binding for Node: npm cannot install koffi: $(tail -n 1 "$out/npm")"
else
    binding Node "$out/node/test_libmp.js" "$out/node/example.js" node --expose-gc
fi

if has ruby ruby -e 'exit RUBY_VERSION.to_f >= 3.0' && ruby -e 'require "fiddle"' 2>/dev/null; then
    binding Ruby bindings/ruby/test_libmp.rb bindings/ruby/example.rb ruby -w
fi

if ! go list -f '{{context.ReleaseTags}}' runtime 2>/dev/null | grep -qw 'go1.19'; then
    skip "the binding for Go: no Go 1.19 or later"
else
    CGO_CFLAGS=-I$PWD/include
    CGO_LDFLAGS="-L$PWD/build/lib -Wl,-rpath,$PWD/build/lib"
    export CGO_CFLAGS CGO_LDFLAGS
    cd bindings/go
    try "the binding for Go is built" go test -c -o "$out/go-test" .
    try "its example is built" go build -o "$out/go-example" ./example
    cd "$OLDPWD"
    binding Go "$out/go-test" "$out/go-example" env
fi
finish
