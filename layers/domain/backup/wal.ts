import { parseLsn } from "./lsn.ts";

/** One file of WAL. `number` counts from the beginning of all WAL, whatever timeline it is on. */
export interface WalSegment {
  readonly timeline: number;
  readonly number: number;
}

const namePattern = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;
/** What the middle of a name counts. */
const bytesPerLog = 2 ** 32;
const mib = 1024 ** 2;
/** PostgreSQL knows these sizes, and ours have four (docs/decisions/wal-segments.md). */
const segmentSizes = [4, 16, 1, 2, 8, 32, 64, 128, 256, 512, 1024].map((size) => size * mib);
const [segmentBytesUsual = 4 * mib] = segmentSizes;

const hex = (number: number): string => number.toString(16).toUpperCase().padStart(8, "0");

/** Null for what is no name of a segment, such as that of a history file. */
export function parseWal(name: string, segmentBytes: number): WalSegment | null {
  const match = namePattern.exec(name);
  if (match === null) return null;
  const [timeline = 0, log = 0, segment = 0] = match.slice(1).map((part) => Number.parseInt(part, 16));
  return { timeline, number: log * (bytesPerLog / segmentBytes) + segment };
}

export function walName({ number, timeline }: WalSegment, segmentBytes: number): string {
  const perLog = bytesPerLog / segmentBytes;
  return `${hex(timeline)}${hex(Math.floor(number / perLog))}${hex(number % perLog)}`;
}

/** The timeline in the name of a segment; null where there is no name. */
export function walTimeline(name: string | null): number | null {
  const match = name === null ? null : namePattern.exec(name);
  return match?.[1] === undefined ? null : Number.parseInt(match[1], 16);
}

/** The number of the segment that the byte is in. */
export const segmentAt = (lsn: bigint, segmentBytes: number): number => Number(lsn / BigInt(segmentBytes));

/** Where a segment begins. */
export const segmentStart = (number: number, segmentBytes: number): bigint =>
  BigInt(number) * BigInt(segmentBytes);

/** How large a cluster's segments are, which the names of those where backups begin give away. */
export function segmentBytesOf(
  backups: readonly { readonly walStart: string | null; readonly lsnStart: string | null }[],
): number {
  const starts = backups.flatMap(({ lsnStart, walStart }) => {
    const lsn = lsnStart === null ? null : parseLsn(lsnStart);
    return lsn === null || walStart === null ? [] : [{ lsn, walStart }];
  });
  const fits = (bytes: number): boolean =>
    starts.every(({ lsn, walStart }) => parseWal(walStart, bytes)?.number === segmentAt(lsn, bytes));
  return segmentSizes.find(fits) ?? segmentBytesUsual;
}
