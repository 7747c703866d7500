import {
  type ClusterMetrics,
  clusterMetricNames,
  type FindingKind,
  findingKinds,
  findingOfKey,
  type HealthRecord,
  metricNames,
} from "@pgherd/layers/domain";
import { errorFields, type Metric } from "@pgherd/layers/runtime";
import { inLanes } from "../lanes.ts";
import type { HealthWorld } from "./world.ts";

/** What is known of one cluster at the end of a minute. */
export interface Told {
  readonly clusterId: string;
  readonly findings: HealthRecord["findings"];
  readonly metrics: ClusterMetrics | null;
  /** Whether it was looked at within the minute. */
  readonly isFresh: boolean;
}

/** Writes at the same time; each takes milliseconds. */
const lanes = 8;
/** Cluster ids in a line of the log: whoever reads it wants to know where to begin. */
const namedMax = 50;

/** Publishes how the clusters are, and keeps the numbers of each for the API. */
export async function tell(
  world: HealthWorld,
  clusters: readonly Told[],
  notJudged: readonly string[],
): Promise<void> {
  const fresh = clusters.flatMap(({ clusterId, isFresh, metrics }) =>
    isFresh && metrics !== null ? [{ clusterId, metrics }] : [],
  );
  const Environment = world.environment;
  world.publish({ Environment }, environmentMetrics(fresh, notJudged), named(notJudged));
  for (const [kind, clusterIds] of byKind(clusters)) {
    const value = { name: metricNames.findings, unit: "Count", value: clusterIds.length } as const;
    world.publish({ Environment, Finding: kind }, [value], named(clusterIds));
  }
  for (const { clusterId, metrics } of fresh) {
    world.publish({ Environment, ClusterId: clusterId }, clusterMetrics(metrics));
  }
  await inLanes(lanes, fresh, ({ clusterId, metrics }) => keep(world, clusterId, metrics));
}

const named = (clusterIds: readonly string[]): { clusterIds?: readonly string[] } =>
  clusterIds.length === 0 ? {} : { clusterIds: clusterIds.slice(0, namedMax) };

function environmentMetrics(
  fresh: readonly { readonly metrics: ClusterMetrics }[],
  notJudged: readonly string[],
): Metric[] {
  const shares = fresh.flatMap(({ metrics }) => metrics.diskUsedShare ?? []);
  return [
    { name: metricNames.clustersWatched, unit: "Count", value: fresh.length },
    ...(shares.length === 0
      ? []
      : [{ name: metricNames.diskUsedShareMax, unit: "None", value: Math.max(...shares) } as const]),
    ...(notJudged.length === 0
      ? []
      : [{ name: metricNames.clustersNotJudged, unit: "Count", value: notJudged.length } as const]),
  ];
}

/** Which clusters have a finding of each kind; kinds that no cluster has are not in it. */
function byKind(clusters: readonly Told[]): Map<FindingKind, string[]> {
  const found = new Map<FindingKind, string[]>();
  for (const kind of findingKinds) {
    const having = clusters.filter(({ findings }) =>
      findings.some((key) => findingOfKey(key)?.kind === kind),
    );
    const clusterIds = having.map(({ clusterId }) => clusterId);
    if (clusterIds.length > 0) found.set(kind, clusterIds);
  }
  return found;
}

function clusterMetrics(metrics: ClusterMetrics): Metric[] {
  const names = clusterMetricNames;
  const all: readonly (Omit<Metric, "value"> & { readonly value: number | null })[] = [
    { name: names.replicationLagBytes, unit: "Bytes", value: metrics.replicationLagBytes },
    { name: names.walArchiveAgeSeconds, unit: "Seconds", value: metrics.walArchiveAgeSeconds },
    { name: names.backupAgeSeconds, unit: "Seconds", value: metrics.backupAgeSeconds },
    { name: names.diskUsedShare, unit: "None", value: metrics.diskUsedShare },
    { name: names.connectionsUsedShare, unit: "None", value: metrics.connectionsUsedShare },
  ];
  return all.flatMap(({ value, ...metric }) => (value === null ? [] : [{ ...metric, value }]));
}

async function keep(world: HealthWorld, clusterId: string, metrics: ClusterMetrics): Promise<void> {
  try {
    await world.store.putMetrics(clusterId, metrics);
  } catch (error) {
    world.log("warn", "a cluster's metrics could not be kept", { clusterId, ...errorFields(error) });
  }
}
