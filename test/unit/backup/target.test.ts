import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkTarget,
  formatLsn,
  type History,
  instantOf,
  parseLsn,
  type RestoreTarget,
  type RestoreWish,
  restoreTargetSchema,
  restoreWindow,
} from "../../../layers/domain/index.ts";
import { backupOf, idOf, minute } from "./support/backups.ts";

const backups = [backupOf(1), backupOf(3), backupOf(5)];

const history: History = {
  backups,
  window: restoreWindow(backups, minute(9)),
  archivedLsn: "0/7000000",
  present: { at: minute(12), timeline: 1, lsn: "0/9000000", nextXid: "800" },
  forks: [],
  starts: [],
  restorePoints: [{ name: "before-release", at: minute(4), lsn: "0/4000000", timeline: 1 }],
};
/** Nobody can ask the leader. */
const alone: History = { ...history, present: null };

const wish = (target: RestoreTarget, more: Partial<RestoreWish> = {}): RestoreWish => ({
  target,
  backupId: null,
  unlisted: false,
  timeline: null,
  ...more,
});
const check = (target: RestoreTarget, backupId: string | null = null, unlisted = false) =>
  checkTarget(wish(target, { backupId, unlisted }), history);
const begins = (target: RestoreTarget, backupId: string | null = null) => {
  const checked = check(target, backupId, true);
  return checked.ok ? checked.backup.id : checked.error.path;
};

describe("a time", () => {
  const first = Date.parse(minute(1));
  const last = Date.parse(minute(12));

  test("is taken if and only if it lies between the first backup and now, and the backup ended before it, as late as possible", () => {
    const moments = fc.integer({ min: first - 600_000, max: last + 600_000 });
    fc.assert(
      fc.property(moments, (at) => {
        const checked = check({ time: new Date(at).toISOString() });
        expect(checked.ok).toBe(at >= first && at <= last);
        const before = backups.filter((one) => Date.parse(one.endedAt ?? "") <= at).at(-1);
        expect(checked).toMatchObject(checked.ok ? { backup: before } : { error: { path: "/target/time" } });
      }),
    );
  });

  test("means the same in every zone", () => {
    const zones = fc.integer({ min: -14 * 60, max: 14 * 60 });
    const moments = fc.date({
      noInvalidDate: true,
      min: new Date("1970-01-01"),
      max: new Date("2100-01-01"),
    });
    fc.assert(
      fc.property(moments, zones, (date, zone) => {
        const local = new Date(date.getTime() + zone * 60_000).toISOString().slice(0, -1);
        const hours = String(Math.floor(Math.abs(zone) / 60)).padStart(2, "0");
        const minutes = String(Math.abs(zone) % 60).padStart(2, "0");
        const text = `${local}${zone < 0 ? "-" : "+"}${hours}:${minutes}`;
        expect(instantOf(text)).toBe(BigInt(date.getTime()) * 1000n);
      }),
    );
  });

  test("is told to the microsecond", () => {
    expect(instantOf("2026-01-01T00:00:00.000001Z") - instantOf("2026-01-01T00:00:00Z")).toBe(1n);
  });

  test("outside the window is refused with the window", () => {
    const refused = check({ time: minute(20) });
    expect(refused).toMatchObject({ ok: false, error: { message: expect.stringContaining(minute(12)) } });
    expect(refused).toMatchObject({ error: { message: expect.stringContaining(minute(1)) } });
  });

  test("that is newer than the archive has to be archived first, and one that is older may well be", () => {
    expect(check({ time: minute(10) })).toMatchObject({ ok: true, archiveFirst: "must" });
    expect(check({ time: minute(9) })).toMatchObject({ ok: true, archiveFirst: "may" });
  });

  test("that is newer than the archive is refused where nobody can ask the leader, with what to do", () => {
    const refused = checkTarget(wish({ time: minute(10) }), alone);
    expect(refused).toMatchObject({ code: "target-outside-window", error: { path: "/target/time" } });
    expect(refused).toMatchObject({ error: { message: expect.stringContaining("bring the cluster back") } });
    expect(checkTarget(wish({ time: minute(9) }), alone)).toMatchObject({ ok: true, archiveFirst: null });
  });

  test("without a zone, or that is none, is no target", () => {
    for (const time of ["2026-01-01T00:00:00", "yesterday", "2026-13-01T00:00:00Z"]) {
      expect(restoreTargetSchema.safeParse({ time }).success).toBe(false);
    }
  });
});

describe("an LSN", () => {
  test("is read as it is written", () => {
    const lsns = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(fc.property(lsns, (lsn) => parseLsn(formatLsn(lsn)) === lsn));
  });

  test("is taken if and only if it lies between the first backup's end and the end of WAL, archived or not", () => {
    const lsns = fc.bigInt({ min: 0n, max: 0xa000000n });
    fc.assert(
      fc.property(lsns, (lsn) => {
        const target = { lsn: formatLsn(lsn) };
        const checked = check(target);
        expect(checked.ok).toBe(lsn >= 0x1000100n && lsn <= 0x9000000n);
        if (checked.ok) expect(checked.archiveFirst).toBe(lsn > 0x7000000n ? "must" : "may");
        const without = checkTarget(wish(target), alone);
        expect(without.ok).toBe(lsn >= 0x1000100n && lsn <= 0x7000000n);
        if (without.ok) expect(without.archiveFirst).toBeNull();
      }),
    );
  });

  test("that nobody knows to be archived is PostgreSQL's to check", () => {
    const unknown = { ...alone, archivedLsn: null };
    expect(checkTarget(wish({ lsn: "0/8000000" }), unknown)).toMatchObject({ ok: true });
  });

  test("that is no LSN is no target", () => {
    for (const lsn of ["", "0", "0/", "0/G", "0/123456789", "16/B374D848/0", " 0/1"]) {
      expect(restoreTargetSchema.safeParse({ lsn }).success).toBe(false);
    }
  });

  test("is begun with the last backup that ended before it", () => {
    expect(begins({ lsn: "0/3000100" })).toBe(idOf("backup", 3));
    expect(begins({ lsn: "0/30000FF" })).toBe(idOf("backup", 1));
  });
});

describe("a transaction", () => {
  test("of the future is refused with the next one", () => {
    expect(check({ xid: "800" })).toMatchObject({
      error: { path: "/target/xid", message: expect.stringContaining("800") },
    });
    expect(check({ xid: "799" }).ok).toBe(true);
  });

  test("does not say when it was, so it is begun with the first backup", () => {
    expect(begins({ xid: "700" })).toBe(idOf("backup", 1));
  });

  test("that is no number is no target", () => {
    for (const xid of ["0", "-1", "1.5", "0x10", ""]) {
      expect(restoreTargetSchema.safeParse({ xid }).success).toBe(false);
    }
  });
});

describe("a name", () => {
  test("that is on record is begun with the last backup before it", () => {
    expect(begins({ name: "before-release" })).toBe(idOf("backup", 3));
  });

  test("that was made after what is archived is archived first", () => {
    const point = { name: "just-now", at: minute(11), lsn: "0/8000000", timeline: 1 };
    const after = { ...history, restorePoints: [point] };
    expect(checkTarget(wish({ name: "just-now" }), after)).toMatchObject({ ok: true, archiveFirst: "must" });
  });

  test("that is not on record has to be said to be unlisted, and may lie anywhere", () => {
    expect(check({ name: "by-hand" })).toMatchObject({
      error: { path: "/target/name", message: expect.stringContaining("unlisted") },
    });
    expect(begins({ name: "by-hand" })).toBe(idOf("backup", 1));
  });
});

describe("any target", () => {
  test("is exactly one", () => {
    for (const target of [{}, { time: minute(3), lsn: "0/1" }, "soon", { latest: true }, null]) {
      expect(restoreTargetSchema.safeParse(target).success).toBe(false);
    }
  });

  test("begins with the backup that is asked for, if that is before it", () => {
    expect(begins("latest", idOf("backup", 1))).toBe(idOf("backup", 1));
    expect(begins("latest")).toBe(idOf("backup", 5));
    expect(begins({ time: minute(4) }, idOf("backup", 5))).toBe("/backupId");
    expect(begins("immediate", idOf("backup", 2))).toBe("/backupId");
  });

  test("needs a backup", () => {
    const none = {
      ...history,
      backups: [backupOf(1, { state: "failed", endedAt: minute(1) })],
      window: null,
    };
    expect(checkTarget(wish("latest"), none)).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("no backup") },
    });
  });
});

describe("the restore window", () => {
  test("reaches from the first backup's end to what is archived, and to the last backup's end at least", () => {
    expect(restoreWindow([], minute(9))).toBeNull();
    expect(restoreWindow([backupOf(1, { state: "deleting" })], minute(9))).toBeNull();
    expect(restoreWindow(backups, minute(9))).toEqual({ earliest: minute(1), latest: minute(9) });
    expect(restoreWindow(backups, minute(4))).toEqual({ earliest: minute(1), latest: minute(5) });
    expect(restoreWindow(backups, null)).toEqual({ earliest: minute(1), latest: minute(5) });
  });
});

/** A failover to 2 in minute 4, a restore of the state of minute 3 in minute 6, which is timeline 3. */
describe("after a restore in place", () => {
  const on = (number: number, timeline: number) =>
    backupOf(number, { walStart: walAt(timeline), walStop: walAt(timeline) });
  const walAt = (timeline: number) => `0000000${timeline}0000000000000004`;
  const restored: History = {
    ...history,
    backups: [on(1, 1), on(5, 2), on(7, 3)],
    present: { at: minute(9), timeline: 3, lsn: "0/9000000", nextXid: "800" },
    forks: [
      { timeline: 2, parent: 1, lsn: "0/4000000", isRestore: false },
      { timeline: 3, parent: 1, lsn: "0/3000000", isRestore: true },
    ],
    starts: [
      { timeline: 2, since: minute(4) },
      { timeline: 3, since: minute(6) },
    ],
    restorePoints: [
      { name: "lost", at: minute(5), lsn: "0/5800000", timeline: 2 },
      { name: "kept", at: minute(2), lsn: "0/2000000", timeline: 1 },
    ],
  };
  const found = (target: RestoreTarget, more: Partial<RestoreWish> = {}) => {
    const checked = checkTarget(wish(target, more), restored);
    return checked.ok ? [checked.backup.id, checked.timeline] : checked.error.path;
  };

  test("a time is on the timeline that the cluster was on then, from a backup that leads there", () => {
    expect(found({ time: minute(8) })).toEqual([idOf("backup", 7), null]);
    expect(found({ time: "2026-01-01T00:05:30.000Z" })).toEqual([idOf("backup", 5), 2]);
    expect(found({ time: minute(5) })).toEqual([idOf("backup", 5), 2]);
    // Before the failover: both timelines have it, and the second one goes on where the first one ended.
    expect(found({ time: minute(3) })).toEqual([idOf("backup", 1), 2]);
  });

  test("a backup of a timeline that was left does not lead to what came after", () => {
    const without = { ...restored, backups: restored.backups.slice(0, 2) };
    const checked = checkTarget(wish({ time: minute(8) }), without);
    expect(checked).toMatchObject({ ok: true, backup: { id: idOf("backup", 1) }, timeline: null });
    const asked = wish({ time: minute(8) }, { backupId: idOf("backup", 5) });
    expect(checkTarget(asked, without)).toMatchObject({
      ok: false,
      error: { path: "/backupId", message: expect.stringContaining("timeline") },
    });
  });

  test("the end of a backup is on the timeline that it was taken on", () => {
    expect(found("immediate", { backupId: idOf("backup", 5) })).toEqual([idOf("backup", 5), 2]);
    expect(found("immediate")).toEqual([idOf("backup", 7), null]);
  });

  test("a restore point is found on the timeline on which it was made", () => {
    expect(found({ name: "lost" })).toEqual([idOf("backup", 5), 2]);
    expect(found({ name: "kept" })).toEqual([idOf("backup", 1), null]);
  });

  test("an LSN is one of the newest timeline, unless another one is named", () => {
    expect(found({ lsn: "0/8000000" })).toEqual([idOf("backup", 7), null]);
    expect(found({ lsn: "0/5800000" }, { timeline: 2 })).toEqual([idOf("backup", 5), 2]);
    expect(found({ lsn: "0/5800000" }, { timeline: 4 })).toBe("/timeline");
  });

  test("everything is that of the newest timeline, or of the one that is named", () => {
    expect(found("latest")).toEqual([idOf("backup", 7), null]);
    expect(found("latest", { timeline: 2 })).toEqual([idOf("backup", 5), 2]);
  });
});
