#!/bin/sh
# Keeps one machine: mounts its root file system, boots it, boots it again when it rebooted itself. Runs without the
# control plane, in a mount namespace of its own that takes the mount along when it ends.
#
#   supervisor.sh CGROUP LOWER_DIRECTORIES MACHINE_DIRECTORY PORT COMMAND [ARGUMENT …]
set -u
cgroup=$1 lower=$2 directory=$3 port=$4
shift 4

# systemd-nspawn ends so when the machine asked for a reboot.
reboot_status=133

echo $$ >"$cgroup/keeper/cgroup.procs" || exit 1
# The control plane goes before its machines, which would inherit its priority.
renice -n 0 -p $$ >/dev/null || exit 1
mount -t overlay overlay \
  -o "lowerdir=$lower,upperdir=$directory/upper,workdir=$directory/work" "$directory/root" || exit 1

while :; do
  # Each boot logs anew: what a machine says on its console is short, its journal is inside.
  sh -c 'echo $$ >"$1/machine/cgroup.procs" && shift && exec "$@"' boot "$cgroup" "$@" \
    >"$directory/console.log" 2>&1 </dev/null
  status=$?
  [ "$status" -eq "$reboot_status" ] || break
done
# What ran in the machine does not end by itself when systemd-nspawn is killed.
echo 1 >"$cgroup/machine/cgroup.kill"
# A machine that is off is silent on the network.
ip link set dev "$port" down
# 0: it powered itself off. No file: it was killed.
echo "$status" >"$directory/exit"
