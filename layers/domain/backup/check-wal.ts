import {
  type ArchivedWal,
  endOfWalAt,
  followWal,
  gapText,
  isBehindGap,
  type WalGap,
  type WalRun,
} from "./archive.ts";
import type { Backup } from "./backup.ts";
import { formatLsn, parseLsn } from "./lsn.ts";
import {
  type History,
  newestTimeline,
  type RefusedTarget,
  type RestorePlan,
  type RestoreTarget,
  refused,
} from "./target.ts";
import { type Leg, lineTo } from "./timeline.ts";
import { parseWal, segmentBytesOf, walTimeline } from "./wal.ts";

/** The way to a target, as the archive has it. */
export interface CheckedWal {
  readonly ok: true;
  readonly backup: Backup;
  /** What PostgreSQL replays, at most; null: nobody knows. */
  readonly walBytes: number | null;
  /** Every segment on the way was found. */
  readonly isChecked: boolean;
}

type Found = Pick<History, "backups" | "forks" | "present" | "starts">;

/** Whether the archive has what a restore has to replay, from the first of the plan's backups with which it has. */
export function checkWal(
  plan: RestorePlan,
  target: RestoreTarget,
  archive: ArchivedWal,
  history: History,
): CheckedWal | RefusedTarget {
  let objection: RefusedTarget | null = null;
  for (const backup of [plan.backup, ...plan.others]) {
    const line = lineOf(plan, target, backup, history);
    const run = line === null ? null : runFrom(backup, line, archive, history);
    if (run === null) return { ok: true, backup, walBytes: null, isChecked: false };
    const wrong = objectionTo(run, backup, { plan, target, archive, history });
    if (wrong === null) {
      const walBytes = bytesOf(run, backup, { plan, target, history });
      return { ok: true, backup, walBytes, isChecked: !archive.isCut };
    }
    objection ??= wrong;
  }
  return objection ?? refused("no-backup", "/target", "nothing can be restored: there is no backup");
}

function lineOf(plan: RestorePlan, target: RestoreTarget, backup: Backup, history: History): Leg[] | null {
  const own = target === "immediate" ? walTimeline(backup.walStop) : plan.timeline;
  return lineTo(own ?? newestTimeline(history), history.forks);
}

function runFrom(
  backup: Backup,
  line: readonly Leg[],
  archive: ArchivedWal,
  { backups }: Found,
): WalRun | null {
  const segmentBytes = segmentBytesOf(backups);
  const from = backup.walStart === null ? null : parseWal(backup.walStart, segmentBytes);
  return from === null ? null : followWal(archive, line, from, segmentBytes);
}

interface Asked {
  readonly plan: RestorePlan;
  readonly target: RestoreTarget;
  readonly archive: ArchivedWal;
  readonly history: History;
}

function objectionTo(
  run: WalRun,
  backup: Backup,
  { archive, history, plan, target }: Asked,
): RefusedTarget | null {
  if (run.gap !== null && isInTheWay(run.gap, backup, plan, target)) return missing(run.gap, backup);
  if (run.gap !== null || archive.isCut || plan.lsn === null || history.present !== null) return null;
  if (run.end !== null && plan.lsn <= run.end) return null;
  const path = typeof target !== "string" && "name" in target ? "/target/name" : "/target/lsn";
  const end = run.end === null ? "there is no WAL from its backup on" : `which ends at ${formatLsn(run.end)}`;
  const message = `lies after what is in the WAL archive, ${end}; nobody can ask the leader for more: choose an earlier target, or bring the cluster back first`;
  return refused("target-outside-window", path, message);
}

function isInTheWay(gap: WalGap, backup: Backup, { lsn }: RestorePlan, target: RestoreTarget): boolean {
  if (lsn !== null) return lsn >= gap.from;
  if (typeof target !== "string" && "time" in target) return isBehindGap(target.time, gap);
  const stop = backup.lsnStop === null ? null : parseLsn(backup.lsnStop);
  return target !== "immediate" || stop === null || stop >= gap.from;
}

function missing(gap: WalGap, { id }: Backup): RefusedTarget {
  const advice =
    gap.before === null
      ? "choose another backup"
      : `choose a target that was archived by ${gap.before}, or a backup that was taken after the gap`;
  const message = `needs WAL after backup ${id} that is not in the archive: ${gapText(gap)} ${gap.count === 1 ? "is" : "are"} missing; ${advice}`;
  return refused("wal-missing", "/target", message);
}

/** From where the backup began: that is where PostgreSQL begins to replay. */
function bytesOf(
  run: WalRun,
  backup: Backup,
  { history, plan, target }: Omit<Asked, "archive">,
): number | null {
  const from = backup.lsnStart === null ? null : parseLsn(backup.lsnStart);
  const to = plan.lsn ?? endOf(run, backup, target, history);
  if (from === null || to === null) return null;
  return to > from ? Number(to - from) : 0;
}

function endOf(
  run: WalRun,
  backup: Backup,
  target: RestoreTarget,
  { backups, present }: Found,
): bigint | null {
  if (target === "immediate") return backup.lsnStop === null ? null : parseLsn(backup.lsnStop);
  if (typeof target !== "string" && "time" in target) {
    return endOfWalAt(target.time, run, segmentBytesOf(backups));
  }
  const reached = present === null ? null : parseLsn(present.lsn);
  if (run.end === null) return reached;
  return reached !== null && reached > run.end ? reached : run.end;
}
