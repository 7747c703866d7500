import { describe, expect, test } from "vitest";
import {
  type ArchivedSegment,
  type Backup,
  checkTarget,
  checkWal,
  estimateRestore,
  type History,
  type RestoreTarget,
  type RestoreWish,
  restoreWindow,
  walName,
} from "../../../layers/domain/index.ts";
import { backupOf, idOf, minute } from "./support/backups.ts";

const bytes = 4 * 1024 ** 2;
const name = (number: number) => walName({ timeline: 1, number }, bytes);
const lsn = (number: number, more = 0x100) => `0/${(number * bytes + more).toString(16).toUpperCase()}`;
/** In segment and minute of its number. */
const at = (number: number, change: Partial<Backup> = {}) =>
  backupOf(number, {
    walStart: name(number),
    walStop: name(number),
    lsnStart: lsn(number, 0x28),
    lsnStop: lsn(number),
    ...change,
  });
const kept = (...numbers: number[]): ArchivedSegment[] =>
  numbers.map((number) => ({ name: name(number), at: minute(number) }));

const backups = [at(2), at(6)];
const history: History = {
  backups,
  window: restoreWindow(backups, minute(9)),
  archivedLsn: lsn(10, 0),
  present: { at: minute(12), timeline: 1, lsn: lsn(11), nextXid: "800" },
  forks: [],
  starts: [],
  restorePoints: [],
};

function check(
  target: RestoreTarget,
  segments: readonly ArchivedSegment[],
  more: Partial<RestoreWish> = {},
  known: History = history,
) {
  const plan = checkTarget({ target, backupId: null, unlisted: false, timeline: null, ...more }, known);
  if (!plan.ok) throw new Error(plan.error.message);
  return checkWal(plan, target, { segments, isCut: false }, known);
}

describe("the WAL up to a target", () => {
  test("that is all there is counted from where the backup began", () => {
    const all = kept(6, 7, 8, 9);
    expect(check({ lsn: lsn(8) }, all)).toMatchObject({
      ok: true,
      isChecked: true,
      walBytes: 2 * bytes + 0xd8,
    });
    expect(check("immediate", all)).toMatchObject({ ok: true, walBytes: 0xd8 });
    expect(check({ time: minute(8) }, all)).toMatchObject({ ok: true, walBytes: 3 * bytes - 0x28 });
    expect(check("latest", all)).toMatchObject({ ok: true, walBytes: 5 * bytes + 0xd8 });
  });

  test("with a gap before the target is refused, and the gap is named with what would do", () => {
    const refused = check({ lsn: lsn(9) }, kept(6, 7, 9));
    expect(refused).toMatchObject({ ok: false, code: "wal-missing", error: { path: "/target" } });
    const { message } = refused.ok ? { message: "" } : refused.error;
    expect(message).toContain(name(8));
    expect(message).toContain(minute(7));
  });

  test("with a gap after the target is good enough", () => {
    expect(check({ lsn: lsn(7) }, kept(6, 7, 9))).toMatchObject({ ok: true });
    expect(check({ time: minute(7) }, kept(6, 7, 9))).toMatchObject({ ok: true });
    expect(check("immediate", kept(6, 8))).toMatchObject({ ok: true });
  });

  test.each<[string, RestoreTarget]>([
    ["a time behind it", { time: minute(8) }],
    ["everything", "latest"],
    ["a transaction, which may be behind it", { xid: "700" }],
  ])("with a gap is refused for %s", (_what, target) => {
    const segments = kept(2, 3, 4, 5, 6, 7, 9);
    expect(check(target, segments)).toMatchObject({ ok: false, code: "wal-missing" });
  });

  test("that lacks what the backup itself needs is refused for its end, too", () => {
    expect(check("immediate", kept(7, 8))).toMatchObject({ ok: false, code: "wal-missing" });
  });

  test("of a transaction is followed from the first backup after which nothing is missing", () => {
    const checked = check({ xid: "700" }, kept(2, 3, 5, 6, 7, 8, 9));
    expect(checked).toMatchObject({ ok: true, backup: { id: idOf("backup", 6) } });
    expect(check({ xid: "700" }, kept(2, 3, 4, 5, 6, 7))).toMatchObject({
      backup: { id: idOf("backup", 2) },
    });
  });

  test("that ends before the target is refused where nobody can ask the leader for more", () => {
    const alone = { ...history, present: null, archivedLsn: null };
    expect(check({ lsn: lsn(9) }, kept(6, 7), {}, alone)).toMatchObject({
      ok: false,
      code: "target-outside-window",
      error: { path: "/target/lsn" },
    });
    expect(check({ lsn: lsn(9) }, kept(6, 7))).toMatchObject({ ok: true });
  });

  test("is not judged where nobody knows where it leads along", () => {
    const unknown = { ...history, starts: [{ timeline: 2, since: minute(3) }], present: null };
    expect(check({ time: minute(8) }, [], {}, unknown)).toMatchObject({
      ok: true,
      isChecked: false,
      walBytes: null,
    });
  });
});

describe("the estimate of a restore", () => {
  const gib = 1024 ** 3;
  const slow = backupOf(1, { startedAt: minute(0), endedAt: minute(1), sizeBytes: 60 * gib });

  test("goes by how fast the cluster's own backup was, where that took long enough to tell", () => {
    expect(estimateRestore({ sizeBytes: 120 * gib }, 0, [slow])).toMatchObject({ copySeconds: 120 });
    const quick = backupOf(1, { sizeBytes: 60 * gib });
    const usual = estimateRestore({ sizeBytes: gib }, 0, [quick]).copySeconds;
    expect(usual).toBe(estimateRestore({ sizeBytes: gib }, 0, []).copySeconds);
    expect(usual).toBeGreaterThan(0);
  });

  test("grows with the data and with the WAL, and says that it is one and what it counts", () => {
    const small = estimateRestore({ sizeBytes: gib }, gib, []);
    const large = estimateRestore({ sizeBytes: 2 * gib }, 4 * gib, []);
    expect(large.copySeconds).toBeGreaterThan(small.copySeconds);
    expect(large.replaySeconds).toBeGreaterThan(small.replaySeconds);
    expect(large.seconds).toBeGreaterThan(large.copySeconds + large.replaySeconds);
    expect(small.basis).toMatch(/^An estimate: /);
    expect(estimateRestore({ sizeBytes: gib }, null, []).basis).toContain("not counted");
  });
});
