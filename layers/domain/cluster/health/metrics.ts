import { z } from "zod";
import type { Backup } from "../../backup/backup.ts";
import { byInstant, instantOf } from "../../backup/instant.ts";
import { dcsBytesMax } from "../../config/etcd.ts";
import { synchronousStandbys } from "../layout.ts";
import type { ObservedHealth, SeenInspection } from "./observed.ts";

const microsPerSecond = 1_000_000n;
const share = z.number().min(0);
const bytes = z.int().min(0);

const nodeMetricsSchema = z.object({
  nodeId: z.string(),
  diskUsedBytes: bytes.nullable(),
  diskTotalBytes: bytes.nullable(),
  walBytes: bytes.nullable(),
  walReadyCount: z.int().min(0).nullable(),
  lagBytes: bytes.nullable(),
  connectionsUsed: z.int().min(0).nullable(),
  connectionsMax: z.int().min(0).nullable(),
  dcsBytes: bytes.nullable(),
  certificateNotAfter: z.iso.datetime().nullable(),
  clockSkewMs: z.number().min(0).nullable(),
});

/** How a cluster is, in numbers: the worst of its nodes and each of them. Null: nobody could say. */
export const clusterMetricsSchema = z.object({
  observedAt: z.iso.datetime(),
  hasLeader: z.boolean().nullable(),
  synchronousStandbys: z.int().min(0).nullable(),
  synchronousStandbysWanted: z.int().min(0),
  replicationLagBytes: bytes.nullable(),
  walArchiveAgeSeconds: z.number().min(0).nullable(),
  backupAgeSeconds: z.number().min(0).nullable(),
  diskUsedShare: share.nullable(),
  connectionsUsedShare: share.nullable(),
  dcsUsedShare: share.nullable(),
  certificateSecondsLeft: z.number().nullable(),
  nodes: z.array(nodeMetricsSchema),
});
export type ClusterMetrics = z.infer<typeof clusterMetricsSchema>;

type Inspections = readonly SeenInspection[];

/** Everything that can be counted of what was seen. */
export function metricsOf(observed: ObservedHealth): ClusterMetrics {
  const { backups, cluster, now, survey } = observed;
  const inspections = cluster.nodes.flatMap(({ id }) => observed.inspections.get(id) ?? []);
  const members = survey?.observation.members ?? null;
  return {
    observedAt: now,
    hasLeader:
      members === null ? null : members.some(({ role, state }) => role === "leader" && state === "running"),
    synchronousStandbys:
      members === null
        ? null
        : members.filter(({ role, state }) => role === "sync-standby" && state === "streaming").length,
    synchronousStandbysWanted: synchronousStandbys(cluster.spec),
    replicationLagBytes: greatest((members ?? []).map(({ lagBytes }) => lagBytes)),
    walArchiveAgeSeconds: greatest(inspections.map(({ wal }) => wal.oldestReadySeconds ?? 0)),
    backupAgeSeconds: backups === null ? null : backupAge(backups, now),
    diskUsedShare: greatest(inspections.map(diskUsedShare)),
    connectionsUsedShare: greatest(connectionShares(inspections)),
    dcsUsedShare: greatest(
      (survey?.observation.dcs.members ?? []).map(({ dbBytes }) => (dbBytes ?? 0) / dcsBytesMax),
    ),
    certificateSecondsLeft: least(inspections.map(({ certificateSecondsLeft: left }) => left)),
    nodes: cluster.nodes.map(({ id }) => nodeMetrics(id, observed)),
  };
}

const diskUsedShare = ({ disk }: SeenInspection): number =>
  disk.totalBytes === 0 ? 0 : disk.usedBytes / disk.totalBytes;

const connectionShares = (inspections: Inspections): number[] =>
  inspections.flatMap(({ connections }) =>
    connections === null ? [] : [connections.used / connections.max],
  );

/** Since the newest backup that a restore can begin with has ended; null where there is none. */
function backupAge(
  backups: readonly Pick<Backup, "engine" | "state" | "endedAt">[],
  now: string,
): number | null {
  const ends = backups.flatMap(({ endedAt, engine, state }) =>
    engine === "pgbackrest" && state === "succeeded" && endedAt !== null ? [endedAt] : [],
  );
  const newest = ends.toSorted(byInstant).at(-1);
  return newest === undefined
    ? null
    : Math.max(0, Number((instantOf(now) - instantOf(newest)) / microsPerSecond));
}

function nodeMetrics(
  nodeId: string,
  { inspections, survey }: ObservedHealth,
): ClusterMetrics["nodes"][number] {
  const inspection = inspections.get(nodeId) ?? null;
  const member = survey?.observation.members.find((one) => one.nodeId === nodeId);
  const dcsMember = survey?.observation.dcs.members.find((one) => one.nodeId === nodeId);
  return {
    nodeId,
    diskUsedBytes: inspection?.disk.usedBytes ?? null,
    diskTotalBytes: inspection?.disk.totalBytes ?? null,
    walBytes: inspection?.wal.bytes ?? null,
    walReadyCount: inspection?.wal.readyCount ?? null,
    lagBytes: member?.lagBytes ?? null,
    connectionsUsed: inspection?.connections?.used ?? null,
    connectionsMax: inspection?.connections?.max ?? null,
    dcsBytes: dcsMember?.dbBytes ?? null,
    certificateNotAfter: inspection?.certificateNotAfter ?? null,
    clockSkewMs: inspection?.clockSkewMs ?? null,
  };
}

const known = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);

function greatest(values: readonly (number | null)[]): number | null {
  return known(values).reduce<number | null>((worst, value) => Math.max(worst ?? value, value), null);
}

function least(values: readonly (number | null)[]): number | null {
  return known(values).reduce<number | null>((worst, value) => Math.min(worst ?? value, value), null);
}
