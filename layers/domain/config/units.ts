import { nodePorts } from "../cluster/node-ports.ts";
import { configurationFiles, nodePaths } from "./paths.ts";

/** systemd units of a node. The names are those that the packages use, so that people find them. */

/** A service that falls over is up again at once, however often. */
const restart = `Restart=always
RestartSec=1`;
const neverGiveUp = "StartLimitIntervalSec=0";

/** Each service sees a system that it cannot change, apart from the paths that it owns. */
export const hardening = `NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077`;

const filesMax = 65_536;
/** The kernel takes PostgreSQL's backends (0) and everything else before the processes that keep the node going. */
const oomScore = -800;

export function header(description: string, lines: readonly string[]): string {
  return [
    "[Unit]",
    `Description=${description}`,
    "After=network-online.target",
    "Wants=network-online.target",
    neverGiveUp,
    ...lines,
  ].join("\n");
}

export const install = "[Install]\nWantedBy=multi-user.target\n";

/** Link that udev makes for an EBS volume on a Nitro instance. */
export function volumeDevice(volumeId: string): string {
  return `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volumeId.replace("-", "")}`;
}

export const volumeUnit = "pgherd-volume.service";
/** systemd asks for this name for a mount at {@link nodePaths.data}. */
export const mountUnit = "var-lib-pgherd-data.mount";

/** A volume can be attached some time after the machine has booted: without this the mount would fail for good. */
export function renderVolumeUnit(volumeId: string): string {
  return `[Unit]
Description=Data volume ${volumeId}
DefaultDependencies=no
After=local-fs-pre.target
Before=umount.target
Conflicts=umount.target

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'until [ -b ${volumeDevice(volumeId)} ]; do sleep 0.1; done'
`;
}

export function renderMountUnit(volumeId: string): string {
  return `[Unit]
Description=Data of PostgreSQL and etcd
Requires=${volumeUnit}
After=${volumeUnit}

[Mount]
What=${volumeDevice(volumeId)}
Where=${nodePaths.data}
Options=noatime,nodev,nosuid

${install}`;
}

export function renderEtcdUnit(): string {
  return `${header("etcd, the DCS of this cluster", [`RequiresMountsFor=${nodePaths.data}`])}

[Service]
Type=notify
User=etcd
ExecStart=/usr/bin/etcd --config-file ${configurationFiles.etcd}
${restart}
# Ready means that a majority is there, and that may take as long as it takes.
TimeoutStartSec=infinity
TimeoutStopSec=10
LimitNOFILE=${filesMax}
OOMScoreAdjust=${oomScore}
ReadWritePaths=${nodePaths.etcdData}
${hardening}

${install}`;
}

/** `wrapper`: Patroni starts under our script (patroni-wrapper.ts). */
export function renderPatroniUnit(wrapper: boolean): string {
  const program = wrapper ? `/usr/bin/python3 ${configurationFiles.patroniWrapper}` : "/usr/bin/patroni";
  return `${header("Patroni and PostgreSQL", ["After=etcd.service", `RequiresMountsFor=${nodePaths.data}`])}

[Service]
Type=simple
User=postgres
ExecStart=${program} ${configurationFiles.patroni}
SyslogIdentifier=patroni
ExecReload=/bin/kill -HUP $MAINPID
# Patroni stops PostgreSQL itself; when Patroni dies, PostgreSQL goes on and the next Patroni finds it.
KillMode=process
${restart}
TimeoutStopSec=60
LimitNOFILE=${filesMax}
OOMScoreAdjust=${oomScore}
Environment=PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj PG_OOM_ADJUST_VALUE=0
Environment=PYTHONDONTWRITEBYTECODE=1
RuntimeDirectory=patroni
RuntimeDirectoryMode=0700
ReadWritePaths=${nodePaths.postgresParent} ${nodePaths.postgresSocket} -${nodePaths.backup}
${hardening}

${install}`;
}

export function renderHaproxyUnit(): string {
  return `${header("HAProxy, the way to the leader and the replicas", [])}

[Service]
Type=notify
User=haproxy
ExecStartPre=/usr/sbin/haproxy -Ws -f ${configurationFiles.haproxy} -c -q
ExecStart=/usr/sbin/haproxy -Ws -f ${configurationFiles.haproxy} -p /run/haproxy/haproxy.pid
ExecReload=/usr/sbin/haproxy -Ws -f ${configurationFiles.haproxy} -c -q
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
${restart}
TimeoutStopSec=5
LimitNOFILE=${filesMax}
OOMScoreAdjust=${oomScore}
RuntimeDirectory=haproxy
# The gate is of this group, for the socket alone.
RuntimeDirectoryMode=0750
${hardening}

${install}`;
}

/** A transaction that is still running then is cut: whoever stops the pooler waits for it. */
const drainSecondsMax = 60;

export function renderPgbouncerUnit(): string {
  return `${header(`PgBouncer, the pooled way to the leader (port ${nodePorts.pooled})`, ["After=haproxy.service"])}

[Service]
Type=notify
User=pgbouncer
ExecStart=/usr/sbin/pgbouncer ${configurationFiles.pgbouncer}
ExecReload=/bin/kill -HUP $MAINPID
# Takes no new clients and closes each connection it has between two transactions.
KillSignal=SIGINT
${restart}
TimeoutStopSec=${drainSecondsMax}
LimitNOFILE=${filesMax}
OOMScoreAdjust=${oomScore}
RuntimeDirectory=pgbouncer
RuntimeDirectoryMode=0700
${hardening}

${install}`;
}
