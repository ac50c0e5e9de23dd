#!/bin/sh
# Timelines of pools: programs that end in every way leave files that Python's json reads, and whose bars fit together.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
if ! tests/need.sh python3 python3 -c 'import json'; then
    skip 'timelines: no Python'
    finish
    exit
fi
out=$PWD/build/check/trace
rm -rf "$out"
mkdir -p "$out/here"
# shellcheck disable=SC2086 # lists of words
"${CC:-cc}" $C_TEST_FLAGS tests/trace/pools.c -o "$out/pools" -Iinclude -Lbuild/lib \
    -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-} -lmp

# pools EXIT WHAT [FILE]: with MP_TRACE=$trace.
pools() {
    code=0
    wanted=$1
    shift
    (cd "$out/here" && MP_TRACE=$trace exec timeout 60 "$out/pools" "$@") >"$out/said" 2>&1 </dev/null || code=$?
    equal "pools $* ends" "$wanted" "$code"
}
# reads NAME WANTED FILE
reads() { equal "$1" "$2" "$(python3 tests/trace/read.py "$3" 2>&1 | tail -n 1)"; }
# Those of a map in chunks of five, of a pool of two workers, and of one.
two='items 100, task 20, started 2'
one='items 100, task 20, started 1'

trace=ways.json
pools 0 ways
equal 'pools ways is silent' '' "$(cat "$out/said")"
reads 'every way for a call to end is a bar' \
    'pools 1 items 101, task 21, task, failed 1, task, worker died 3, asked to stop 1, died 3, replaced 3, retry 1, started 1, told to end 1' \
    "$out/here/ways.json"

trace=$out/terminate.json
pools 0 terminate
reads 'a pool that is terminated' \
    "pools 1 items 100, task 20, task, pool ended 1, started 1" "$out/terminate.json"

trace=$out/exit.json
pools 0 exit
reads 'a program that exits' "pools 1 $two" "$out/exit.json"

trace=$out/kill.json
pools 137 kill
try 'a program that is killed leaves a file that is whole' python3 tests/trace/read.py "$out/kill.json"

# All pools of a process are in its file; a child, and a fork, have files of their own.
trace=$out/two.json
pools 0 two
reads 'two pools in one file' 'pools 2 items 300, task 60, started 3' "$out/two.json"
for file in "$out"/two.json.[0-9]*; do reads "the file of a child: ${file##*/}" "pools 1 $one" "$file"; done
equal 'files of children' 2 "$(find "$out" -name 'two.json.*' | wc -l)"
trace=$out/by-%p.json
pools 0 two
equal 'files with the number in the name' 3 "$(find "$out" -name 'by-[0-9]*.json' | wc -l)"

# The option goes before the environment; an empty one says no.
trace=$out/no.json
pools 0 plain "$out/option.json"
reads 'a file that the pool names' "pools 1 $two" "$out/option.json"
pools 0 plain ''
try 'no file where none is wanted' test ! -e "$out/no.json"

for trace in "$out/no/such/directory/x" /dev/null "$out"; do
    pools 0 plain
done
trace=$out/no/such/directory/x
(cd "$out/here" && MP_LOG=warning MP_TRACE=$trace "$out/pools" plain) >"$out/said" 2>&1 || true
equal 'a file that cannot be written is a warning' \
    "[WARNING/MainProcess] there will be no trace: $trace cannot be written: No such file or directory (os error 2)" "$(cat "$out/said")"
finish
