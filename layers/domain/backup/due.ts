import { z } from "zod";
import { type Backup, backupTypeSchema } from "./backup.ts";
import { lastTime } from "./cron.ts";
import { byInstant, secondsLater } from "./instant.ts";
import {
  type AppliedSchedules,
  type ProofKind,
  type ScheduleKind,
  scheduleKinds,
  servedBy,
} from "./schedule.ts";

/** How long a backup that was due is waited for. */
export const backupPatience = {
  /** The scheduler fires within its minute; what has not begun by then was missed, and is begun. */
  missedSeconds: 180,
  /** After the first failure; the pause doubles with each one that follows. */
  retrySeconds: 900,
  retrySecondsMax: 4 * 60 * 60,
  /** Then somebody should know. */
  lateSeconds: 60 * 60,
} as const;

/** Nodes and the control plane have clocks of their own, and a repository knows whole seconds. */
const clockSeconds = 60;

/** When the last backup of each type began that succeeded, also where it has been deleted since. */
export const lastBackupsSchema = z.partialRecord(backupTypeSchema, z.iso.datetime());
export type LastBackups = z.infer<typeof lastBackupsSchema>;

type Tried = Pick<Backup, "type" | "state" | "startedAt" | "endedAt" | "error">;

/** What is known of a cluster's backups. */
export interface BackupRecord {
  readonly backups: readonly Tried[];
  readonly lastBackups: LastBackups;
}

/** A backup that was scheduled, and what has become of it. `skipped`: somebody cancelled it. */
export interface DueBackup {
  readonly kind: ScheduleKind;
  /** When it was due. */
  readonly at: string;
  readonly state: "taken" | "skipped" | "under-way" | "failed" | "missed";
  /** Tries that failed, and the last of them. */
  readonly failures: number;
  readonly failedAt: string | null;
  readonly message: string | null;
}

const isFrom = (time: string, from: string): boolean =>
  byInstant(time, secondsLater(from, -clockSeconds)) >= 0;

/** The last one that was due up to a moment; null: none was since the schedule is in force. */
function lastDue(
  kind: ScheduleKind,
  applied: AppliedSchedules,
  record: BackupRecord,
  until: string,
): DueBackup | null {
  const schedule = applied[kind];
  const at = schedule === null ? null : lastTime(schedule.cron, until);
  if (schedule === null || at === null || byInstant(at, schedule.since) < 0) return null;
  const types = servedBy[kind];
  const tries = record.backups.filter(({ startedAt, type }) => types.includes(type) && isFrom(startedAt, at));
  const failed = tries
    .filter(({ state }) => state === "failed")
    .toSorted((left, right) => byInstant(endOf(left), endOf(right)));
  const last = failed.at(-1);
  return {
    kind,
    at,
    state: stateOf(
      tries,
      types.some((type) => isFrom(record.lastBackups[type] ?? longAgo, at)),
    ),
    failures: failed.length,
    failedAt: last === undefined ? null : endOf(last),
    message: last?.error?.message ?? null,
  };
}

const endOf = ({ endedAt, startedAt }: Tried): string => endedAt ?? startedAt;

const longAgo = "1970-01-01T00:00:00Z";

function stateOf(tries: readonly Tried[], isOnRecord: boolean): DueBackup["state"] {
  const has = (...states: readonly Tried["state"][]): boolean =>
    tries.some(({ state }) => states.includes(state));
  // One that is about to be deleted was taken.
  if (isOnRecord || has("succeeded", "deleting")) return "taken";
  if (has("pending", "running")) return "under-way";
  if (has("cancelled")) return "skipped";
  return has("failed") ? "failed" : "missed";
}

/** A backup that is to be begun, and which try it is: 0 is the one that the schedule itself begins. */
export interface BackupTry {
  readonly kind: ScheduleKind;
  readonly at: string;
  readonly attempt: number;
}

/** The backup that should be begun now because it was missed or has failed; null: there is none, or not yet. */
export function backupToTry(applied: AppliedSchedules, record: BackupRecord, now: string): BackupTry | null {
  for (const kind of scheduleKinds) {
    const due = lastDue(kind, applied, record, secondsLater(now, -backupPatience.missedSeconds));
    if (due === null || (due.state !== "missed" && due.state !== "failed")) continue;
    if (due.failedAt !== null && byInstant(now, nextTryAt(due.failedAt, due.failures)) < 0) continue;
    return { kind, at: due.at, attempt: due.failures };
  }
  return null;
}

function nextTryAt(failedAt: string, failures: number): string {
  const { retrySeconds, retrySecondsMax } = backupPatience;
  return secondsLater(failedAt, Math.min(retrySeconds * 2 ** (failures - 1), retrySecondsMax));
}

/** Backups that nobody has taken long after they were due. The first try of one that takes its time is not late. */
export function lateBackups(applied: AppliedSchedules, record: BackupRecord, now: string): DueBackup[] {
  return scheduleKinds.flatMap((kind) => {
    const due = lastDue(kind, applied, record, secondsLater(now, -backupPatience.lateSeconds));
    if (due === null || due.state === "taken" || due.state === "skipped") return [];
    return due.state === "under-way" && due.failures === 0 ? [] : [due];
  });
}

/** What was missed for longer waits for its next time: what it would prove will be proven then. */
const proofHoursMax = 24;

/**
 * When a drill or a verification was due that nobody has begun, so that it should be now; null: there is none. One that
 * has failed is told, and is not begun again before its next time.
 * @param last when the last one began that came to an end
 */
export function proofToBegin(
  kind: ProofKind,
  applied: AppliedSchedules,
  last: string | null,
  now: string,
): string | null {
  const schedule = applied[kind];
  const at =
    schedule === null ? null : lastTime(schedule.cron, secondsLater(now, -backupPatience.missedSeconds));
  if (schedule === null || at === null || byInstant(at, schedule.since) < 0) return null;
  if (byInstant(at, secondsLater(now, -proofHoursMax * 60 * 60)) < 0) return null;
  return last !== null && isFrom(last, at) ? null : at;
}

/** What is remembered of the backups that there are, beside what was remembered before. */
export function lastBackupsOf(backups: readonly Tried[], before: LastBackups): LastBackups {
  const last: LastBackups = { ...before };
  for (const { startedAt, state, type } of backups) {
    const known = last[type];
    if (state !== "succeeded" && state !== "deleting") continue;
    if (known === undefined || byInstant(startedAt, known) > 0) last[type] = startedAt;
  }
  return last;
}
