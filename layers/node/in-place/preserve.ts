import { z } from "zod";
import type { Left } from "../../domain/backup/branches.ts";
import { archiveNow } from "../backup/archive.ts";
import type { Deadline } from "../deadline.ts";
import { literal, runSql } from "../psql.ts";

const rowSchema = z.strictObject({
  lsn: z.string(),
  nextXid: z.string(),
  at: z.iso.datetime({ offset: true }),
});

const positionSql = `SELECT pg_catalog.json_build_object(
  'lsn', pg_catalog.pg_current_wal_lsn(),
  'nextXid', pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text,
  'at', pg_catalog.clock_timestamp());`;

/** Makes the point, and sees everything up to it into the archive, with a commit after it. */
export async function preserve(restorePoint: string, deadline: Deadline): Promise<Left> {
  const make = `SELECT pg_catalog.pg_create_restore_point(${literal(restorePoint)}) IS NULL \\g /dev/null`;
  const [row = ""] = await runSql("postgres", `${make}\n${positionSql}`);
  const { at, lsn, nextXid } = rowSchema.parse(JSON.parse(row));
  const { timeline } = await archiveNow(deadline);
  return { timeline, lsn, nextXid, restorePoint, at: new Date(at).toISOString() };
}
