import { z } from "zod";
import type { VerbFunction } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { runSql } from "../psql.ts";

const rowSchema = z.strictObject({ timeline: z.int().min(1), bytes: z.string() });

/**
 * A leader's timeline is in the names of its WAL files; the control file learns of it only with the next checkpoint.
 * What a replica has received counts, replayed or not.
 */
const positionSql = `SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
  THEN pg_catalog.json_build_object(
    'timeline', GREATEST((pg_catalog.pg_control_checkpoint()).timeline_id,
      (pg_catalog.pg_control_recovery()).min_recovery_end_timeline,
      (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver)),
    'bytes', pg_catalog.pg_wal_lsn_diff(
      GREATEST(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), '0/0')::text)
  ELSE pg_catalog.json_build_object(
    'timeline', ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()), 8))::bit(32)::int,
    'bytes', pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), '0/0')::text)
  END;`;

export const walPosition: VerbFunction<"wal-position"> = async (input) => {
  await readOwnIntent(input);
  try {
    const [row] = await runSql("postgres", positionSql);
    return { reached: rowSchema.parse(JSON.parse(row ?? "null")) };
  } catch (error) {
    // PostgreSQL is down, or on its way: that is what was asked.
    if (error instanceof NodeFailure) return { reached: null };
    throw error;
  }
};
