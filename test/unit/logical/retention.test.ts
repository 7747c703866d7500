import { describe, expect, test } from "vitest";
import {
  type Backup,
  beyondRetention,
  completeSpec,
  isReadableBy,
  loadCourseSchema,
  nextLoadAct,
  nodeSpec,
  restoreWindow,
  storedSpecSchema,
  typeTaken,
} from "../../../layers/domain/index.ts";
import { backupOf, idOf, labelOf, minute } from "../backup/support/backups.ts";

const logical = (number: number, change: Partial<Backup> = {}): Backup =>
  backupOf(number, { type: "logical", engine: "pg_dump", ...change });
const keep = (logical: number) => ({ full: 1, diff: 1, logical });
const ids = (backups: readonly Backup[]): string[] => backups.map(({ id }) => id);

describe("of logical backups", () => {
  test("the newest are kept, as many as are wanted", () => {
    const all = [1, 2, 3, 4].map((number) => logical(number));
    expect(ids(beyondRetention(all, keep(2)))).toEqual([idOf("backup", 1), idOf("backup", 2)]);
    expect(beyondRetention(all, keep(4))).toEqual([]);
    expect(beyondRetention(all.toReversed(), keep(3))).toEqual([all[0]]);
  });

  test("none goes for one that is not there, and no other kind of backup goes or counts", () => {
    const failed = logical(3, { state: "failed" });
    const running = logical(4, { state: "running" });
    const others = [backupOf(5), backupOf(6, { type: "incr", references: [labelOf(5)] })];
    expect(beyondRetention([logical(1), failed, running, ...others], keep(1))).toEqual([]);
  });

  test("one whose removal came to no end is removed, and counts no more", () => {
    const half = logical(2, { state: "deleting" });
    expect(beyondRetention([logical(1), half, logical(3)], keep(2))).toEqual([half]);
  });

  test("seven are kept where nobody says otherwise, also of clusters of before", () => {
    const spec = completeSpec({ name: "orders" }, { instanceType: "t4g.small", deletionProtection: false });
    expect(spec.backup).toMatchObject({ schedules: { logical: null }, retention: { logical: 7 } });
    const { backup: _backup, ...before } = spec;
    expect(storedSpecSchema.parse(before)).toEqual(spec);
  });

  test("how many are kept is nothing that a node has to know", () => {
    const of = (count: number) =>
      completeSpec(
        { name: "orders", backup: { retention: { logical: count } } },
        { instanceType: "t4g.small", deletionProtection: false },
      );
    expect(nodeSpec(of(2), "t4g.small")).toEqual(nodeSpec(of(3), "t4g.small"));
  });
});

test("a logical backup opens no restore window, and is none that others build on", () => {
  expect(restoreWindow([logical(1)], minute(9))).toBeNull();
  expect(restoreWindow([logical(1), backupOf(2)], minute(9))).toEqual({
    earliest: minute(2),
    latest: minute(9),
  });
  expect(typeTaken({ type: "incr", shard: 0 }, [logical(1)])).toBe("full");
  expect(typeTaken({ type: "logical", shard: 0 }, [])).toBe("logical");
});

test("pg_restore reads what its own version and those before it have written", () => {
  expect(isReadableBy("17.5", 17)).toBe(true);
  expect(isReadableBy("16.9", 17)).toBe(true);
  expect(isReadableBy("18beta1", 17)).toBe(false);
});

describe("a load", () => {
  const fresh = loadCourseSchema.parse({});
  const begun = { ...fresh, attempts: 1, nodeId: "a", attempt: "begun" } as const;

  test("begins on the leader, is watched there, and leaves nothing but what it loaded", () => {
    expect(nextLoadAct(fresh, "a", 2)).toEqual({ kind: "load", nodeId: "a", attempt: 1 });
    expect(nextLoadAct(begun, "b", 2)).toEqual({ kind: "watch", nodeId: "a", attempt: 1 });
    const done = { ...begun, attempt: "done" } as const;
    expect(nextLoadAct(done, "b", 2)).toEqual({ kind: "settle", nodeId: "b" });
    expect(nextLoadAct({ ...done, isSettled: true }, null, 2)).toBeNull();
  });

  test("begins again on whoever leads then, as long as another try may come to another end", () => {
    const ended = { ...begun, attempt: "ended" } as const;
    expect(nextLoadAct(ended, "b", 2)).toEqual({ kind: "load", nodeId: "b", attempt: 2 });
    for (const over of [
      { ...ended, attempts: 2 },
      { ...ended, isFinal: true },
    ]) {
      expect(nextLoadAct(over, "b", 2)).toEqual({ kind: "settle", nodeId: "b" });
      expect(nextLoadAct({ ...over, isSettled: true }, "b", 2)).toBe("failed");
    }
  });

  test("waits for a leader", () => {
    expect(nextLoadAct(fresh, null, 2)).toBe("nobody");
    expect(nextLoadAct({ ...begun, attempt: "done" }, null, 2)).toBe("nobody");
  });
});
