import { z } from "zod";
import { branchSchema } from "../backup/branches.ts";
import { clusterDrillSchema, drillOfSchema, measuredRecoverySchema } from "../backup/drill.ts";
import { keptSchema } from "../backup/in-place.ts";
import { appliedSchedulesSchema } from "../backup/schedule.ts";
import { verificationSchema } from "../backup/verification.ts";
import { clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";
import { currentLoginsSchema, firstLogins, retiringLoginsSchema } from "./logins.ts";
import { pauseSchema } from "./pause.ts";
import { clusterSpecSchema } from "./spec.ts";

export const clusterStatusSchema = z.enum([
  "creating",
  "available",
  "degraded",
  "updating",
  "restoring",
  "stopping",
  "stopped",
  "starting",
  "deleting",
  "failed",
]);
export type ClusterStatus = z.infer<typeof clusterStatusSchema>;

/** A cluster that is being changed goes on serving, and so it can be backed up. */
export const backupStatuses: readonly ClusterStatus[] = ["available", "degraded", "updating"];

export const nodeServiceSchema = z.enum(["postgres", "etcd", "haproxy", "pgbouncer"]);
export type NodeService = z.infer<typeof nodeServiceSchema>;

export const nodeStateSchema = z.enum(["pending", "running", "stopped", "terminated"]);

/** A node is a place: its id, zone, shard, interface (address) and volume outlive the instance that fills it. */
export const nodeSchema = z.object({
  id: nodeIdSchema,
  zone: z.string(),
  shard: z.int().min(0),
  services: z.array(nodeServiceSchema),
  state: nodeStateSchema,
  instanceId: z.string().nullable(),
  networkInterfaceId: z.string().nullable(),
  address: z.string().nullable(),
  volumeId: z.string().nullable(),
});
export type ClusterNode = z.infer<typeof nodeSchema>;

/** Something that is not as the intent says, although no operation runs. `nodeId` is null where it is the cluster's. */
export const driftSchema = z.object({
  nodeId: nodeIdSchema.nullable(),
  what: z.enum(["instance", "file", "patroni"]),
  /** The file, or the setting in Patroni's dynamic configuration. */
  path: z.string().optional(),
  detail: z.string(),
});
export type Drift = z.infer<typeof driftSchema>;

export const clusterSchema = z.object({
  id: clusterIdSchema,
  name: z.string(),
  status: clusterStatusSchema,
  statusReason: z.string(),
  spec: clusterSpecSchema,
  generation: z.int().min(1),
  activeOperationId: operationIdSchema.nullable(),
  /** The operation that takes or deletes a backup; the cluster can be held by another one meanwhile. */
  backupOperationId: operationIdSchema.nullable(),
  /** When backups are taken by themselves; null until the cluster is made. */
  schedules: appliedSchedulesSchema.nullable(),
  paused: pauseSchema.nullable(),
  /** What a restore in place has left behind. */
  kept: keptSchema.nullable(),
  /** Where a restore in place, or going back from one, began a timeline of its own; the oldest first. */
  branches: z.array(branchSchema),
  /** The backup that it was made to prove: it is removed again by whoever made it. Null: it is somebody's own. */
  drillOf: drillOfSchema.nullable(),
  lastDrill: clusterDrillSchema.nullable(),
  /** Of the last drill that succeeded. */
  measuredRecovery: measuredRecoverySchema.nullable(),
  /** What the repository was found to be when all of it was read last. */
  lastVerification: verificationSchema.nullable(),
  logins: currentLoginsSchema,
  retiring: retiringLoginsSchema.nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  nodes: z.array(nodeSchema),
  drift: z.array(driftSchema),
});
export type Cluster = z.infer<typeof clusterSchema>;

/** It is meant to be up, and no operation holds it. */
export function isFree({ activeOperationId, status }: Cluster): boolean {
  return activeOperationId === null && (status === "available" || status === "degraded");
}

/** What is known of a cluster's backups from restoring and reading them. */
export type ClusterProof = Pick<Cluster, "drillOf" | "lastDrill" | "measuredRecovery" | "lastVerification">;
export const nothingProven: ClusterProof = {
  drillOf: null,
  lastDrill: null,
  measuredRecovery: null,
  lastVerification: null,
};

type NewCluster = Pick<
  Cluster,
  "id" | "spec" | "statusReason" | "activeOperationId" | "createdAt" | "nodes"
> &
  Partial<Pick<Cluster, "generation" | "drillOf">>;

/** One that its first operation is about to make. */
export function newCluster({
  activeOperationId,
  createdAt,
  generation = 1,
  id,
  nodes,
  spec,
  statusReason,
  ...of
}: NewCluster): Cluster {
  return {
    id,
    name: spec.name,
    status: "creating",
    statusReason,
    spec,
    generation,
    activeOperationId,
    backupOperationId: null,
    schedules: null,
    paused: null,
    kept: null,
    branches: [],
    ...nothingProven,
    ...of,
    logins: firstLogins,
    retiring: null,
    createdAt,
    updatedAt: createdAt,
    nodes,
    drift: [],
  };
}

/** In ascending order. */
export function shardsOf(nodes: readonly Pick<ClusterNode, "services" | "shard">[]): number[] {
  const shards = nodes.filter(({ services }) => services.includes("postgres")).map(({ shard }) => shard);
  return [...new Set(shards)].toSorted((left, right) => left - right);
}
