#!/bin/sh
# Connections between libmp and every Python that is found, in PATH and among pyenv's: both ways, over each kind of
# address, with the right key, a wrong one and none, messages of up to 70 MiB, and a descriptor; a manager's client by its
# protocol.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=$PWD/build/check/python
rm -rf "$out"
mkdir -p "$out"
# A socket's path may not be long.
sockets=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$sockets"' EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2086 # lists of words
"${CC:-cc}" $C_TEST_FLAGS tests/languages/wire.c -o "$out/wire" -Iinclude -Lbuild/lib \
    -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-} -lmp

# shellcheck disable=SC2086
"${CC:-cc}" $C_TEST_FLAGS tests/languages/manager.c -o "$out/manager" -Iinclude -Lbuild/lib \
    -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-} -lmp

# Up to 3.6 their Listener cannot end one that has a name and no file.
pythons 3.7 >"$out/pythons"
while read -r version python; do
    code=0
    timeout 170 "$python" tests/languages/wire.py "$out/wire" "$sockets" >"$out/$version" 2>&1 </dev/null || code=$?
    equal "Python $version: $(tail -n 100 "$out/$version")" 0 "$code"
    tail -n 1 "$out/$version"
    # The first that knows HMAC-SHA-256, which managers ask for.
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
        for address in @libmp-python-$$ "$sockets/manager" 127.0.0.1:0; do
            printed=$(timeout 60 "$out/manager" "$address" "$python tests/languages/manager.py" 2>&1 </dev/null) || true
            equal "a manager at $address and Python $version" "n -1
0.5
-25: the key is not there
{'n': -1, 'python': 0.5, None: b'\\xff', 'list': <list 2>}" "$printed"
        done
    fi
done <"$out/pythons"
if [ ! -s "$out/pythons" ]; then skip "connections with Python: no Python 3.7 or later"; fi
echo "with Python $(cut -d ' ' -f 1 "$out/pythons" | tr '\n' ' ')"
equal "sockets that were left behind" '' "$(ls "$sockets")"
finish
