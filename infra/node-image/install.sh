#!/bin/sh
# Turns a Debian 13 system into a node of pgherd: the packages of packages.txt, their own services off, no
# ready-made PostgreSQL cluster, no secret. Runs as root inside the system: locally in a tree made by debootstrap,
# on AWS on the machine that the AMI is taken from. Can be repeated.
#
# Lines that begin with `@` tell the progress: `@ <percent> <what is happening>`.
set -eu

recipe=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# Services are started by the node program when the node is configured, never by a package's installation.
refuse_services() {
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
}

name_what_is_missing() {
  missing=''
  for package in "$@"; do
    if ! apt-get install --simulate "$package" >/dev/null 2>&1; then
      missing="$missing $package"
    fi
  done
  echo "The Debian archive does not offer these versions:${missing:- (all, but not together)}." >&2
  echo "Test pgherd with the versions it offers now and change infra/node-image/packages.txt." >&2
  exit 3
}

install_packages() {
  wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$recipe/packages.txt" | awk '{ print $1 "=" $2 }')
  # shellcheck disable=SC2086 # one argument per package
  if ! apt-get install --simulate $wanted >/dev/null 2>&1; then
    name_what_is_missing $wanted
  fi
  # shellcheck disable=SC2086 # one argument per package
  apt-get install --yes --option Dpkg::Options::=--force-confold --option Dpkg::Options::=--force-unsafe-io $wanted
}

disable_services() {
  for unit in postgresql.service patroni.service etcd.service haproxy.service pgbouncer.service pgbouncer.socket \
    pgbackrest.service prometheus-node-exporter.service prometheus-pgbouncer-exporter.service \
    prometheus-postgres-exporter.service apt-daily.timer apt-daily-upgrade.timer; do
    systemctl disable "$unit" >/dev/null 2>&1 || true
  done
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service xfs_scrub_all.timer \
    dpkg-db-backup.timer; do
    systemctl mask "$unit" >/dev/null
  done
}

remove_what_no_node_needs() {
  rm -rf /usr/share/man /usr/share/info /usr/share/lintian
  find /usr/share/doc -type f ! -name copyright -delete
  find /usr/share/doc -type l -delete
  find /usr/share/doc -mindepth 1 -type d -empty -delete
  find /usr/share/locale -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
  apt-get clean
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
    /var/log/bootstrap.log /var/log/alternatives.log
  # Keys and ids belong to one machine, not to an image.
  rm -f /etc/ssh/ssh_host_* /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
}

write_manifest() {
  mkdir -p /usr/lib/pgherd
  {
    printf '{\n'
    dpkg-query --show --showformat='  "${binary:Package}": "${Version}",\n' | sed '$ s/,$//'
    printf '}\n'
  } >/usr/lib/pgherd/manifest.json
}

echo '@ 45 reading the package lists'
refuse_services
cp -R "$recipe/files/." /
apt-get update
echo '@ 50 installing PostgreSQL, Patroni, etcd, HAProxy, PgBouncer and pgBackRest'
install_packages
echo '@ 94 switching off what a node does not need'
disable_services
remove_what_no_node_needs
write_manifest
rm -f /usr/sbin/policy-rc.d
