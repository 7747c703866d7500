import { z } from "zod";
import { clusterIdSchema, operationIdSchema } from "../ids.ts";

export const operationKindSchema = z.enum([
  "create-cluster",
  "delete-cluster",
  /** Scale, resize, replace, reconfigure: from what is to what the spec says. */
  "converge-cluster",
  "switchover-cluster",
  "failover-cluster",
  "restart-cluster",
  "reinitialize-node",
  "pause-cluster",
  "resume-cluster",
  "stop-cluster",
  "start-cluster",
  "rotate-credentials",
  "rotate-certificates",
  "recover-cluster",
  "restore-cluster",
  "restore-in-place",
  /** Back to what was there before a restore in place. */
  "rollback-restore",
  /** Drops what could be gone back to. */
  "confirm-restore",
  "backup-cluster",
  "delete-backup",
  "create-restore-point",
  "undelete-cluster",
  /** Out of a logical backup into a database of a cluster that runs. */
  "load-database",
  /** Restores a backup into a cluster that is removed again, to see that it can be. */
  "drill-backup",
  /** Reads all that is stored of a cluster. */
  "verify-backups",
]);
export type OperationKind = z.infer<typeof operationKindSchema>;

/**
 * What an operation holds of its cluster. One that is about backups goes on while the cluster is changed: nobody should
 * have to wait for hours before a switchover. A restore point holds nothing: it is made while a backup is taken, too. A
 * drill holds the cluster that it makes, and that one has the only name for it.
 */
export function holderOf(kind: OperationKind): "activeOperationId" | "backupOperationId" | null {
  if (kind === "create-restore-point" || kind === "drill-backup") return null;
  return besideOthers.includes(kind) ? "backupOperationId" : "activeOperationId";
}

/**
 * A failure of these is told by the cluster's health, with more patience: a backup is tried again before anybody has
 * to know, and what a proof has found stays a finding.
 */
export function healthTells(kind: OperationKind): boolean {
  return kind === "backup-cluster" || kind === "drill-backup" || kind === "verify-backups";
}

/** Whether it takes or removes a backup of its cluster, whose record says so. */
export function isAboutOneBackup(kind: OperationKind): boolean {
  return kind === "backup-cluster" || kind === "delete-backup";
}

const besideOthers: readonly OperationKind[] = [
  "backup-cluster",
  "delete-backup",
  "load-database",
  "verify-backups",
];

export const operationStateSchema = z.enum(["pending", "running", "succeeded", "failed", "cancelled"]);
export type OperationState = z.infer<typeof operationStateSchema>;

export const stepStateSchema = z.enum([
  "pending",
  "running",
  "succeeded",
  "failed",
  "undoing",
  "undone",
  "undo-failed",
  "skipped",
]);

export const stepSchema = z.object({
  name: z.string(),
  state: stepStateSchema,
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  detail: z.string().optional(),
  /** Of a step that waits for something long: when it last saw that it is still at work. */
  heardAt: z.iso.datetime().optional(),
});
export type StepState = z.infer<typeof stepStateSchema>;
export type OperationStep = z.infer<typeof stepSchema>;

export const operationSchema = z.object({
  id: operationIdSchema,
  clusterId: clusterIdSchema,
  kind: operationKindSchema,
  state: operationStateSchema,
  progress: z.number().min(0).max(1),
  steps: z.array(stepSchema),
  /** What the call asked for, beside the cluster's spec; its shape is the kind's own. */
  request: z.looseObject({}).optional(),
  /** What came of it, such as the measured pause of a switchover. */
  result: z.looseObject({}).optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  cancelRequested: z.boolean(),
  startedBy: z.string(),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
});
export type Operation = z.infer<typeof operationSchema>;

/** One that nobody has begun yet. */
export function pendingOperation({
  clusterId,
  createdAt,
  id,
  kind,
  startedBy,
  ...asked
}: Pick<Operation, "id" | "clusterId" | "kind" | "request" | "startedBy" | "createdAt">): Operation {
  return {
    id,
    clusterId,
    kind,
    state: "pending",
    progress: 0,
    steps: [],
    ...asked,
    cancelRequested: false,
    startedBy,
    createdAt,
    endedAt: null,
  };
}

export const endedStates: readonly OperationState[] = ["succeeded", "failed", "cancelled"];
