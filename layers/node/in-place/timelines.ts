import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { account } from "../accounts.ts";
import { ensureFile } from "../files.ts";

export interface Ancestor {
  readonly timeline: number;
  readonly lsn: string;
}

const radix = 16;
const fileName = (timeline: number): string =>
  `${timeline.toString(radix).toUpperCase().padStart(8, "0")}.history`;

const line = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/;

/** A history file of PostgreSQL: a line for each timeline that was left, with the LSN at which it was. */
export function parseHistory(text: string): Ancestor[] {
  return text.split("\n").flatMap((one) => {
    const [, timeline, lsn] = line.exec(one) ?? [];
    return timeline === undefined || lsn === undefined ? [] : [{ timeline: Number(timeline), lsn }];
  });
}

/** The first timeline of all has no history. */
export async function historyOf(dataDirectory: string, timeline: number): Promise<Ancestor[]> {
  if (timeline === 1) return [];
  return parseHistory(await readFile(join(dataDirectory, "pg_wal", fileName(timeline)), "utf8"));
}

const archived = /^([0-9A-F]{8})\.history\.done$/;

/** The youngest timeline that the archive has learned of from this data; null: none, or there is no data. */
export async function archivedTimeline(dataDirectory: string): Promise<number | null> {
  let names: string[];
  try {
    names = await readdir(join(dataDirectory, "pg_wal/archive_status"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  return youngest(names);
}

export function youngest(statusNames: readonly string[]): number | null {
  const timelines = statusNames.flatMap((name) => {
    const [, digits] = archived.exec(name) ?? [];
    return digits === undefined ? [] : [Number.parseInt(digits, radix)];
  });
  return timelines.length === 0 ? null : Math.max(...timelines);
}

/**
 * PostgreSQL takes the number after the last one that it finds, and a replica that follows asks its leader for each
 * number in between. What is in these files none of them reads.
 */
export async function markUsed(dataDirectory: string, after: number, last: number): Promise<void> {
  const owner = await account("postgres");
  for (let timeline = after + 1; timeline <= last; timeline += 1) {
    const path = join(dataDirectory, "pg_wal", fileName(timeline));
    await ensureFile({ path, content: "# Taken by data that is not in service.\n", owner, mode: 0o600 });
  }
}
