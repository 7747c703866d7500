import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Inspection } from "../domain/node/inspect-verbs.ts";

const segmentPattern = /^[0-9A-F]{24}$/;
const readySuffix = ".ready";
const donePattern = /^[0-9A-F]{24}\.done$/;

async function entries(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    // A member that is being cloned has none yet.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** A cluster's segments are all of one size; one that was recycled while we looked says nothing. */
async function segmentBytes(directory: string, segments: readonly string[]): Promise<number> {
  for (const segment of segments) {
    try {
      return (await stat(join(directory, segment))).size;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return 0;
}

/** Age of what waits longest; null where it was archived while we looked. */
async function ageSeconds(path: string): Promise<number | null> {
  try {
    return Math.max(0, (Date.now() - (await stat(path)).mtimeMs) / 1000);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/**
 * When the newest archived segment was full: its `.ready` was made then, and renaming it leaves that time as it is.
 * What waits before it is not archived yet, so what comes after that does not count.
 */
async function archivedUntil(
  status: string,
  statuses: readonly string[],
  oldestReady: string | undefined,
): Promise<string | null> {
  const done = statuses
    .filter((name) => donePattern.test(name) && (oldestReady === undefined || name < oldestReady))
    .toSorted();
  const newest = done.at(-1);
  if (newest === undefined) return null;
  try {
    return (await stat(join(status, newest))).mtime.toISOString();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** PostgreSQL's own sign (`recovery.conf` until version 11): it is there as long as the member follows a leader. */
const standbySignal = "standby.signal";

/**
 * What WAL takes of the volume, and how much of it waits for the archive. Names sort by age. A standby archives nothing:
 * what it had not archived when it led, whoever leads now has handed in.
 */
export async function inspectWal(dataDirectory: string): Promise<Inspection["wal"]> {
  const directory = join(dataDirectory, "pg_wal");
  const status = join(directory, "archive_status");
  const [own, files, statuses] = await Promise.all([
    entries(dataDirectory),
    entries(directory),
    entries(status),
  ]);
  const isStandby = own.includes(standbySignal);
  const ready = isStandby ? [] : statuses.filter((name) => name.endsWith(readySuffix)).toSorted();
  const [oldest] = ready;
  const segments = files.filter((name) => segmentPattern.test(name));
  return {
    bytes: segments.length * (await segmentBytes(directory, segments)),
    readyCount: ready.length,
    oldestReadySeconds: oldest === undefined ? null : await ageSeconds(join(status, oldest)),
    archivedUntil: await archivedUntil(status, statuses, oldest),
  };
}
