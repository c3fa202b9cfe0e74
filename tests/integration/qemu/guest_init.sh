#!/bin/busybox sh
# The guest's first program: loads modules, mounts the host's files and goes on there.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for word in $(cat /proc/cmdline); do
  case $word in
    adze_speed=*) speed=${word#*=} ;;
    adze_work=*) work=${word#*=} ;;
    adze_script=*) script=${word#*=} ;;
  esac
done
for module in /lib/modules/*.ko; do
  options=
  case $module in
    *dummy_hcd*)
      # Three boards; one more than are tested, for what the bus itself can do.
      options=num=3
      [ "$speed" = super ] && options="num=3 is_super_speed=1" ;;
  esac
  insmod "$module" $options || echo "guest: $module does not load"
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host || poweroff -f
for folder in proc sys dev; do mount --rbind /$folder /host/$folder; done
for folder in run mnt; do mount -t tmpfs tmpfs /host/$folder; done
chroot /host /bin/sh "$script" "$work"
echo "guest: the tests ended with $?"
poweroff -f
