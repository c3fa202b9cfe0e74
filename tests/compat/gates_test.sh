#!/usr/bin/env bash
# gates_test.sh SOURCE: breaks a copy of the headers in every way that would break plugins, and
# shows which gate of ci/abi.sh and ci/exported_symbols.sh catches it. An unbroken copy passes.
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# One compiler and the changed header are enough to see that a gate closes.
export ADZE_COMPILERS=gcc:g++
wrong=0

row() { # what was done, gates that must close, gates that closed
  printf '%-58s %s\n' "$1" "${3:-none}"
  if [[ "$2" != "$3" ]]; then
    echo "  expected: ${2:-none}" >&2
    wrong=1
  fi
}

closed_by() { # a gate closes when its script fails
  local closed=()
  for gate in complete headers layout dwarf abidiff; do
    "$source/ci/abi.sh" "$@" "$gate" >"$work/$gate.log" 2>&1 || closed+=("$gate")
  done
  echo "${closed[*]}"
}

mutation() { # what, gates, header, perl expression over the whole file
  rm -rf "$work/include"
  cp -r "$source/sdk/include" "$work/include"
  perl -0pi -e "$4" "$work/include/adze/$3"
  if [[ $3 && $4 != 1 ]] && cmp -s "$source/sdk/include/adze/$3" "$work/include/adze/$3"; then
    echo "the mutation '$1' changed nothing in $3" >&2
    wrong=1
  fi
  export ADZE_HEADERS=adze/$3
  row "$1" "$2" "$(closed_by --headers "$work/include")"
}

printf '%-58s %s\n' 'change' 'caught by'
mutation 'none' '' abi.h 1
mutation 'a slot of a later minor, hidden from older plugins' '' pruner.h \
  's/(\(\*prune\)[^;]*;[^\n]*\n)/$1#if ADZE_TARGET_MINOR >= 1\n  uint64_t later;\n#endif\n/'
mutation 'two fields of adze_component swapped' 'layout abidiff' plugin.h \
  's/(adze_component \{.*?)const char \*id, \*doc;/$1const char *doc, *id;/s'
mutation 'two slots of adze_edit swapped' 'layout abidiff' host.h \
  's/\(\*set_constant\)/(*swapped)/; s/\(\*set_mask\)/(*set_constant)/; s/\(\*swapped\)/(*set_mask)/'
mutation 'an argument of adze_host.progress retyped' 'abidiff' host.h \
  's/(\(\*progress\)\(adze_call\*, )double/$1float/'
mutation 'the result of adze_edit.mark retyped' 'abidiff' host.h \
  's/uint64_t (\(\*mark\))/uint32_t $1/'
mutation 'an enumerator of adze_status changed' 'layout' abi.h \
  's/ADZE_ABORTED = 10/ADZE_ABORTED = 20/'
mutation 'an enumerator of a verdict inserted' 'layout' backend.h \
  's/ADZE_REFUSED = 3/ADZE_DEFERRED = 3, ADZE_REFUSED = 4/'
mutation 'the number of ADZE_NONE changed' 'layout' abi.h \
  's/0xFFFFFFFFu/0x7FFFFFFFu/'
mutation 'the id of an extension changed' 'layout' ext/calibration.h \
  's/"adze\.calibration\/1/"adze.calibration\/2/'
mutation 'a field inserted in the middle of adze_graph' 'layout abidiff' host.h \
  's/(  const adze_node\* const\* nodes;)/  uint64_t inserted;\n$1/'
mutation 'a field appended that every plugin sees' 'layout abidiff' pruner.h \
  's/(\(\*prune\)[^;]*;[^\n]*\n)/$1  uint64_t appended;\n/'
mutation 'a field of adze_quantizer narrowed, which leaves a hole' 'headers abidiff' quantizer.h \
  's/uint32_t struct_size, flags;/uint32_t struct_size;\n  uint16_t flags;/'
mutation 'a header that needs another one before it' 'headers' ext/onnx_bytes.h \
  's/#include "\.\.\/host\.h"\n//'

cp "$source/sdk/include/adze/pruner.h" "$work/include/adze/later.h"
cp "$source/sdk/include/adze/ext/onnx_bytes.h" "$work/include/adze/ext/"
row 'a released header that nobody froze' complete "$(closed_by --headers "$work/include")"

(cd "$source/tests/compat" && cc -std=c11 -g -fPIC -shared -fvisibility=hidden -DADZE_TARGET_MINOR=0 \
  -I"$source/sdk/include" -o "$work/witness.so" witness.c)
row 'none, the witness built by hand' '' "$(closed_by --headers "$source/sdk/include" --witness "$work/witness.so")"
strip "$work/witness.so"
row 'the debug information of the witness removed' dwarf \
  "$(closed_by --headers "$source/sdk/include" --witness "$work/witness.so")"

exports() { # what, gates, compiler options of the plugin, of the program
  mkdir -p "$work/plugins"
  cc -std=c11 -fPIC -shared -fvisibility=hidden -I"$source/sdk/include" $3 \
    -o "$work/plugins/probe.so" "$source/tests/compat/probe.c"
  c++ -std=c++20 $4 -o "$work/program" -x c++ - <<<'namespace adze { [[gnu::used]] int answer() { return 42; } } int main() {}'
  local closed=
  "$source/ci/exported_symbols.sh" "$work/plugins" "$work/program" >"$work/exports.log" 2>&1 || closed=exports
  row "$1" "$2" "$closed"
}
exports 'none, a plugin and a program' '' '' ''
exports 'one more function exported by a plugin' exports -DADZE_EXTRA_EXPORT ''
exports 'every function exported by a program' exports '' -rdynamic
exit $wrong
