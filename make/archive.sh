#!/bin/sh
# archive.sh IN EXPORTS OUT: makes libmp.a, one object in which only the names in the file EXPORTS
# are global, out of the archive IN that rustc made.
#
# IN has all of Rust's standard library under its own names, and cannot be linked beside another
# Rust archive that was built with link-time optimisation: both define rust_eh_personality.
set -eu
in=$1
exports=$2
out=$3
work=$out.parts
rm -rf "$work"
mkdir -p "$work"

# What no export needs is dropped, but not by lld: with its -r it leaves unwind tables that end too early.
# Dissolving the section groups makes their names local too: as groups, the first archive's
# DW.ref.rust_eh_personality would replace the second's.
ld=${LD:-ld}
sed 's/^/-u /' "$exports" >"$work/options"
if "$ld" --version 2>/dev/null | grep -q '^GNU ld'; then echo --gc-sections >>"$work/options"; fi
"$ld" -r --force-group-allocation "@$work/options" --whole-archive "$in" -o "$work/all.o"

# ld leaves the names that only dropped code used, as undefined. They were weak, some of them, and
# objcopy would make them ordinary ones that no C library has. Where there are none, an empty file would
# be an error to objcopy: hence the comment.
"${READELF:-readelf}" -sW "$work/all.o" 2>/dev/null |
    awk 'BEGIN { print "# dropped" } $5 == "LOCAL" && $7 == "UND" && $8 != "" { print $8 }' >"$work/gone"

# Rust's bitcode is of no use, and an older LLVM in the linker's plug-ins stumbles over it.
"${OBJCOPY:-objcopy}" --keep-global-symbols="$exports" --strip-symbols="$work/gone" \
    -R .llvmbc -R .llvmcmd "$work/all.o" "$work/mp.o"
rm -f "$out"
"${AR:-ar}" rcsD "$out" "$work/mp.o"
rm -rf "$work"
