import type { DrillChecks } from "../../domain/backup/drill.ts";
import { nodePaths } from "../../domain/config/index.ts";
import { controlData } from "../control-data.ts";
import { Deadline } from "../deadline.ts";
import { anyExitCode, runAs } from "../process.ts";
import { identifier, runSql, sessionOptions } from "../psql.ts";
import { stopPostgres } from "../verbs/shut-down.ts";

/** Terabytes are read in less; whoever takes longer is as good as broken. */
const checkTimeoutMs = 12 * 60 * 60 * 1000;
/** The last checkpoint of what was only read. */
const stopMs = 10 * 60 * 1000;
/** Enough for the first things that are wrong; the rest is of the same kind. */
const detailCharactersMax = 600;
/** All tables together have to fit into the answer of a command. */
const tableCharactersMax = 160;
/** Each connection reads one table at a time. */
const amcheckJobs = 2;

type Outcome = DrillChecks["amcheck"];

const briefly = (text: string): string =>
  text
    .trim()
    .replace(/\s*\n\s*/g, "; ")
    .slice(0, detailCharactersMax);

const messageOf = (error: unknown): string => briefly(error instanceof Error ? error.message : String(error));

/** One after the other: each would slow the others down, and the last one needs a PostgreSQL that has stopped. */
export async function checkRestored(database: string, tables: readonly string[]): Promise<DrillChecks> {
  const counted: DrillChecks["tables"] = [];
  for (const table of tables) counted.push(await countRows(database, table));
  return { tables: counted, amcheck: await amcheck(), checksums: await checksums() };
}

async function countRows(database: string, table: string): Promise<DrillChecks["tables"][number]> {
  const name = table.split(".").map(identifier).join(".");
  try {
    const [count] = await runSql(database, `SELECT pg_catalog.count(*) FROM ${name};`, checkTimeoutMs);
    const rows = Number(count);
    return { table, rows, ok: true, detail: `${rows} rows` };
  } catch (error) {
    return { table, rows: null, ok: false, detail: messageOf(error).slice(0, tableCharactersMax) };
  }
}

/** Its extension is made where it is missing: the data is thrown away. */
async function amcheck(): Promise<Outcome> {
  const args = ["--all", "--install-missing", "--parent-check", "--heapallindexed", `--jobs=${amcheckJobs}`];
  const login = [`--host=${nodePaths.postgresSocket}`, "--username=postgres", "--no-password"];
  const ran = await runAs("postgres", `${nodePaths.postgresBin}/pg_amcheck`, [...args, ...login], {
    timeoutMs: checkTimeoutMs,
    answers: anyExitCode,
    env: { PGOPTIONS: sessionOptions, PGCLIENTENCODING: "UTF8", HOME: "/nonexistent" },
  });
  return amcheckOutcome(ran);
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function amcheckOutcome({ code, stderr, stdout }: Ran): Outcome {
  if (code === 0) return { ok: true, detail: "Tables and indexes of every database fit together." };
  return { ok: false, detail: briefly(`${stdout}\n${stderr}`) || `pg_amcheck ended with ${code}` };
}

/** PostgreSQL itself reads no page that nobody asks for; this reads all of them. */
async function checksums(): Promise<Outcome> {
  await stopPostgres(new Deadline(stopMs));
  const data = await controlData();
  if (data?.state !== "shut down") {
    return {
      ok: false,
      detail: `PostgreSQL did not shut down in order: it is "${data?.state ?? "without data"}"`,
    };
  }
  const args = ["--check", `--pgdata=${nodePaths.postgresData}`];
  const ran = await runAs("postgres", `${nodePaths.postgresBin}/pg_checksums`, args, {
    timeoutMs: checkTimeoutMs,
    answers: anyExitCode,
  });
  return checksumsOutcome(ran);
}

export function checksumsOutcome({ code, stderr, stdout }: Ran): Outcome {
  const blocks = /^Blocks scanned:\s+(\d+)$/m.exec(stdout)?.[1];
  if (code === 0 && blocks !== undefined)
    return { ok: true, detail: `${blocks} pages are what was written.` };
  const complaints = stderr.trim() === "" ? stdout : stderr;
  return { ok: false, detail: briefly(complaints) || `pg_checksums ended with ${code}` };
}
