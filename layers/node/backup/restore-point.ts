import { z } from "zod";
import type { NodeCommands } from "../../domain/node/protocol.ts";
import { literal, runSql } from "../psql.ts";

const madeSchema = z.object({
  at: z.iso.datetime({ offset: true }),
  timeline: z.int(),
  lsn: z.string(),
});

/**
 * PostgreSQL neither flushes a restore point nor sends it to anybody by itself: a transaction that begins before it and
 * ends after it is what waits for the disk and for synchronous standbys.
 */
export const restorePointSql = (name: string): string => `SET synchronous_commit = on;
BEGIN;
SELECT pg_catalog.pg_current_xact_id() \\g /dev/null
SELECT pg_catalog.json_build_object(
  'lsn', pg_catalog.pg_create_restore_point(${literal(name)}),
  'at', pg_catalog.clock_timestamp(),
  'timeline', ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::int);
COMMIT;`;

export async function makeRestorePoint(name: string): Promise<NodeCommands["make-restore-point"]["output"]> {
  const [row = ""] = await runSql("postgres", restorePointSql(name));
  const made = madeSchema.parse(JSON.parse(row));
  return { ...made, at: new Date(made.at).toISOString() };
}
