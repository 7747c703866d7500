import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Fork, parseHistory } from "../../domain/backup/timeline.ts";
import { nodePaths } from "../../domain/config/index.ts";

const historyPattern = /^([0-9A-F]{8})\.history$/;
/** Every failover makes one, and an answer has to fit into a command's output: the oldest have been left long ago. */
const forksMax = 100;

/** Every timeline that one of PostgreSQL's history files here tells of, oldest first. */
export function forksOf(histories: readonly { readonly timeline: number; readonly text: string }[]): Fork[] {
  const known = new Map<number, Fork>();
  for (const { text, timeline } of histories) {
    for (const fork of parseHistory(timeline, text)) known.set(fork.timeline, fork);
  }
  return [...known.values()].toSorted((left, right) => left.timeline - right.timeline).slice(-forksMax);
}

/** PostgreSQL leaves history files in its WAL for good. */
export async function readForks(): Promise<Fork[]> {
  const directory = join(nodePaths.postgresData, "pg_wal");
  const names = (await readdir(directory)).filter((name) => historyPattern.test(name));
  const histories = await Promise.all(
    names.map(async (name) => ({
      timeline: Number.parseInt(name.slice(0, 8), 16),
      text: await readFile(join(directory, name), "utf8"),
    })),
  );
  return forksOf(histories);
}
