import { z } from "zod";
import type { FieldError, ProblemCode } from "../problems.ts";
import type { Backup } from "./backup.ts";
import { parseLsn } from "./lsn.ts";
import type { Fork, TimelineStart } from "./timeline.ts";
import type { RestoreWindow } from "./window.ts";

/** PostgreSQL's own limit for the name of a restore point. */
export const pointNameCharactersMax = 63;
const lsnSchema = z
  .string()
  .refine((text) => parseLsn(text) !== null, "must be an LSN such as 0/3000148: two hexadecimal numbers");
const xidSchema = z.string().regex(/^[1-9]\d{0,19}$/, "must be a transaction id: a whole number above zero");

/** Where a restore ends: at exactly one of these. */
export const restoreTargetSchema = z.union([
  z.literal("immediate"),
  z.literal("latest"),
  z.strictObject({ time: z.iso.datetime({ offset: true }) }),
  z.strictObject({ lsn: lsnSchema }),
  z.strictObject({ xid: xidSchema }),
  z.strictObject({ name: z.string().min(1).max(pointNameCharactersMax) }),
]);
export type RestoreTarget = z.infer<typeof restoreTargetSchema>;

/** A restore point that PostgreSQL has made. */
export interface KnownPoint {
  readonly name: string;
  readonly at: string;
  readonly lsn: string;
  readonly timeline: number;
}

/** Where the leader is. */
export interface PresentPosition {
  readonly at: string;
  readonly timeline: number;
  readonly lsn: string;
  /** The next transaction's id, with its epoch. */
  readonly nextXid: string;
}

/** What is known of a cluster's past. */
export interface History {
  readonly backups: readonly Backup[];
  readonly window: RestoreWindow | null;
  /** Up to here the newest timeline's WAL is known to be in the archive; null: nobody knows. */
  readonly archivedLsn: string | null;
  /** Null: nobody can ask the leader, and so nobody can have it archive more. */
  readonly present: PresentPosition | null;
  readonly forks: readonly Fork[];
  readonly starts: readonly TimelineStart[];
  readonly restorePoints: readonly KnownPoint[];
}

export interface RestoreWish {
  readonly target: RestoreTarget;
  /** The backup to begin with; null: the last one before the target. */
  readonly backupId: string | null;
  /** A restore point that is not listed was made by hand. */
  readonly unlisted: boolean;
  /** The timeline that the target is on; null: the one that the cluster was on then. */
  readonly timeline: number | null;
}

/**
 * Whether the leader archives before the restore begins. `must`: what the target needs is not in the archive yet.
 * `may`: it is, but PostgreSQL knows that it has got to the target only by what was written after it.
 */
export const archiveFirstSchema = z.enum(["must", "may"]);
export type ArchiveFirst = z.infer<typeof archiveFirstSchema>;

export interface RestorePlan {
  readonly ok: true;
  readonly backup: Backup;
  /** Backups that would do as well, should WAL be missing after this one. */
  readonly others: readonly Backup[];
  /** Null: the newest one. */
  readonly timeline: number | null;
  /** Where the target is in WAL, as far as it is known before anybody has looked. */
  readonly lsn: bigint | null;
  readonly archiveFirst: ArchiveFirst | null;
}

export type TargetRefusal = Extract<
  ProblemCode,
  "no-backup" | "backup-unknown" | "target-outside-window" | "restore-point-unknown" | "wal-missing"
>;

export interface RefusedTarget {
  readonly ok: false;
  readonly code: TargetRefusal;
  readonly error: FieldError;
}

export type CheckedTarget = RestorePlan | RefusedTarget;

export const refused = (code: TargetRefusal, path: string, message: string): RefusedTarget => ({
  ok: false,
  code,
  error: { path, message },
});

/** The newest timeline that anything says of. */
export function newestTimeline({ backups, forks, present, starts }: History): number {
  return Math.max(
    1,
    ...(present === null ? [] : [present.timeline]),
    ...[...forks, ...starts].map(({ timeline }) => timeline),
    ...backups.map(({ walStop }) => (walStop === null ? 1 : Number.parseInt(walStop.slice(0, 8), 16))),
  );
}
