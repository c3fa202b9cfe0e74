#!/bin/sh
# exported_symbols.sh FOLDER: every plugin in FOLDER exports adze_plugin_v1 and nothing else.
set -eu
folder=${1:?usage: exported_symbols.sh FOLDER}
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
test "$failed" -eq 0
echo "exported symbols: $checked plugins, clean"
