import { nodePaths } from "../domain/config/index.ts";
import { runAs } from "./process.ts";

/** `CREATE EXTENSION` on a busy machine is the slowest of what we send. */
const sqlTimeoutMs = 60_000;

/** A spec's statement_timeout and the like are for its users, not for us; nor is what we send to be logged. */
export const sessionOptions = [
  "statement_timeout=0",
  "lock_timeout=0",
  "transaction_timeout=0",
  "idle_in_transaction_session_timeout=0",
  "default_transaction_read_only=off",
  "log_statement=none",
  "log_min_duration_statement=-1",
  "log_min_error_statement=panic",
  "client_min_messages=warning",
]
  .map((setting) => `-c ${setting}`)
  .join(" ");

/** `'it''s'`: standard_conforming_strings is on in every server that we make. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Runs SQL as `postgres` on the local socket; returns unaligned rows. SQL goes by standard input. */
export async function runSql(
  database: string,
  sql: string,
  timeoutMs: number = sqlTimeoutMs,
): Promise<string[]> {
  const args = [
    "-X",
    "-q",
    "-A",
    "-t",
    "-v",
    "ON_ERROR_STOP=1",
    "-h",
    nodePaths.postgresSocket,
    "-U",
    "postgres",
  ];
  const result = await runAs("postgres", "psql", [...args, "-d", database, "-f", "-"], {
    stdin: `SET standard_conforming_strings = on;\n${sql}`,
    timeoutMs,
    env: { PGOPTIONS: sessionOptions, PGCLIENTENCODING: "UTF8", HOME: "/nonexistent" },
  });
  return result.stdout.split("\n").filter((line) => line !== "");
}
