/** Where CloudWatch keeps what is published. */
export const metricNamespace = "pgherd";

/** What a metric is about: each combination of values is a metric of its own, and costs as one. */
export interface MetricDimensions {
  readonly Environment: string;
  readonly ClusterId?: string;
  readonly Finding?: string;
}

/**
 * What functions publish, and alarms and dashboards read. `findings` has the dimension Finding and a value only while
 * there is something to count: what is well costs nothing.
 */
export const metricNames = {
  /** Clusters that have a finding of the kind. */
  findings: "Findings",
  /** Clusters that were looked at within the minute: the sign that somebody looks at all. */
  clustersWatched: "ClustersWatched",
  /** Clusters that were to be looked at and could not be. */
  clustersNotJudged: "ClustersNotJudged",
  /** Of all clusters, that of the fullest volume. */
  diskUsedShareMax: "DiskUsedShareMax",
  operationsFailed: "OperationsFailed",
  operationsStuck: "OperationsStuck",
} as const;

/** Of each cluster, with the dimension ClusterId. */
export const clusterMetricNames = {
  replicationLagBytes: "ReplicationLagBytes",
  walArchiveAgeSeconds: "WalArchiveAgeSeconds",
  backupAgeSeconds: "BackupAgeSeconds",
  diskUsedShare: "DiskUsedShare",
  connectionsUsedShare: "ConnectionsUsedShare",
} as const;
