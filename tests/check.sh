#!/bin/sh
# `make check`: runs every step, shows the output of those that fail, and adds up what they count.
set -eu
cd "$(dirname "$0")/.."
logs=build/check/logs
rm -rf "$logs"
mkdir -p "$logs"
passed=0
failed=0
skipped=0
summary=''
: "${C_TEST_FLAGS:?run this by make check}"
# A step that hangs has failed, and its process group ends with it. At a terminal there is no such
# group, so that Ctrl-C reaches the step. No step runs in the background: it would ignore SIGINT.
limit=1800
foreground=''
if [ -t 2 ]; then foreground=--foreground; fi

# Reads "N passed" and so on from a log: cargo prints a line for each test binary, the others one
# last line. Prints three numbers.
count() {
    awk '
        function number(what) { return match($0, "[0-9]+ " what) ? substr($0, RSTART) + 0 : 0 }
        /^test result: / { p += number("passed"); f += number("failed"); s += number("ignored"); next }
        /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
            lp = number("passed"); lf = number("failed"); ls = number("skipped")
        }
        END { print p + lp, f + lf, s + ls }' "$1"
}

# step NAME COMMAND...
step() {
    name=$1
    log=$logs/$name.log
    shift
    began=$(date +%s)
    # shellcheck disable=SC2086 # $foreground may be nothing
    if timeout $foreground "$limit" "$@" >"$log" 2>&1 </dev/null; then good=1; else good=0; fi
    took=$(($(date +%s) - began))
    # shellcheck disable=SC2046 # three numbers
    set -- $(count "$log")
    # A step that counts nothing is one check itself; one that fails has failed at least once.
    if [ "$*" = "0 0 0" ]; then set -- "$good" 0 0; fi
    if [ "$good" -eq 0 ] && [ "$2" -eq 0 ]; then set -- "$1" 1 "$3"; fi
    if [ "$2" -gt 0 ]; then good=0; fi
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
    if [ "$good" -eq 0 ]; then
        echo "---- $name failed ($log):"
        tail -n 100 "$log"
        if [ "$took" -ge "$limit" ]; then echo "ended after $limit s"; fi
        echo "----"
    else
        grep -E '^(skipped|size): ' "$log" || true
    fi
    verdict=ok
    if [ "$good" -eq 0 ]; then verdict=FAILED; fi
    line=$(printf '%-12s %-6s %4d passed %4d failed %4d skipped %5d s' "$name" $verdict "$1" "$2" "$3" "$took")
    summary="$summary$line
"
    [ "$good" -eq 1 ]
}

close() {
    printf '%s' "$summary"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

# Without the library no other step means anything.
step build env MAKEFLAGS= "${MAKE:-make}" -s -j2 all examples examples-cpp c-tests cpp-tests || close
step benches tests/benches.sh || true
step rust "${CARGO:-cargo}" test --locked --quiet --no-fail-fast || true
step models "${CARGO:-cargo}" test --locked --quiet -p libmp-models || true
step header tests/header.sh || true
step abi tests/abi.sh || true
step exports tests/exports.sh || true
step archive tests/archive.sh || true
step versions tests/versions.sh || true
step fork build/c-tests/run --start fork || true
step spawn build/c-tests/run --start spawn || true
step forkserver build/c-tests/run --start forkserver || true
step cpp tests/cpp.sh || true
step programs tests/spawn.sh || true
step languages tests/languages.sh || true
step bindings tests/bindings.sh || true
step python tests/python.sh || true
step timelines tests/trace.sh || true
step selftest env CFLAGS="$C_TEST_FLAGS" c-tests/selftest.sh || true
step examples examples-c/check.sh || true
step docs tests/docs.sh || true
step install tests/install.sh || true
step consumers tests/consumers.sh || true
step reproducible tests/reproducible.sh || true
close
