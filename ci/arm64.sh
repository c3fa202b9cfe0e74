#!/usr/bin/env bash
# Builds adze.mera, the one plugin made for boards alone, for arm64 against a stand-in of the vendor's
# runtime, and runs it under QEMU.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/build/arm64
cmake -S plugins/mera -B "$build" -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
  -DADZE_DRPAI_TVM_ROOT="$PWD/tests/unit/mera/runtime" >/dev/null
cmake --build "$build"
plugin=$build/lib/adze/plugins/adze_mera.so
exported=$(aarch64-linux-gnu-nm -D --defined-only "$plugin" | awk '{print $3}')
[ "$exported" = adze_plugin_v1 ] || { echo "adze_mera.so exports more than the entry: $exported" >&2; exit 1; }
aarch64-linux-gnu-g++ -std=c++20 -Isdk/include tests/unit/mera/arm64_probe.cpp -o "$build/probe" -ldl

mkdir -p "$build/bundle/model"
printf double >"$build/bundle/model/mera.plan"
expected=$'adze.mera\nvalue 1: 3 -6\ndrp-ai: 1.5 ms\ncpu0: 0.5 ms'
printed=$(qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/probe" "$plugin" "$build/bundle")
if [ "$printed" != "$expected" ]; then
  printf 'adze_mera.so on arm64 printed\n%s\ninstead of\n%s\n' "$printed" "$expected" >&2
  exit 1
fi
rm "$build/bundle/model/mera.plan"
if qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/probe" "$plugin" "$build/bundle" >/dev/null; then
  echo "adze_mera.so on arm64 loads what is no model" >&2
  exit 1
fi
echo "adze_mera.so: arm64, loads, runs and profiles"
