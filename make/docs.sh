#!/bin/sh
# docs.sh DIRECTORY: what mp.h says as HTML and as manual pages, made by Doxygen.
set -eu
cd "$(dirname "$0")/.."
out=$1
mkdir -p "$out"
# Pages of what is no longer there.
rm -rf "$out/html" "$out/man"
awk -f make/doxygen.awk include/mp.h >"$out/mp.h"
doxygen - <<CONFIG
PROJECT_NAME = libmp
PROJECT_NUMBER = $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
OUTPUT_DIRECTORY = $out
INPUT = $out/mp.h $(echo docs/*.md)
STRIP_FROM_PATH = $out
OPTIMIZE_OUTPUT_FOR_C = YES
JAVADOC_AUTOBRIEF = YES
MACRO_EXPANSION = NO
GENERATE_LATEX = NO
GENERATE_MAN = YES
MAN_LINKS = YES
QUIET = YES
EXTRACT_ALL = YES
WARN_IF_UNDOCUMENTED = NO
WARN_IF_INCOMPLETE_DOC = NO
HAVE_DOT = NO
WARN_LOGFILE = $out/warnings
CONFIG
