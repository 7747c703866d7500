import { z } from "zod";
import { backupProgressSchema, physicalBackupTypeSchema } from "../backup/backup.ts";
import { repositoryBackupSchema } from "../backup/repository.ts";
import { pointNameSchema } from "../backup/restore-point.ts";
import { forkSchema } from "../backup/timeline.ts";
import { backupIdSchema, clusterIdSchema, nodeIdSchema } from "../ids.ts";

const node = { clusterId: clusterIdSchema, nodeId: nodeIdSchema };
/** Long enough for a segment over a slow line, short enough that an operator sees the end of it. */
const deadlineSeconds = z.int().min(1).max(600);

/**
 * `absent`: the node is not at it, and the repository does not have it. `failed`: the node was at it, and `message` is
 * what pgBackRest said last.
 */
const backupStandingSchema = z.strictObject({
  state: z.enum(["absent", "running", "failed", "done"]),
  message: z.string().nullable(),
  /** While it runs, once it is known how much there is to copy. */
  progress: backupProgressSchema.nullable(),
  /** What the repository has, once it is done. */
  backup: repositoryBackupSchema.nullable(),
});
export type BackupStanding = z.infer<typeof backupStandingSchema>;

export const repositoryListSchema = z.array(repositoryBackupSchema);

/** Where PostgreSQL is, by its own clock. */
const position = {
  at: z.iso.datetime(),
  timeline: z.int().min(1),
  lsn: z.string(),
};

const archiveStateSchema = z.strictObject({
  ...position,
  /** Every commit up to then is in the archive; null: this node has archived nothing yet. */
  archivedUntil: z.iso.datetime().nullable(),
  lastArchivedWal: z.string().nullable(),
  failedCount: z.int().min(0),
  lastFailedAt: z.iso.datetime().nullable(),
  readyCount: z.int().min(0),
  oldestReadySeconds: z.number().min(0).nullable(),
  walBytes: z.int().min(0),
  /** With its epoch. */
  nextXid: z.string(),
  /** As far as the node knows them. */
  forks: z.array(forkSchema),
});
export type ArchiveState = z.infer<typeof archiveStateSchema>;

/** pgBackRest on the node. */
export const backupVerbs = {
  /**
   * Makes the shard's stanza, or finds that it is there, and waits until a WAL segment that is ended now has been
   * archived. Sent to the leader. `archive-fails`: with PostgreSQL's own words.
   */
  "ensure-stanza": {
    input: z.strictObject({ ...node, deadlineSeconds }),
    output: z.strictObject({ archivedWal: z.string() }),
  },
  /** Begins to take a backup and leaves it to systemd. One that runs, or is in the repository already, is success. */
  "take-backup": {
    input: z.strictObject({ ...node, backupId: backupIdSchema, type: physicalBackupTypeSchema }),
    output: backupStandingSchema,
  },
  /** How far a backup is that this node was told to take; changes nothing. */
  "backup-standing": {
    input: z.strictObject({ ...node, backupId: backupIdSchema }),
    output: backupStandingSchema,
  },
  /** Ends the taking of a backup on this node; one that is not being taken is success. */
  "stop-backup": {
    input: z.strictObject({ ...node, backupId: backupIdSchema }),
    output: z.strictObject({}),
  },
  /** Everything that the repository has, oldest first, gzipped and in base64: see `repositoryListSchema`. */
  "list-backups": { input: z.strictObject(node), output: z.strictObject({ list: z.base64() }) },
  /** Removes one backup; gone already is success. `backup-needed`: others depend on it, or it is the last full one. */
  "delete-backup": {
    input: z.strictObject({
      ...node,
      label: z.string().regex(/^[0-9]{8}-[0-9]{6}F(?:_[0-9]{8}-[0-9]{6}[DI])?$/),
    }),
    output: z.strictObject({}),
  },
  /**
   * Removes the WAL from before the first full backup that there is. From that one on, every moment can still be
   * restored to. Without a full backup nothing is removed.
   */
  "expire-archive": { input: z.strictObject(node), output: z.strictObject({}) },
  /** What the leader's archiver does, and how far PostgreSQL has come. */
  "archive-state": { input: z.strictObject(node), output: archiveStateSchema },
  /**
   * Commits something, ends the WAL segment that it is in, and waits until that is in the archive: from then on every
   * moment before `at` can be restored to. Sent to the leader. `archive-fails`: with PostgreSQL's own words.
   */
  "archive-now": {
    input: z.strictObject({ ...node, deadlineSeconds }),
    output: z.strictObject({ ...position, archivedWal: z.string(), forks: z.array(forkSchema) }),
  },
  /** Writes a named point into WAL, and returns when no failover that waits for standbys loses it. Sent to the leader. */
  "make-restore-point": {
    input: z.strictObject({ ...node, name: pointNameSchema }),
    output: z.strictObject(position),
  },
} as const;
