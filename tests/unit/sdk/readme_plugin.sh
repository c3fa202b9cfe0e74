#!/bin/sh
# Does what sdk/README.md says, with the very text that stands there: installs the SDK, builds the
# first pruner against it, and looks at what the plugin exports.
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$source/sdk/README.md" | sed '1d;$d'; }

mkdir "$work/first"
block c > "$work/first/first.c"
block cmake > "$work/first/CMakeLists.txt"
cmake -S "$source/sdk" -B "$work/sdk" >/dev/null
cmake --install "$work/sdk" --prefix "$work/prefix" >/dev/null
cmake -S "$work/first" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Wconversion -Werror" >/dev/null
cmake --build "$work/build"
"$source/ci/exported_symbols.sh" "$work/build"
