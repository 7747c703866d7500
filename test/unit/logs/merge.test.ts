import fc from "fast-check";
import { expect, test } from "vitest";
import { type LogLine, mergeLogs, mergeTails } from "../../../layers/domain/logs.ts";

/** A node's journal, in the order of its own clock. */
const journal = fc
  .array(fc.integer({ min: 1, max: 50 }), { maxLength: 12 })
  .map((gaps) => gaps.map((_, index) => gaps.slice(0, index + 1).reduce((sum, gap) => sum + gap, 0)));

const lineOf = (nodeId: string, micros: number): LogLine => ({
  cursor: `${nodeId};${micros}`,
  micros,
  priority: 6,
  message: `${nodeId} at ${micros}`,
});

/** What a node hands over: as many lines after the cursor as fit. */
function ask(journals: readonly (readonly number[])[], after: readonly number[], fits: number) {
  return journals.map((times, index) => {
    const rest = times.slice(after[index] ?? 0);
    const nodeId = `node-${index}`;
    const lines = rest.slice(0, fits).map((time) => lineOf(nodeId, time));
    return { nodeId, page: { lines, isMore: rest.length > fits } };
  });
}

test("page after page, every line comes once, in the order of time, however little fits", () => {
  fc.assert(
    fc.property(
      fc.array(journal, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (journals, limit, fits) => {
        const after = journals.map(() => 0);
        const seen: number[] = [];
        let isMore = true;
        for (let page = 0; isMore && page < 100; page++) {
          const merged = mergeLogs(ask(journals, after, fits), limit);
          expect(merged.lines.length).toBeLessThanOrEqual(limit);
          for (const line of merged.lines) {
            seen.push(line.micros);
            const index = Number(line.nodeId.split("-")[1]);
            after[index] = (after[index] ?? 0) + 1;
          }
          isMore = merged.isMore;
        }
        expect(isMore).toBe(false);
        expect(seen).toEqual(journals.flat().toSorted((left, right) => left - right));
      },
    ),
  );
});

test("the last lines of all nodes are the last ones of all lines", () => {
  fc.assert(
    fc.property(fc.array(journal, { maxLength: 4 }), fc.integer({ min: 1, max: 9 }), (journals, limit) => {
      const pages = journals.map((times, index) => ({
        nodeId: `node-${index}`,
        page: { lines: times.slice(-limit).map((time) => lineOf(`node-${index}`, time)), isMore: false },
      }));
      const all = journals.flat().toSorted((left, right) => left - right);
      expect(mergeTails(pages, limit).map((line) => line.micros)).toEqual(all.slice(-limit));
    }),
  );
});
