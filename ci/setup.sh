#!/usr/bin/env bash
# Installs the Debian 12 packages that Adze needs: `ci/setup.sh demo` to build and use it,
# `ci/setup.sh test` for everything the tests need on top. As root, or with sudo.
set -euo pipefail
what=${1:-test}

build=(
  g++ cmake ninja-build ccache pkg-config        # compiler and build
  libboost-dev                                   # Boost.DLL (plugin loading), Boost.CRC (frames)
  libtomlplusplus-dev                            # recipes and board types
  libonnx-dev libprotobuf-dev protobuf-compiler  # ONNX files: check, shape inference
  libdnnl-dev                                    # oneDNN: the executor's kernels
  libeigen3-dev libopenblas-openmp-dev           # linear algebra of pruning and calibration
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev  # image datasets
  zlib1g-dev libzip-dev                          # gzipped IDX files, npz archives
  libusb-1.0-0-dev                               # boards on USB
  libsodium-dev                                  # SHA-256, Ed25519
  libcli11-dev libfmt-dev libspdlog-dev nlohmann-json3-dev
)
demo=(
  dataset-fashion-mnist                          # the images of the demo
)
test=(
  libtorch-dev                                   # training; Adze builds without it
  libgtest-dev libgmock-dev libbenchmark-dev     # tests and benchmarks
  make                                           # what CMake builds plugins with unless told otherwise
  clang clang-format                             # second compiler for the SDK headers, style check
  clang-16 libclang-rt-16-dev libomp-16-dev      # fuzzing
  abigail-tools patch                            # the gates of the plugin ABI
  libumockdev-dev umockdev                       # USB boards without USB
  openssh-server openssh-client                  # boards behind ssh, on loopback
  libonnx-testdata                               # the ONNX project's own operator tests
  python3 python3-jsonschema                     # schemas of the machine output
  g++-aarch64-linux-gnu qemu-user                # the plugin for boards
  dpkg-dev file                                  # Debian packages: what they depend on
  doxygen                                        # the reference of the SDK
  chromium                                       # the report in a browser
  qemu-system-x86 busybox-static cpio kmod       # a machine with USB on both ends, emulated
)

packages=("${build[@]}" "${demo[@]}")
case $what in
  demo) ;;
  test) packages+=("${test[@]}")
        # Only to fetch ONNX Runtime's package; a machine with another Node.js keeps that.
        command -v npm >/dev/null || packages+=(npm)
        # Plugins in Rust; a machine with another toolchain keeps that.
        command -v cargo >/dev/null && command -v rustc >/dev/null || packages+=(rustc cargo) ;;
  *) echo "usage: ci/setup.sh [demo|test]" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  echo "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
[ "$what" != test ] || "$(dirname "$0")/kernel.sh"
