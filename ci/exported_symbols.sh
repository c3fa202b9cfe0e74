#!/bin/sh
# exported_symbols.sh FOLDER [PROGRAM...]: every plugin in FOLDER exports adze_plugin_v1 and nothing
# else; no PROGRAM exports anything of ours, which a plugin's own symbols could then bind to.
set -eu
folder=${1:?usage: exported_symbols.sh FOLDER [PROGRAM...]}
shift
checked=0 failed=0
for plugin in "$folder"/*.so; do
  test -e "$plugin" || continue
  symbols=$(nm -D --defined-only "$plugin" | awk '{ print $NF }' | sort)
  if test "$symbols" != adze_plugin_v1; then
    echo "$plugin exports:" $symbols >&2
    failed=1
  fi
  checked=$((checked + 1))
done
test "$checked" -gt 0 || { echo "no plugins in $folder" >&2; exit 1; }
for program in "$@"; do
  test -x "$program" || { echo "no program $program" >&2; exit 1; }
  # A statically linked program has no dynamic symbols, and nm says so on stderr.
  ours=$(nm -D --defined-only -C "$program" 2>/dev/null | grep -i adze || true)
  if test -n "$ours"; then
    echo "$program exports:" "$ours" >&2
    failed=1
  fi
done
test "$failed" -eq 0
echo "exported symbols: $checked plugins, $# programs, clean"
