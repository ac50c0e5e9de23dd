# shellcheck shell=sh
# Sourced by the check scripts: counts what holds, and ends with the line that tests/check.sh adds up.

# shellcheck disable=SC2034 # for the scripts
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# shellcheck disable=SC2034
SONAME=libmp.so.${VERSION%%.*}
# shellcheck disable=SC2034
ABI=MP_${VERSION%%.*}
passed=0
failed=0
skipped=0

# try NAME COMMAND...: one check. Its output is shown only when it fails.
try() {
    name=$1
    shift
    if output=$("$@" 2>&1 </dev/null); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$name" "$output"
    fi
}

# equal NAME WANTED FOUND
equal() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s: wanted "%s", found "%s"\n' "$1" "$2" "$3"
    fi
}

# skip WHY
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $1"
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

# A make of our own: it shares no jobs and no variables with the one that runs the check.
remake() { MAKEFLAGS='' "${MAKE:-make}" -s "$@"; }

# The names of the functions that mp.h declares, sorted.
declared() {
    "${CC:-cc}" -E -P -Iinclude include/mp.h | tr '\n' ' ' | awk -v RS=';' '
        !/^ *typedef/ && match($0, /mp_[a-z0-9_]+ *\(/) {
            name = substr($0, RSTART, RLENGTH)
            sub(/ *\($/, "", name)
            print name
        }' | LC_ALL=C sort -u
}

# pythons LEAST: each Python of version LEAST or later, by its version and its path: pyenv's, and those that PATH has.
pythons() {
    {
        if command -v pyenv >/dev/null 2>&1; then
            for python in "$(pyenv root)"/versions/*/bin/python3; do
                if [ -x "$python" ]; then echo "$python"; fi
            done
        fi
        for name in python3 python3.7 python3.8 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14; do
            command -v "$name" || true
        done
    } | while read -r python; do
        # A shim of pyenv's that leads nowhere fails here.
        "$python" -c '
import sys
if sys.version_info >= tuple(map(int, sys.argv[1].split("."))):
    print("%d.%d.%d" % sys.version_info[:3], sys.argv[2])' "$1" "$python" 2>/dev/null </dev/null || true
    done | awk '!seen[$1]++'
}
