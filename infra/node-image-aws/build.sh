#!/bin/sh
# Makes a node's image of Debian's own: the recipe of all nodes, the node program's loader, and what only nodes on AWS
# have. Runs as root on the machine that the AMI is taken from.
#
#   build.sh RECIPE_DIRECTORY LOADER
#
# RECIPE_DIRECTORY is infra/node-image; this script's own directory has packages.txt.
set -eu
recipe=$1 loader=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# A machine that has just booted may still be installing something of its own. 2 says that something went wrong which
# cloud-init got over, such as a setting that it will not know for long: https://docs.cloud-init.io/en/latest/explanation/failure_states.html
wait_for_boot() {
  command -v cloud-init >/dev/null || return 0
  status=0
  cloud-init status --wait --long >/var/tmp/pgherd-boot.txt || status=$?
  [ "$status" = 0 ] || cat /var/tmp/pgherd-boot.txt >&2
  rm -f /var/tmp/pgherd-boot.txt
  case $status in
    0 | 2) ;;
    *)
      echo "the machine did not come up as it should: cloud-init status $status" >&2
      exit 1
      ;;
  esac
}

# Debian's own versions stay: the archive of the PostgreSQL project is asked for what Debian does not have.
add_archive() {
  apt-get update
  apt-get install --yes --no-install-recommends postgresql-common ca-certificates
  # shellcheck source=/dev/null # the machine's own
  . /etc/os-release
  key=/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc
  [ -s "$key" ] || { echo "postgresql-common has no key of apt.postgresql.org" >&2; exit 1; }
  echo "deb [signed-by=$key] https://apt.postgresql.org/pub/repos/apt $VERSION_CODENAME-pgdg main" \
    >/etc/apt/sources.list.d/pgdg.list
  printf 'Package: *\nPin: origin apt.postgresql.org\nPin-Priority: 100\n' >/etc/apt/preferences.d/pgdg
  apt-get update
}

install_other_versions() {
  wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/packages.txt" | awk '{ print $1 "=" $2 }')
  # No cluster of its own, no service: as in the recipe.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
  # shellcheck disable=SC2086 # one argument per package
  apt-get install --yes --no-install-recommends $wanted
  rm -f /usr/sbin/policy-rc.d
}

write_manifest() {
  {
    printf '{\n'
    dpkg-query --show --showformat='  "${binary:Package}": "${Version}",\n' | sed '$ s/,$//'
    printf '}\n'
  } >/usr/lib/pgherd/manifest.json
}

wait_for_boot
sh "$recipe/install.sh"
add_archive
install_other_versions
apt-get clean
rm -rf /var/lib/apt/lists/*
install -D -m 0755 "$loader" /usr/lib/pgherd/run
write_manifest
# Commands come through the SSM agent; nobody logs in. What is masked does not start, enabled or not.
systemctl mask ssh.service ssh.socket
