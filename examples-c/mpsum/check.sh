# shellcheck shell=sh
# shellcheck disable=SC2154 # bin, tmp and code belong to the script that sources this one
# Checks of mpsum, mostly beside sha256sum. Sourced by examples-c/check.sh.

set -eu
home=$PWD
mpsum=$bin/mpsum
tree=$tmp/tree
# 2 GiB of zeros, without the disk space: long enough to be caught in the middle.
big=$tmp/big
big_sum=a7c744c13cc101ed66c29f672f92455547889cc586ce6d44fe76ae824958ea51

make_tree() {
    mkdir -p "$tree/a" "$tree/a.d/deeper" "$tree/empty" "$tree/ with space"
    : >"$tree/a/nothing"
    printf x >"$tree/a/one byte"
    printf y >"$tree/a.d/deeper/-dash"
    printf z >"$tree/a.b"
    printf z >"$tree/a0"
    # One, exactly a few, and a few and a bit of the buffer.
    head -c 131072 /dev/urandom >"$tree/ with space/buffer"
    head -c 1048576 /dev/urandom >"$tree/ with space/buffers"
    head -c 3000001 /dev/urandom >"$tree/large"
    for name in 'back\slash' 'new
line' "$(printf 'carriage\rreturn')" 'both\
of them' "$(printf 'tab\t')" "q'uote\"s" "$(printf 'latin\351')"; do
        printf '%s' "$name" >"$tree/a/$name"
    done
    # None of these may be hashed, followed or waited for.
    mkfifo "$tree/fifo"
    ln -s large "$tree/link-to-file"
    ln -s .. "$tree/link-to-parent"
    ln -s nowhere "$tree/link-to-nothing"
}

# What mpsum has to print for a directory.
sums() { find "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum; }

# expect NAME CODE STDOUT STDERR: what the last run left.
expect() {
    equal "$1" "$2:$3:$4" "$code:$(cat "$tmp/out"):$(cat "$tmp/err")"
}

until_true() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then return 1; fi
        sleep 0.1
    done
}

# The processes of mpsum that were given a name below $tmp.
running() {
    find /proc/[0-9]*/exe -maxdepth 0 -lname "$mpsum" 2>/dev/null | while read -r exe; do
        pid=${exe#/proc/}
        pid=${pid%/exe}
        if grep -a -F -q "$tmp" "/proc/$pid/cmdline" 2>/dev/null; then echo "$pid"; fi
    done
}
none_left() { [ -z "$(running)" ]; }

# The process that has a file open: the worker that hashes it.
holder() { find /proc/[0-9]*/fd -maxdepth 1 -lname "$1" 2>/dev/null | sed -n 's|^/proc/\([0-9]*\)/.*|\1|p;q'; }
held() { [ -n "$(holder "$1")" ]; }
# The worker that has it now is another one than before.
held_by_another() { now=$(holder "$1") && [ -n "$now" ] && [ "$now" != "$2" ]; }

check_output() {
    sums "$tree" >"$tmp/wanted"
    try "the tree has files" test -s "$tmp/wanted"
    for workers in 1 2 5; do
        run "$mpsum" -j "$workers" "$tree"
        equal "a tree by $workers workers" 0: "$code:$(cat "$tmp/err")"
        try "a tree by $workers workers, beside sha256sum" cmp "$tmp/wanted" "$tmp/out"
    done
    try "sha256sum -c" sha256sum --quiet --strict -c "$tmp/out"

    cd "$tree"
    run "$mpsum" a0 a.b a -j2 -- large link-to-file a.d/
    { sha256sum a0 a.b && sums a && sha256sum large link-to-file && sums a.d/; } >"$tmp/wanted"
    equal "arguments in their order" 0: "$code:$(cat "$tmp/err")"
    try "arguments in their order, beside sha256sum" cmp "$tmp/wanted" "$tmp/out"
    cd a.d/deeper
    run "$mpsum" -- -dash
    expect "a name that begins with a dash" 0 "$(sha256sum -- -dash)" ""
    run "$mpsum" "$tree/empty"
    expect "an empty directory" 0 "" ""
    cd "$tree"

    run sh -c 'printf "some words" | "$1"' - "$mpsum"
    expect "standard input" 0 "$(printf 'some words' | sha256sum)" ""
    run sh -c 'printf "some words" | "$1" a0 - a.b' - "$mpsum"
    expect "standard input among files" 0 "$(printf 'some words' | sha256sum a0 - a.b)" ""
    cd "$home"
}

check_errors() {
    cd "$tree"
    ln -s loop loop
    run "$mpsum" a0 no-such-file loop fifo a.b
    expect "names that cannot be read" 1 "$(sha256sum a0 a.b)" "mpsum: no-such-file: No such file or directory
mpsum: loop: Too many levels of symbolic links
mpsum: fifo: Not a regular file"
    rm loop
    # A regular file that fails only when it is read.
    run "$mpsum" a0 /proc/self/mem a.b
    expect "an error from read" 1 "$(sha256sum a0 a.b)" "mpsum: /proc/self/mem: Input/output error"
    run "$mpsum" "$(printf 'x\033y')"
    expect "a name that steers the terminal" 1 "" "mpsum: x?y: No such file or directory"

    nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
    chmod 0 a0
    if [ "$(id -u)" -ne 0 ]; then
        run "$mpsum" a0 a.b
        expect "no permission" 1 "$(sha256sum a.b)" "mpsum: a0: Permission denied"
    elif chmod 755 "$tmp" && $nobody "$mpsum" --help >/dev/null 2>&1; then
        # shellcheck disable=SC2086 # a command
        run $nobody "$mpsum" a0 a.b
        expect "no permission" 1 "$(sha256sum a.b)" "mpsum: a0: Permission denied"
    else
        skip "mpsum: no way to run without permission"
    fi
    chmod 644 a0
    cd "$home"
}

check_deep() {
    # The names add up to more than PATH_MAX.
    name=$(printf '%0200d' 0)
    mkdir "$tmp/deep"
    (
        cd "$tmp/deep"
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
            mkdir "$name"
            cd -P "$name" 2>/dev/null # some shells complain of the length, but go
        done
        : >bottom
    )
    : >"$tmp/deep/top"
    run "$mpsum" "$tmp/deep"
    equal "deeper than a path can be" "1:$(sha256sum "$tmp/deep/top")" "$code:$(cat "$tmp/out")"
    try "deeper than a path can be: a message" grep -q ': File name too long$' "$tmp/err"
}

check_usage() {
    run "$mpsum" --help
    equal "--help" "0:Usage: mpsum [-j N] [FILE|DIR]...:" "$code:$(head -n 1 "$tmp/out"):$(cat "$tmp/err")"
    for bad in -x --unknown -j -j0 -jx -j-1 -j2x -j99999999999999999999; do
        run "$mpsum" "$bad"
        equal "$bad is refused" 1: "$code:$(cat "$tmp/out")"
        try "$bad is refused with a message" grep -q '^mpsum: [-u].*: ' "$tmp/err"
    done
    run sh -c '"$1" "$2" >/dev/full' - "$mpsum" "$tree/a0"
    expect "a full disk" 1 "" "mpsum: write error: No space left on device"
    run sh -c '"$1" "$2" >&-' - "$mpsum" "$tree/a0"
    expect "no standard output" 1 "" "mpsum: write error: Bad file descriptor"
    run sh -c '"$1" <&-' - "$mpsum"
    expect "no standard input" 1 "" "mpsum: -: Bad file descriptor"
}

# start ARGUMENT...: mpsum in the background, until a worker has the big file open.
start() {
    "$mpsum" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null &
    started=$!
    try "the big file is begun" until_true held "$big"
    first=$(holder "$big")
}
# The shell's own word about a killed job is not wanted.
finished() { if wait "$started" 2>/dev/null; then code=0; else code=$?; fi; }

check_mishaps() {
    truncate -s 2G "$big"
    printf v >"$tmp/vanishing"

    # The largest file comes first, so the small one is still to be opened.
    start -j 1 "$tmp/vanishing" "$big"
    rm "$tmp/vanishing"
    finished
    expect "a file that vanishes" 1 "$big_sum  $big" "mpsum: $tmp/vanishing: No such file or directory"

    start -j 2 "$tree/a0" "$big" "$tree/a.b"
    kill -KILL "$first"
    finished
    expect "a killed worker" 0 "$(sha256sum "$tree/a0")
$big_sum  $big
$(sha256sum "$tree/a.b")" "mpsum: $big: its worker died; trying once more"

    start -j 2 "$tree/a0" "$big" "$tree/a.b"
    kill -KILL "$first"
    try "it is begun again" until_true held_by_another "$big" "$first"
    kill -KILL "$(holder "$big")" || true # by now it may be too late, which the next line sees
    finished
    equal "two killed workers" "1:$(sha256sum "$tree/a0" "$tree/a.b")" "$code:$(cat "$tmp/out")"
    equal "two killed workers: messages" "2:mpsum: $big: its worker died; trying once more" \
        "$(grep -c -F "mpsum: $big: " "$tmp/err"):$(head -n 1 "$tmp/err")"

    start -j 2 "$big"
    kill -KILL "$started"
    finished
    try "no worker outlives mpsum" until_true none_left
}

# Everything here could run for a minute, and is stopped.
check_interrupt() {
    truncate -s 100G "$big"
    run timeout --preserve-status -s INT 1 "$mpsum" "$big" "$tree"
    expect "SIGINT" 130 "" ""
    try "SIGINT leaves no process" until_true none_left

    if ! script --version 2>/dev/null | grep -q util-linux; then
        skip "mpsum: no script from util-linux, so no terminal"
        return
    fi
    # The keys go in once the bar stands there, and the terminal stays until the shell has spoken.
    # The shell gets the Ctrl-C too, and one that has no trap for it, as dash, would not live to.
    {
        until_true grep -s -a -q ' of [0-9]* files' "$tmp/terminal"
        printf '\003'
        until_true grep -s -a -q '^code ' "$tmp/terminal"
    } | script -q -e -f -c "trap : INT; '$mpsum' '$big' '$tree/a' '$tree/a0' >'$tmp/out'; echo code \$?" \
        "$tmp/terminal" >/dev/null 2>&1 || true
    try "a bar at a terminal" grep -a -q '\[[.#]*\] *[0-9]* %' "$tmp/terminal"
    try "Ctrl-C ends the bar's line, with 130" grep -a -q '^code 130' "$tmp/terminal"
    try "Ctrl-C leaves no process" until_true none_left
}

make_tree
check_output
check_errors
check_deep
check_usage
check_mishaps
check_interrupt
