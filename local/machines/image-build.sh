#!/bin/sh
# Builds the root file system of the local machines: debootstrap, the node recipe, then what only a container needs.
# Runs in mount and process namespaces of its own, so that nothing stays mounted or running when it is killed.
#
#   image-build.sh RECIPE_DIRECTORY IMAGES_DIRECTORY NAME SUITE [MIRROR [DEBOOTSTRAP_SCRIPT]]
#
# The caller holds the lock of IMAGES_DIRECTORY. IMAGES_DIRECTORY/NAME appears when it is finished, and not before.
# Lines that begin with `@` tell the progress: `@ <percent> <what is happening>`.
set -eu
umask 022
# A directory of the host, which packages would look for inside of the root that they are installed in.
unset TMPDIR
recipe=$1 images=$2 name=$3 suite=$4
shift 4

# Somebody else finished it while we waited for the lock.
[ ! -d "$images/$name" ] || exit 0

# What an interrupted build left.
rm -rf "$images"/building-*
building=$images/building-$name
root=$building/root
mkdir -p "$root"

echo '@ 1 fetching the base system'
debootstrap --variant=minbase --include=systemd,systemd-sysv,ca-certificates "$suite" "$root" "$@"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"

# debootstrap wrote the mirror it used; security updates come from the same place, where it has them.
mirror=$(awk '$1 == "deb" { sub("/$", "", $2); print $2; exit }' "$root/etc/apt/sources.list")
{
  echo "deb $mirror $suite main"
  echo "deb $mirror $suite-updates main"
} >"$root/etc/apt/sources.list"
if chroot "$root" /usr/lib/apt/apt-helper download-file \
  "$mirror-security/dists/$suite-security/InRelease" /root/probe; then
  echo "deb $mirror-security $suite-security main" >>"$root/etc/apt/sources.list"
fi
rm -f "$root/root/probe"

mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
mkdir -p "$root/run/pgherd-recipe"
cp -R "$recipe/." "$root/run/pgherd-recipe/"
chroot "$root" /bin/sh /run/pgherd-recipe/install.sh

echo '@ 97 preparing the tree for machines'
rm -rf "$root/run/pgherd-recipe" "$root/etc/resolv.conf" "$root/etc/hostname"
# Units that mean nothing in a container, or would ask for a console or a network configuration.
for unit in console-getty.service getty@.service serial-getty@.service container-getty@.service getty.target \
  systemd-logind.service systemd-networkd.service systemd-networkd.socket systemd-network-generator.service \
  systemd-pstore.service systemd-udevd.service systemd-hwdb-update.service systemd-firstboot.service \
  systemd-homed-firstboot.service systemd-machine-id-commit.service systemd-ask-password-wall.path \
  systemd-ask-password-console.path systemd-user-sessions.service systemd-binfmt.service \
  systemd-sysext.socket systemd-hostnamed.socket systemd-journal-catalog-update.service systemd-update-utmp.service \
  dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount \
  sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount \
  fstrim.timer logrotate.timer man-db.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
# Where an EC2 instance has its SSM agent, a machine has a mark that it takes commands: from the moment that devices
# and directories are there until it goes down. Services may still be starting.
cat >"$root/etc/systemd/system/pgherd-online.service" <<'UNIT'
[Unit]
Description=Takes commands
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/touch /run/pgherd-online
ExecStop=/bin/rm -f /run/pgherd-online
[Install]
WantedBy=multi-user.target
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../pgherd-online.service "$root/etc/systemd/system/multi-user.target.wants/pgherd-online.service"
# Each machine writes its own.
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
rm -rf "$root/var/log/journal"
mkdir -p "$root/var/log/journal" "$root/etc/pgherd" "$root/var/lib/pgherd"
# "Updated since /usr changed": saves every first boot ldconfig, sysusers and the catalogue.
touch -r "$root/usr" "$root/etc/.updated" "$root/var/.updated"
cp "$root/usr/lib/pgherd/manifest.json" "$building/manifest.json"
umount "$root/proc" "$root/dev"
sync -f "$root"
mv "$building" "$images/$name"
