#!/bin/sh
# A layer over the node image with the tools that the bench compares pgherd with, all from Debian.
# Runs in mount and process namespaces of its own, so that nothing stays mounted or running when it is killed.
#
#   image-build.sh BASE_ROOT DIRECTORY PACKAGE …
#
# DIRECTORY/root is the layer. The caller renames DIRECTORY when this ended well.
set -eu
umask 022
unset TMPDIR
base=$1 directory=$2
shift 2

mkdir -p "$directory/root" "$directory/work" "$directory/merged"
merged=$directory/merged
mount -t overlay overlay -o "lowerdir=$base,upperdir=$directory/root,workdir=$directory/work" "$merged"
mount --bind /proc "$merged/proc"
mount --bind /dev "$merged/dev"
cp -L /etc/resolv.conf "$merged/etc/resolv.conf"
# What is installed here is started by the bench, never by its installation.
printf '#!/bin/sh\nexit 101\n' >"$merged/usr/sbin/policy-rc.d"
chmod 0755 "$merged/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot "$merged" apt-get update
chroot "$merged" apt-get install --yes --no-install-recommends --option Dpkg::Options::=--force-unsafe-io "$@"
for unit in repmgrd.service ssh.service ssh.socket; do
  chroot "$merged" systemctl disable "$unit" >/dev/null 2>&1 || true
done
chroot "$merged" apt-get clean
# Keys belong to one machine, not to an image.
rm -f "$merged"/etc/ssh/ssh_host_*
rm -rf "$merged"/var/lib/apt/lists/* "$merged/usr/sbin/policy-rc.d" "$merged/etc/resolv.conf"
# shellcheck disable=SC2016 # dpkg-query fills them in
chroot "$merged" dpkg-query --show --showformat='${binary:Package} ${Version}\n' "$@" patroni >"$directory/versions"
# A younger /usr than the base's would make every first boot rebuild the linker's cache.
touch -r "$base/usr" "$merged/usr" "$merged/etc/.updated" "$merged/var/.updated"
umount "$merged/proc" "$merged/dev" "$merged"
rm -rf "$directory/work" "$merged"
