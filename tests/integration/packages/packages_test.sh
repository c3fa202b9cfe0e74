#!/usr/bin/env bash
# packages_test.sh <source> <build> <cpack>: makes the Debian packages, unpacks them, and does as a
# stranger does with nothing else: a plugin of each kind in each language, checked and used.
set -euo pipefail
source=$1 build=$2 cpack=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset ADZE_PLUGIN_PATH CMAKE_PREFIX_PATH PKG_CONFIG_PATH

for tool in dpkg-deb dpkg-shlibdeps cargo rustc pkg-config; do
  command -v "$tool" >/dev/null && continue
  echo "$tool is missing: ci/setup.sh test"
  [ -n "${CI:-}" ] && exit 1 || exit 77
done

# loud <program> <argument>...: silent when it works, all it said when not.
loud() { "$@" >"$work/log" 2>&1 || { echo "failed: $*"; cat "$work/log"; return 1; }; }
step() { echo "== $* (${SECONDS} s)"; }

step packages
loud "$cpack" --config "$build/CPackConfig.cmake" -B "$work/packages"
mkdir "$work/stage"
unpack() { # package
  local package
  package=$(ls "$work/packages/$1"_*.deb)
  echo "$(dpkg-deb -f "$package" Package) $(dpkg-deb -f "$package" Version): $(dpkg-deb -f "$package" Depends)"
  dpkg-deb -x "$package" "$work/stage"
}
for name in adze-sdk adze adze-agent; do unpack "$name"; done
[ "$(dpkg-deb -f "$work"/packages/adze-sdk_*.deb Architecture)" = all ]
case $(dpkg-deb -f "$work"/packages/adze_*.deb Depends) in
  *libonnx*libopencv-imgcodecs*) ;; *) echo "adze does not depend on the libraries it is linked with"; exit 1 ;;
esac
# No file twice, none from outside /usr, none that names the machine it was built on.
for package in "$work"/packages/*.deb; do dpkg-deb -c "$package" | awk '$1 !~ /^d/ {print $6}'; done | sort >"$work/files"
[ -z "$(uniq -d "$work/files")" ] || { echo "in two packages:"; uniq -d "$work/files"; exit 1; }
! grep -v '^\./usr/' "$work/files" || exit 1
[ -x "$work/stage/usr/sbin/adze-gadget" ] && sh -n "$work/stage/usr/sbin/adze-gadget"
grep -q '^ExecStart=/usr/bin/adze-agent' "$work/stage/usr/lib/systemd/system/adze-agent.service"
[ -f "$work/stage/usr/lib/udev/rules.d/70-adze.rules" ]
dpkg-deb -I "$work"/packages/adze_*.deb postinst | grep -q 'groupadd --system adze'
! grep -rlF "$source" "$work/stage" || { echo "these name the source folder"; exit 1; }

root=$work/stage/usr
export PATH=$root/bin:$PATH
export CMAKE_PREFIX_PATH=$root PKG_CONFIG_PATH=$root/share/pkgconfig
export XDG_CACHE_HOME=$work/cache CARGO_NET_OFFLINE=true CMAKE_GENERATOR=Ninja
mkdir "$work/away"
cd "$work/away"

# A small recipe on the fixture; the stage comes from the plugin.
cp "$source/fixtures/models/fmnist_mobilenet.onnx" model.onnx
recipe() { # id, further lines of the stage
  sed -e 's|^path = .*|path = "model.onnx"|' -e 's/^count = .*/count = 32/' -e '/^\[\[stage\]\]/,$d' \
    "$source/fixtures/recipes/fmnist_mobilenet.toml"
  printf '[[stage]]\nuse = "%s"\n%s\n' "$1" "$2"
}
# judge <metrics.json> <statement>...: Python, with `m` for the metrics.
judge() {
  local metrics=$1; shift
  { printf 'import json\nm = json.load(open("%s"))\n' "$metrics"; printf '%s\n' "$@"; } | python3 -
}

for language in c c++ rust; do
  for kind in pruner quantizer backend; do
    folder=$language-$kind id=org.example.mine_$kind
    step "$kind in $language"
    loud adze plugin new "$kind" "mine_$kind" --lang "$language" --dir "$folder"
    case $language in
      rust)
        (cd "$folder" && loud cargo build --release)
        plugins=$folder/target/release
        if [ $kind = pruner ]; then (cd "$folder" && loud cargo test)
        else loud adze plugin check "$plugins/libmine_$kind.so"; fi ;;
      *)
        loud cmake -S "$folder" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release
        loud cmake --build "$folder/build"
        loud ctest --test-dir "$folder/build" --no-tests=error
        plugins=$folder/build
        if [ $kind = pruner ]; then loud make -C "$folder"; rm "$folder/mine_$kind.so"; fi ;;
    esac
    case $kind in
      pruner)
        recipe "$id" "sparsity = 0.6" >"$folder.toml"
        loud adze --plugin-path "$plugins" optimize "$folder.toml" -o "$folder.out" --samples 100
        # Each layer that the recipe lets it change (depthwise ones it does not) is as sparse as asked.
        judge "$folder.out/metrics.json" \
          'pruned = [s for s in m["sparsity_by_layer"].values() if s]' \
          'print(f"{len(pruned)} layers, sparsity {min(pruned):.3f} to {max(pruned):.3f}")' \
          'assert len(pruned) > 5 and all(abs(s - 0.6) < 0.01 for s in pruned)' ;;
      quantizer)
        recipe "$id" "" >"$folder.toml"
        loud adze --plugin-path "$plugins" optimize "$folder.toml" -o "$folder.out" --samples 500
        judge "$folder.out/metrics.json" \
          'before, after = m["baseline"]["value"], m["optimized"]["value"]' \
          'print(f"top-1 {before:.3f}, in INT8 {after:.3f}")' \
          'assert after > before - 0.05 and m["optimized"]["backend"] == "adze.drpai"' ;;
      backend)
        recipe "$id" "" | sed '/^\[\[stage/,$d' >"$folder.toml"
        if adze --plugin-path "$plugins" evaluate model.onnx --data "$folder.toml" --backend "$id" \
            --samples 1 >"$work/log" 2>&1; then
          echo "ran a model it has no kernels for"; exit 1
        fi
        grep -q 'there is no kernel for' "$work/log" || { cat "$work/log"; exit 1; } ;;
    esac
  done
done
step "training is a package of its own"
recipe adze.quantize.qat "steps = 4" >qat.toml
if adze optimize qat.toml -o qat.out --samples 100 >"$work/log" 2>&1; then echo "it trained"; exit 1; fi
grep 'install the Debian package adze-qat' "$work/log" || { cat "$work/log"; exit 1; }
if ls "$work"/packages/adze-qat_*.deb >/dev/null 2>&1; then
  unpack adze-qat
  case $(dpkg-deb -f "$work"/packages/adze-qat_*.deb Depends) in
    *libtorch*) ;; *) echo "adze-qat does not depend on LibTorch"; exit 1 ;;
  esac
  loud adze optimize qat.toml -o qat.out --samples 500
  judge qat.out/metrics.json 'assert m["optimized"]["backend"] == "adze.drpai"'
fi

step "a pruner that prunes too little fails its own test"
sed -i 's/pruned = (uint64_t)(/pruned = (uint64_t)(0.9 * /' c-pruner/plugin.c
loud cmake --build c-pruner/build
if ctest --test-dir c-pruner/build --output-on-failure >"$work/log" 2>&1; then echo "it passed"; exit 1; fi
grep -A1 'failed.*S01' "$work/log"

step "C, C++ and Rust give the same"
cmp c-pruner.out/optimized.onnx c++-pruner.out/optimized.onnx
cmp c-pruner.out/optimized.onnx rust-pruner.out/optimized.onnx
cmp c-quantizer.out/optimized.onnx c++-quantizer.out/optimized.onnx
cmp c-quantizer.out/optimized.onnx rust-quantizer.out/optimized.onnx

step "a second build of the packages has the same bytes"
loud "$cpack" --config "$build/CPackConfig.cmake" -B "$work/again"
for package in "$work"/packages/*.deb; do cmp "$package" "$work/again/${package##*/}"; done
step done
