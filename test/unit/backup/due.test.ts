import { describe, expect, test } from "vitest";
import {
  type AppliedSchedules,
  type Backup,
  backupPatience,
  backupToTry,
  lastBackupsOf,
  lateBackups,
  noTimers,
  schedulesAnew,
  schedulesInForce,
  withUpcoming,
} from "../../../layers/domain/index.ts";
import { backupOf } from "./support/backups.ts";

const since = "2026-01-01T00:00:00.000Z";
/** Sunday. */
const due = "2026-01-04T02:00:00.000Z";
const weekly: AppliedSchedules = {
  ...noTimers,
  full: { cron: "0 2 * * 0", since },
};
const nightly: AppliedSchedules = { ...weekly, incr: { cron: "0 2 * * *", since } };

const later = (seconds: number, from = due): string =>
  new Date(Date.parse(from) + seconds * 1000).toISOString();

let number = 0;
function backup(change: Partial<Backup>): Backup {
  number += 1;
  const startedAt = change.startedAt ?? later(2);
  return backupOf(number, { startedAt, endedAt: startedAt, ...change });
}
const failed = (seconds: number, message = "S3 says AccessDenied."): Backup =>
  backup({
    state: "failed",
    label: null,
    startedAt: later(seconds - 1),
    endedAt: later(seconds),
    error: { code: "backup-failed", message },
  });

const known = (...backups: readonly Backup[]) => ({ backups, lastBackups: {} });
const { lateSeconds, missedSeconds, retrySeconds, retrySecondsMax } = backupPatience;
const toTry = (now: string, backups: readonly Backup[] = [], schedules = weekly) =>
  backupToTry(schedules, known(...backups), now);

describe("a backup that was due and has not begun", () => {
  test("is left to its schedule for some minutes, and begun then", () => {
    expect(toTry(later(missedSeconds - 1))).toBeNull();
    expect(toTry(later(missedSeconds))).toEqual({ kind: "full", at: due, attempt: 0 });
  });

  test("is nobody's omission where the schedule is younger, or there is none", () => {
    const fresh = { ...weekly, full: { cron: "0 2 * * 0", since: later(1) } };
    expect(toTry(later(missedSeconds), [], fresh)).toBeNull();
    expect(lateBackups(fresh, known(), later(lateSeconds))).toEqual([]);
    expect(toTry(later(missedSeconds), [], noTimers)).toBeNull();
  });

  test("is none where one has been taken since, however it began", () => {
    expect(toTry(later(missedSeconds), [backup({ startedBy: "olivia" })])).toBeNull();
    expect(toTry(later(missedSeconds), [backup({ state: "deleting" })])).toBeNull();
  });

  test("is none where a clock is a little behind", () => {
    expect(toTry(later(missedSeconds), [backup({ startedAt: later(-30) })])).toBeNull();
    expect(toTry(later(missedSeconds), [backup({ startedAt: later(-3600) })])).not.toBeNull();
  });

  test("is none where it was taken and deleted since", () => {
    const lastBackups = lastBackupsOf([backup({})], {});
    expect(backupToTry(weekly, { backups: [], lastBackups }, later(missedSeconds))).toBeNull();
    expect(lateBackups(weekly, { backups: [], lastBackups }, later(lateSeconds))).toEqual([]);
  });

  test("waits for one that runs, and is let be where somebody cancelled it", () => {
    for (const state of ["pending", "running", "cancelled"] as const) {
      expect(toTry(later(missedSeconds), [backup({ state, label: null })])).toBeNull();
    }
  });

  test("is served by one that restores as much by itself, and by no lesser one", () => {
    const full = backup({ type: "full" });
    const incr = backup({ type: "incr" });
    expect(toTry(later(missedSeconds), [full], nightly)).toBeNull();
    expect(toTry(later(missedSeconds), [incr], nightly)).toMatchObject({ kind: "full" });
    expect(toTry(later(missedSeconds), [], nightly)).toMatchObject({ kind: "full" });
  });
});

describe("a backup that failed", () => {
  test("is tried again after a pause that doubles, up to some hours", () => {
    const tries = [failed(60)];
    for (let count = 1; count <= 8; count += 1) {
      const pause = Math.min(retrySeconds * 2 ** (count - 1), retrySecondsMax);
      const last = tries.at(-1)?.endedAt ?? "";
      expect(toTry(later(pause - 1, last), tries)).toBeNull();
      expect(toTry(later(pause, last), tries)).toEqual({ kind: "full", at: due, attempt: count });
      tries.push(failed((Date.parse(last) - Date.parse(due)) / 1000 + pause + 60));
    }
  });

  test("is over with the next one that is taken", () => {
    expect(
      toTry(later(3 * retrySeconds), [failed(60), backup({ startedAt: later(retrySeconds) })]),
    ).toBeNull();
  });

  test("of the time before counts for nothing", () => {
    expect(toTry(later(missedSeconds), [failed(-3600)])).toMatchObject({ attempt: 0 });
  });
});

describe("a backup is late", () => {
  test("an hour after it was due, and not before", () => {
    expect(lateBackups(weekly, known(), later(lateSeconds - 1))).toEqual([]);
    expect(lateBackups(weekly, known(), later(lateSeconds))).toMatchObject([
      { kind: "full", at: due, state: "missed", failures: 0, message: null },
    ]);
  });

  test("with the reason of the last try, and also while another one is made", () => {
    const tries = [failed(60, "the first."), failed(1000, "the second.")];
    const running = backup({ state: "running", label: null, startedAt: later(2800) });
    for (const backups of [tries, [...tries, running]]) {
      expect(lateBackups(weekly, known(...backups), later(lateSeconds))).toMatchObject([
        { failures: 2, message: "the second." },
      ]);
    }
  });

  test("not while the first try of it takes its time", () => {
    const running = backup({ state: "running", label: null });
    expect(lateBackups(weekly, known(running), later(5 * lateSeconds))).toEqual([]);
  });

  test("until it is taken, and not where somebody cancelled it", () => {
    expect(lateBackups(weekly, known(failed(60), backup({})), later(lateSeconds))).toEqual([]);
    const cancelled = backup({ state: "cancelled", label: null });
    expect(lateBackups(weekly, known(cancelled), later(lateSeconds))).toEqual([]);
  });

  test("of each kind for itself, the worst first", () => {
    expect(lateBackups(nightly, known(), later(lateSeconds)).map(({ kind }) => kind)).toEqual([
      "full",
      "incr",
    ]);
    const full = backup({ type: "full" });
    const nextNight = later(24 * 3600 + lateSeconds);
    expect(lateBackups(nightly, known(full), nextNight)).toMatchObject([
      { kind: "incr", at: later(24 * 3600) },
    ]);
  });
});

describe("schedules in force", () => {
  const wanted = { ...noTimers, full: "0 2 * * 0", incr: "0 3 * * *" };

  test("go on where they are as they were, and begin where they are new", () => {
    const now = later(0);
    expect(schedulesInForce(wanted, nightly, now)).toEqual({
      ...noTimers,
      full: weekly.full,
      incr: { cron: "0 3 * * *", since: now },
    });
    expect(schedulesInForce(wanted, null, now).full).toEqual({ cron: "0 2 * * 0", since: now });
  });

  test("begin anew with a cluster that stood still", () => {
    expect(schedulesAnew(weekly, due)).toEqual({ ...weekly, full: { cron: "0 2 * * 0", since: due } });
  });

  test("say when they come next", () => {
    expect(withUpcoming(weekly, due)).toEqual({
      ...noTimers,
      full: {
        ...weekly.full,
        next: ["2026-01-11T02:00:00.000Z", "2026-01-18T02:00:00.000Z", "2026-01-25T02:00:00.000Z"],
      },
    });
  });
});

describe("what is remembered of backups", () => {
  test("is when the last one of each type began that succeeded", () => {
    const lastBackups = lastBackupsOf(
      [backup({}), backup({ startedAt: later(50) }), failed(100), backup({ type: "incr" })],
      { diff: since, full: since },
    );
    expect(lastBackups).toEqual({ full: later(50), diff: since, incr: later(2) });
  });
});
