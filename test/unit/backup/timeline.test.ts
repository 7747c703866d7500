import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Fork,
  formatLsn,
  isOnLine,
  lastOf,
  lineTo,
  parseHistory,
  parseLsn,
  parseWal,
  segmentAt,
  segmentBytesOf,
  timelineAt,
  walName,
  walTimeline,
} from "../../../layers/domain/index.ts";
import { minute } from "./support/backups.ts";

const mib = 1024 ** 2;
const sizes = fc.constantFrom(...[1, 2, 4, 8, 16, 64, 1024].map((size) => size * mib));

describe("the name of a WAL segment", () => {
  const segments = fc.record({
    timeline: fc.integer({ min: 1, max: 0xffff }),
    number: fc.integer({ min: 0, max: 2 ** 33 }),
  });

  test("says its timeline and its number, and sorts like them", () => {
    fc.assert(
      fc.property(segments, segments, sizes, (left, right, bytes) => {
        const [one, other] = [walName(left, bytes), walName(right, bytes)];
        expect(parseWal(one, bytes)).toEqual(left);
        expect(walTimeline(one)).toBe(left.timeline);
        const isBefore =
          left.timeline < right.timeline || (left.timeline === right.timeline && left.number < right.number);
        expect(one < other).toBe(isBefore);
      }),
    );
  });

  test("is nobody else's", () => {
    for (const name of ["00000002.history", "", "000000010000000000000005.partial"]) {
      expect(parseWal(name, 4 * mib)).toBeNull();
      expect(walTimeline(name)).toBeNull();
    }
  });

  test("gives away how large segments are, together with where a backup began", () => {
    const places = fc.bigInt({ min: 2n ** 31n, max: 2n ** 50n });
    fc.assert(
      fc.property(fc.array(places, { minLength: 3, maxLength: 6 }), sizes, (lsns, bytes) => {
        const backups = lsns.map((lsn) => ({
          lsnStart: formatLsn(lsn),
          walStart: walName({ timeline: 1, number: segmentAt(lsn, bytes) }, bytes),
        }));
        const found = segmentBytesOf(backups);
        for (const [index, { walStart }] of backups.entries()) {
          expect(parseWal(walStart, found)?.number).toBe(segmentAt(lsns[index] ?? 0n, found));
        }
      }),
    );
    expect(segmentBytesOf([{ lsnStart: "0/2000028", walStart: "000000010000000000000008" }])).toBe(4 * mib);
    expect(segmentBytesOf([{ lsnStart: "0/2000028", walStart: "000000010000000000000002" }])).toBe(16 * mib);
    expect(segmentBytesOf([])).toBe(4 * mib);
  });
});

/** 1, then a failover to 2, then a restore of 1 to 3, then a failover to 4. */
const forks: Fork[] = [
  { timeline: 2, parent: 1, lsn: "0/5000000", isRestore: false },
  { timeline: 3, parent: 1, lsn: "0/4000000", isRestore: true },
  { timeline: 4, parent: 3, lsn: "0/6000000", isRestore: false },
];

describe("a history file", () => {
  test("as PostgreSQL writes it says the way to its timeline, and which steps were restores", () => {
    const text = `1\t0/4000000\tbefore 2026-03-04 10:20:30.5+00\n\n3\t0/6000000\tno recovery target specified\n`;
    expect(parseHistory(4, text)).toEqual([forks[1], forks[2]]);
    expect(parseHistory(2, '1\t0/5000000\tat restore point "before-drop"\n')).toEqual([
      { timeline: 2, parent: 1, lsn: "0/5000000", isRestore: true },
    ]);
  });

  test("of nothing says nothing", () => {
    expect(parseHistory(2, "# nothing\n\n")).toEqual([]);
  });
});

describe("the way to a timeline", () => {
  test("goes over those that it came from, and up to where it left them", () => {
    expect(lineTo(4, forks)).toEqual([
      { timeline: 1, until: parseLsn("0/4000000") },
      { timeline: 3, until: parseLsn("0/6000000") },
      { timeline: 4, until: null },
    ]);
    expect(lineTo(1, forks)).toEqual([{ timeline: 1, until: null }]);
  });

  test("is not known where nobody has its history", () => {
    expect(lineTo(5, forks)).toBeNull();
  });

  test("has a place on it if and only if that was not left before", () => {
    const line = lineTo(4, forks) ?? [];
    expect(isOnLine(line, 1, parseLsn("0/4000000") ?? 0n)).toBe(true);
    expect(isOnLine(line, 1, parseLsn("0/4000001") ?? 0n)).toBe(false);
    expect(isOnLine(line, 2, parseLsn("0/1") ?? 0n)).toBe(false);
    expect(isOnLine(line, 4, parseLsn("F/0") ?? 0n)).toBe(true);
  });

  test("comes to an end, whatever forks there are", () => {
    const places = fc.record({
      timeline: fc.integer({ min: 2, max: 9 }),
      parent: fc.integer({ min: 1, max: 9 }),
      lsn: fc.constant("0/1"),
      isRestore: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(places), fc.integer({ min: 1, max: 9 }), (made, timeline) => {
        const line = lineTo(timeline, made);
        expect(line === null || line.at(-1)?.timeline === timeline).toBe(true);
        const timelines = (line ?? []).map((leg) => leg.timeline);
        expect(timelines).toEqual([...new Set(timelines)].toSorted((left, right) => left - right));
      }),
    );
  });
});

describe("at a time", () => {
  const starts = [2, 3, 4].map((timeline) => ({ timeline, since: minute(timeline * 10) }));

  test("a cluster is on the last timeline that has begun", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59 }), (at) => {
        const expected = at < 20 ? 1 : Math.min(4, Math.floor(at / 10));
        expect(timelineAt(minute(at), starts, 1)).toBe(expected);
      }),
    );
  });

  test("nothing is left out by going on over promotions, and everything by going on over a restore", () => {
    expect(lastOf(1, 4, forks)).toBe(2);
    expect(lastOf(2, 4, forks)).toBe(2);
    expect(lastOf(3, 4, forks)).toBe(4);
    expect(lastOf(1, 3, [])).toBe(1);
  });
});
