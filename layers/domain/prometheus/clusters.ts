import { secondsBetween } from "../backup/instant.ts";
import { type Cluster, isFree } from "../cluster/cluster.ts";
import { findingOfKey } from "../cluster/health/findings.ts";
import type { ClusterMetrics } from "../cluster/health/metrics.ts";
import type { HealthRecord } from "../cluster/health-record.ts";
import type { Gauge, Sample } from "./text.ts";

/** A cluster, and what the last look at it has left. */
export interface ToldCluster {
  readonly cluster: Cluster;
  readonly record: HealthRecord;
  readonly metrics: ClusterMetrics | null;
}

/** Those that alerts are about. */
export const gaugeNames = {
  clusters: "pgherd_clusters",
  clustersLeftOut: "pgherd_clusters_left_out",
  watched: "pgherd_cluster_watched",
  observed: "pgherd_cluster_observed_timestamp_seconds",
  finding: "pgherd_cluster_finding",
} as const;

interface ClusterGauge {
  readonly name: string;
  readonly help: string;
  /** What a cluster adds to it; the labels stand beside those that all series of the cluster have. */
  readonly samplesOf: (told: ToldCluster) => readonly Sample[];
}

const epoch = "1970-01-01T00:00:00Z";
const timestamp = (at: string | null | undefined): number | null =>
  at === null || at === undefined ? null : secondsBetween(epoch, at);
const flag = (is: boolean | undefined): number | null => (is === undefined ? null : Number(is));

/** @param read null: nobody knows, and nothing is told */
const figure = (name: string, help: string, read: (told: ToldCluster) => number | null): ClusterGauge => ({
  name,
  help,
  samplesOf: (told) => {
    const value = read(told);
    return value === null ? [] : [{ labels: {}, value }];
  },
});

/** What no program of a node tells. */
const clusterGauges: readonly ClusterGauge[] = [
  {
    name: "pgherd_cluster_status",
    help: "1 for the status that the cluster has.",
    samplesOf: ({ cluster: { status } }) => [{ labels: { status }, value: 1 }],
  },
  figure(
    gaugeNames.watched,
    "Whether pgherd looks at the cluster: it is meant to be up, and no operation changes it.",
    ({ cluster }) => flag(isFree(cluster)),
  ),
  figure(gaugeNames.observed, "When the cluster was looked at last.", ({ metrics }) =>
    timestamp(metrics?.observedAt),
  ),
  { name: gaugeNames.finding, help: "1 for each thing that the status tells of.", samplesOf: findings },
  figure(
    "pgherd_cluster_last_backup_timestamp_seconds",
    "When the newest backup ended that a restore can begin with.",
    lastBackup,
  ),
  figure(
    "pgherd_cluster_wal_archived_timestamp_seconds",
    "Every commit up to then is in the WAL archive.",
    ({ record }) => timestamp(record.archivedUntil),
  ),
  figure(
    "pgherd_cluster_wal_archive_wait_seconds",
    "How long the oldest WAL segment has been waiting for the archive; 0 where none waits.",
    // What it was before somebody stopped the cluster is no news.
    ({ cluster, metrics }) => (isFree(cluster) ? (metrics?.walArchiveAgeSeconds ?? null) : null),
  ),
  figure("pgherd_cluster_last_drill_timestamp_seconds", "When the last drill began.", ({ cluster }) =>
    timestamp(cluster.lastDrill?.at),
  ),
  figure("pgherd_cluster_last_drill_success", "Whether the last drill succeeded.", ({ cluster }) =>
    flag(cluster.lastDrill?.ok),
  ),
  figure(
    "pgherd_cluster_restore_seconds",
    "How long the data took to be back in the last drill that succeeded.",
    ({ cluster }) => cluster.measuredRecovery?.restoreSeconds ?? null,
  ),
  figure(
    "pgherd_cluster_last_verification_timestamp_seconds",
    "When the last verification of the backups began.",
    ({ cluster }) => timestamp(cluster.lastVerification?.at),
  ),
  figure(
    "pgherd_cluster_last_verification_success",
    "Whether the last verification of the backups found them whole.",
    ({ cluster }) => flag(cluster.lastVerification?.ok),
  ),
  figure(
    "pgherd_cluster_certificate_expiry_timestamp_seconds",
    "When the first of the nodes' certificates ends.",
    ({ record }) => timestamp(record.certificatesUntil),
  ),
];

/** While the status says something else, what is on record is of before an operation. */
function findings({ cluster, record }: ToldCluster): Sample[] {
  if (cluster.status !== "degraded") return [];
  return record.findings.flatMap((key) => {
    const found = findingOfKey(key);
    if (found === null) return [];
    const { kind, nodeId } = found;
    return [{ labels: { finding: kind, ...(nodeId === null ? {} : { node: nodeId }) }, value: 1 }];
  });
}

/** Repositories know whole seconds, and so does an age: from look to look it is the same moment. */
function lastBackup({ metrics }: ToldCluster): number | null {
  const observed = timestamp(metrics?.observedAt);
  const age = metrics?.backupAgeSeconds ?? null;
  return observed === null || age === null ? null : Math.floor(observed - age);
}

/** @param leftOut clusters that are not told of */
export function clusterGaugesOf(
  environment: string,
  clusters: readonly ToldCluster[],
  leftOut: number,
): Gauge[] {
  const labelled = clusters.map((told) => {
    const { id, name } = told.cluster;
    return { told, labels: { environment, cluster: name, cluster_id: id } };
  });
  const ofEnvironment = (value: number): Sample[] => [{ labels: { environment }, value }];
  return [
    { name: gaugeNames.clusters, help: "Clusters told of here.", samples: ofEnvironment(clusters.length) },
    {
      name: gaugeNames.clustersLeftOut,
      help: "Clusters beyond what one answer has room for.",
      samples: ofEnvironment(leftOut),
    },
    ...clusterGauges.map(({ help, name, samplesOf }) => ({
      name,
      help,
      samples: labelled.flatMap(({ labels, told }) =>
        samplesOf(told).map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
      ),
    })),
  ];
}
