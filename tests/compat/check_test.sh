#!/usr/bin/env bash
# check_test.sh SOURCE ADZE: the C pruner that `adze plugin new` gives, built from the frozen headers
# of ABI 1.0 with several compilers and options, passes `adze plugin check` of today's host.
set -euo pipefail
source=$1 adze=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 's/@ID@/org.example.old/g; s/@[A-Z]*@/Example/g' "$source/sdk/templates/pruner/c/plugin.c" >"$work/plugin.c"

build() { # name, compiler and options
  local name=$1
  shift
  "$@" -std=c11 -fPIC -shared -fvisibility=hidden -Wl,--version-script="$source/sdk/cmake/adze_plugin.map" \
    -I"$source/sdk/abi/1.0/include" -o "$work/$name.so" "$work/plugin.c" -lm
}
build gcc gcc -O2
build clang clang -O2
build unoptimized gcc -O0 -g
build stripped gcc -O2 -s
for name in gcc clang unoptimized stripped; do
  if ! "$adze" plugin check "$work/$name.so" >"$work/$name.log"; then
    cat "$work/$name.log" >&2
    echo "$name: refused" >&2
    exit 1
  fi
  # What a compiler brings is not the author's.
  if grep -A1 '^  warning  L10' "$work/$name.log" >&2; then
    echo "$name: takes the compiler's own functions for static constructors" >&2
    exit 1
  fi
  echo "$name: $(tail -n 1 "$work/$name.log")"
done
