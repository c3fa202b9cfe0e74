#!/bin/sh
# headers.sh [INCLUDE]: every SDK header alone, in six language modes, without one byte of padding,
# under each compiler that is there (ADZE_COMPILERS="gcc:g++ clang:clang++" and
# ADZE_HEADERS="adze/host.h" choose).
set -eu
include=$(cd "${1:-$(dirname "$0")/../sdk/include}" && pwd)
checked=0

check() { # compiler, language, mode, header, further options
  compiler=$1 language=$2 mode=$3 header=$4
  shift 4
  echo "#include <$header>" | "$compiler" -x "$language" -std="$mode" -Wall -Wextra -Wpedantic \
    -Werror "$@" -I"$include" -fsyntax-only -
  checked=$((checked + 1))
}

for pair in ${ADZE_COMPILERS:-gcc:g++ clang:clang++}; do
  c=${pair%:*} cxx=${pair#*:}
  if ! command -v "$cxx" >/dev/null; then
    test -z "${CI:-}" || { echo "headers: $cxx is missing: ci/setup.sh test" >&2; exit 1; }
    echo "headers: $cxx is not installed, left out"
    continue
  fi
  for header in ${ADZE_HEADERS:-$(cd "$include" && find adze -name '*.h' | sort)}; do
    for mode in c11 c17; do check "$c" c $mode "$header" -Wpadded; done
    for mode in c++11 c++14 c++17 c++20; do check "$cxx" c++ $mode "$header" -Wpadded; done
  done
  test ! -e "$include/adze/adze.hpp" || check "$cxx" c++ c++20 adze/adze.hpp
done
test "$checked" -gt 0 || { echo "headers: no compiler was found" >&2; exit 1; }
echo "headers: $checked compilations, clean"
