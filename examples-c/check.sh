#!/bin/sh
# Runs every example of build/examples under each start method and compares what it prints with expected/NAME.txt, then
# checks mpsum, wait_libuv and mandelbrot. EXAMPLES=DIR names another place for the programs.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
bin=$(cd "${EXAMPLES:-build/examples}" && pwd -P)
tmp=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$tmp"' EXIT
# Ctrl-C ends the check too, and goes through EXIT.
trap 'exit 130' INT TERM

# run COMMAND...: leaves its output in $tmp/out, its errors in $tmp/err and its exit code in $code.
run() {
    if timeout 120 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; then code=0; else code=$?; fi
}

# The same by another method: the programs name none, so another default is preloaded.
# shellcheck disable=SC2086 # lists of words
"${CC:-cc}" ${CFLAGS:-} -std=c99 -D_GNU_SOURCE -Wall -Wextra -pedantic -Werror -Iinclude -fPIC -shared \
    tests/spawn/by_method.c -o "$tmp/by_method.so" -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-} -lmp
run_by() {
    method=$1
    shift
    : >"$tmp/images"
    case $method in
        fork) run "$@" ;;
        *) run env LD_PRELOAD="$tmp/by_method.so" BY_METHOD="$method" BY_IMAGES="$tmp/images" "$@" ;;
    esac
}

# What differs from run to run becomes a letter.
same() {
    case $1 in
        lock_print) sort ;; # ten processes, in any order
        process_family | process_stop) sed 's/\(pid\|parent\)\([ =]\)[0-9][0-9]*/\1\2N/g' | sort ;;
        process_daemon) sed 's/process [0-9][0-9]*/process N/' ;;
        log_server) sort ;; # each process in its order
        queue_workers) sed 's/^Process-[0-9]*/A worker/' | sort ;;
        listener_messages) sed 's/:[0-9][0-9]*$/:N/' ;;
        camera) sed 's/\(saw\|missed\) [0-9][0-9]*/\1 N/' | sort ;;
        pool_async | wait_epoll) sort ;; # as they come
        # The first lines come from six processes, in any order; the others are behind them.
        barrier_results | event_start) awk 'NR <= 6 { print | "sort"; next } { close("sort"); print }' ;;
        lock_sleep | rlock_report | semaphore_two) sort | sed 's/0\.[0-9]*/T/' ;;
        speed) sed 's/: [1-9][0-9]* /: N /' ;;
        process_greet) sed 's/process [0-9][0-9]*/process N/g' ;;
        *) cat ;;
    esac
}

# The table names each of them, and nothing else.
(cd examples-c && printf '%s\n' *.c */) | sed '/^expected\/$/d' | LC_ALL=C sort >"$tmp/there"
# shellcheck disable=SC2016 # a backquote
sed -n '/^|/p' examples-c/README.md | grep -o '`[a-z_]*\(\.c\|/\)`' | tr -d '`' | LC_ALL=C sort -u >"$tmp/named"
equal "examples that README.md's table does not name, or that are not there" "" "$(LC_ALL=C comm -3 "$tmp/there" "$tmp/named")"

for source in examples-c/*.c; do
    example=$(basename "$source" .c)
    # Two programs of one example: see below.
    case $example in names_*) continue ;; esac
    for method in fork spawn forkserver; do
        began=$(date +%s%N)
        run_by $method "$bin/$example"
        took=$((($(date +%s%N) - began) / 1000000))
        equal "$example by $method prints" "$(same "$example" <"examples-c/expected/$example.txt")" \
            "$(same "$example" <"$tmp/out")"
        equal "$example by $method is silent on stderr and ends well" "0:" "$code:$(cat "$tmp/err")"
        images=$(wc -l <"$tmp/images")
        case $method/$example in
            */queue_forms) ;; # has one process
            fork/*) equal "$example by fork runs no image" 0 "$images" ;;
            *) try "$example by $method runs images" test "$images" -gt 1 ;;
        esac
        case $example in
            lock_sleep)
                slept=$(sed 's/.*0\.0*//' "$tmp/out" | awk '{ s += $1 } END { print s }')
                try "$example by $method sleeps one after the other: $slept ms in $took" test "$slept" -le "$took"
                ;;
            rlock_report)
                # Each process's two lines follow one another.
                equal "$example by $method is held while it reports" 10 \
                    "$(awk 'NR % 2 { who = $2; next } $2 == who && $3 == "done"' "$tmp/out" | wc -l)"
                ;;
            process_args) try "$example by $method sleeps 1.5 s, not $took ms" test 1500 -le "$took" ;;
            process_greet)
                numbers=$(sed 's/[^0-9]\{1,\}/ /g' "$tmp/out" | tr '\n' ' ')
                # shellcheck disable=SC2086 # the child's number, twice, and the parent's
                set -- $numbers
                try "$example by $method has two numbers: $numbers" test "$1" -eq "$2" -a "$2" -ne "$3"
                ;;
            process_family)
                # Each child's own number is the one that was joined. By the fork server its parent is the server.
                told=$(sed -n 's/^pid \([0-9]*\) of.*/\1/p' "$tmp/out" | sort)
                equal "$example by $method has five numbers" "$(sed -n 's/^joined.*pid //p' "$tmp/out" | sort)" "$told"
                ;;
            process_daemon)
                pid=$(sed -n 's/.*process //p' "$tmp/out")
                # shellcheck disable=SC2016 # for the inner shell
                try "$example by $method takes process $pid along" sh -c '! kill -0 "$1"' - "$pid"
                ;;
            camera)
                # shellcheck disable=SC2046 # numbers: each viewer saw every frame or missed it
                set -- $(sort "$tmp/out" | sed 's/^viewer . [a-z]* \([0-9]*\).*/\1/')
                equal "$example by $method shows every frame or drops it" "30 30" "$(($1 + $2)) $(($3 + $4))"
                ;;
        esac
    done
done

# Two programs that share what has a name. Twice written, once read.
shared=mp-example-$$
run "$bin/names_writer" $shared
run "$bin/names_writer" $shared
equal "names_writer is silent and ends well" "0:" "$code:$(cat "$tmp/out" "$tmp/err")"
run "$bin/names_reader" $shared
equal "names_reader" "0:0 2 4 6 8 10 12 14 16 18" "$code:$(cat "$tmp/out" "$tmp/err")"
run "$bin/names_reader" $shared
equal "names_reader finds the names gone" 1 "$code"

if [ -x "$bin/mpsum" ]; then
    . examples-c/mpsum/check.sh
    run_by spawn "$mpsum" -j 2 "$home/include" "$home/examples-c"
    equal "mpsum by spawn" "0: $(sums "$home/include" && sums "$home/examples-c")" "$code: $(cat "$tmp/out")"
    equal "mpsum by spawn runs images" 3 "$(wc -l <"$tmp/images")"
else
    skip "mpsum is not built"
fi

if [ -x "$bin/wait_libuv" ]; then
    . examples-c/wait_libuv/check.sh
else
    skip "wait_libuv is not built"
fi

if [ -x "$bin/mandelbrot" ]; then
    . examples-c/mandelbrot/check.sh
else
    skip "mandelbrot is not built"
fi
finish
