#!/bin/sh
# What src/ffi defines is what a C compiler reads in mp.h; and the checks of that find every kind of error.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
remake all

status=0
"${CARGO:-cargo}" test --locked --quiet -p libmp-abi || status=1
said=$("${CARGO:-cargo}" run --locked --quiet -p libmp-abi 2>&1) || {
    echo "$said"
    exit 1
}
# The comparisons that were made with mp.h itself.
passed=$(echo "$said" | sed -n 's/^PASSED \([0-9]*\) tests$/\1/p')
try "there were comparisons" test "${passed:-0}" -gt 0
finish
exit "$status"
