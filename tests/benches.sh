#!/bin/sh
# The benches and the peers beside which they measure still compile; a peer only where what it stands on is there.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh

# compiles FILE COMMAND...: all that it includes from elsewhere is there, or it is skipped.
compiles() {
    file=$1
    shift
    # shellcheck disable=SC2013 # words
    for header in $(sed -n 's/^#include <\(zmq\.h\|nng\/.*\.h\|boost\/.*\)>.*/\1/p' "$file"); do
        if ! echo "#include <$header>" | "$@" -E - >/dev/null 2>&1; then
            skip "$file: no $header"
            return
        fi
    done
    try "$file" "$@" -Werror -fsyntax-only "$file"
}

for file in benches/*.c benches/peers/*.c; do
    compiles "$file" "${CC:-cc}" -x c -std=c99 -D_GNU_SOURCE -Wall -Wextra -pedantic -Iinclude
done
for file in benches/*.cc benches/peers/*.cc; do
    compiles "$file" "${CXX:-c++}" -x c++ -Wall -Iinclude
done
for file in benches/*.sh benches/peers/*.sh; do
    try "$file" sh -n "$file"
done
if command -v python3 >/dev/null; then
    for file in benches/*.py benches/peers/*.py; do
        try "$file" python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file"
    done
else
    skip 'the peers in Python: no Python'
fi

peers=benches/peers/Cargo.toml
if "${CARGO:-cargo}" metadata --quiet --offline --locked --format-version 1 --manifest-path $peers >/dev/null 2>&1; then
    try 'the peers in Rust' "${CARGO:-cargo}" check --quiet --offline --locked --manifest-path $peers \
        --target-dir build/benches/peers/rust
else
    skip 'the peers in Rust: no crates'
fi
finish
