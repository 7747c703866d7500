import { z } from "zod";
import { backupIdSchema, clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";
import { restoreRequestSchema } from "./restore.ts";
import { drillTablesSchema } from "./tables.ts";

/** A drill: a backup is restored into a cluster that is there for nothing else, looked at, and removed with it. */

const outcomeSchema = z.object({ ok: z.boolean(), detail: z.string() });

/** What was looked at in the restored data. */
export const drillChecksSchema = z.object({
  /** Tables and their indexes fit together, in every database: pg_amcheck. */
  amcheck: outcomeSchema,
  /** Every page is what was written: pg_checksums. */
  checksums: outcomeSchema,
  /** Those that were asked for; `rows` is null where they could not be counted. */
  tables: z.array(z.object({ table: z.string(), rows: z.int().min(0).nullable(), ...outcomeSchema.shape })),
});
export type DrillChecks = z.infer<typeof drillChecksSchema>;

/** Why the data is not what it should be; null: it is. */
export function objectionIn({ amcheck, checksums, tables }: DrillChecks): string | null {
  const found = [
    ...(amcheck.ok ? [] : [`pg_amcheck: ${amcheck.detail}`]),
    ...(checksums.ok ? [] : [`checksums: ${checksums.detail}`]),
    ...tables.flatMap(({ detail, ok, table }) => (ok ? [] : [`table ${table}: ${detail}`])),
  ];
  return found.length === 0 ? null : found.join("; ");
}

/** The last drill of a backup. */
export const backupDrillSchema = z.object({
  /** When it began. */
  at: z.iso.datetime(),
  ok: z.boolean(),
  operationId: operationIdSchema,
  /** From its call to a PostgreSQL that leads; null: it did not come so far. */
  restoreSeconds: z.number().min(0).nullable(),
  /** Null: it did not come so far. */
  checks: drillChecksSchema.nullable(),
  /** Why it failed. */
  message: z.string().nullable(),
});
export type BackupDrill = z.infer<typeof backupDrillSchema>;

/** The last drill of a cluster. */
export const clusterDrillSchema = backupDrillSchema
  .omit({ checks: true })
  .extend({ backupId: backupIdSchema });
export type ClusterDrill = z.infer<typeof clusterDrillSchema>;

/** How long it took to have the cluster's data back, the last time that it was tried. */
export const measuredRecoverySchema = z.object({
  at: z.iso.datetime(),
  restoreSeconds: z.number().min(0),
  backupId: backupIdSchema,
  /** Of what was restored. */
  sizeBytes: z.int().min(0).nullable(),
});
export type MeasuredRecovery = z.infer<typeof measuredRecoverySchema>;

/** Whose backup a cluster is there to prove. */
export const drillOfSchema = z.object({
  clusterId: clusterIdSchema,
  backupId: backupIdSchema,
  operationId: operationIdSchema,
});

/** `Operation.request` of a drill. */
export const drillRequestSchema = z.strictObject({
  backupId: backupIdSchema,
  /** The cluster that is thrown away, and its node. */
  throwAway: z.strictObject({ clusterId: clusterIdSchema, nodeId: nodeIdSchema, zone: z.string() }),
  source: restoreRequestSchema,
  database: z.string(),
  tables: drillTablesSchema,
});
export type DrillRequest = z.infer<typeof drillRequestSchema>;

/** How far a drill has come, in `Operation.result`. */
export const drillCourseSchema = z.object({
  restoreSeconds: z.number().min(0).nullable().default(null),
  checks: drillChecksSchema.nullable().default(null),
});
export type DrillCourse = z.infer<typeof drillCourseSchema>;
