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
command=${1:-help}

# Three nodes take one gigabyte, the control plane half of one, the image build and the page cache the rest.
memory_min_mib=2861 # 3 GB
# The node image and its build take two gigabytes, three nodes with a little data the rest.
disk_min_mib=5722 # 6 GB
# Another command that installs the same packages is waited for as long as the slowest line takes.
install_timeout_seconds=1800
java_version_min=17

say() {
  printf '%s\n' "$1" >&2
}

refuse() {
  say "pgherd: $1"
  exit 1
}

# A field of the system's description of itself.
system_field() {
  sed -n "s/^$1=//p" /etc/os-release 2>/dev/null | tr -d '"'
}

# The free space where a directory is or will be.
free_mib() {
  directory=$1
  while [ ! -d "$directory" ]; do directory=$(dirname "$directory"); done
  df -Pm "$directory" | awk 'NR == 2 { print $4 }'
}

check_system() {
  [ "$(uname -s)" = Linux ] || refuse "the local environment needs Linux, and this is $(uname -s)."
  case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) refuse "the local environment needs an x86_64 or aarch64 machine, and this is $(uname -m)." ;;
  esac
  name=$(system_field PRETTY_NAME)
  version=$(system_field VERSION_ID)
  case "$(system_field ID)" in
    # Debian's coming release has no number yet.
    debian) oldest=12 version=${version:-99} ;;
    ubuntu) oldest=22 ;;
    *) refuse "the local environment needs Debian 12 or later or Ubuntu 22.04 or later, and this is ${name:-an unknown system}." ;;
  esac
  [ "${version%%.*}" -ge "$oldest" ] ||
    refuse "the local environment needs Debian 12 or later or Ubuntu 22.04 or later, and this is $name."
  [ "$(id -u)" = 0 ] || refuse "the local environment boots machines, which only root may do: run it with sudo."
}

# What a machine needs to be able to boot others. Asked before anything is installed or written.
check_capacity() {
  [ -e /sys/fs/cgroup/cgroup.controllers ] || [ -e /sys/fs/cgroup/unified/cgroup.controllers ] ||
    refuse "this system has no unified control group hierarchy: boot it with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 on /sys/fs/cgroup/unified."
  unshare --mount --net true 2>/dev/null ||
    refuse "this system lets root make no namespaces, as in a container without privileges: take a virtual machine or a privileged container."
  memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
  [ "$memory" -ge "$memory_min_mib" ] ||
    refuse "the local environment needs 3 GB of memory, and this machine has $memory MiB: give it more."
  for directory in "$state" "$cache"; do
    free=$(free_mib "$directory")
    [ "$free" -ge "$disk_min_mib" ] ||
      refuse "the local environment needs 6 GB of disk for $directory, and $free MiB are free: make room, or name another place with PGHERD_STATE_DIR and PGHERD_CACHE_DIR."
  done
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_java() {
  command -v java >/dev/null || return 1
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge "$java_version_min" ]
}

# Ubuntu 22.04's default Java is too old for DynamoDB Local.
java_package() {
  if [ "$(system_field VERSION_ID)" = 22.04 ]; then echo openjdk-17-jre-headless; else echo default-jre-headless; fi
}

missing_system_packages() {
  set -- "$root"/local/*/system-packages.txt
  # The tests use checkers that no environment needs.
  [ "$command" != run ] || set -- "$@" "$root/test/system-packages.txt"
  for package in postgresql-client $(sed 's/#.*//' "$@"); do
    case "$package" in
      default-jre-headless) has_java || java_package ;;
      maven) command -v mvn >/dev/null || echo maven ;;
      python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv ;;
      postgresql-client) command -v psql >/dev/null || echo postgresql-client ;;
      *) is_installed "$package" || echo "$package" ;;
    esac
  done
}

run_apt() {
  export DEBIAN_FRONTEND=noninteractive
  # An installation that was interrupted is completed first.
  dpkg --configure -a
  # A source that does not answer matters only when it has what we need.
  apt-get update -q || true
  # shellcheck disable=SC2086 # a list of package names
  apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 $1
}

install_system_packages() {
  missing=$(missing_system_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  say "installing system packages: $missing"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  (run_apt "$missing" || echo "@failed") 2>&1 </dev/null 9<&- | tee "$log" |
    awk '/^(Get:|Unpacking |Setting up )/ && ++n % 25 == 0 { print "  system packages: " n " steps done"; fflush() }' >&2
  if [ "$(tail -n 1 "$log")" = "@failed" ]; then
    sed '$d' "$log" | tail -n 20 >&2
    refuse "the system packages could not be installed: apt-get says why above; repeat the command when that is mended."
  fi
  rm -f "$log"
  trap - EXIT
}

install_npm_packages() {
  stamp="$root/node_modules/.pgherd-installed"
  lock=$(cksum <"$root/package-lock.json")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ]; then return 0; fi
  say "installing npm packages"
  rm -f "$stamp"
  # Nothing that we use needs an install script, so none is run. Building takes the development packages everywhere.
  (cd "$root" &&
    npm ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund --loglevel=error </dev/null >&2) ||
    refuse "the npm packages could not be installed: npm says why above; repeat the command when that is mended."
  printf '%s\n' "$lock" >"$stamp"
}

# One at a time in a checkout: npm ci begins by removing what another one has just installed.
install_packages() {
  exec 9<"$root/package-lock.json"
  if ! flock -w 2 9; then
    say "waiting for another command that installs packages"
    flock -w "$install_timeout_seconds" 9 ||
      refuse "another command has been installing packages for too long: end it, and repeat this one."
  fi
  [ "$1" = npm ] || install_system_packages
  install_npm_packages
  exec 9<&-
}

# A command about an environment that there is needs nothing installed where there is none.
check_environment() {
  [ ! -e "$state/settings.json" ] || return 0
  [ "$command" = destroy ] || refuse "there is no environment in $state: npm start makes one."
  [ -e "$state" ] || {
    echo "nothing of $state is left: there was no environment"
    exit 0
  }
}

case " $* " in
  "  " | " help "* | *" --help "*)
    if [ "$command" != run ] && [ "$command" != psql ]; then
      cat "$root/local/help.txt"
      exit 0
    fi
    ;;
esac
check_system
case "$command" in
  start | run)
    # What is set up already has what it needs.
    [ -e "$state/settings.json" ] || check_capacity
    install_packages all
    ;;
  *)
    check_environment
    # Stopping and destroying must not need a network: any installation will do.
    [ -f "$root/node_modules/.pgherd-installed" ] || install_packages npm
    ;;
esac

program=$root/local/main.ts
if [ "$command" = run ]; then
  program=$root/$2
  shift 2
fi
exec "$root/infra/node.sh" --disable-warning=ExperimentalWarning "$program" "$@"
