import { type Cluster, newCluster } from "../cluster/cluster.ts";
import { layoutNodes } from "../cluster/layout.ts";
import { accessDefault, type ClusterSpec } from "../cluster/spec.ts";
import { type Operation, pendingOperation } from "../operation/operation.ts";
import type { Backup } from "./backup.ts";
import type { DrillRequest } from "./drill.ts";
import { byInstant } from "./instant.ts";
import { type RestoreRequest, storeOf } from "./restore.ts";

const idCharacters = 16;

/** The same for every drill of a cluster: as names are unique, it has one drill at a time. */
export function throwAwayName(clusterId: string): string {
  return `drill-${clusterId.slice(-idCharacters).toLowerCase()}`;
}

/** One node of the cluster's own size, which recovers as fast as the cluster would, and nothing beside PostgreSQL. */
export function throwAwaySpec(spec: ClusterSpec, clusterId: string): ClusterSpec {
  const { backup, pooler, postgresVersion, storage, instanceType, database, extensions, parameters } = spec;
  return {
    name: throwAwayName(clusterId),
    postgresVersion,
    members: 1,
    instanceType,
    storage,
    database,
    extensions,
    durability: "async",
    failover: spec.failover,
    selfHealing: false,
    parameters,
    dcs: { members: 1, placement: "colocated" },
    proxy: { ...spec.proxy, placement: "colocated" },
    pooler: { ...pooler, enabled: false },
    access: accessDefault,
    backup: {
      ...backup,
      schedules: { full: null, diff: null, incr: null, logical: null },
      drill: null,
      verify: null,
      retainAfterDeleteDays: 0,
    },
    deletionProtection: false,
    tags: spec.tags,
  };
}

/** The one that a schedule proves: the newest of files; null: there is none. */
export function backupToProve<B extends Pick<Backup, "id" | "engine" | "state">>(
  backups: readonly B[],
): B | null {
  const able = backups.filter(({ engine, state }) => engine === "pgbackrest" && state === "succeeded");
  return able.toSorted((left, right) => (left.id < right.id ? -1 : 1)).at(-1) ?? null;
}

/**
 * What a drill of a backup restores: with the newest one everything up to now, as after a disaster; with an older one,
 * or where a restore in place has left its timeline since, the backup itself.
 */
export function drillSource(
  backup: Backup,
  backups: readonly Backup[],
  source: Pick<Cluster, "branches" | "spec">,
): RestoreRequest {
  const { clusterId, endedAt, id: backupId, label, shard } = backup;
  if (label === null) throw new Error(`backup ${backupId} has no label, so there is nothing to restore`);
  const isLeft = source.branches.some(({ at }) => endedAt !== null && byInstant(at, endedAt) > 0);
  const isNewest = backupToProve(backups)?.id === backupId;
  const common = { clusterId, shard, backupId, label, exclusive: false, ...storeOf(source) };
  return isNewest && !isLeft
    ? { ...common, target: "latest", archiveFirst: "may" }
    : { ...common, target: "immediate" };
}

/** Ids of what is made for a drill. */
export interface DrillIds {
  readonly operationId: string;
  readonly clusterId: string;
  readonly nodeId: string;
}

export interface DrillPlan {
  readonly operation: Operation;
  /** The one that is thrown away. */
  readonly cluster: Cluster;
  /** A sentence in the imperative. */
  readonly summary: string;
}

/** What a drill writes before it begins. */
export function planDrill(
  of: { readonly backup: Backup; readonly backups: readonly Backup[]; readonly source: Cluster },
  asked: {
    readonly tables: readonly string[];
    readonly zones: readonly string[];
    readonly startedBy: string;
    readonly at: string;
  },
  ids: DrillIds,
): DrillPlan {
  const { backup, backups, source } = of;
  const { at, startedBy, tables, zones } = asked;
  const { clusterId, nodeId, operationId } = ids;
  const spec = throwAwaySpec(source.spec, source.id);
  const nodes = layoutNodes(spec, zones, [nodeId]);
  const request: DrillRequest = {
    backupId: backup.id,
    throwAway: { clusterId, nodeId, zone: nodes[0]?.zone ?? "" },
    source: drillSource(backup, backups, source),
    database: source.spec.database,
    tables: [...tables],
  };
  const operation = pendingOperation({
    id: operationId,
    clusterId: source.id,
    kind: "drill-backup",
    request: { ...request },
    startedBy,
    createdAt: at,
  });
  const cluster = newCluster({
    id: clusterId,
    spec,
    statusReason: `Operation ${operationId} proves backup ${backup.id} of cluster "${source.name}" with it, and removes it then.`,
    activeOperationId: operationId,
    drillOf: { clusterId: source.id, backupId: backup.id, operationId },
    createdAt: at,
    nodes,
  });
  const what = request.source.target === "latest" ? "and the WAL after it" : "as it is";
  const summary = `Prove ${backup.type} backup ${backup.id} of cluster "${source.name}" ${what}: restore it into a cluster of its own, check the data, and remove that cluster.`;
  return { operation, cluster, summary };
}
