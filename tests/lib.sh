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
