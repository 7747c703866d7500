import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { nodePaths } from "../../domain/config/index.ts";
import type { ArchiveState } from "../../domain/node/backup-verbs.ts";
import type { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { postgresWordsSince } from "../postgres-words.ts";
import { runSql } from "../psql.ts";
import { inspectWal } from "../wal.ts";

const statusDirectory = join(nodePaths.postgresData, "pg_wal/archive_status");
const pollMs = 100;

/** A leader's timeline is in the names of its WAL files; the control file learns of it only with the next checkpoint. */
const timelineSql =
  "('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::int";

/**
 * A transaction of its own, whose commit is flushed and sent before anything follows. A recovery to a time knows that
 * it is there by the first commit after it, so a time in a run of idleness needs one, too; and a switch that follows no
 * writing ends no segment.
 */
const endSegmentSql = `SET synchronous_commit = on;
SELECT pg_catalog.json_build_object('at', pg_catalog.clock_timestamp(), 'xid', pg_catalog.pg_current_xact_id()::text);
SELECT pg_catalog.json_build_object(
  'archivedWal', pg_catalog.pg_walfile_name(lsn), 'lsn', lsn, 'timeline', ${timelineSql})
FROM pg_catalog.pg_switch_wal() AS lsn;`;

const committedSchema = z.object({ at: z.iso.datetime({ offset: true }) });
const endedSchema = z.object({ archivedWal: z.string(), lsn: z.string(), timeline: z.int() });

export interface EndedSegment extends z.infer<typeof endedSchema> {
  /** What was committed before it is in the segment, or in one before. */
  readonly at: string;
}

async function isWaiting(wal: string): Promise<boolean> {
  try {
    await stat(join(statusDirectory, `${wal}.ready`));
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Ends the segment that is being written and waits until it is archived. @throws {NodeFailure} `archive-fails` */
export async function archiveNow(deadline: Deadline): Promise<EndedSegment> {
  const since = new Date();
  const [committed = "", ended = ""] = await runSql("postgres", endSegmentSql);
  const segment = endedSchema.parse(JSON.parse(ended));
  const { archivedWal } = segment;
  const late = () =>
    new NodeFailure(`WAL segment ${archivedWal} has not been archived in time`, { code: "archive-fails" });
  try {
    await deadline.until(async () => ((await isWaiting(archivedWal)) ? null : true), late, pollMs);
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error;
    throw new NodeFailure(`${error.message}: ${await postgresWordsSince(since)}`, {
      code: error.code,
      cause: error,
    });
  }
  const { at } = committedSchema.parse(JSON.parse(committed));
  return { ...segment, at: new Date(at).toISOString() };
}

const positionSchema = z.object({
  at: z.iso.datetime({ offset: true }),
  lastArchivedWal: z.string().nullable(),
  failedCount: z.int(),
  lastFailedAt: z.iso.datetime({ offset: true }).nullable(),
  timeline: z.int(),
  lsn: z.string(),
  nextXid: z.string(),
});

const positionSql = `SELECT pg_catalog.json_build_object(
  'at', pg_catalog.clock_timestamp(),
  'lastArchivedWal', a.last_archived_wal,
  'failedCount', a.failed_count,
  'lastFailedAt', a.last_failed_time,
  'timeline', ${timelineSql},
  'lsn', pg_catalog.pg_current_wal_lsn(),
  'nextXid', pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text)
FROM pg_catalog.pg_stat_archiver AS a;`;

/** Sent to the leader: a replica archives nothing. */
export async function archiveState(): Promise<Omit<ArchiveState, "forks">> {
  const [[row = ""], wal] = await Promise.all([
    runSql("postgres", positionSql),
    inspectWal(nodePaths.postgresData),
  ]);
  const position = positionSchema.parse(JSON.parse(row));
  const { at, lastFailedAt } = position;
  return {
    ...position,
    at: new Date(at).toISOString(),
    lastFailedAt: lastFailedAt === null ? null : new Date(lastFailedAt).toISOString(),
    archivedUntil: wal.archivedUntil,
    readyCount: wal.readyCount,
    oldestReadySeconds: wal.oldestReadySeconds,
    walBytes: wal.bytes,
  };
}
