import { runSql } from "../psql.ts";

/**
 * A replica replays what vacuum removes on the leader, and ends whoever still needs it. With feedback the leader keeps
 * what the dump's snapshot sees, as it would for a dump of its own. Replay is never held up for longer than it is for
 * any query: a replica that is behind cannot take over.
 */
const holdSql = `SELECT pg_catalog.pg_is_in_recovery() AND NOT pg_catalog.current_setting('hot_standby_feedback')::boolean AS needed
\\gset
\\if :needed
ALTER SYSTEM SET hot_standby_feedback = on;
SELECT pg_catalog.pg_reload_conf() \\g /dev/null
\\endif`;

/** What the spec says holds again. Where nothing was held, nothing changes. */
const releaseSql = `ALTER SYSTEM RESET hot_standby_feedback;
SELECT pg_catalog.pg_reload_conf() \\g /dev/null`;

export async function holdFeedback(): Promise<void> {
  await runSql("postgres", holdSql);
}

export async function releaseFeedback(): Promise<void> {
  await runSql("postgres", releaseSql);
}
