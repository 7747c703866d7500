import type { Backup } from "./backup.ts";
import { byInstant } from "./instant.ts";
import { parseLsn } from "./lsn.ts";
import {
  type ArchiveFirst,
  type CheckedTarget,
  type History,
  newestTimeline,
  type RefusedTarget,
  type RestoreTarget,
  type RestoreWish,
  refused,
} from "./target.ts";
import { isOnLine, lastOf, lineTo, timelineAt } from "./timeline.ts";
import { walTimeline } from "./wal.ts";

/** What a target comes to, whichever backup is taken. */
type Place =
  | RefusedTarget
  | {
      readonly ok: true;
      /** The timeline to follow; null: the newest one. */
      readonly timeline: number | null;
      readonly lsn: bigint | null;
      readonly archiveFirst: ArchiveFirst | null;
    };

/** Decides before anything starts whether a restore can get to its target, on which timeline and from which backup. */
export function checkTarget(wish: RestoreWish, history: History): CheckedTarget {
  const { window } = history;
  const there = history.backups
    .filter(
      ({ endedAt, engine, state }) => engine === "pgbackrest" && state === "succeeded" && endedAt !== null,
    )
    .toSorted((left, right) => byInstant(endOf(left), endOf(right)));
  if (window === null || there.length === 0) {
    return refused("no-backup", "/target", "nothing can be restored: there is no backup of this cluster");
  }
  const candidates = wish.backupId === null ? there : there.filter(({ id }) => id === wish.backupId);
  if (candidates.length === 0) {
    const message = `${wish.backupId} is no backup of this cluster that can be restored`;
    return refused("backup-unknown", "/backupId", message);
  }
  const place = placeOf(wish, history);
  if (!place.ok) return place;
  const before = candidates.filter((backup) => isBefore(backup, wish.target, place.lsn));
  const usable = before.filter((backup) => isOnTheWay(backup, wish, place.timeline, history));
  const [backup, ...others] = inOrder(usable, wish.target, place.lsn);
  if (backup !== undefined)
    return { ...place, timeline: timelineFor(backup, wish, place, history), backup, others };
  if (wish.backupId === null) return noBackupBefore(before, window.earliest);
  return before.length === 0
    ? refused(
        "target-outside-window",
        "/backupId",
        `${wish.backupId} ended after the target: choose an earlier backup, or none`,
      )
    : refused(
        "target-outside-window",
        "/backupId",
        `${wish.backupId} was taken on a timeline that does not lead to the target: choose another backup, or none`,
      );
}

/** The end of a backup is on the timeline that it was taken on, whatever came later. */
function timelineFor(
  { walStop }: Backup,
  { target }: RestoreWish,
  { timeline }: { readonly timeline: number | null },
  history: History,
): number | null {
  if (target !== "immediate") return timeline;
  const own = walTimeline(walStop);
  return own === newestTimeline(history) ? null : own;
}

function noBackupBefore(before: readonly Backup[], earliest: string): RefusedTarget {
  return before.length === 0
    ? refused(
        "target-outside-window",
        "/target",
        `lies before the end of the first backup, at ${earliest}: choose a later one`,
      )
    : refused(
        "target-outside-window",
        "/target",
        "lies on a timeline that no backup before it leads to: say another timeline, or choose a later target",
      );
}

function placeOf(wish: RestoreWish, history: History): Place {
  const { target, timeline } = wish;
  const newest = newestTimeline(history);
  if (timeline !== null && timeline > newest) {
    return refused("target-outside-window", "/timeline", `is not there: the newest timeline is ${newest}`);
  }
  const follow = (asked: number): number | null => (asked === newest ? null : asked);
  if (target === "immediate") {
    return timeline === null
      ? { ok: true, timeline: null, lsn: null, archiveFirst: null }
      : refused("target-outside-window", "/timeline", "goes with no backup's own end: leave it out");
  }
  const open = history.present === null ? null : "may";
  if (target === "latest")
    return { ok: true, timeline: follow(timeline ?? newest), lsn: null, archiveFirst: open };
  if ("time" in target) return placeOfTime(target.time, wish, history);
  if ("lsn" in target) return placeOfLsn(target.lsn, timeline ?? newest, "/target/lsn", history);
  if ("name" in target) return placeOfName(target.name, wish, history);
  const future = xidOfFuture(target.xid, history);
  return future ?? { ok: true, timeline: follow(timeline ?? newest), lsn: null, archiveFirst: open };
}

function placeOfTime(time: string, { timeline }: RestoreWish, history: History): Place {
  const { forks, present, starts, window } = history;
  const { earliest, latest } = window ?? { earliest: time, latest: time };
  const until = present !== null && byInstant(present.at, latest) > 0 ? present.at : latest;
  if (byInstant(time, earliest) < 0 || byInstant(time, until) > 0) {
    const where = byInstant(time, earliest) < 0 ? "before" : "after";
    const why =
      where === "after" && present === null
        ? "; nobody can ask the leader for more: choose an earlier time, or bring the cluster back first"
        : "";
    const message = `lies ${where} what can be restored to: from ${earliest} to ${until}${why}`;
    return refused("target-outside-window", "/target/time", message);
  }
  const newest = newestTimeline(history);
  const then = timelineAt(time, starts, 1);
  const asked = timeline ?? lastOf(Math.min(then, newest), newest, forks);
  const archiveFirst = byInstant(time, latest) > 0 ? "must" : present === null ? null : "may";
  return { ok: true, timeline: asked === newest ? null : asked, lsn: null, archiveFirst };
}

function placeOfLsn(text: string, timeline: number, path: string, history: History): Place {
  const lsn = parseLsn(text);
  if (lsn === null) return refused("target-outside-window", path, "must be an LSN such as 0/3000148");
  const newest = newestTimeline(history);
  if (timeline !== newest) return { ok: true, timeline, lsn, archiveFirst: null };
  const { present } = history;
  const archived = history.archivedLsn === null ? null : parseLsn(history.archivedLsn);
  const reached = present === null ? null : parseLsn(present.lsn);
  if (archived !== null && lsn <= archived) {
    return { ok: true, timeline: null, lsn, archiveFirst: present === null ? null : "may" };
  }
  if (reached !== null && lsn <= reached) return { ok: true, timeline: null, lsn, archiveFirst: "must" };
  if (reached === null && archived === null) return { ok: true, timeline: null, lsn, archiveFirst: null };
  const end =
    reached === null
      ? `the end of the WAL archive, ${history.archivedLsn}`
      : `the end of WAL, ${present?.lsn}`;
  const older = newest > 1 ? `; what an earlier timeline has is reached with "timeline"` : "";
  return refused("target-outside-window", path, `lies after ${end}${older}`);
}

function placeOfName(name: string, { timeline, unlisted }: RestoreWish, history: History): Place {
  const newest = newestTimeline(history);
  const point = history.restorePoints.find((one) => one.name === name);
  if (point === undefined) {
    if (!unlisted) {
      const message = `there is no restore point "${name}" on record: if it was made by hand, say "unlisted": true`;
      return refused("restore-point-unknown", "/target/name", message);
    }
    const asked = timeline ?? newest;
    const archiveFirst = history.present === null ? null : "may";
    return { ok: true, timeline: asked === newest ? null : asked, lsn: null, archiveFirst };
  }
  const line = lineTo(newest, history.forks);
  const isThere = line !== null && isOnLine(line, point.timeline, parseLsn(point.lsn) ?? 0n);
  return placeOfLsn(point.lsn, timeline ?? (isThere ? newest : point.timeline), "/target/name", history);
}

/** Whether it was archived already nobody can tell: a restore that does not get there fails. */
function xidOfFuture(xid: string, { present }: History): RefusedTarget | null {
  if (present === null || BigInt(xid) < BigInt(present.nextXid)) return null;
  const message = `is of the future: the next transaction is ${present.nextXid}`;
  return refused("target-outside-window", "/target/xid", message);
}

/** Where nobody knows where a timeline comes from, PostgreSQL says whether a backup leads to it. */
function isOnTheWay(
  backup: Backup,
  { target }: RestoreWish,
  timeline: number | null,
  history: History,
): boolean {
  if (target === "immediate") return true;
  const line = lineTo(timeline ?? newestTimeline(history), history.forks);
  const own = walTimeline(backup.walStop);
  const stop = lsnStopOf(backup);
  return line === null || own === null || stop === null || isOnLine(line, own, stop);
}

/** Whether the backup had ended; where nobody knows when the target was, each of them may have. */
function isBefore(backup: Backup, target: RestoreTarget, lsn: bigint | null): boolean {
  if (typeof target !== "string" && "time" in target) return byInstant(endOf(backup), target.time) <= 0;
  const stop = lsnStopOf(backup);
  return lsn === null || (stop !== null && stop <= lsn);
}

/**
 * The last one before a target has the least WAL after it. A transaction's id does not say when it was, nor does a
 * point that is not listed: then the first backup is before everything that can be restored to.
 */
function inOrder(backups: readonly Backup[], target: RestoreTarget, lsn: bigint | null): readonly Backup[] {
  const isDated = typeof target === "string" || "time" in target || lsn !== null;
  return isDated ? backups.slice(-1) : backups;
}

const endOf = ({ endedAt }: Backup): string => endedAt ?? "";
const lsnStopOf = ({ lsnStop }: Backup): bigint | null => (lsnStop === null ? null : parseLsn(lsnStop));
