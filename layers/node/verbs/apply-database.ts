import { z } from "zod";
import type { VerbFunction } from "../context.ts";
import {
  createDatabaseSql,
  databaseExistsSql,
  extensionVersionsSql,
  rightsSql,
  rolesSql,
} from "../database-sql.ts";
import { NodeFailure } from "../failure.ts";
import { readPasswords, verifiers } from "../passwords.ts";
import { runSql } from "../psql.ts";

const extensionSchema = z.strictObject({ name: z.string(), version: z.string() });

export async function requireLeader(): Promise<void> {
  const [inRecovery] = await runSql("postgres", "SELECT pg_catalog.pg_is_in_recovery();");
  if (inRecovery !== "f")
    throw new NodeFailure("PostgreSQL on this node is not the leader", { code: "not-leader" });
}

export const applyDatabase: VerbFunction<"apply-database"> = async (input, context) => {
  const [passwords] = await Promise.all([
    readPasswords(context, input, [...input.logins, "monitor"]),
    requireLeader(),
  ]);
  await runSql("postgres", rolesSql(input.logins, await verifiers(input.clusterId, passwords)));
  const exists = await runSql("postgres", databaseExistsSql(input.database));
  // CREATE DATABASE knows no IF NOT EXISTS and no transaction.
  if (exists.length === 0) await runSql("postgres", createDatabaseSql(input.database));
  await runSql(input.database, rightsSql(input.database, input.extensions));
  if (input.extensions.length === 0) return { extensions: [] };
  const rows = await runSql(input.database, extensionVersionsSql(input.extensions));
  return { extensions: rows.map((row) => extensionSchema.parse(JSON.parse(row))) };
};
