#!/usr/bin/env bash
# Builds Adze and runs all tests: style, unit tests under AddressSanitizer and
# UndefinedBehaviorSanitizer, a short fuzzing, plugin and agent for boards on arm64, then everything in the release build. Installs what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh test
jobs=$(nproc)

ci/format.sh
. ci/onnxruntime.sh   # sets ADZE_ONNXRUNTIME

echo "== sanitizer build and unit tests"
cmake --preset asan >/dev/null
cmake --build --preset asan -j "$jobs" --target adze_unit_tests
# Unit tests only: the sanitizers slow real models down, and the rest runs the same code below.
# Without the search for leaks at exit: GCC 12's crashes on newer kernels ("Tracer caught signal 11").
ASAN_OPTIONS=detect_leaks=0 \
  ctest --test-dir build/asan --output-on-failure -j "$jobs" -L unit --no-tests=error

echo "== fuzz targets of what plugins bring"
# The others need libraries that take Clang minutes; all of them took their corpora above.
ci/fuzz.sh --seconds 10 fuzz_elf fuzz_descriptor fuzz_edits

echo "== the plugin for boards, on arm64"
ci/arm64.sh

echo "== release build"
cmake --preset release -DADZE_BUILD_TESTS=ON >/dev/null
cmake --build --preset release -j "$jobs"

echo "== the agent of boards, on arm64"
ci/arm64_agent.sh

echo "== all tests"
ctest --test-dir build/release --output-on-failure -j "$jobs" --no-tests=error
