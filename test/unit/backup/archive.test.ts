import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ArchivedSegment,
  endOfWalAt,
  type Fork,
  followWal,
  formatLsn,
  gapText,
  isBehindGap,
  lineTo,
  walName,
} from "../../../layers/domain/index.ts";
import { minute } from "./support/backups.ts";

const bytes = 4 * 1024 ** 2;
const name = (number: number, timeline = 1) => walName({ timeline, number }, bytes);
/** In the archive in the minute of its number. */
const kept = (number: number, timeline = 1): ArchivedSegment => ({
  name: name(number, timeline),
  at: minute(number),
});
const lsnAt = (number: number) => formatLsn(BigInt(number) * BigInt(bytes));
const follow = (segments: readonly ArchivedSegment[], from = 2, forks: Fork[] = [], to = 1) =>
  followWal({ segments, isCut: false }, lineTo(to, forks) ?? [], { timeline: 1, number: from }, bytes);

describe("WAL in the archive", () => {
  test("has a gap exactly where a segment is not there and a later one is", () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 2, max: 30 }), { maxLength: 20 });
    fc.assert(
      fc.property(numbers, (there) => {
        const { end, gap, segments } = follow(there.map((number) => kept(number)));
        const isThere = (number: number) => there.includes(number);
        const first = Array.from({ length: 32 }, (_, index) => index + 2).find((one) => !isThere(one)) ?? 0;
        const isLater = there.some((number) => number > first);
        expect(gap?.first ?? null).toBe(isLater ? name(first) : null);
        expect(segments.map(({ number }) => number)).toEqual(
          Array.from({ length: first - 2 }, (_, index) => index + 2),
        );
        expect(end).toBe(first === 2 ? null : BigInt(first) * BigInt(bytes));
      }),
    );
  });

  test("says which segments are missing, and since when", () => {
    const { gap } = follow([2, 3, 7, 8].map((number) => kept(number)));
    expect(gap).toMatchObject({ first: name(4), last: name(6), count: 3, before: minute(3) });
    if (gap === null) throw new Error("there is a gap");
    expect(gapText(gap)).toBe(`WAL segments ${name(4)} to ${name(6)} (3)`);
    expect(isBehindGap(minute(3), gap)).toBe(false);
    expect(isBehindGap(minute(4), gap)).toBe(true);
    expect(gapText({ ...gap, count: 1 })).toBe(`WAL segment ${name(4)}`);
  });

  test("goes on over timelines, each from the segment in which it left the one before", () => {
    const forks = [{ timeline: 2, parent: 1, lsn: lsnAt(5), isRestore: false }];
    // The old leader has archived some more, which nobody wants.
    const segments = [2, 3, 4, 5, 6].map((number) => kept(number));
    const { end, gap, segments: found } = follow([...segments, kept(5, 2), kept(6, 2)], 2, forks, 2);
    expect(gap).toBeNull();
    expect(found.map((one) => `${one.timeline}.${one.number}`)).toEqual(["1.2", "1.3", "1.4", "2.5", "2.6"]);
    expect(end).toBe(7n * BigInt(bytes));
  });

  test("has a gap at the end of a timeline, too, where the next one has begun", () => {
    const forks = [{ timeline: 2, parent: 1, lsn: lsnAt(5), isRestore: false }];
    const { gap } = follow([kept(2), kept(3), kept(5, 2)], 2, forks, 2);
    expect(gap).toMatchObject({ first: name(4), last: name(4), before: minute(3) });
  });

  test("of a backup that began in the segment in which a timeline was left is on the next one", () => {
    const forks = [{ timeline: 2, parent: 1, lsn: lsnAt(5), isRestore: false }];
    const { gap, segments } = follow([kept(5, 2), kept(6, 2)], 5, forks, 2);
    expect(gap).toBeNull();
    expect(segments).toHaveLength(2);
  });

  test("is somewhere at a time: at most at the end of what came into the archive next", () => {
    const run = follow([2, 3, 4].map((number) => kept(number)));
    expect(endOfWalAt(minute(3), run, bytes)).toBe(4n * BigInt(bytes));
    expect(endOfWalAt(minute(9), run, bytes)).toBe(5n * BigInt(bytes));
  });
});
