import { z } from "zod";
import { drillChecksSchema } from "../backup/drill.ts";
import { drillTablesSchema } from "../backup/tables.ts";
import { clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";

const node = { clusterId: clusterIdSchema, nodeId: nodeIdSchema };

/** `failed`: what looks at the data did not come to its end; `done`: it did, whatever it has found. */
const drillStandingSchema = z.strictObject({
  state: z.enum(["absent", "running", "failed", "done"]),
  message: z.string().nullable(),
  checks: drillChecksSchema.nullable(),
});
export type DrillStanding = z.infer<typeof drillStandingSchema>;

/** `absent`: the node is not at it. `failed`: `message` is what pgBackRest said last. `done`: it has read all it could. */
const verificationStandingSchema = z.strictObject({
  state: z.enum(["absent", "running", "failed", "done"]),
  message: z.string().nullable(),
  found: z.strictObject({ ok: z.boolean(), backups: z.int().min(0), walSegments: z.int().min(0) }).nullable(),
});
export type VerificationStanding = z.infer<typeof verificationStandingSchema>;

/** What proves backups. */
export const drillVerbs = {
  /**
   * Begins to look at restored data and leaves it to systemd; one that runs or has ended is not begun again. PostgreSQL
   * does not run any more afterwards: this is for data that is thrown away.
   */
  "check-restored": {
    input: z.strictObject({
      ...node,
      operationId: operationIdSchema,
      database: z.string().min(1),
      tables: drillTablesSchema,
    }),
    output: drillStandingSchema,
  },
  /** How far that is; changes nothing. */
  "check-standing": {
    input: z.strictObject({ ...node, operationId: operationIdSchema }),
    output: drillStandingSchema,
  },
  /** Begins to read the shard's whole repository, or finds that the node is at it, and leaves it to systemd. */
  "verify-repository": {
    input: z.strictObject({ ...node, operationId: operationIdSchema }),
    output: verificationStandingSchema,
  },
  /** How far that is; changes nothing. */
  "verification-standing": {
    input: z.strictObject({ ...node, operationId: operationIdSchema }),
    output: verificationStandingSchema,
  },
  /** Ends that; one that is not at it is success. */
  "stop-verification": {
    input: z.strictObject({ ...node, operationId: operationIdSchema }),
    output: z.strictObject({}),
  },
} as const;
