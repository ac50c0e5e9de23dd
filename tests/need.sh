#!/bin/sh
# need.sh PACKAGE PROBE...: succeeds when the command PROBE does. If it does not, root's apt-get
# installs PACKAGE first; otherwise one line names what is missing. MP_NO_APT=1 forbids installing.
set -eu
cd "$(dirname "$0")/.."
package=$1
shift

present() { "$@" </dev/null >/dev/null 2>&1; }

get() {
    [ -z "${MP_NO_APT:-}" ] && [ "$(id -u)" -eq 0 ] && present command -v apt-get || return 1
    export DEBIAN_FRONTEND=noninteractive
    set -- -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=30
    mkdir -p build
    # A fresh machine has no package lists; one attempt is enough for all packages.
    if [ ! -e build/apt-updated ]; then
        : >build/apt-updated
        present apt-get "$@" update || true
    fi
    present apt-get "$@" install -y --no-install-recommends "$package"
}

if present "$@"; then exit 0; fi
if get && present "$@"; then exit 0; fi
echo "missing: $package (install it with the package manager)" >&2
exit 1
