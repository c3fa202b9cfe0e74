#!/bin/sh
# guest_run.sh <folder>: runs test_usb_guest in the guest, as root of a machine with a udev daemon.
set -eu
. "$1/environment"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run/tmp HOME=/run XDG_RUNTIME_DIR=/run/user
mkdir -p "$TMPDIR" /run/udev/rules.d
mkdir -m 700 "$XDG_RUNTIME_DIR"
read -r uptime _ </proc/uptime
echo "guest: kernel $(uname -r), up for $uptime s"

# The group that a package makes.
cp /etc/group /run/group
grep -q '^adze:' /run/group || echo 'adze:x:4242:' >>/run/group
mount --bind /run/group /etc/group
# As installed, but nothing is: rules, and udevd, which is udevadm by another name.
cp "$ADZE_KERNEL/udev/50-udev-default.rules" "$ADZE_SOURCE_DIR/hil/link/usb/70-adze.rules" /run/udev/rules.d/
ln -s "$ADZE_KERNEL/udev/udevadm" /run/systemd-udevd
/run/systemd-udevd --daemon
exec "$ADZE_BINARY_DIR/tests/test_usb_guest"
