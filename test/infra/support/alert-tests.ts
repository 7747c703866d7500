import { renderYaml, type YamlMapping } from "../../../layers/domain/config/yaml.ts";

/** Rule tests in promtool's form: a cluster of three nodes that is well, and one thing after the other that is not. */

const interval = "15s";
/** Samples of a quarter of an hour. */
const samples = 60;
/** By then everything that lasts is told. */
const evalTime = "10m";

const nodes = ["a", "b", "c"] as const;
type NodeName = (typeof nodes)[number];
type Labels = Readonly<Record<string, string>>;
/** Series → its values in promtool's notation. */
type Values = Readonly<Record<string, string>>;

const steady = (value: number): string => `${value}x${samples}`;
const rising = (from: number, step: number): string => `${from}+${step}x${samples}`;

function series(metric: string, endpoint: string, node: NodeName, labels: Labels = {}): string {
  const target = {
    job: `pgherd-${endpoint}`,
    environment: "prod",
    cluster: "orders",
    cluster_id: "clu_1",
    node,
    shard: "0",
    zone: `zone-${node}`,
    ...labels,
  };
  const list = Object.entries(target).map(([name, value]) => `${name}="${value}"`);
  return `${metric}{${list.join(",")}}`;
}

const up = (endpoint: string, node: NodeName): string => series("up", endpoint, node);
const disk = (metric: string, node: NodeName): string =>
  series(metric, "node", node, { mountpoint: "/var/lib/pgherd/data", fstype: "xfs" });
const patroni = (metric: string, node: NodeName): string =>
  series(metric, "patroni", node, { scope: "clu_1-0", synchronous_standbys: "1" });
const postgres = (metric: string, node: NodeName): string =>
  series(metric, "postgres", node, { server: "/run/postgresql:5432" });
const backends = (node: NodeName, datname: string): string =>
  series("pg_stat_database_numbackends", "postgres", node, { datname });

/** What the API tells. */
function told(metric: string, labels: Labels = {}): string {
  const target = { job: "pgherd-control-plane", instance: "pgherd.example.com", ...labels };
  const list = Object.entries(target).map(([name, value]) => `${name}="${value}"`);
  return `${metric}{${list.join(",")}}`;
}
const ofCluster = (metric: string, labels: Labels = {}): string =>
  told(metric, { environment: "prod", cluster: "orders", cluster_id: "clu_1", ...labels });
const ofEnvironment = (metric: string): string => told(metric, { environment: "prod" });
const finding = (kind: string, labels: Labels = {}): Values => ({
  [ofCluster("pgherd_cluster_finding", { finding: kind, ...labels })]: steady(1),
});
const observed = ofCluster("pgherd_cluster_observed_timestamp_seconds");
const unknown = `_x${samples}`;

const controlPlane: Values = {
  [told("up")]: steady(1),
  [ofEnvironment("pgherd_clusters")]: steady(1),
  [ofEnvironment("pgherd_clusters_left_out")]: steady(0),
  [ofCluster("pgherd_cluster_watched")]: steady(1),
  [observed]: rising(0, 15),
};
const nothingTold: Values = Object.fromEntries(Object.keys(controlPlane).map((one) => [one, unknown]));

const walBytes = 1024 ** 3;

/** `a` leads, `b` is its synchronous standby. */
function well(node: NodeName): Values {
  const is = (other: NodeName): string => steady(node === other ? 1 : 0);
  const isReplica = steady(node === "a" ? 0 : 1);
  const endpoints = ["node", "postgres", "patroni", "etcd", "haproxy", "pgbouncer"];
  return {
    ...Object.fromEntries(endpoints.map((endpoint) => [up(endpoint, node), steady(1)])),
    [disk("node_filesystem_avail_bytes", node)]: steady(50),
    [disk("node_filesystem_size_bytes", node)]: steady(100),
    [series("node_time_seconds", "node", node)]: rising(0, 15),
    [postgres("pg_settings_max_connections", node)]: steady(100),
    [postgres("pg_settings_superuser_reserved_connections", node)]: steady(3),
    [postgres("pg_settings_reserved_connections", node)]: steady(0),
    [postgres("pg_settings_wal_segment_size_bytes", node)]: steady(4 * 1024 ** 2),
    [backends(node, "orders")]: steady(10),
    [backends(node, "postgres")]: steady(1),
    [series("pg_wal_size_bytes", "postgres", node)]: steady(10),
    [postgres("pg_stat_archiver_last_archive_age", node)]: steady(20),
    [postgres("pg_stat_archiver_failed_count", node)]: steady(1),
    [patroni("patroni_primary", node)]: is("a"),
    [patroni("patroni_replica", node)]: isReplica,
    [patroni("patroni_sync_standby", node)]: is("b"),
    [patroni("patroni_quorum_standby", node)]: steady(0),
    [patroni("patroni_postgres_running", node)]: steady(1),
    [patroni("patroni_postgres_streaming", node)]: isReplica,
    [patroni("patroni_xlog_location", node)]: steady(node === "a" ? walBytes : 0),
    [patroni("patroni_xlog_replayed_location", node)]: steady(node === "a" ? 0 : walBytes),
    [series("etcd_server_has_leader", "etcd", node)]: steady(1),
    [series("etcd_mvcc_db_total_size_in_bytes", "etcd", node)]: steady(10),
    [series("etcd_server_quota_backend_bytes", "etcd", node)]: steady(100),
    [series("pgbouncer_up", "pgbouncer", node)]: steady(1),
  };
}

interface Trouble {
  readonly name: string;
  readonly values: Values;
  /** Alert → how many of it; no other may be there. */
  readonly fires: Readonly<Record<string, number>>;
}

const atAll = (seriesOf: (node: NodeName) => string, value: string): Values =>
  Object.fromEntries(nodes.map((node) => [seriesOf(node), value]));
/** A megabyte of WAL with each sample, which every replica follows. */
const writing: Values = {
  [patroni("patroni_xlog_location", "a")]: rising(walBytes, 1024 ** 2),
  [patroni("patroni_xlog_replayed_location", "b")]: rising(walBytes, 1024 ** 2),
  [patroni("patroni_xlog_replayed_location", "c")]: rising(walBytes, 1024 ** 2),
};
const archivedLongAgo: Values = { [postgres("pg_stat_archiver_last_archive_age", "a")]: rising(1_000, 15) };

const troubles: readonly Trouble[] = [
  { name: "all is well", values: {}, fires: {} },
  { name: "a leader writes and archives", values: writing, fires: {} },
  { name: "a leader is idle and has nothing to archive", values: archivedLongAgo, fires: {} },
  {
    name: "no node answers",
    values: atAll((node) => up("node", node), steady(0)),
    fires: { PgherdNoAnswer: 1, PgherdNodeSilent: 3 },
  },
  {
    name: "two etcd members know no leader",
    values: {
      [series("etcd_server_has_leader", "etcd", "b")]: steady(0),
      [series("etcd_server_has_leader", "etcd", "c")]: steady(0),
    },
    fires: { PgherdNoQuorum: 1, PgherdDcsMemberDown: 2 },
  },
  {
    name: "no etcd member answers, and none has told anything",
    values: {
      ...atAll((node) => up("etcd", node), steady(0)),
      ...atAll((node) => series("etcd_server_has_leader", "etcd", node), unknown),
    },
    fires: { PgherdNoQuorum: 1, PgherdDcsMemberDown: 3 },
  },
  {
    name: "nobody leads",
    values: { [patroni("patroni_primary", "a")]: steady(0) },
    fires: { PgherdNoLeader: 1 },
  },
  {
    name: "a role change without a leader for half a minute",
    values: { [patroni("patroni_primary", "a")]: `1x38 0x2 1x${samples}` },
    fires: {},
  },
  { name: "a machine is gone", values: { [up("node", "c")]: steady(0) }, fires: { PgherdNodeSilent: 1 } },
  {
    name: "a replica does not stream",
    values: { [patroni("patroni_postgres_streaming", "c")]: steady(0) },
    fires: { PgherdMemberDown: 1 },
  },
  { name: "Patroni is silent", values: { [up("patroni", "c")]: steady(0) }, fires: { PgherdPatroniDown: 1 } },
  { name: "etcd is silent", values: { [up("etcd", "c")]: steady(0) }, fires: { PgherdDcsMemberDown: 1 } },
  {
    name: "a volume fills up",
    values: { [disk("node_filesystem_avail_bytes", "a")]: steady(15) },
    fires: { PgherdDisk80: 1 },
  },
  {
    name: "a volume is full",
    values: { [disk("node_filesystem_avail_bytes", "a")]: steady(5) },
    fires: { PgherdDisk80: 1, PgherdDisk90: 1 },
  },
  {
    name: "etcd is near its quota",
    values: { [series("etcd_mvcc_db_total_size_in_bytes", "etcd", "b")]: steady(90) },
    fires: { PgherdDcsNearQuota: 1 },
  },
  {
    name: "connections run short",
    values: { [backends("a", "orders")]: steady(90) },
    fires: { PgherdConnectionsShort: 1 },
  },
  {
    name: "no replica is synchronous",
    values: { [patroni("patroni_sync_standby", "b")]: steady(0) },
    fires: { PgherdNotSynchronous: 1 },
  },
  {
    name: "a replica is far behind",
    values: { [patroni("patroni_xlog_replayed_location", "c")]: steady(walBytes / 2) },
    fires: { PgherdMemberLags: 1 },
  },
  { name: "HAProxy is silent", values: { [up("haproxy", "b")]: steady(0) }, fires: { PgherdHaproxyDown: 1 } },
  {
    name: "PgBouncer is down",
    values: { [series("pgbouncer_up", "pgbouncer", "b")]: steady(0) },
    fires: { PgherdPoolerDown: 1 },
  },
  {
    name: "WAL is written and not archived",
    values: { ...writing, ...archivedLongAgo },
    fires: { PgherdWalNotArchived: 1 },
  },
  {
    name: "archiving fails",
    values: { [postgres("pg_stat_archiver_failed_count", "a")]: rising(0, 1) },
    fires: { PgherdWalNotArchived: 1 },
  },
  {
    name: "WAL piles up",
    values: { [series("pg_wal_size_bytes", "postgres", "a")]: steady(45) },
    fires: { PgherdWalPilesUp: 1 },
  },
  {
    name: "a clock is off",
    values: { [series("node_time_seconds", "node", "a")]: rising(5, 15) },
    fires: { PgherdClockSkew: 1 },
  },
  { name: "a backup is late", values: finding("backup-late"), fires: { PgherdBackupLate: 1 } },
  { name: "a drill has failed", values: finding("drill-failed"), fires: { PgherdDrillFailed: 1 } },
  {
    name: "a verification has failed",
    values: finding("verification-failed"),
    fires: { PgherdVerificationFailed: 1 },
  },
  {
    name: "certificates of two nodes expire",
    values: {
      ...finding("certificate-expires", { node: "a" }),
      ...finding("certificate-expires", { node: "b" }),
    },
    fires: { PgherdCertificateExpires: 2 },
  },
  {
    name: "the archive takes WAL, and too slowly",
    values: { ...writing, ...finding("wal-not-archived", { node: "a" }) },
    fires: { PgherdWalArchiveBehind: 1 },
  },
  {
    name: "nobody has looked for long",
    values: { [observed]: steady(-600) },
    fires: { PgherdUnwatched: 1 },
  },
  { name: "nobody has ever looked", values: { [observed]: unknown }, fires: { PgherdUnwatched: 1 } },
  {
    name: "nobody looks while an operation changes the cluster",
    values: { [observed]: steady(-600), [ofCluster("pgherd_cluster_watched")]: steady(0) },
    fires: {},
  },
  {
    name: "the API does not answer",
    values: { ...nothingTold, [told("up")]: steady(0) },
    fires: { PgherdControlPlaneSilent: 1 },
  },
  { name: "nobody asks the API", values: nothingTold, fires: { PgherdControlPlaneSilent: 1 } },
  {
    name: "there are more clusters than an answer has room for",
    values: { [ofEnvironment("pgherd_clusters_left_out")]: steady(5) },
    fires: { PgherdClustersLeftOut: 1 },
  },
];

function testOf({ fires, name, values }: Trouble): YamlMapping {
  const all: Values = { ...well("a"), ...well("b"), ...well("c"), ...controlPlane, ...values };
  return {
    name,
    interval,
    input_series: Object.entries(all).map(([one, its]) => ({ series: one, values: its })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: evalTime,
        exp_samples: Object.entries(fires).map(([alertname, value]) => ({
          labels: `{alertname="${alertname}"}`,
          value,
        })),
      },
    ],
  };
}

/** Alerts that some trouble brings. */
export const testedAlerts: readonly string[] = [
  ...new Set(troubles.flatMap(({ fires }) => Object.keys(fires))),
];

/** @param rulesFile beside which the answer is written */
export function alertTests(rulesFile: string): string {
  return renderYaml({
    rule_files: [rulesFile],
    evaluation_interval: interval,
    tests: troubles.map(testOf),
  });
}
