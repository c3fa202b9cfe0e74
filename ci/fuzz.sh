#!/usr/bin/env bash
# Builds the fuzz targets and gives each of them its corpus and some seconds more:
#   ci/fuzz.sh [--seconds N] [--keep] [TARGET...]
# --keep adds what was found on the way to the corpus, minimized. A finding is left in build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=10 keep=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    *) sed -n '2,4s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
done
corpus=$PWD/tests/fuzz/corpus
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=($(cd tests/fuzz && ls fuzz_*.cpp | sed 's/\.cpp$//'))

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$(nproc)" --target "${targets[@]}"

# An allocation that a lie asks for is refused by the host or fails; only what it really uses counts.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
fuzz() {
  local target=$1 new=$PWD/build/fuzz/new/$1
  rm -rf "$new"
  mkdir -p "$new" "$corpus/$target"
  if ! "build/fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
      -artifact_prefix="$PWD/build/fuzz/$target-" "$new" "$corpus/$target" >"build/fuzz/$target.log" 2>&1; then
    tail -n 40 "build/fuzz/$target.log" >&2
    echo "$target: a finding, see build/fuzz/$target.log" >&2
    return 1
  fi
  echo "$target: $(grep -o 'Done [0-9]* runs.*' "build/fuzz/$target.log")"
}
export -f fuzz
export seconds corpus
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'

if [[ $keep ]]; then
  for target in "${targets[@]}"; do
    merged=$(mktemp -d)
    "build/fuzz/fuzz/$target" -merge=1 "$merged" "$corpus/$target" "build/fuzz/new/$target" >/dev/null 2>&1
    rm -rf "${corpus:?}/$target"
    cp -r "$merged" "$corpus/$target"
    rm -rf "$merged"
  done
fi
