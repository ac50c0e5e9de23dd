#!/bin/sh
# build.sh DIRECTORY: builds the peers that are there, or can be had, into DIRECTORY. What cannot be had is said, and
# is missing from the tables; it is no failure.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
to=$(cd "$1" && pwd)
cd "$here/../.."
flags=${CFLAGS:--O2 -g}

# fresh OUTPUT SOURCE...: whether OUTPUT is there and newer than all sources.
fresh() {
    output=$1
    shift
    [ -e "$output" ] && [ -z "$(find "$@" -newer "$output")" ]
}

# object NAME PACKAGE HEADER COMPILER SOURCE FLAG...: a shared object, once its headers are there.
object() {
    name=$1 package=$2 header=$3 compiler=$4 source=$5
    shift 5
    if fresh "$to/$name.so" "$source" benches/peers/peer.h; then return; fi
    echo "#include <$header>" >"$to/probe.${source##*.}"
    # shellcheck disable=SC2086 # several words
    if ! tests/need.sh "$package" $compiler -fsyntax-only "$to/probe.${source##*.}"; then return; fi
    # shellcheck disable=SC2086 # several words
    $compiler $flags -fPIC -shared "$source" -o "$to/$name.so" "$@"
}

object zeromq libzmq3-dev zmq.h "${CC:-cc} -std=c99 -D_GNU_SOURCE -Wall -Wextra" benches/peers/zeromq.c -lzmq
object nng libnng-dev nng/nng.h "${CC:-cc} -std=c99 -D_GNU_SOURCE -Wall -Wextra" benches/peers/nng.c -lnng
object boost libboost-dev boost/interprocess/ipc/message_queue.hpp "${CXX:-c++} -Wall" benches/peers/boost.cc -lrt

if ! fresh "$to/rust.so" benches/peers/Cargo.toml benches/peers/Cargo.lock benches/peers/src; then
    rm -f "$to/rust.so"
    if ${CARGO:-cargo} build --quiet --release --locked --manifest-path benches/peers/Cargo.toml \
        --target-dir "$to/rust" >"$to/rust.log" 2>&1; then
        cp "$to/rust/release/libpeers.so" "$to/rust.so"
    else
        echo "missing: iceoryx2 and ipc-channel; see $to/rust.log" >&2
    fi
fi

cp benches/peers/queues.py "$to/"
if command -v python3 >/dev/null && ! fresh "$to/python" benches/peers/requirements.txt; then
    if [ -z "${MP_NO_APT:-}" ] && python3 -m pip install --quiet --disable-pip-version-check --upgrade \
        --target "$to/python" -r benches/peers/requirements.txt >"$to/python.log" 2>&1; then
        touch "$to/python"
    else
        echo "missing: faster-fifo; see $to/python.log" >&2
    fi
fi
