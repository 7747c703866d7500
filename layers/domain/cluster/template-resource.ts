import { z } from "zod";

/**
 * A cluster in somebody's CloudFormation template: written by infra/constructs/postgres-cluster.ts, read by
 * functions/resources. CloudFormation hands every property on as a text.
 */
export const templateResourceTypes = {
  cluster: "Custom::PgherdCluster",
  /** Waits on where a resource before it gave up waiting: CloudFormation gives each of them an hour. */
  wait: "Custom::PgherdClusterWait",
  /** The same for a delete. Deleted after the cluster, so the cluster depends on it and it knows the name alone. */
  removal: "Custom::PgherdClusterRemoval",
} as const;

/** Ten minutes before CloudFormation's own hour is over, there is still time to say so. */
export const templateResourceWaitMinutes = 50;

const flagSchema = z.enum(["true", "false"]);

export const clusterResourceSchema = z.object({
  /** JSON: the body of a create. */
  Spec: z.string(),
  /** Whether a change restarts PostgreSQL where a parameter needs that. */
  Apply: z.enum(["reload", "restart"]),
  /** Nobody waits on after this one. */
  IsLast: flagSchema,
});
export type ClusterResource = z.infer<typeof clusterResourceSchema>;

export const waitResourceSchema = z.object({
  /** Empty: there is nothing to wait for. */
  OperationId: z.string(),
  IsLast: flagSchema,
});
export type WaitResource = z.infer<typeof waitResourceSchema>;

export const removalResourceSchema = z.object({
  /** Of the cluster that is deleted. */
  Name: z.string(),
  IsLast: flagSchema,
});
export type RemovalResource = z.infer<typeof removalResourceSchema>;
