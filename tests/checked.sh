#!/bin/sh
# The C suite with a library that looks for overflows in its arithmetic and makes its assertions for debugging. What
# it is told, as --filter, goes to the suite.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
there=build/checked
mkdir -p $there
(cd $there && rm -rf src tests c-tests include)
tar cf - Cargo.toml Cargo.lock Makefile libmp.map make src tests c-tests include | tar xf - -C $there
export CARGO_PROFILE_LIBRARY_DEBUG_ASSERTIONS=true CARGO_PROFILE_LIBRARY_OVERFLOW_CHECKS=true
export CARGO_PROFILE_LIBRARY_OPT_LEVEL=1 CARGO_TARGET_DIR=target
remake -C $there -j2 build/c-tests/run
exec $there/build/c-tests/run --start fork --timeout-scale 4 "$@"
