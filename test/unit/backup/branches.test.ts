import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Backup,
  type Branch,
  checkTarget,
  type History,
  pointsOf,
  type RestoreTarget,
  recoverySettings,
  restoreWindow,
} from "../../../layers/domain/index.ts";
import { backupOf, idOf, minute } from "./support/backups.ts";

const wal = (timeline: number): string => `${String(timeline).padStart(8, "0")}0000000000000001`;
const taken = (number: number, timeline: number, change: Partial<Backup> = {}): Backup =>
  backupOf(number, { walStart: wal(timeline), walStop: wal(timeline), ...change });

/**
 * Backups in minutes 1 and 3. In minute 5 the cluster was taken back to 0/2000000, in which it was in minute 2; a backup
 * followed in minute 7 on timeline 2. In minute 8 that was rolled back, and another one followed in minute 9.
 */
const branches: readonly Branch[] = [
  {
    operationId: idOf("operation", 5),
    at: minute(5),
    left: {
      timeline: 1,
      lsn: "0/5000000",
      nextXid: "500",
      restorePoint: "before-5",
      at: "2026-01-01T00:04:59.000Z",
    },
    timeline: 2,
    history: [{ timeline: 1, lsn: "0/2000000" }],
  },
  {
    operationId: idOf("operation", 8),
    at: minute(8),
    left: {
      timeline: 2,
      lsn: "0/3000000",
      nextXid: "300",
      restorePoint: "before-8",
      at: "2026-01-01T00:07:59.000Z",
    },
    timeline: 3,
    history: [{ timeline: 1, lsn: "0/5000000" }],
  },
];
const backups = [
  taken(1, 1),
  taken(3, 1),
  taken(7, 2, { lsnStop: "0/2800000" }),
  taken(9, 3, { lsnStop: "0/6000000" }),
];

const history: History = {
  backups,
  window: restoreWindow(backups, minute(20)),
  archivedLsn: "0/7000000",
  present: { at: minute(20), timeline: 3, lsn: "0/7000000", nextXid: "700" },
  forks: [
    { timeline: 2, parent: 1, lsn: "0/2000000", isRestore: true },
    { timeline: 3, parent: 1, lsn: "0/5000000", isRestore: true },
  ],
  starts: [
    { timeline: 2, since: minute(5) },
    { timeline: 3, since: minute(8) },
  ],
  restorePoints: pointsOf(branches),
};

const check = (
  target: RestoreTarget,
  backupId: string | null = null,
  timeline: number | null = null,
  past = history,
) => {
  const checked = checkTarget({ target, backupId, unlisted: true, timeline }, past);
  return checked.ok ? { from: checked.backup.id, timeline: checked.timeline } : checked.error.path;
};
const from = (number: number, timeline: number | null = null) => ({ from: idOf("backup", number), timeline });

describe("a time", () => {
  test.each([
    [2, from(1, 1)],
    [4, from(3, 1)],
    [6, from(1, 2)],
    [7, from(7, 2)],
    [8, from(3)],
    [10, from(9)],
  ])("in minute %i is looked for on what was in service then", (at, expected) => {
    expect(check({ time: minute(at) })).toEqual(expected);
  });

  test("is never looked for on the present timeline where that was not in service yet", () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 1199 }), (second) => {
        const found = check({ time: new Date(Date.parse(minute(0)) + second * 1000).toISOString() });
        const expected = second >= 8 * 60 ? null : second >= 5 * 60 ? 2 : 1;
        expect(found).toMatchObject({ timeline: expected });
      }),
    );
  });
});

describe("a target that can be there more than once", () => {
  test("is the present one, and an older one where its timeline is said", () => {
    expect(check({ lsn: "0/6500000" })).toEqual(from(9));
    expect(check({ lsn: "0/4000000" })).toEqual(from(3));
    expect(check({ lsn: "0/2900000" }, null, 2)).toEqual(from(7, 2));
    expect(check({ lsn: "0/8000000" })).toBe("/target/lsn");
    expect(check({ xid: "701" })).toBe("/target/xid");
  });

  test("is the present end, from a backup that leads there", () => {
    expect(check("latest")).toEqual(from(9));
    expect(check("latest", null, null, { ...history, backups: backups.slice(0, 3) })).toEqual(from(3));
    expect(check("latest", idOf("backup", 7))).toBe("/backupId");
  });
});

test("a restore point at the end of what was left is found there, or on the way to the present", () => {
  expect(check({ name: "before-5" })).toEqual(from(3));
  expect(check({ name: "before-8" })).toEqual(from(7, 2));
});

test("a recovery follows the timeline of its target, and else the latest", () => {
  const source = { target: { lsn: "0/1" }, exclusive: false };
  expect(recoverySettings({ ...source, timeline: 2 })).toMatchObject({ recovery_target_timeline: "2" });
  expect(recoverySettings({ ...source, target: "latest", timeline: 2 })).toEqual({
    recovery_target_timeline: "2",
  });
  expect(recoverySettings(source)).toMatchObject({ recovery_target_timeline: "latest" });
});
