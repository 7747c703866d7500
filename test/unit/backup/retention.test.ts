import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Backup, beyondRetention, forgettable, reasonToKeep } from "../../../layers/domain/index.ts";
import { backupOf, labelOf, minute } from "./support/backups.ts";

/** As pgBackRest builds them: `diff` on the last full one, `incr` on the last one. */
function chain(types: readonly Backup["type"][]): Backup[] {
  const backups: Backup[] = [];
  for (const [number, asked] of types.entries()) {
    const full = backups.findLast((one) => one.type === "full");
    const type = full === undefined ? "full" : asked;
    const base = type === "full" ? undefined : type === "diff" ? full : backups.at(-1);
    const references = base === undefined ? [] : [...base.references, base.label ?? ""];
    backups.push(backupOf(number, { type, references }));
  }
  return backups;
}

const types = fc.array(fc.constantFrom("full", "diff", "incr"), { minLength: 1, maxLength: 20 });
const few = fc.integer({ min: 1, max: 4 });
const retentions = fc.record({ full: few, diff: few, logical: few });
const weeks = fc.tuple(types.map(chain), retentions);

const keep = (full: number, diff: number) => ({ full, diff, logical: 1 });

const leftOf = (all: readonly Backup[], going: readonly Backup[]): Backup[] =>
  all.filter((one) => !going.includes(one));
const numbersOf = (all: readonly Backup[], some: readonly Backup[]): number[] =>
  some.map((one) => all.indexOf(one));

describe("the retention", () => {
  test("keeps the newest full ones, and gives up the others with all that needs them", () => {
    const all = chain(["full", "incr", "full", "diff", "incr", "full"]);
    expect(numbersOf(all, beyondRetention(all, keep(1, 2)))).toEqual([4, 3, 2, 1, 0]);
    expect(numbersOf(all, beyondRetention(all, keep(2, 2)))).toEqual([1, 0]);
    expect(beyondRetention(all, keep(3, 2))).toEqual([]);
  });

  test("keeps the newest differential ones, and gives up the others with what was built on them", () => {
    const all = chain(["full", "incr", "diff", "incr", "diff", "incr", "diff"]);
    expect(numbersOf(all, beyondRetention(all, keep(4, 1)))).toEqual([5, 4, 3, 2]);
    expect(numbersOf(all, beyondRetention(all, keep(4, 2)))).toEqual([3, 2]);
  });

  test("counts what goes with a full one no more", () => {
    const all = chain(["full", "diff", "diff", "full", "diff"]);
    expect(numbersOf(all, beyondRetention(all, keep(1, 1)))).toEqual([2, 1, 0]);
  });

  test("leaves exactly as many as it says, where there were as many", () => {
    fc.assert(
      fc.property(weeks, ([all, retention]) => {
        const left = leftOf(all, beyondRetention(all, retention));
        const count = (list: readonly Backup[], type: Backup["type"]) =>
          list.filter((one) => one.type === type).length;
        expect(count(left, "full")).toBe(Math.min(count(all, "full"), retention.full));
        expect(count(left, "diff")).toBeLessThanOrEqual(retention.diff);
        const newest = all.filter((one) => one.type === "full").slice(-retention.full);
        expect(left.filter((one) => one.type === "full")).toEqual(newest);
      }),
    );
  });

  test("leaves nothing that cannot be restored, and every one may go when its turn comes", () => {
    fc.assert(
      fc.property(weeks, ([all, retention]) => {
        const going = beyondRetention(all, retention);
        let left = [...all];
        for (const one of going) {
          expect(reasonToKeep(one, left)).toBeNull();
          left = left.filter((other) => other !== one);
          for (const other of left.filter((kept) => !going.includes(kept))) {
            expect(left.map(({ label }) => label)).toEqual(expect.arrayContaining(other.references));
          }
        }
      }),
    );
  });

  test("never gives up the backup that was taken last", () => {
    fc.assert(
      fc.property(weeks, ([all, retention]) => {
        expect(beyondRetention(all, retention)).not.toContain(all.at(-1));
      }),
    );
  });

  test("has nothing more to give up once it is done, and is the same in whatever order they come", () => {
    fc.assert(
      fc.property(weeks, fc.infiniteStream(fc.nat()), ([all, retention], keys) => {
        const going = beyondRetention(all, retention);
        expect(beyondRetention(leftOf(all, going), retention)).toEqual([]);
        const shuffled = all
          .map((one) => [keys.next().value, one] as const)
          .toSorted(([left], [right]) => Number(left) - Number(right))
          .map(([, one]) => one);
        expect(beyondRetention(shuffled, retention)).toEqual(going);
      }),
    );
  });

  test("gives up nothing that somebody restores from, nor what that needs", () => {
    fc.assert(
      fc.property(weeks, fc.nat(), ([all, retention], pick) => {
        const used = all[pick % all.length];
        if (used === undefined) return;
        const left = leftOf(all, beyondRetention(all, retention, new Set([used.id])));
        expect(left).toContain(used);
        expect(left.map(({ label }) => label)).toEqual(expect.arrayContaining(used.references));
      }),
    );
  });

  test("says nothing of backups that failed, run or never got there", () => {
    const states = ["pending", "running", "failed", "cancelled"] as const;
    const odd = states.map((state, index) => backupOf(10 + index, { state, label: null }));
    expect(beyondRetention([...chain(["full"]), ...odd], keep(1, 1))).toEqual([]);
  });

  test("goes on with what was about to be deleted", () => {
    const all = chain(["full", "full"]);
    const left = backupOf(9, { state: "deleting", label: labelOf(9) });
    expect(beyondRetention([...all, left], keep(4, 2))).toEqual([left]);
  });
});

describe("tries that came to nothing", () => {
  test("are forgotten once every backup of their time is", () => {
    const failed = (number: number, state: "failed" | "cancelled" = "failed") =>
      backupOf(number, { state, label: null, startedAt: minute(number) });
    const [early, cancelled, late] = [failed(1), failed(2, "cancelled"), failed(5)];
    const all = [early, cancelled, backupOf(4), late, backupOf(6)];
    expect(forgettable(all, { full: 2, diff: 1, logical: 1 })).toEqual([early, cancelled]);
    expect(forgettable(all, { full: 3, diff: 1, logical: 1 })).toEqual([]);
  });

  test("stay as long as there is no backup at all", () => {
    const failed = backupOf(1, { state: "failed", label: null });
    expect(forgettable([failed], { full: 1, diff: 1, logical: 1 })).toEqual([]);
  });
});
