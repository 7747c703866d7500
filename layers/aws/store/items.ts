import { z } from "zod";
import { type Backup, backupSchema } from "../../domain/backup/backup.ts";
import { type DeletedCluster, deletedClusterSchema } from "../../domain/backup/deleted.ts";
import { type RestorePoint, restorePointSchema } from "../../domain/backup/restore-point.ts";
import {
  type Cluster,
  type ClusterNode,
  clusterSchema,
  nodeSchema,
  nothingProven,
} from "../../domain/cluster/cluster.ts";
import { firstLogins } from "../../domain/cluster/logins.ts";
import { storedSpecSchema } from "../../domain/cluster/spec.ts";
import { type Operation, operationSchema, stepSchema } from "../../domain/operation/operation.ts";
import { progressOf } from "../../domain/operation/progress.ts";
import type { AuditEntry, IdempotencyRecord } from "../../ports/store.ts";
import {
  auditKey,
  backupKey,
  backupsIndexKey,
  clusterKey,
  clusterPartition,
  clustersIndexKey,
  deletedKey,
  idempotencyKey,
  nodeKey,
  openOperationKey,
  operationKey,
  operationsIndexKey,
  pointKey,
} from "./keys.ts";

/** Items are checked on their way in and on their way out: nothing in the table has a shape of its own. */
export type Item = Record<string, unknown>;

const clusterItemSchema = clusterSchema.omit({ nodes: true });

const operationItemSchema = operationSchema.omit({ steps: true, progress: true }).extend({
  /** By name, so that steps which run at the same time are written without losing each other. */
  steps: z.record(z.string(), stepSchema),
  stepOrder: z.array(z.string()),
});

const auditSchema = z.object({
  id: z.string(),
  clusterId: z.string(),
  at: z.iso.datetime(),
  action: z.string(),
  principal: z.string(),
  role: z.string(),
  sourceAddress: z.string(),
  requestId: z.string(),
  operationId: z.string().nullable(),
  detail: z.string(),
});

const idempotencySchema = z.object({
  principal: z.string().min(1),
  key: z.string().min(1),
  requestHash: z.string(),
  status: z.int(),
  body: z.string(),
  headers: z.record(z.string(), z.string()),
  expiresAt: z.int(),
});

/** Fields of clusters that came after the first ones. */
const laterDefaults = {
  drift: [],
  schedules: null,
  paused: null,
  logins: firstLogins,
  retiring: null,
  backupOperationId: null,
  kept: null,
  branches: [],
  ...nothingProven,
};

export function clusterToItem(cluster: Cluster): Item {
  return {
    ...clusterKey(cluster.id),
    gsi1pk: clustersIndexKey,
    gsi1sk: cluster.id,
    ...clusterItemSchema.parse(cluster),
  };
}

export function nodeToItem(clusterId: string, node: ClusterNode): Item {
  return {
    ...nodeKey(clusterId, node.id),
    gsi1pk: clustersIndexKey,
    gsi1sk: `${clusterId}#${node.id}`,
    clusterId,
    ...nodeSchema.parse(node),
  };
}

export function itemsToCluster(cluster: Item, nodes: readonly Item[]): Cluster {
  const spec = storedSpecSchema.parse(cluster["spec"]);
  return clusterSchema.parse({ ...laterDefaults, ...cluster, spec, nodes: nodes.toSorted(byId) });
}

export function operationToItem(operation: Operation): Item {
  const { steps, ...rest } = operationSchema.parse(operation);
  return {
    ...operationKey(operation.id),
    gsi1pk: operationsIndexKey,
    gsi1sk: operation.id,
    gsi2pk: clusterPartition(operation.clusterId),
    gsi2sk: operation.id,
    ...operationItemSchema.parse({
      ...rest,
      steps: Object.fromEntries(steps.map((step) => [step.name, step])),
      stepOrder: steps.map((step) => step.name),
    }),
  };
}

export function itemToOperation(item: Item): Operation {
  const { steps: byName, stepOrder, ...rest } = operationItemSchema.parse(item);
  const steps = stepOrder.flatMap((name) => byName[name] ?? []);
  return { ...rest, steps, progress: progressOf(rest.state, steps) };
}

/** A marker as long as the operation has not ended: reconcilers read these few instead of all operations. */
export function openOperationToItem(operation: Operation): Item {
  return { ...openOperationKey(operation.id), operationId: operation.id, clusterId: operation.clusterId };
}

export function auditToItem(entry: AuditEntry): Item {
  return { ...auditKey(entry.clusterId, entry.id), ...auditSchema.parse(entry) };
}

export const itemToAudit = (item: Item): AuditEntry => auditSchema.parse(item);

export function backupToItem(backup: Backup): Item {
  return {
    ...backupKey(backup.clusterId, backup.id),
    gsi1pk: backupsIndexKey,
    gsi1sk: backup.id,
    ...backupSchema.parse(backup),
  };
}

/** Fields of backups that came after the first ones. */
const laterBackupDefaults = { logical: null, lastDrill: null };

export const itemToBackup = (item: Item): Backup => backupSchema.parse({ ...laterBackupDefaults, ...item });

export function pointToItem(point: RestorePoint): Item {
  return { ...pointKey(point.clusterId, point.operationId), ...restorePointSchema.parse(point) };
}

export const itemToPoint = (item: Item): RestorePoint => restorePointSchema.parse(item);

export function deletedToItem(deleted: DeletedCluster): Item {
  return { ...deletedKey(deleted.id), ...deletedClusterSchema.parse(deleted) };
}

export function itemToDeleted(item: Item): DeletedCluster {
  return deletedClusterSchema.parse({ ...item, spec: storedSpecSchema.parse(item["spec"]) });
}

export function idempotencyToItem(record: IdempotencyRecord): Item {
  return { ...idempotencyKey(record.principal, record.key), ...idempotencySchema.parse(record) };
}

export const itemToIdempotency = (item: Item): IdempotencyRecord => idempotencySchema.parse(item);

function byId(left: Item, right: Item): number {
  return String(left["id"]) < String(right["id"]) ? -1 : 1;
}
