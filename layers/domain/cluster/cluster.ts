import { z } from "zod";
import { clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";
import { currentLoginsSchema, retiringLoginsSchema } from "./logins.ts";
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
  paused: pauseSchema.nullable(),
  logins: currentLoginsSchema,
  retiring: retiringLoginsSchema.nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  nodes: z.array(nodeSchema),
  drift: z.array(driftSchema),
});
export type Cluster = z.infer<typeof clusterSchema>;
