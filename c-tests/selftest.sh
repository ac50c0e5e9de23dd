#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Proves the runner: runs tests that misbehave (bad.c) and checks that each is blamed for what it did.
# Environment: CC, CFLAGS, MP_INCLUDE (where mp.h is), MP_LIBDIR (where libmp.so is), BUILD (for the program).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
CC=${CC:-cc}
CFLAGS=${CFLAGS:--std=c99 -D_GNU_SOURCE -Wall -Wextra -pedantic -Werror -O1 -g}
MP_INCLUDE=${MP_INCLUDE:-$root/include}
MP_LIBDIR=${MP_LIBDIR:-$root/build/lib}
BUILD=${BUILD:-$root/build/c-tests}
program=$BUILD/selftest

mkdir -p "$BUILD"
work=$(mktemp -d "${TMPDIR:-/tmp}/selftest.XXXXXX")
trap 'rm -rf "$work"; rm -f /dev/shm/selftest-left-behind /tmp/mp-selftest-left-behind-*' EXIT

sources=
for file in "$here"/*.c; do
    case ${file##*/} in test_* | step_* | hammer.c) ;; *) sources="$sources $file" ;; esac
done
# CFLAGS and the list of sources are lists of words.
# shellcheck disable=SC2086
$CC $CFLAGS -I"$MP_INCLUDE" -o "$program" $sources -L"$MP_LIBDIR" -Wl,-rpath,"$MP_LIBDIR" -lmp -pthread

failures=0
complain() {
    echo "selftest: $1"
    failures=$((failures + 1))
}

# Without a shared-memory name left by an earlier run.
rm -f /dev/shm/selftest-left-behind

code=0
"$program" --jobs 2 >"$work/out" 2>&1 || code=$?
[ "$code" -eq 1 ] || complain "exit code $code with failing tests, want 1"

blamed() { # blamed TEST TEXT: the summary names the test with this reason
    grep -q "^failed: $1: .*$2" "$work/out" || complain "$1 is not blamed with: $2"
}
said() { # said TEXT: in the output of a failed test
    grep -q "$1" "$work/out" || complain "nothing says: $1"
}

blamed bad.fails_check "ended with 1"
said "bad.c:[0-9]*: check failed: CHECK(1 + 1 == 3)"
blamed bad.fails_check_int "ended with 1"
said "CHECK_INT(6 \* 7, 41): 42 is not 41"
blamed bad.wrong_status "ended with 1"
said "gave MP_ERR_BAD_HANDLE (-2), want MP_OK"
said 'last error: "mp_lock_free'
blamed bad.unexpected_success "ended with 1"
said "gave MP_OK (0), want MP_ERR_TIMEOUT (-9)"
blamed bad.wrong_sentence "ended with 1"
said 'the last error does not contain "no such words"'
blamed bad.stale_sentence "ended with 1"
said "the last error does not begin with mp_pool_free"
blamed bad.fails_in_child "a check failed in another process"
blamed bad.fails_in_thread "ended with 1"
blamed bad.leaks_descriptor "ended with 1"
blamed bad.leaks_cold_descriptor "ended with 1"
said "left behind: descriptor [0-9]* -> /dev/zero"
blamed bad.closes_descriptor "ended with 1"
said "gone: descriptor 0 -> /dev/null"
blamed bad.leaves_child "left process [0-9]*"
said "left behind: child [0-9]"
blamed bad.leaves_daemon "left process [0-9]*"
blamed bad.leaves_zombie "ended with 1"
said "left behind: zombie [0-9]"
blamed bad.leaves_shm_name "left /dev/shm/selftest-left-behind"
blamed bad.leaves_tmp_name "left /tmp/mp-selftest-left-behind-"
blamed bad.leaves_temporary_file "left files in its TMPDIR"
blamed bad.leaves_file_where_it_runs "left files in its TMPDIR"
blamed bad.crashes "ended by signal 11"
blamed bad.hangs "no end after 1 s"
blamed bad.hangs_with_child "no end after 1 s"
blamed bad.exits_early "ended with 1"
said "the test left the process before its end"
blamed bad.skips_without_reason "ended with 7"
blamed bad.leaks_handle "ended with 1"
said "left behind: [0-9]* shared blocks"
grep -qx "skipped: odd.skips: there is nothing to test" "$work/out" || complain "the skip's reason is missing"
grep -q "the output of a good test" "$work/out" && complain "a good test's output is shown"

bad=$("$program" --list --filter bad. | wc -l)
good=$("$program" --list --filter good. | wc -l)
want="$good passed, $bad failed, 1 skipped"
last=$(tail -n 1 "$work/out")
[ "$last" = "$want" ] || complain "the last line is \"$last\", want \"$want\""

# Only good ones: code 0, and -v shows what they print.
code=0
"$program" -v --jobs 1 --start fork --filter good. --filter odd. >"$work/good" 2>&1 || code=$?
[ "$code" -eq 0 ] || complain "exit code $code when nothing failed"
[ "$(tail -n 1 "$work/good")" = "$good passed, 0 failed, 1 skipped" ] || complain "wrong sums of good tests"
grep -q "the output of a good test" "$work/good" || complain "-v hides the output"

# A longer time limit for all.
"$program" --timeout-scale 0.2 --filter bad.hangs >"$work/scale" 2>&1 || true
grep -q "^failed: bad.hangs: no end after 0.2 s" "$work/scale" || complain "--timeout-scale does nothing"

for wrong in --nonsense "--jobs 0" "--start nonsense" "--timeout-scale 0" --filter; do
    code=0
    # The option and its value are two words.
    # shellcheck disable=SC2086
    "$program" $wrong >/dev/null 2>&1 || code=$?
    [ "$code" -eq 2 ] || complain "exit code $code for $wrong, want 2"
done

# Stopped in the middle: nothing stays.
TMPDIR=$work "$program" --jobs 2 --timeout-scale 20 --filter bad.hangs >"$work/stopped" 2>&1 &
runner=$!
i=0
until [ "$(ls -d "$work"/ctest.*/* 2>/dev/null)" ] || [ $i -gt 300 ]; do
    sleep 0.1
    i=$((i + 1))
done
kill -TERM "$runner"
code=0
wait "$runner" || code=$?
[ "$code" -eq 143 ] || complain "exit code $code after SIGTERM, want 143"
[ -z "$(ls -d "$work"/ctest.* 2>/dev/null)" ] || complain "SIGTERM left the runner's directory"

if [ "$failures" -gt 0 ]; then
    cat "$work/out"
    exit 1
fi
echo "selftest: the runner blames $bad kinds of bad tests and passes $good good ones"
