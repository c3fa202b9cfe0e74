#!/usr/bin/env bash
# guest.sh <source> <build> high|super [<filter>]: boots Debian's kernel under QEMU, without KVM and
# without root, shares this machine's files with it (read only), and runs test_usb_guest there.
set -euo pipefail
source=$1 build=$2 speed=$3 filter=${4:-Usb.*}
here=$(cd "$(dirname "$0")" && pwd)
kernel=$source/build/kernel

skip() {
  echo "$*: ci/setup.sh test"
  [ -n "${CI:-}" ] && exit 1 || exit 77
}
for tool in qemu-system-x86_64 busybox cpio; do
  command -v "$tool" >/dev/null || skip "$tool is missing"
done
[ "$(uname -m)" = x86_64 ] || { echo "the guest shares this machine's programs, and has an amd64 kernel"; exit 77; }
[ -f "$kernel/complete" ] || skip "there is no kernel in $kernel"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/root/{bin,lib,proc,sys,dev,host}
cp "$(command -v busybox)" "$work/root/bin/busybox"
cp -r "$kernel/modules" "$work/root/lib/modules"
install -m 755 "$here/guest_init.sh" "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1 >"$work/initrd.gz")

ADZE_GUEST_FILES=$work ADZE_BINARY_DIR=$build "$build/tests/test_usb_guest" --gtest_filter='Bundles.*' >"$work/log" ||
  { cat "$work/log"; exit 1; }

# What the guest's script is told; it has no command line of its own.
printf '%s\n' "export ADZE_SOURCE_DIR='$source' ADZE_BINARY_DIR='$build' ADZE_GUEST_SPEED=$speed" \
  "export ADZE_KERNEL='$kernel' GTEST_FILTER='$filter' GTEST_COLOR=no ADZE_GUEST_FILES='$work' ${ADZE_FLASH_SHARE:+ADZE_FLASH_SHARE=$ADZE_FLASH_SHARE}" >"$work/environment"
# The host's files come with their users; those that are root's here are root's there.
timeout 880 qemu-system-x86_64 -M pc -accel tcg,thread=multi -smp 2 -cpu max -m 1536 \
  -display none -nodefaults -no-user-config -serial stdio -monitor none -no-reboot \
  -kernel "$kernel/vmlinux" -initrd "$work/initrd.gz" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
  -append "console=ttyS0 quiet panic=-1 adze_speed=$speed adze_work=$work adze_script=$here/guest_run.sh" \
  </dev/null | tee "$work/log" || { echo "the guest did not end by itself"; exit 1; }
grep -q '^guest: the tests ended with 0' "$work/log"
