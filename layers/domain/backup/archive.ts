import { byInstant, instantOf } from "./instant.ts";
import type { Leg } from "./timeline.ts";
import { parseWal, segmentAt, segmentStart, type WalSegment, walName } from "./wal.ts";

/** A WAL segment in the archive, and when it came there. */
export interface ArchivedSegment {
  readonly name: string;
  readonly at: string;
}

/** What the archive has from some segment on. */
export interface ArchivedWal {
  readonly segments: readonly ArchivedSegment[];
  /** There is more than anybody has looked at. */
  readonly isCut: boolean;
}

/** Segments that are not there, though later ones are. */
export interface WalGap {
  readonly first: string;
  readonly last: string;
  readonly count: number;
  /** Where it begins, in bytes since the beginning of all WAL. */
  readonly from: bigint;
  /** When the last segment before it came into the archive; null: there is none. */
  readonly before: string | null;
}

/** WAL without a gap, from where somebody begins. */
export interface WalRun {
  /** In the order in which they are replayed. */
  readonly segments: readonly (WalSegment & { readonly at: string })[];
  /** The end of the last one; null: there is not even the first one. */
  readonly end: bigint | null;
  readonly gap: WalGap | null;
}

type Present = ReadonlyMap<number, string>;

function byTimeline({ segments }: ArchivedWal, segmentBytes: number): ReadonlyMap<number, Present> {
  const found = new Map<number, Map<number, string>>();
  for (const { at, name } of segments) {
    const segment = parseWal(name, segmentBytes);
    if (segment === null) continue;
    const present = found.get(segment.timeline) ?? new Map<number, string>();
    found.set(segment.timeline, present.set(segment.number, at));
  }
  return found;
}

interface Stretch {
  readonly timeline: number;
  readonly first: number;
  /** Null: as far as there is something. */
  readonly last: number | null;
}

/** The segment in which a timeline is left is the next timeline's: that one has a copy of it. */
function stretchesOf(line: readonly Leg[], from: WalSegment, segmentBytes: number): Stretch[] {
  const start = line.findIndex((leg) => leg.timeline === from.timeline);
  const stretches: Stretch[] = [];
  let first = from.number;
  for (const { timeline, until } of start < 0 ? [] : line.slice(start)) {
    const end = until === null ? null : segmentAt(until, segmentBytes);
    stretches.push({ timeline, first, last: end === null ? null : end - 1 });
    first = Math.max(first, end ?? first);
  }
  return stretches;
}

/** Follows WAL from a segment on, over the timelines of a line, to its end or to the first gap. */
export function followWal(
  archive: ArchivedWal,
  line: readonly Leg[],
  from: WalSegment,
  segmentBytes: number,
): WalRun {
  const found = byTimeline(archive, segmentBytes);
  const stretches = stretchesOf(line, from, segmentBytes);
  const segments: (WalSegment & { at: string })[] = [];
  const endOf = (): bigint | null => {
    const last = segments.at(-1);
    return last === undefined ? null : segmentStart(last.number + 1, segmentBytes);
  };
  const cut = (first: number, last: number, timeline: number): WalRun => ({
    segments,
    end: endOf(),
    gap: {
      first: walName({ timeline, number: first }, segmentBytes),
      last: walName({ timeline, number: last }, segmentBytes),
      count: last - first + 1,
      from: segmentStart(first, segmentBytes),
      before: segments.at(-1)?.at ?? null,
    },
  });
  for (const [index, { first, last, timeline }] of stretches.entries()) {
    const present = found.get(timeline) ?? new Map<number, string>();
    const isGoingOn = stretches.slice(index + 1).some((later) => found.has(later.timeline));
    const there = [...present.keys()].filter((number) => number >= first).toSorted(byNumber);
    const newest = last ?? there.at(-1) ?? first - 1;
    let expected = first;
    for (const number of there.filter((one) => one <= newest)) {
      if (number > expected) return cut(expected, number - 1, timeline);
      segments.push({ timeline, number, at: present.get(number) ?? "" });
      expected = number + 1;
    }
    if (expected <= newest && isGoingOn) return cut(expected, newest, timeline);
    if (expected <= newest) break;
  }
  return { segments, end: endOf(), gap: null };
}

const byNumber = (left: number, right: number): number => left - right;

/** Objects say when they came to the second only. */
const secondMicros = 1_000_000n;

/** Whether what was written up to a time cannot be reached because of the gap. */
export function isBehindGap(time: string, { before }: WalGap): boolean {
  return before === null || instantOf(time) > instantOf(before) + secondMicros;
}

/** Where WAL was at a time, at most: the end of the first segment that came into the archive after it. */
export function endOfWalAt(time: string, { end, segments }: WalRun, segmentBytes: number): bigint | null {
  const found = segments.find(({ at }) => byInstant(at, time) >= 0);
  return found === undefined ? end : segmentStart(found.number + 1, segmentBytes);
}

/** "000000010000000000000005", "000000010000000000000005 to 000000010000000000000007 (3)" */
export function gapText({ count, first, last }: WalGap): string {
  return count === 1 ? `WAL segment ${first}` : `WAL segments ${first} to ${last} (${count})`;
}
