#!/bin/sh
# Whether an image is a node's: what has to be there is there, and what must not be is not.
#
#   check.sh [VERSION…]
set -eu
[ $# -gt 0 ] || set -- 16 17 18
# Agents before it do not hand parameters of commands on as variables.
agent_min=3.3.2746.0

fail() {
  echo "$1" >&2
  exit 1
}

for program in patroni etcd etcdctl haproxy pgbouncer pgbackrest node prometheus-node-exporter \
  prometheus-postgres-exporter prometheus-pgbouncer-exporter; do
  command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || fail "$program is not installed"
done
for version; do
  [ -x "/usr/lib/postgresql/$version/bin/postgres" ] || fail "PostgreSQL $version is not installed"
  [ -e "/usr/share/postgresql/$version/extension/vector.control" ] || fail "pgvector of $version is not installed"
  [ ! -d "/var/lib/postgresql/$version/main" ] || fail "PostgreSQL $version has a cluster that nobody asked for"
done
[ -x /usr/lib/pgherd/run ] || fail "the loader of the node program is not there"
[ -s /usr/lib/pgherd/manifest.json ] || fail "the manifest is not there"
agent=$(dpkg-query --show --showformat='${Version}' amazon-ssm-agent 2>/dev/null) || fail "the SSM agent is not installed"
dpkg --compare-versions "$agent" ge "$agent_min" || fail "the SSM agent is $agent, and commands need $agent_min"
systemctl is-enabled --quiet amazon-ssm-agent.service || fail "the SSM agent does not start by itself"
for unit in postgresql.service patroni.service etcd.service haproxy.service pgbouncer.service; do
  ! systemctl is-active --quiet "$unit" || fail "$unit runs, and nodes start it when they are configured"
done
for unit in ssh.service ssh.socket; do
  state=$(systemctl is-enabled "$unit" 2>/dev/null) || true
  [ "$state" = masked ] || fail "$unit is ${state:-unknown}, and nobody is to log in"
done
echo "the image is a node's: SSM agent $agent"
