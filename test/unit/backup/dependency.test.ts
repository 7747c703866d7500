import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Backup, dependentsOf, reasonToKeep, typeTaken } from "../../../layers/domain/index.ts";
import { backupOf, labelOf } from "./support/backups.ts";

/** A chain as a week makes it: each backup with everything that it needs. */
function chain(types: readonly Backup["type"][]): Backup[] {
  const backups: Backup[] = [];
  for (const [number, asked] of types.entries()) {
    const full = backups.findLast((one) => one.type === "full");
    const type = full === undefined ? "full" : asked;
    const prior = backups.at(-1);
    const references =
      type === "full" || full === undefined
        ? []
        : type === "diff"
          ? [labelOf(backups.indexOf(full))]
          : [...(prior?.references ?? []), labelOf(number - 1)];
    backups.push(backupOf(number, { type, references }));
  }
  return backups;
}

const weeks = fc.array(fc.constantFrom("full", "diff", "incr"), { minLength: 1, maxLength: 12 }).map(chain);

describe("deleting a backup", () => {
  test("never leaves another one that cannot be restored, in whatever order it is done", () => {
    fc.assert(
      fc.property(weeks, fc.array(fc.nat(20), { maxLength: 40 }), (all, picks) => {
        let left = all;
        for (const pick of picks) {
          const backup = left[pick % left.length];
          if (backup === undefined || reasonToKeep(backup, left) !== null) continue;
          left = left.filter((one) => one !== backup);
        }
        const labels = left.map((one) => one.label);
        for (const one of left) expect(labels).toEqual(expect.arrayContaining(one.references));
        expect(left.some((one) => one.type === "full")).toBe(true);
      }),
    );
  });

  test("is possible for every chain but the last full backup, the youngest first", () => {
    fc.assert(
      fc.property(weeks, (all) => {
        let left = all;
        for (const backup of all.toReversed()) {
          if (reasonToKeep(backup, left) === null) left = left.filter((one) => one !== backup);
        }
        expect(left).toHaveLength(1);
      }),
    );
  });

  test("names those that need it", () => {
    const all = chain(["full", "diff", "incr"]);
    const [full, diff, incr] = all;
    if (full === undefined || diff === undefined || incr === undefined) throw new Error("no chain");
    expect(dependentsOf(full, all)).toEqual([diff, incr]);
    expect(reasonToKeep(full, all)).toContain(`${diff.id} (diff), ${incr.id} (incr)`);
    expect(reasonToKeep(incr, all)).toBeNull();
  });

  test("says of the last full one that it is, and of one that failed nothing", () => {
    const last = backupOf(1);
    expect(reasonToKeep(last, [last, backupOf(2, { state: "failed", label: null })])).toContain(
      "the last full one",
    );
    expect(reasonToKeep(last, [last, backupOf(2, { shard: 1 })])).toContain("the last full one");
    expect(reasonToKeep(backupOf(3, { state: "failed", label: null }), [last])).toBeNull();
  });
});

test("the first backup is a full one, whatever was asked for", () => {
  expect(typeTaken({ type: "incr", shard: 0 }, [])).toBe("full");
  expect(typeTaken({ type: "diff", shard: 0 }, [backupOf(1, { state: "running" })])).toBe("full");
  expect(typeTaken({ type: "incr", shard: 0 }, [backupOf(1)])).toBe("incr");
  expect(typeTaken({ type: "incr", shard: 1 }, [backupOf(1)])).toBe("full");
});
