#!/bin/sh
# template_sizes.sh <templates folder>: a pruner stays short enough to be read at once.
set -eu
check() {
  lines=$(wc -l <"$1")
  [ "$lines" -le "$2" ] || { echo "$1 has $lines lines, $2 are allowed" >&2; exit 1; }
  ! grep -n '.\{101,\}' "$1" || { echo "$1: lines over 100 columns" >&2; exit 1; }
  echo "$1: $lines of $2 lines"
}
check "$1/pruner/c/plugin.c" 60
check "$1/pruner/c++/plugin.cpp" 35
check "$1/pruner/rust/src/lib.rs" 60
