#!/bin/sh
# Cargo calls this in the place of rustc. Each crate's directory gets a name of its own in panic
# messages and debug information, so that the library is the same wherever it is built. The
# RUSTFLAGS of whoever builds are left alone.
set -eu
if [ -n "${CARGO_MANIFEST_DIR:-}" ]; then
    set -- "$@" --remap-path-prefix="$CARGO_MANIFEST_DIR=/usr/src/$CARGO_PKG_NAME-$CARGO_PKG_VERSION"
fi
# shellcheck disable=SC2086 # the caller's own wrapper, if there is one
exec ${MP_RUSTC_WRAPPER:-} "$@"
