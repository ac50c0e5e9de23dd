# shellcheck shell=sh
# shellcheck disable=SC2154 # bin, tmp and code belong to the script that sources this one
# Checks of mandelbrot. Sourced by examples-c/check.sh.

signature() { od -An -tx1 -N8 "$1" | tr -d ' \n'; }

run_by fork "$bin/mandelbrot" 160 120 "$tmp/one.png" 1
equal "mandelbrot with one worker" "0:" "$code:$(cat "$tmp/err")"
equal "mandelbrot writes a PNG file" 89504e470d0a1a0a "$(signature "$tmp/one.png")"
for method in fork spawn; do
    run_by $method "$bin/mandelbrot" 160 120 "$tmp/many.png" 4
    equal "mandelbrot by $method is silent and ends well" "0:" "$code:$(cat "$tmp/err")"
    try "mandelbrot by $method renders the same with four workers" cmp -s "$tmp/one.png" "$tmp/many.png"
done

# Rows of workers that are killed are rendered again.
"$bin/mandelbrot" 400 2000 "$tmp/killed.png" 2 2>"$tmp/err" &
renderer=$!
kills=0
while kill -0 "$renderer" 2>/dev/null && [ "$kills" -lt 5 ]; do
    worker=$(ps -o pid= --ppid "$renderer" 2>/dev/null | head -n 1)
    # shellcheck disable=SC2086 # a number with blanks, or nothing
    if [ -n "$worker" ] && kill -9 $worker 2>/dev/null; then kills=$((kills + 1)); fi
    sleep 0.05
done
if wait "$renderer"; then code=0; else code=$?; fi
try "mandelbrot's workers were killed" test "$kills" -gt 0
equal "mandelbrot goes on when workers are killed" "0:" "$code:$(cat "$tmp/err")"
run_by fork "$bin/mandelbrot" 400 2000 "$tmp/whole.png" 2
try "mandelbrot renders the same after kills" cmp -s "$tmp/killed.png" "$tmp/whole.png"
run_by fork "$bin/mandelbrot" 0 120 "$tmp/none.png"
equal "mandelbrot without a width" 2 "$code"
run_by fork "$bin/mandelbrot" 10 10 "$tmp/no/such/directory.png"
equal "mandelbrot without a place for its file" 1 "$code"
