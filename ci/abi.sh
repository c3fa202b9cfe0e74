#!/usr/bin/env bash
# The gates that keep ABI 1.0 what it is:
#   ci/abi.sh [--headers INCLUDE] [--witness FILE] [GATE...]
#     headers   each header alone, C11 to C++20, GCC and Clang, without padding
#     layout    static assertions of size, slots, numbers and ids, as C11 and as C++
#     dwarf     the pinned witness has debug information (without, abidiff compares nothing)
#     abidiff   the pinned witness against sdk/abi/1.0/adze.abi
#     complete  every released header is frozen, and every struct of it is in the witness
#   ci/abi.sh --refreeze
#     makes today's headers the candidate; refused once CHANGELOG.md releases 1.0
# What was built is looked at by ci/exported_symbols.sh; old plugins are loaded by tests/compat.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
frozen=$root/sdk/abi/1.0
compat=$root/tests/compat
include=$root/sdk/include
candidate='ABI 1\.0 is a candidate'
witness=
refreeze=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --headers) include=$(cd "$2" && pwd); shift 2 ;;
    --witness) witness=$2; shift 2 ;;
    --refreeze) refreeze=yes; shift ;;
    *) sed -n '2,11s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# From its own folder, so that no path of this machine gets into the debug information.
build_witness() { # headers, output
  (cd "$compat" && cc -std=c11 -g -O0 -fPIC -shared -fvisibility=hidden -DADZE_TARGET_MINOR=0 \
    -I"$1" -o "$2" witness.c)
}
witness() {
  if [[ -z $witness ]]; then
    witness=$scratch/witness.so
    build_witness "$include" "$witness"
  fi
}

released() { (cd "$1" && find adze -name '*.h' -not -path '*/draft/*' | sort); }

gate_complete() {
  local header missing=0 type
  if grep -q "$candidate" "$root/CHANGELOG.md"; then
    diff <(released "$frozen/include") <(released "$include") >&2 || missing=1
  fi
  for type in $(cd "$frozen/include" && grep -rhoP '^(typedef )?struct \Kadze_\w+(?= \{)' adze | sort -u); do
    grep -q "^WITNESS($type)$" "$compat/witness.c" ||
      { echo "complete: $type is not in tests/compat/witness.c" >&2; missing=1; }
  done
  [[ $missing -eq 0 ]] || { echo "complete: add it and run ci/abi.sh --refreeze" >&2; return 1; }
  echo "complete: every released header and struct is guarded"
}
gate_headers() { "$root/ci/headers.sh" "$include"; }
gate_layout() {
  local flags=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -DADZE_TARGET_MINOR=0 -I"$include")
  cc -std=c11 "${flags[@]}" "$compat/layout_1_0.c" &&
    c++ -std=c++11 -x c++ "${flags[@]}" "$compat/layout_1_0.c" &&
    echo "layout: as in 1.0"
}
gate_dwarf() {
  witness || return 1
  if ! readelf -SW "$witness" | grep -q ' \.debug_info '; then
    echo "dwarf: $witness has no debug information, abidiff would compare nothing" >&2
    return 1
  fi
  echo "dwarf: the witness has debug information"
}
gate_abidiff() {
  witness || return 1
  command -v abidiff >/dev/null || { echo "abidiff is missing: ci/setup.sh test" >&2; return 1; }
  local status=0
  # No suppressions: they let insertions, swaps and retyped fields through.
  abidiff "$frozen/adze.abi" "$witness" || status=$?
  [[ $status -eq 0 ]] || { echo "abidiff: exit $status, must be 0" >&2; return 1; }
  echo "abidiff: no change"
}

if [[ $refreeze ]]; then
  grep -q "$candidate" "$root/CHANGELOG.md" ||
    { echo "ABI 1.0 is released: it never changes again" >&2; exit 1; }
  rm -rf "$frozen/include"
  mkdir -p "$frozen/include"
  (cd "$include" && released . | xargs cp --parents -t "$frozen/include")
  build_witness "$frozen/include" "$scratch/adze.so"
  (cd "$scratch" && abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed \
    --type-id-style hash adze.so) >"$frozen/adze.abi"
  "$compat/make_layout.py" "$frozen/adze.abi" "$frozen/include" | clang-format --assume-filename=layout.c \
    --style=file:"$root/.clang-format" >"$scratch/layout.c"
  mv "$scratch/layout.c" "$compat/layout_1_0.c"
  echo "refrozen: $frozen"
fi
failed=0
for gate in ${*:-complete headers layout dwarf abidiff}; do
  "gate_$gate" || { echo "gate failed: $gate" >&2; failed=1; }
done
exit $failed
