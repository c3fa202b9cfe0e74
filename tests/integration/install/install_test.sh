#!/usr/bin/env bash
# install_test.sh <source> <build> <cmake>: installs into a staging folder and uses nothing else.
set -euo pipefail
source=$1 build=$2 cmake=$3
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# says <text> <program> <argument>...: the output has the text. All of it is read first: a grep at the
# end of a pipe leaves at the first match, and the program then dies of the closed pipe.
says() {
  local text=$1; shift
  "$@" >"$stage/output" || { echo "failed: $*"; return 1; }
  grep -qF -- "$text" "$stage/output" || { echo "'$text' is not in the output of: $*"; return 1; }
}

"$cmake" --install "$build" --prefix "$stage/root" >"$stage/install.log" || { cat "$stage/install.log"; exit 1; }
for file in bin/adze bin/adze-worker bin/adze-agent sbin/adze-gadget lib/systemd/system/adze-agent.service \
            lib/udev/rules.d/70-adze.rules lib/adze/plugins/adze_cpu.so \
            lib/adze/plugins/adze_onnxruntime.so lib/adze/plugins/adze_drpai_tvm.so lib/adze/pictures/adze_pictures.so share/adze/boards/rzv2h.toml \
            share/adze/schema/metrics.json share/adze/templates/pruner/c/plugin.c share/doc/adze-sdk/RULES.md \
            include/adze/adze.h lib/cmake/AdzeSDK/AdzeSDKConfig.cmake share/pkgconfig/adze-sdk.pc; do
  [ -e "$stage/root/$file" ] || { echo "not installed: $file"; exit 1; }
done

# The build's own folders must not be needed: the copy runs from another place.
cp -r "$stage/root" "$stage/moved" && rm -rf "$stage/root"
cp "$source/fixtures/models/fmnist_resnet10.onnx" "$stage/model.onnx"
says '"rzv2h"' "$stage/moved/bin/adze" inspect "$stage/model.onnx" --json
says adze.prune.magnitude "$stage/moved/bin/adze" plugin list

# A third party's plugin, built against the installed SDK only.
mkdir "$stage/plugin"
cp "$source/tests/integration/install/plugin/"* "$stage/plugin/"
"$cmake" -S "$stage/plugin" -B "$stage/plugin/build" -G Ninja -DCMAKE_PREFIX_PATH="$stage/moved" >/dev/null
"$cmake" --build "$stage/plugin/build" >/dev/null
says org.example.magnitude "$stage/moved/bin/adze" --plugin-path "$stage/plugin/build" plugin list
echo "installed tree: works from another place, and a plugin builds against it"
