import { z } from "zod";
import { byInstant } from "./instant.ts";
import { parseLsn } from "./lsn.ts";

/** Where a timeline left another one. Each but the first has one. */
export const forkSchema = z.strictObject({
  timeline: z.int().min(2),
  parent: z.int().min(1),
  /** Up to here it is the parent's WAL. */
  lsn: z.string(),
  /** It began with a restore to a target: what the parent has after that point was real, and is no part of it. */
  isRestore: z.boolean(),
});
export type Fork = z.infer<typeof forkSchema>;

/** When a timeline came into the archive. */
export interface TimelineStart {
  readonly timeline: number;
  readonly since: string;
}

/** A part of the way to a timeline; null: it has no end yet. */
export interface Leg {
  readonly timeline: number;
  readonly until: bigint | null;
}

const historyLine = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)\s+(.*)$/;
/** What PostgreSQL writes of a promotion that was no end of a recovery to a target. */
const promotion = "no recovery target specified";

/** What PostgreSQL's history file of a timeline says: the whole way to it, oldest first. */
export function parseHistory(timeline: number, text: string): Fork[] {
  const lines = text.split("\n").flatMap((line) => {
    const [, parent = "", lsn = "", reason = ""] = historyLine.exec(line) ?? [];
    return parent === "" ? [] : [{ parent: Number(parent), lsn, isRestore: reason.trim() !== promotion }];
  });
  return lines.map((line, index) => ({ ...line, timeline: lines[index + 1]?.parent ?? timeline }));
}

/** The WAL that leads to a timeline, oldest first. Null: nobody knows where it comes from. */
export function lineTo(timeline: number, forks: readonly Fork[]): Leg[] | null {
  if (timeline > 1 && !forks.some((fork) => fork.timeline === timeline)) return null;
  const legs: Leg[] = [{ timeline, until: null }];
  for (;;) {
    const at = legs[0]?.timeline ?? timeline;
    const fork = forks.find((one) => one.timeline === at && one.parent < at);
    if (fork === undefined) return legs;
    legs.unshift({ timeline: fork.parent, until: parseLsn(fork.lsn) });
  }
}

/** Whether the place is on the way. */
export function isOnLine(line: readonly Leg[], timeline: number, lsn: bigint): boolean {
  return line.some((leg) => leg.timeline === timeline && (leg.until === null || lsn <= leg.until));
}

/** The timeline on which the cluster was at a time: they follow each other, whichever one they come from. */
export function timelineAt(time: string, starts: readonly TimelineStart[], first: number): number {
  const begun = starts.filter(({ since }) => byInstant(since, time) <= 0).map(({ timeline }) => timeline);
  return Math.max(first, ...begun);
}

/**
 * How far one can go on from a timeline without leaving anything out: over promotions, which leave nothing that was
 * real behind, and up to the next restore.
 */
export function lastOf(timeline: number, newest: number, forks: readonly Fork[]): number {
  let last = timeline;
  while (last < newest) {
    const next = forks.find((fork) => fork.timeline === last + 1);
    if (next === undefined || next.parent !== last || next.isRestore) return last;
    last += 1;
  }
  return last;
}
