import fc from "fast-check";
import { expect, test } from "vitest";
import { bestCopy, type Copy } from "../../../layers/domain/index.ts";

const copy = (nodeId: string, timeline: number, bytes: string): Copy => ({
  nodeId,
  reached: { timeline, bytes },
});
const silent = (nodeId: string): Copy => ({ nodeId, reached: null });

test("the copy that has the most survives, by number and not by text", () => {
  expect(bestCopy([copy("a", 1, "99"), copy("b", 1, "100"), copy("c", 1, "98")])).toBe("b");
});

test("a later timeline is worth more than more bytes of an earlier one", () => {
  expect(bestCopy([copy("a", 2, "900"), copy("b", 3, "100")])).toBe("b");
});

test("a copy that can be asked comes before one that cannot, and one that cannot before none", () => {
  expect(bestCopy([silent("a"), copy("b", 1, "1")])).toBe("b");
  expect(bestCopy([silent("a")])).toBe("a");
  expect(bestCopy([])).toBeNull();
});

test("nobody has more than the survivor, in whatever order they are asked", () => {
  const reached = fc.record({
    timeline: fc.integer({ min: 1, max: 4 }),
    bytes: fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String),
  });
  fc.assert(
    fc.property(fc.array(reached, { minLength: 1, maxLength: 9 }), (all) => {
      const best = Number(bestCopy(all.map((one, index) => ({ nodeId: String(index), reached: one }))));
      const survivor = all[best];
      for (const one of all) {
        const isMore =
          one.timeline > (survivor?.timeline ?? 0) ||
          (one.timeline === survivor?.timeline && BigInt(one.bytes) > BigInt(survivor.bytes));
        expect(isMore).toBe(false);
      }
    }),
  );
});
