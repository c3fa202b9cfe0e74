#!/usr/bin/env bash
# Builds adze-agent for arm64, as boards have it, and runs tests of the agent with it under QEMU. The
# tests themselves and the worker are those of build/release: what they say to each other is the same.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/build/arm64_agent root=$PWD/build/arm64_root

# Debian's libraries for arm64, unpacked: an apt of its own, so that this machine's packages stay.
if [ ! -f "$root/complete" ]; then
  rm -rf "$root"
  mkdir -p "$root"/apt/{lists/partial,cache/archives/partial,parts}
  : >"$root/apt/status"
  # Debian's own only: others may have nothing for arm64.
  cp /etc/apt/sources.list.d/debian.sources "$root/apt/parts" 2>/dev/null ||
    grep -h '^deb .*debian' /etc/apt/sources.list >"$root/apt/parts/debian.list"
  cat >"$root/apt/apt.conf" <<CONF
APT::Architecture "arm64"; APT::Architectures { "arm64"; };
Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "$root/apt/parts"; Dir::State::lists "$root/apt/lists";
Dir::State::status "$root/apt/status"; Dir::Cache "$root/apt/cache"; APT::Sandbox::User "root";
CONF
  export APT_CONFIG=$root/apt/apt.conf
  apt-get update -q >/dev/null
  (cd "$root/apt" && apt-get download -q libsodium-dev libfmt-dev libfmt9 >/dev/null)
  unset APT_CONFIG
  for package in "$root"/apt/*.deb; do dpkg-deb -x "$package" "$root"; done
  touch "$root/complete"
fi

cmake -S . -B "$build" -G Ninja -DADZE_ONLY_BOARD=ON -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_UNITY_BUILD=ON \
  -Dfmt_DIR="$root/usr/lib/aarch64-linux-gnu/cmake/fmt" \
  -DADZE_SODIUM_ARCHIVE="$root/usr/lib/aarch64-linux-gnu/libsodium.a" >/dev/null
cmake --build "$build" --target adze-agent
aarch64-linux-gnu-readelf -h "$build/bin/adze-agent" | grep -q AArch64
if aarch64-linux-gnu-readelf -d "$build/bin/adze-agent" | grep NEEDED; then
  echo "adze-agent for arm64 is not static" >&2
  exit 1
fi

# A build tree for the tests whose agent is that one.
mkdir -p "$build/tree/bin" "$build/tree/tests"
printf '#!/bin/sh\nexec qemu-aarch64 "%s" "$@"\n' "$build/bin/adze-agent" >"$build/tree/bin/adze-agent"
chmod +x "$build/tree/bin/adze-agent"
ln -sfn "$PWD/build/release/bin/adze-worker" "$build/tree/bin/adze-worker"
ln -sfn "$PWD/build/release/tests/agent_plugins" "$build/tree/tests/agent_plugins"
ADZE_SOURCE_DIR=$PWD ADZE_BINARY_DIR=$build/tree build/release/tests/test_agent --gtest_brief=1 \
  --gtest_filter='Flash.killing_the_agent*:AgentProgram.ends_cleanly*'
echo "adze-agent: arm64, static, is flashed, resumes and runs"
