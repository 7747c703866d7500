import { z } from "zod";
import { backupProgressSchema } from "../backup/backup.ts";
import { loadSchema, logicalFactsSchema } from "../backup/logical.ts";
import { backupIdSchema, clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";
import { repositorySchema } from "./repository.ts";

const node = { clusterId: clusterIdSchema, nodeId: nodeIdSchema };
const ofBackup = z.strictObject({ ...node, shard: z.int().min(0), backupId: backupIdSchema });
const ofLoad = z.strictObject({
  ...node,
  operationId: operationIdSchema,
  load: loadSchema,
  /** Of the shard that the backup is of. */
  repository: repositorySchema,
});

/**
 * `absent`: the node is not at it, and there is no manifest. `failed`: the node was at it, and `message` says what ended
 * it.
 */
const logicalStandingSchema = z.strictObject({
  state: z.enum(["absent", "running", "failed", "done"]),
  message: z.string().nullable(),
  /** While it runs. What is left to dump is an estimate by the sizes of databases and tables. */
  progress: backupProgressSchema.nullable(),
  /** What the manifest says, once it is done. */
  backup: logicalFactsSchema.nullable(),
});
export type LogicalStanding = z.infer<typeof logicalStandingSchema>;

const loadStandingSchema = z.strictObject({
  state: z.enum(["absent", "running", "failed", "done"]),
  message: z.string().nullable(),
  /** Another try would come to the same. */
  isFinal: z.boolean(),
  progress: backupProgressSchema.nullable(),
});
export type LoadStanding = z.infer<typeof loadStandingSchema>;

/** pg_dump and pg_restore on the node. */
export const logicalVerbs = {
  /** Begins to dump every database, and leaves it to systemd. One that runs, or has its manifest already, is success. */
  "take-logical-backup": { input: ofBackup, output: logicalStandingSchema },
  /** How far it is; changes nothing. Every node of the shard finds the manifest. */
  "logical-backup-standing": { input: ofBackup, output: logicalStandingSchema },
  /** Ends the taking on this node, and removes what there is without a manifest; nothing to end is success. */
  "stop-logical-backup": { input: ofBackup, output: z.strictObject({}) },
  /** Removes the manifest first, and then everything; gone already is success. */
  "delete-logical-backup": { input: ofBackup, output: z.strictObject({}) },
  /** Whether something can be loaded into the database. Sent to the leader. */
  "inspect-database": {
    input: z.strictObject({ ...node, name: z.string().min(1) }),
    output: z.strictObject({ exists: z.boolean(), isEmpty: z.boolean() }),
  },
  /**
   * Begins to load a database from a logical backup, and leaves it to systemd: into one that is empty, or one that it
   * makes. Sent to the leader. One that runs, or has been loaded by the same operation already, is success.
   */
  "load-database": { input: ofLoad, output: loadStandingSchema },
  /** How far it is; changes nothing. */
  "load-standing": { input: ofLoad, output: loadStandingSchema },
  /** Ends the loading on this node and removes what only it needed; what is loaded completely stays. */
  "end-load": { input: ofLoad, output: z.strictObject({}) },
} as const;
