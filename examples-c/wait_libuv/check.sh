# shellcheck shell=sh
# shellcheck disable=SC2154 # bin, tmp and code belong to the script that sources this one
# Checks of wait_libuv. Sourced by examples-c/check.sh.

for method in fork spawn; do
    run_by $method "$bin/wait_libuv"
    equal "wait_libuv by $method is silent on stderr and ends well" "0:" "$code:$(cat "$tmp/err")"
    # Which of the three comes first, nobody knows.
    equal "wait_libuv by $method prints" "12 squared is 144
one
the child has ended
three
two" "$(sort "$tmp/out")"
    equal "wait_libuv by $method takes the messages in order" "one two three" \
        "$(sed -n '/^one$/p;/^two$/p;/^three$/p' "$tmp/out" | tr '\n' ' ' | sed 's/ $//')"
done
