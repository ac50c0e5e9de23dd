#!/bin/sh
# Runs each target of fuzz/targets for FUZZ_SECONDS, a minute if that is not set, from what tests/corpus keeps. What goes
# wrong is left in build/fuzz; once mended it belongs into tests/corpus, with which every check begins.
set -eu
cd "$(dirname "$0")/.."
toolchain=${FUZZ_TOOLCHAIN:-nightly}
target=$(rustc -vV | sed -n 's/^host: //p')
out=$PWD/build/fuzz
# The coverage that libFuzzer reads, and the address sanitizer, as cargo-fuzz has them.
flags='-Zsanitizer=address --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module'
for flag in level=4 inline-8bit-counters pc-table trace-compares; do
    flags="$flags -Cllvm-args=-sanitizer-coverage-$flag"
done
mkdir -p "$out"
RUSTFLAGS=$flags "${CARGO:-cargo}" "+$toolchain" build --release --locked --quiet \
    --manifest-path fuzz/Cargo.toml --target "$target" --target-dir "$out/target"
for name in frames handshake requests; do
    mkdir -p "$out/$name"
    # The memory that is mapped once and for all is not leaked.
    ASAN_OPTIONS=detect_leaks=0 "$out/target/$target/release/$name" "$out/$name" "tests/corpus/$name" \
        -artifact_prefix="$out/$name-" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -print_final_stats=1
done
