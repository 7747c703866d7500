import { z } from "zod";
import type { Inspection } from "../domain/node/inspect-verbs.ts";
import { runSql } from "./psql.ts";

/** A PostgreSQL that is well answers within milliseconds; whoever inspects waits no longer for one that is not. */
const answerTimeoutMs = 1_000;

/** Superusers, of whom this is one, have connections of their own that no client can take. */
const usedAndMax = `
SELECT count(*) FILTER (WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
       current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - current_setting('reserved_connections')::int
FROM pg_stat_activity;`;

const rowSchema = z.tuple([z.coerce.number().int().min(0), z.coerce.number().int().min(1)]);

/** `12|94` */
export function connectionsIn(row: string): NonNullable<Inspection["connections"]> {
  const [used, max] = rowSchema.parse(row.split("|"));
  return { used, max };
}

/** Null where PostgreSQL does not answer: its state is told by others. */
export async function inspectConnections(): Promise<Inspection["connections"]> {
  try {
    const [row = ""] = await runSql("postgres", usedAndMax, answerTimeoutMs);
    return connectionsIn(row);
  } catch {
    return null;
  }
}
