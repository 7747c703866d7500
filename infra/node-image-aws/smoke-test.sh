#!/bin/sh
# Boots etcd, Patroni, PostgreSQL and HAProxy once on a machine from the image and asks PostgreSQL through HAProxy, with
# each major version. One member without TLS: whether the programs of the image fit each other, not how nodes are set up.
#
#   smoke-test.sh [VERSION…]
set -eu
scratch=$(mktemp -d /var/tmp/pgherd-smoke.XXXXXX)
# A first boot on a small machine: initdb and a checkpoint on a cold volume.
deadline_seconds=120
started='' patroni=''

stop_all() {
  # shellcheck disable=SC2086 # process ids
  kill $started $patroni 2>/dev/null || true
}
# What has ended will not come up.
check_all() {
  for process in $started $patroni; do
    kill -0 "$process" 2>/dev/null || { echo "a program has ended while $1 was waited for" >&2; exit 1; }
  done
}
# What failed is told before it goes.
finish() {
  status=$?
  [ "$status" = 0 ] || tail -n 40 "$scratch"/*.log >&2 || true
  stop_all
  wait 2>/dev/null || true
  rm -rf "$scratch"
  exit "$status"
}
trap finish EXIT
chmod 0755 "$scratch"

wait_for() {
  what=$1
  shift
  seconds=0
  until "$@" >/dev/null 2>&1; do
    check_all "$what"
    seconds=$((seconds + 1))
    [ "$seconds" -lt "$deadline_seconds" ] || { echo "$what did not come up in $deadline_seconds s" >&2; exit 1; }
    sleep 1
  done
}

start_etcd() {
  etcd --data-dir "$scratch/etcd" --name smoke \
    --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
    --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380 \
    --initial-cluster smoke=http://127.0.0.1:12380 >"$scratch/etcd.log" 2>&1 &
  started="$started $!"
  wait_for etcd etcdctl --endpoints http://127.0.0.1:12379 endpoint health
}

start_patroni() {
  version=$1
  install -d -o postgres -g postgres -m 0700 "$scratch/data-$version"
  cat >"$scratch/patroni-$version.yml" <<EOF
scope: smoke-$version
name: smoke
restapi: { listen: "127.0.0.1:18008", connect_address: "127.0.0.1:18008" }
etcd3: { host: "127.0.0.1:12379" }
bootstrap:
  dcs: {}
  initdb: [{ encoding: UTF8 }, data-checksums]
postgresql:
  listen: 127.0.0.1:15432
  connect_address: 127.0.0.1:15432
  data_dir: $scratch/data-$version/data
  bin_dir: /usr/lib/postgresql/$version/bin
  pgpass: $scratch/data-$version/pgpass
  parameters: { unix_socket_directories: "$scratch/data-$version" }
  authentication: { superuser: { username: postgres }, replication: { username: postgres } }
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
EOF
  chmod 0644 "$scratch/patroni-$version.yml"
  # In place of itself, so that the process that is stopped is Patroni.
  setpriv --reuid postgres --regid postgres --init-groups --reset-env -- \
    patroni "$scratch/patroni-$version.yml" >"$scratch/patroni-$version.log" 2>&1 &
  patroni=$!
  wait_for "Patroni with PostgreSQL $version" leads
}

# Patroni answers 200 to its leader alone.
leads() {
  node -e 'fetch("http://127.0.0.1:18008/primary").then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))'
}

start_haproxy() {
  cat >"$scratch/haproxy.cfg" <<'EOF'
defaults
  mode tcp
  timeout connect 1s
  timeout client 10s
  timeout server 10s
listen leader
  bind 127.0.0.1:15000
  option httpchk OPTIONS /primary
  server smoke 127.0.0.1:15432 check port 18008 inter 500ms
EOF
  haproxy -db -f "$scratch/haproxy.cfg" >"$scratch/haproxy.log" 2>&1 &
  started="$started $!"
}

# As a client that comes through the proxy: the server says which version it is.
asked() {
  [ "$(/usr/lib/postgresql/"$1"/bin/psql -h 127.0.0.1 -p 15000 -U postgres -d postgres -Atc 'SHOW server_version_num' |
    cut -c1-2)" = "$1" ]
}

[ $# -gt 0 ] || set -- 16 17 18
start_etcd
start_haproxy
for version; do
  start_patroni "$version"
  wait_for "PostgreSQL $version through HAProxy" asked "$version"
  kill "$patroni"
  wait "$patroni" || true
  patroni=''
  echo "PostgreSQL $version, Patroni, etcd and HAProxy work together"
done
