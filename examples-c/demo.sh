#!/bin/sh
# The shortest program, then a real one: mpsum on this tree and on /usr/include, beside sha256sum.
# Fails when they differ. EXAMPLES=DIR names another place for the programs.
set -eu
cd "$(dirname "$0")/.."
bin=${EXAMPLES:-build/examples}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
trees='src include c-tests examples-c /usr/include'

# What mpsum does, said with the usual tools.
usual() {
    for tree in $trees; do
        find "$tree" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
    done
}

# best OUTPUT COMMAND...: keeps what the command prints, and sets $best to its shortest time of
# three, in milliseconds: the first run reads from the disk.
best() {
    output=$1
    shift
    best=
    for _ in 1 2 3; do
        began=$(date +%s%N)
        "$@" >"$output"
        took=$((($(date +%s%N) - began) / 1000000))
        if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
    done
}

echo '$ pool_square'
"$bin/pool_square"

echo "\$ mpsum $trees"
best "$tmp/usual" usual
usual_ms=$best
# shellcheck disable=SC2086 # a list
best "$tmp/mpsum" "$bin/mpsum" $trees
mpsum_ms=$best

if ! cmp "$tmp/usual" "$tmp/mpsum"; then
    echo 'mpsum and sha256sum differ' >&2
    diff "$tmp/usual" "$tmp/mpsum" | head -n 10 >&2
    exit 1
fi
sha256sum --quiet --strict -c "$tmp/mpsum"
head -n 2 "$tmp/mpsum"
echo "... $(wc -l <"$tmp/mpsum") files, the same as by find, sort and sha256sum; sha256sum -c agrees"
awk -v usual="$usual_ms" -v mpsum="$mpsum_ms" -v cores="$(nproc)" 'BEGIN {
    printf "find, sort, sha256sum  %6.3f s\n", usual / 1000
    printf "mpsum on %2d cores      %6.3f s: %.1f times as fast\n", cores, mpsum / 1000, usual / (mpsum > 0 ? mpsum : 1)
}'
