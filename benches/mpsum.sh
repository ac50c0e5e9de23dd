#!/bin/sh
# mpsum.sh [DIRECTORY]: hashes a tree with sha256sum, mpsum -j 1 and mpsum -j 2 in turn, and prints
# the medians of five rounds. The first pass over the tree is not counted: it fills the page cache.
# Without DIRECTORY it makes a tree of about 700 MB in the temporary directory, and removes it afterwards.
#
# How to read it. The ratio is the peer's time divided by mpsum -j 2's: how many times as fast. Beside
# -j 1 it tells how well two workers share the work; beside sha256sum it tells what its user gains,
# of which a part is libcrypto's faster code. The last line is no row but the limit of the first: how
# much more two programs get done that have nothing to do with each other, two mpsum -j 1 at once.
# Two cores that share a cache and a clock, or a busy machine, give less than 2.
# EXAMPLES=DIR names another place for mpsum.
set -eu
given=${1:-}
[ -z "$given" ] || given=$(cd "$given" && pwd)
cd "$(dirname "$0")/.."
mpsum=${EXAMPLES:-build/examples}/mpsum
if [ ! -x "$mpsum" ]; then
    echo 'skipped: mpsum is not built'
    exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# pieces NAME TOTAL EACH: random files. Most files of a real tree are small, most bytes are not.
pieces() {
    mkdir "$tree/$1"
    head -c "$2" /dev/urandom | (cd "$tree/$1" && split -a 4 -b "$3" -)
}

tree=$given
if [ -z "$tree" ]; then
    tree=$tmp/tree
    mkdir "$tree"
    pieces sources 16M 4K
    pieces documents 64M 40K
    pieces pictures 200M 2M
    pieces music 200M 8M
    pieces films 200M 100M
fi

sha256sum_tree() { find "$tree" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum; }
mpsum_1() { "$mpsum" -j 1 "$tree"; }
mpsum_2() { "$mpsum" -j 2 "$tree"; }
both() {
    mpsum_1 >"$tmp/other" &
    mpsum_1
    wait $!
}

sha256sum_tree >"$tmp/wanted"
bytes=$(du -sb "$tree" | cut -f 1)
echo "$(wc -l <"$tmp/wanted") files, $((bytes / 1000000)) MB, $(nproc) cores"
if [ "$bytes" -lt 500000000 ]; then echo 'less than 500 MB: the times are short for a comparison'; fi

for _ in 1 2 3 4 5; do
    for who in sha256sum_tree mpsum_1 mpsum_2 both; do
        began=$(date +%s%N)
        $who >"$tmp/output"
        echo $(($(date +%s%N) - began)) >>"$tmp/$who"
        cmp "$tmp/wanted" "$tmp/output"
    done
done

median() { sort -n "$tmp/$1" | sed -n 3p; }
awk -v usual="$(median sha256sum_tree)" -v one="$(median mpsum_1)" -v two="$(median mpsum_2)" \
    -v both="$(median both)" '
    function row(name, peer, mark, enough) {
        printf "%-28s | %7.3f s | %7.3f s | %5.2f | %s %s\n", name, two / 1e9, peer / 1e9, peer / two, \
            mark, enough ? "met" : "MISSED"
    }
    BEGIN {
        printf "%-28s | %9s | %9s | %5s | %s\n", "row", "mpsum -j2", "peer", "ratio", "mark"
        row("beside mpsum -j 1", one, ">= 1.8", one / two >= 1.8)
        row("beside sha256sum", usual, "> 1", usual > two)
        printf "two mpsum -j 1 at once get %.2f times as much done as one\n", 2 * one / both
    }'
