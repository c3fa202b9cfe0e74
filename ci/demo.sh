#!/usr/bin/env bash
# Builds Adze and does its main job once, on real data: prunes and quantizes a trained network,
# flashes it onto a simulated board, measures it there and compares it with the emulation.
# Installs what it needs. The report's path is the last line.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh demo

cmake --preset release -DADZE_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release -j "$(nproc)"
adze=build/release/bin/adze
out=build/demo
recipe=fixtures/recipes/fmnist_resnet10.toml

"$adze" optimize "$recipe" -o "$out"

board=demo-$$
"$adze" board sim "$board" --root "$out/board" >"$out/board.log" 2>&1 &
simulator=$!
trap 'kill "$simulator" 2>/dev/null || true; wait "$simulator" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  [[ $("$adze" board list --json) == *"\"sim:$board\""* ]] && break
  kill -0 "$simulator" || { cat "$out/board.log" >&2; exit 1; }
  sleep 0.1
done

"$adze" validate "$out/optimized.onnx" --board "sim:$board" --data "$recipe" \
  --reference fixtures/models/fmnist_resnet10.onnx --samples 1000 -o "$out"
echo
echo "report: $PWD/$out/report.html"
