#!/bin/sh
# Makes a machine ready for pgherd's commands and runs one: system packages, npm packages, then the command itself with
# the Node.js that npm brought. Everything is done only when it is missing and can be interrupted anywhere.
#
#   bootstrap.sh start|stop|…    a command of local/main.ts
#   bootstrap.sh run FILE …      another program of ours, such as the tests
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
state=${PGHERD_STATE_DIR:-/var/lib/pgherd/local}
cache=${PGHERD_CACHE_DIR:-/var/cache/pgherd}

# Three nodes take one gigabyte, the control plane half of one, the image build and the page cache the rest.
memory_min_mib=3072
# The node image and its build take two gigabytes, three nodes with a little data the rest.
disk_min_mib=6144

refuse() {
  printf 'pgherd: %s\n' "$1" >&2
  exit 1
}

# The free space where a directory is or will be.
free_mib() {
  directory=$1
  while [ ! -d "$directory" ]; do directory=$(dirname "$directory"); done
  df -Pm "$directory" | awk 'NR == 2 { print $4 }'
}

check_machine() {
  [ "$(uname -s)" = Linux ] || refuse "the local environment needs Linux, and this is $(uname -s)."
  case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) refuse "the local environment needs an x86_64 or aarch64 machine, and this is $(uname -m)." ;;
  esac
  [ "$(id -u)" = 0 ] || refuse "the local environment boots machines, which only root may do: run it with sudo."
  system=$(sed -n 's/^ID=//p; s/^ID_LIKE=//p' /etc/os-release 2>/dev/null | tr -d '"' | tr '\n' ' ')
  case " $system " in
    *" debian "* | *" ubuntu "*) ;;
    *) refuse "the local environment needs Debian 12, 13 or Ubuntu, and this is ${system:-an unknown system}." ;;
  esac
  # What is set up already has the space it needs.
  [ -e "$state/settings.json" ] && return 0
  memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
  [ "$memory" -ge "$memory_min_mib" ] ||
    refuse "the local environment needs 3 GB of memory, and this machine has $memory MiB."
  for directory in "$state" "$cache"; do
    free=$(free_mib "$directory")
    [ "$free" -ge "$disk_min_mib" ] ||
      refuse "the local environment needs 6 GB of disk for $directory, and $free MiB are free: make room, or name another place with PGHERD_STATE_DIR and PGHERD_CACHE_DIR."
  done
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Ubuntu 22.04's default Java is too old for DynamoDB Local.
java_package() {
  if [ "$(sed -n 's/^VERSION_ID=//p' /etc/os-release | tr -d '"')" = 22.04 ]; then
    echo openjdk-17-jre-headless
  else
    echo default-jre-headless
  fi
}

install_system_packages() {
  wanted="postgresql-client $(sed 's/#.*//' "$root"/local/*/system-packages.txt)"
  missing=
  for package in $wanted; do
    case "$package" in
      default-jre-headless)
        command -v java >/dev/null && continue
        package=$(java_package)
        ;;
      maven) command -v mvn >/dev/null && continue ;;
      postgresql-client) command -v psql >/dev/null && continue ;;
    esac
    is_installed "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "installing system packages:$missing" >&2
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # a list of package names
  if ! { apt-get update -q && apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    refuse "the system packages could not be installed: apt-get says why above; repeat the command when that is mended."
  fi
  rm -f "$log"
}

install_npm_packages() {
  stamp="$root/node_modules/.pgherd-installed"
  lock=$(cksum <"$root/package-lock.json")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ]; then return 0; fi
  echo "installing npm packages" >&2
  # Nothing that we use needs an install script, so none is run.
  (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
    refuse "the npm packages could not be installed: npm says why above; repeat the command when that is mended."
  printf '%s\n' "$lock" >"$stamp"
}

check_machine
install_system_packages
install_npm_packages

if [ "${1:-}" = run ]; then
  shift
  program=$root/$1
  shift
else
  program=$root/local/main.ts
fi
exec "$root/infra/node.sh" --disable-warning=ExperimentalWarning "$program" "$@"
