/** Where things are on a node. */
export const nodePaths = {
  /** The data volume: everything that outlives an instance. */
  data: "/var/lib/pgherd/data",
  etcdData: "/var/lib/pgherd/data/etcd",
  postgresParent: "/var/lib/pgherd/data/postgres",
  postgresData: "/var/lib/pgherd/data/postgres/17",
  postgresBin: "/usr/lib/postgresql/17/bin",
  postgresSocket: "/run/postgresql",
  poolerSocket: "/run/pgbouncer",
  proxySocket: "/run/haproxy/admin.sock",
  /** Where the front of the node's metrics waits, and the exporters behind it; only HAProxy's user may knock. */
  metricsFront: "/run/pgherd-metrics/front.sock",
  exporters: "/run/pgherd-exporters",
  /** What pgBackRest keeps on the node: locks, and which segments are archived. */
  backup: "/var/lib/pgherd/backup",
  backupSpool: "/var/lib/pgherd/backup/spool",
  backupLocks: "/var/lib/pgherd/backup/lock",
  /** What a logical backup has on the node while it is taken: little, see layers/node/logical. */
  logicalSpool: "/var/lib/pgherd/backup/logical",
  /** What it has there while a database is loaded: the whole of its dump, on the volume that has room for the database. */
  logicalLoads: "/var/lib/pgherd/data/logical",
  configuration: "/etc/pgherd",
  units: "/etc/systemd/system",
  /** The node's own key; services get copies. */
  key: "/var/lib/pgherd/tls/node.key",
  /** Made by `renew-key`, until a certificate for it arrives. */
  nextKey: "/var/lib/pgherd/tls/next.key",
  /** What configure was told last (no secrets): observe finds its peers here. */
  intent: "/var/lib/pgherd/intent.json",
  /** The start wrapper's word on how it started Patroni; gone when Patroni is. */
  wrapperReport: "/run/patroni/wrapper",
  /** Answers of finished commands. */
  finished: "/var/lib/pgherd/finished",
  programs: "/var/lib/pgherd/programs",
  /** The program that the node's own units run: a link to the one that configured the node last. */
  ownProgram: "/var/lib/pgherd/pgherd-node.cjs",
  /** Patroni's start wrapper asks here before a planned step down. */
  stepDownSocket: "/run/pgherd/step-down.sock",
  /** Until when the guard knows PostgreSQL safe. */
  guardMark: "/run/pgherd-guard/safe-until",
  /** Every process of Patroni and its PostgreSQL, also of one whose Patroni is gone. */
  patroniProcesses: "/sys/fs/cgroup/system.slice/patroni.service/cgroup.procs",
} as const;

/** Who owns a copy of the node's key, certificate and the cluster's CA certificate. */
export type TlsOwner = "etcd" | "postgres" | "haproxy" | "pgbouncer";

export interface TlsFiles {
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
  /** Certificate, then key, in one file: HAProxy reads them so. */
  readonly bundle: string;
}

export function tlsFiles(owner: TlsOwner): TlsFiles {
  const directory = `${nodePaths.configuration}/tls/${owner}`;
  return {
    key: `${directory}/node.key`,
    certificate: `${directory}/node.crt`,
    authority: `${directory}/ca.crt`,
    bundle: `${directory}/node.pem`,
  };
}

export const configurationFiles = {
  etcd: `${nodePaths.configuration}/etcd.yaml`,
  patroni: `${nodePaths.configuration}/patroni.yaml`,
  guard: `${nodePaths.configuration}/guard.json`,
  patroniWrapper: `${nodePaths.configuration}/patroni-wrapper.py`,
  archiveMender: `${nodePaths.configuration}/archive-mender.py`,
  /** The repository that a new cluster's data comes from; it is only read. */
  restore: `${nodePaths.configuration}/restore.conf`,
  pgbackrest: `${nodePaths.configuration}/pgbackrest.conf`,
  haproxy: `${nodePaths.configuration}/haproxy.cfg`,
  metrics: `${nodePaths.configuration}/metrics.cfg`,
  pgbouncer: `${nodePaths.configuration}/pgbouncer.ini`,
  pgbouncerUsers: `${nodePaths.configuration}/pgbouncer-users.txt`,
} as const;
