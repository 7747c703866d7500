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
]);
export type OperationKind = z.infer<typeof operationKindSchema>;

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

export const endedStates: readonly OperationState[] = ["succeeded", "failed", "cancelled"];
