#!/usr/bin/env bash
# Fetches Debian's kernel and udev, for the guests of the tests in QEMU, and unpacks what they need
# into build/kernel; nothing is installed. Does nothing when it is there already.
#   vmlinux       unpacked, because decompressing takes an emulated processor seconds
#   modules/      USB on both sides, and the file system shared with the guest; in loading order
#   udev/         udevadm, and the rules that name devices
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/kernel/complete ] && exit 0
rm -rf build/kernel
mkdir -p build/kernel/modules build/kernel/udev
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

fetch() {
  kernel=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}')
  [ -n "$kernel" ] && (cd "$work" && apt-get download -q "$kernel:amd64" udev:amd64 >/dev/null)
}
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
# Lists of packages may be missing, or older than the kernel's last update.
fetch || { "${as_root[@]}" apt-get update -q; fetch; } || { echo "cannot fetch Debian's kernel" >&2; exit 1; }
echo "fetched $kernel and udev"
dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$work" --wildcards \
  './boot/vmlinuz-*' './lib/modules/*/kernel/drivers/usb/*' './lib/modules/*/kernel/fs/*' \
  './lib/modules/*/kernel/net/9p/*' './lib/modules/*/kernel/drivers/virtio/*'
dpkg-deb --fsys-tarfile "$work"/udev_*.deb | tar -x -C "$work" --wildcards \
  './bin/udevadm' './*lib/udev/rules.d/50-udev-default.rules'
cp "$work/bin/udevadm" "$(find "$work" -name 50-udev-default.rules)" build/kernel/udev/

# add <module>: what it depends on first.
count=0
add() {
  local file dependency
  file=$(find "$work/lib/modules" -name "${1//[-_]/[-_]}.ko*" | head -1)
  [ -n "$file" ] || { echo "$kernel has no module $1" >&2; exit 1; }
  [ -z "$(find build/kernel/modules -name "[0-9][0-9]-${1//-/_}.ko")" ] || return 0
  for dependency in $(/sbin/modinfo -F depends "$file" | tr , ' '); do add "$dependency"; done
  local to=build/kernel/modules/$(printf %02d $count)-${1//-/_}.ko
  count=$((count + 1))
  case $file in *.xz) xz -dc "$file" >"$to" ;; *) cp "$file" "$to" ;; esac
}
for module in virtio_pci 9pnet_virtio 9p configfs usb_f_fs dummy_hcd; do add "$module"; done

/usr/bin/python3 - "$work"/boot/vmlinuz-* build/kernel/vmlinux <<'PYTHON'
import lzma, re, subprocess, sys
image = open(sys.argv[1], "rb").read()
for magic, unpack in ((b"\xfd7zXZ\0", lambda data: lzma.LZMADecompressor().decompress(data)),
                      (b"\x28\xb5\x2f\xfd", lambda data: subprocess.run(
                          ["zstd", "-d", "-c"], input=data, capture_output=True).stdout)):
    for found in re.finditer(re.escape(magic), image):
        try:
            kernel = unpack(image[found.start():])
        except lzma.LZMAError:
            continue
        if kernel[:4] == b"\x7fELF":
            open(sys.argv[2], "wb").write(kernel)
            sys.exit()
sys.exit("there is no kernel in " + sys.argv[1])
PYTHON
touch build/kernel/complete
