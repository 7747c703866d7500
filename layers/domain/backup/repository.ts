import { z } from "zod";
import { backupIdSchema } from "../ids.ts";
import { type Backup, physicalBackupTypeSchema } from "./backup.ts";

/** A backup as the repository has it. */
export const repositoryBackupSchema = z.strictObject({
  label: z.string(),
  /** The backup's id of ours, which it was annotated with; null where somebody else took it. */
  backupId: backupIdSchema.nullable(),
  type: physicalBackupTypeSchema,
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  sizeBytes: z.int().min(0),
  repositoryBytes: z.int().min(0),
  walStart: z.string().nullable(),
  walStop: z.string().nullable(),
  lsnStart: z.string().nullable(),
  lsnStop: z.string().nullable(),
  references: z.array(z.string()),
});
export type RepositoryBackup = z.infer<typeof repositoryBackupSchema>;

/** The backup with what the repository says of it. */
export function asInRepository(backup: Backup, found: RepositoryBackup): Backup {
  const { backupId: _same, ...facts } = found;
  return { ...backup, ...facts, state: "succeeded", progress: null, error: null };
}
