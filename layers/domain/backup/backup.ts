import { z } from "zod";
import { backupIdSchema, clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";
import { backupDrillSchema } from "./drill.ts";

/** `full` stands alone; `diff` needs the full one before it; `incr` needs the one before it, whatever that is. */
export const physicalBackupTypeSchema = z.enum(["full", "diff", "incr"]);
export type PhysicalBackupType = z.infer<typeof physicalBackupTypeSchema>;

/** `logical`: what is in the databases, and not their files. */
export const backupTypeSchema = z.enum([...physicalBackupTypeSchema.options, "logical"]);
export type BackupType = z.infer<typeof backupTypeSchema>;

export const backupEngineSchema = z.enum(["pgbackrest", "pg_dump"]);
export type BackupEngine = z.infer<typeof backupEngineSchema>;

export const engineOf = (type: BackupType): BackupEngine => (type === "logical" ? "pg_dump" : "pgbackrest");

/** `deleting`: it must not be relied on any more, though it may still be there. */
export const backupStateSchema = z.enum([
  "pending",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "deleting",
]);
export type BackupState = z.infer<typeof backupStateSchema>;

export const backupProgressSchema = z.object({ bytesDone: z.int().min(0), bytesTotal: z.int().min(0) });
export type BackupProgress = z.infer<typeof backupProgressSchema>;

export const backupSchema = z.object({
  id: backupIdSchema,
  clusterId: clusterIdSchema,
  shard: z.int().min(0),
  engine: backupEngineSchema,
  type: backupTypeSchema,
  state: backupStateSchema,
  /** Its name in the repository; null until it is there. */
  label: z.string().nullable(),
  /** The operation that takes it or, while it is `deleting`, removes it. */
  operationId: operationIdSchema,
  /** Where it was read from. */
  nodeId: nodeIdSchema.nullable(),
  startedBy: z.string(),
  startedAt: z.iso.datetime(),
  /** Of one that succeeded: a restore reaches every moment from here on for which there is WAL. */
  endedAt: z.iso.datetime().nullable(),
  /** While it runs. */
  progress: backupProgressSchema.nullable(),
  /** What a restore writes. */
  sizeBytes: z.int().min(0).nullable(),
  /** What it added to the repository. */
  repositoryBytes: z.int().min(0).nullable(),
  walStart: z.string().nullable(),
  walStop: z.string().nullable(),
  lsnStart: z.string().nullable(),
  lsnStop: z.string().nullable(),
  /** Labels of the backups without which it cannot be restored. */
  references: z.array(z.string()),
  /** What a logical one holds, once it has succeeded. */
  logical: z.object({ postgresVersion: z.string(), databases: z.array(z.string()) }).nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** What came of it when it was restored last, to prove it. */
  lastDrill: backupDrillSchema.nullable(),
});
export type Backup = z.infer<typeof backupSchema>;

/**
 * What is left of a backup whose delete has come to nothing. A repository gives up the whole of a backup, or nothing.
 * Objects of a logical one go one by one, and nobody can rely on the rest: it stays `deleting`, and the next delete, or
 * the next backup, removes it.
 */
export function notDeleted(
  backup: Backup,
  end: { readonly state: "failed" | "cancelled"; readonly error?: NonNullable<Backup["error"]> },
): Backup {
  const { engine, label } = backup;
  if (engine === "pg_dump" && end.state === "failed") return { ...backup, error: end.error ?? null };
  return { ...backup, state: label === null ? "failed" : "succeeded" };
}

/** `Operation.request` of an operation that takes or deletes a backup. */
export const backupRequestSchema = z.strictObject({ backupId: backupIdSchema });

/** A backup as its call writes it, before anybody has begun with it. */
export function newBackup(
  asked: Pick<Backup, "id" | "clusterId" | "shard" | "type" | "operationId" | "startedBy" | "startedAt">,
): Backup {
  return {
    ...asked,
    engine: engineOf(asked.type),
    state: "pending",
    label: null,
    nodeId: null,
    endedAt: null,
    progress: null,
    sizeBytes: null,
    repositoryBytes: null,
    walStart: null,
    walStop: null,
    lsnStart: null,
    lsnStop: null,
    references: [],
    logical: null,
    error: null,
    lastDrill: null,
  };
}
