#!/usr/bin/env bash
# Fails when clang-format would change a file; `ci/format.sh --fix` changes it.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(--dry-run -Werror)
[ "${1:-}" = --fix ] && mode=(-i)
find sdk host hil plugins tests \( -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' \) -print0 |
  xargs -0 -r clang-format "${mode[@]}"
