import { diskAlarmShares, patienceMinutes, urgentFindings } from "../cluster/health/alarms.ts";
import { type FindingKind, findingKinds } from "../cluster/health/findings.ts";
import { healthLimits } from "../cluster/health/limits.ts";
import type { MetricsEndpoint } from "../cluster/metrics-endpoints.ts";
import { nodePaths } from "../config/paths.ts";
import { renderYaml, type YamlMapping } from "../config/yaml.ts";
import { gaugeNames } from "./clusters.ts";
import { controlPlaneJob, jobOf } from "./scrape.ts";

/** An alert for everything that a cluster's status can complain of, under the same limits. */
interface Alert {
  readonly name: string;
  readonly expression: string;
  readonly summary: string;
  /** Another time than that of all alerts. */
  readonly minutes?: number;
}

const secondsPerMinute = 60;
/** The moment of a role change, or of one scrape that got lost, is no emergency. */
const urgentMinutes = 1;

const cluster = "environment, cluster, cluster_id";
const shard = `${cluster}, shard`;
const node = `${shard}, node, zone`;

const of = (endpoint: MetricsEndpoint, metric: string, matchers: readonly string[] = []): string =>
  `${metric}{${[`job='${jobOf(endpoint)}'`, ...matchers].join(", ")}}`;
const up = (endpoint: MetricsEndpoint): string => of(endpoint, "up");
const onData = (metric: string): string => of("node", metric, [`mountpoint='${nodePaths.data}'`]);

/** Of a program whose machine is well; the machine has an alert of its own. */
const silent = (endpoint: MetricsEndpoint): string =>
  `(${up(endpoint)} == 0 and on (cluster_id, node) ${up("node")} == 1)`;
/** A sum that is 0, rather than nothing, where none of its programs answers. */
const sumOf = (labels: string, endpoint: MetricsEndpoint, metric: string): string =>
  `(sum by (${labels}) (${of(endpoint, metric)}) or sum by (${labels}) (${up(endpoint)}) * 0)`;

/** Of what no exporter shows: pgherd itself tells of it. */
const told = (kind: FindingKind): string => `${gaugeNames.finding}{finding='${kind}'} == 1`;

const onNode = "on node {{ $labels.node }} in {{ $labels.zone }}";

function diskAlert(share: number): Alert {
  const percent = Math.round(share * 100);
  return {
    name: `PgherdDisk${percent}`,
    expression: `1 - ${onData("node_filesystem_avail_bytes")} / ${onData("node_filesystem_size_bytes")} > ${share}`,
    summary: `The data volume ${onNode} is {{ $value | humanizePercentage }} full.`,
  };
}

/** Those of each finding: by the numbers of the nodes, where they show it. */
const alerts: Readonly<Record<FindingKind, readonly Alert[]>> = {
  "no-answer": [
    {
      name: "PgherdNoAnswer",
      expression: `sum by (${cluster}) (${up("node")}) == 0`,
      summary: "No node of cluster {{ $labels.cluster }} answers.",
    },
  ],
  "no-quorum": [
    {
      name: "PgherdNoQuorum",
      expression: `${sumOf(cluster, "etcd", "etcd_server_has_leader")} * 2 <= count by (${cluster}) (${up("etcd")})`,
      summary: "Etcd of cluster {{ $labels.cluster }} has no majority: nothing can be written.",
    },
  ],
  "no-leader": [
    {
      name: "PgherdNoLeader",
      expression: `${sumOf(shard, "patroni", "patroni_primary")} == 0`,
      summary:
        "Shard {{ $labels.shard }} of cluster {{ $labels.cluster }} has no leader: nothing can be written.",
    },
  ],
  "node-silent": [
    {
      name: "PgherdNodeSilent",
      expression: `${up("node")} == 0`,
      summary: "Node {{ $labels.node }} in {{ $labels.zone }} gives no sign of life.",
      minutes: healthLimits.silentSecondsMax / secondsPerMinute,
    },
  ],
  "member-down": [
    {
      name: "PgherdMemberDown",
      expression: [
        `${of("patroni", "patroni_postgres_running")} == 0`,
        `(${of("patroni", "patroni_replica")} == 1 and ${of("patroni", "patroni_postgres_streaming")} == 0)`,
      ].join(" or "),
      summary: `PostgreSQL ${onNode} does not run, or does not stream from the leader.`,
    },
  ],
  "patroni-down": [
    {
      name: "PgherdPatroniDown",
      expression: silent("patroni"),
      summary: `Patroni ${onNode} does not answer.`,
    },
  ],
  "dcs-member-down": [
    {
      name: "PgherdDcsMemberDown",
      expression: `${silent("etcd")} or ${of("etcd", "etcd_server_has_leader")} == 0`,
      summary: `Etcd ${onNode} is not healthy.`,
    },
  ],
  "disk-full": diskAlarmShares.map(diskAlert),
  "dcs-near-quota": [
    {
      name: "PgherdDcsNearQuota",
      expression: `${of("etcd", "etcd_mvcc_db_total_size_in_bytes")} / ${of("etcd", "etcd_server_quota_backend_bytes")} > ${healthLimits.dcsUsedShareMax}`,
      summary: `Etcd ${onNode} has used {{ $value | humanizePercentage }} of its quota.`,
    },
  ],
  "connections-short": [
    {
      name: "PgherdConnectionsShort",
      expression: `sum by (${node}) (${of("postgres", "pg_stat_database_numbackends")}) / sum by (${node}) (${[
        of("postgres", "pg_settings_max_connections"),
        of("postgres", "pg_settings_superuser_reserved_connections"),
        of("postgres", "pg_settings_reserved_connections"),
      ].join(" - ")}) > ${healthLimits.connectionsUsedShareMax}`,
      summary: `Clients use {{ $value | humanizePercentage }} of the connections of PostgreSQL ${onNode}.`,
    },
  ],
  "not-synchronous": [
    {
      name: "PgherdNotSynchronous",
      expression: `sum by (${shard}) (${["patroni_sync_standby", "patroni_quorum_standby"]
        .map((metric) => of("patroni", metric, ["synchronous_standbys!='0'"]))
        .join(" + ")}) == 0`,
      summary: "No replica of shard {{ $labels.shard }} of cluster {{ $labels.cluster }} is synchronous.",
    },
  ],
  "member-lags": [
    {
      name: "PgherdMemberLags",
      expression: `max by (${shard}) (${of("patroni", "patroni_xlog_location")}) - on (${shard}) group_right () (${of("patroni", "patroni_xlog_replayed_location")} and ${of("patroni", "patroni_replica")} == 1) > ${healthLimits.lagBytesMax}`,
      summary: `The replica ${onNode} is {{ $value | humanize1024 }}B behind the leader.`,
    },
  ],
  "haproxy-down": [
    {
      name: "PgherdHaproxyDown",
      expression: silent("haproxy"),
      summary: `HAProxy ${onNode} takes no connections.`,
    },
  ],
  "pooler-down": [
    {
      name: "PgherdPoolerDown",
      expression: `${of("pgbouncer", "pgbouncer_up")} == 0 or ${silent("pgbouncer")}`,
      summary: `PgBouncer ${onNode} takes no connections.`,
    },
  ],
  // Nothing is archived although there was something to archive: an idle leader has nothing.
  "wal-not-archived": [
    {
      name: "PgherdWalNotArchived",
      expression: [
        `(${of("postgres", "pg_stat_archiver_last_archive_age")} > ${healthLimits.walReadySecondsMax}`,
        `and on (cluster_id, node) delta(${of("patroni", "patroni_xlog_location")}[5m]) > on (cluster_id, node) ${of("postgres", "pg_settings_wal_segment_size_bytes")})`,
        `or increase(${of("postgres", "pg_stat_archiver_failed_count")}[5m]) > 0`,
      ].join(" "),
      summary: `WAL of node {{ $labels.node }} in {{ $labels.zone }} waits to be archived.`,
    },
    // An archive that takes what it is given, and more slowly than it comes, has no failure to show.
    {
      name: "PgherdWalArchiveBehind",
      expression: told("wal-not-archived"),
      summary:
        "WAL of cluster {{ $labels.cluster }} has been waiting on node {{ $labels.node }} to be archived.",
    },
  ],
  "wal-piles-up": [
    {
      name: "PgherdWalPilesUp",
      expression: `sum by (${node}) (${of("postgres", "pg_wal_size_bytes")}) / sum by (${node}) (${onData("node_filesystem_size_bytes")}) > ${healthLimits.walShareMax}`,
      summary: `WAL takes {{ $value | humanizePercentage }} of the data volume ${onNode}.`,
    },
  ],
  "clock-skew": [
    {
      name: "PgherdClockSkew",
      expression: `abs(${of("node", "node_time_seconds")} - timestamp(${of("node", "node_time_seconds")})) > ${healthLimits.clockSkewMsMax / 1000}`,
      summary: "The clock of node {{ $labels.node }} in {{ $labels.zone }} is off by {{ $value }} s.",
    },
  ],
  "backup-late": [
    {
      name: "PgherdBackupLate",
      expression: told("backup-late"),
      summary: "A backup of cluster {{ $labels.cluster }} was due and has not been taken.",
    },
  ],
  "drill-failed": [
    {
      name: "PgherdDrillFailed",
      expression: told("drill-failed"),
      summary: "A backup of cluster {{ $labels.cluster }} did not pass its last drill.",
    },
  ],
  "verification-failed": [
    {
      name: "PgherdVerificationFailed",
      expression: told("verification-failed"),
      summary: "What is stored of the backups of cluster {{ $labels.cluster }} could not be verified.",
    },
  ],
  "certificate-expires": [
    {
      name: "PgherdCertificateExpires",
      expression: told("certificate-expires"),
      summary:
        "The certificate of node {{ $labels.node }} of cluster {{ $labels.cluster }} expires and is not renewed.",
    },
  ],
};

/** What all others of what pgherd itself tells depend on. */
const controlPlaneAlerts: readonly (Alert & { readonly runbook: string })[] = [
  {
    name: "PgherdUnwatched",
    runbook: "watch-silent",
    expression: `${gaugeNames.watched} == 1 unless on (cluster_id) (time() - ${gaugeNames.observed} <= ${patienceMinutes * secondsPerMinute})`,
    summary: "Nobody looks at cluster {{ $labels.cluster }}: whatever happens to it is not told.",
  },
  {
    name: "PgherdControlPlaneSilent",
    runbook: "api-silent",
    expression: `up{job='${controlPlaneJob}'} == 0 or on () absent(${gaugeNames.clusters})`,
    summary: "The API does not say how the clusters are.",
  },
  {
    name: "PgherdClustersLeftOut",
    runbook: "api-silent",
    expression: `${gaugeNames.clustersLeftOut} > 0`,
    summary: "The API says nothing of {{ $value }} clusters: one answer has no room for them.",
  },
];

interface About {
  readonly isUrgent: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly runbook: string;
}

function rule(alert: Alert, { isUrgent, labels, runbook }: About): YamlMapping {
  const minutes = alert.minutes ?? (isUrgent ? urgentMinutes : patienceMinutes);
  return {
    alert: alert.name,
    expr: alert.expression,
    for: `${minutes}m`,
    labels: { severity: isUrgent ? "critical" : "warning", ...labels },
    annotations: { summary: alert.summary, runbook: `docs/runbooks/${runbook}.md` },
  };
}

export function renderAlertRules(): string {
  const ofClusters = findingKinds.flatMap((kind) => {
    const about = { isUrgent: urgentFindings.includes(kind), labels: { finding: kind }, runbook: kind };
    return alerts[kind].map((alert) => rule(alert, about));
  });
  const ofControlPlane = controlPlaneAlerts.map((alert) =>
    rule(alert, { isUrgent: false, labels: {}, runbook: alert.runbook }),
  );
  const rules = [...ofClusters, ...ofControlPlane];
  return renderYaml({ groups: [{ name: "pgherd", rules }] });
}
