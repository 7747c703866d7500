import { z } from "zod";
import { clusterLimitsSchema } from "./cluster/limits.ts";
import { operationKindSchema } from "./operation/operation.ts";

/**
 * What an environment's template tells its functions (`PGHERD_SETTINGS`, JSON): identifiers only, no secrets.
 */
export const environmentSettingsSchema = z.strictObject({
  environment: z.string(),
  vpcId: z.string(),
  /** Zone name → subnet id; nodes spread over these. */
  subnets: z.record(z.string(), z.string()),
  launchTemplateId: z.string(),
  /** Instances can be any of the catalogue's; this one where the spec names none. */
  defaultInstanceType: z.string(),
  defaultDeletionProtection: z.boolean(),
  /** The most that one cluster may have. */
  limits: clusterLimitsSchema.optional(),
  /** Who may reach a cluster whose spec names nobody in `access`. */
  defaultClientCidrs: z.array(z.string()),
  /** Who may read nodes' metrics: members of the environment's own group for it, and these blocks. */
  monitoring: z.strictObject({ securityGroupId: z.string(), cidrs: z.array(z.string()) }),
  /** How long something with our tags that nothing on record owns stays after it was reported. */
  orphanGraceSeconds: z.int().min(60),
  /** The node program: an object in the asset bucket, named by its hash. */
  nodeProgram: z.strictObject({
    bucket: z.string(),
    key: z.string(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  /** Our SSM document. */
  nodeDocument: z.string(),
  /** Each cluster's nodes have a role of their own: where, and the boundary that each of them has to have. */
  nodeRoles: z.strictObject({ partition: z.string(), account: z.string(), boundaryArn: z.string() }),
  /** Where nodes keep backups, below `clusters/`. */
  backups: z.strictObject({ bucket: z.string() }),
  /** Where the clusters' schedules are, what they start, and with which role. */
  schedules: z.strictObject({ group: z.string(), targetArn: z.string(), roleArn: z.string() }),
  /** Customer key for SecureString parameters and volumes. */
  keyId: z.string(),
  /** Operation kind → ARN of the function's alias. Only functions that start operations have it. */
  workflows: z.partialRecord(operationKindSchema, z.string()),
  /** IAM principals (ARN) and their roles; empty where a JWT issuer decides. */
  principals: z.record(z.string(), z.enum(["viewer", "operator", "admin"])),
});
export type EnvironmentSettings = z.infer<typeof environmentSettingsSchema>;
