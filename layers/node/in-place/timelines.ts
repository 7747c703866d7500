import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseHistory } from "../../domain/backup/timeline.ts";
import { account } from "../accounts.ts";
import { ensureFile } from "../files.ts";

export interface Ancestor {
  readonly timeline: number;
  readonly lsn: string;
}

const radix = 16;
const fileName = (timeline: number): string =>
  `${timeline.toString(radix).toUpperCase().padStart(8, "0")}.history`;

/** Each timeline that was left on the way to this one, with the LSN at which it was. */
export const ancestorsOf = (timeline: number, text: string): Ancestor[] =>
  parseHistory(timeline, text).map(({ lsn, parent }) => ({ timeline: parent, lsn }));

/** The first timeline of all has no history. */
export async function historyOf(dataDirectory: string, timeline: number): Promise<Ancestor[]> {
  if (timeline === 1) return [];
  const text = await readFile(join(dataDirectory, "pg_wal", fileName(timeline)), "utf8");
  return ancestorsOf(timeline, text);
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
