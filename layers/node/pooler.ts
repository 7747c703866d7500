import { nodePorts } from "../domain/cluster/node-ports.ts";
import { nodePaths } from "../domain/config/index.ts";
import { Deadline } from "./deadline.ts";
import { NodeFailure } from "./failure.ts";
import { run, runAs } from "./process.ts";
import { active, machineGoesDown } from "./systemd.ts";

const unit = "pgbouncer.service";
/** PgBouncer ends within milliseconds of a signal that waits for nobody. */
const cutMs = 5_000;

export interface Drained {
  /** Clients whose connection was closed. */
  readonly closed: number;
  /** Those of them that were inside a transaction which took too long. */
  readonly cut: number;
}

interface Clients {
  readonly all: number;
  readonly busy: number;
}

/** Clients of the pooler, and those that have a server connection: transactions that run. */
async function countClients(): Promise<Clients> {
  const console = ["-h", nodePaths.poolerSocket, "-p", String(nodePorts.pooled), "-d", "pgbouncer"];
  const format = ["-X", "-q", "-A", "-t", "-F", "\t", "-c", "SHOW POOLS;"];
  const psql = `${nodePaths.postgresBin}/psql`;
  const { stdout } = await runAs("pgbouncer", psql, [...console, "-U", "pgbouncer", ...format]);
  const pools = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"))
    .filter(([database]) => database !== "pgbouncer");
  // Columns: database, user, cl_active, cl_waiting, cl_active_cancel_req, cl_waiting_cancel_req, sv_active …
  const sum = (...columns: number[]): number =>
    pools.reduce(
      (total, pool) => columns.reduce((part, column) => part + Number(pool[column] ?? 0), total),
      0,
    );
  return { all: sum(2, 3), busy: sum(6) };
}

async function isDown(): Promise<true | null> {
  const { stdout } = await run("systemctl", ["show", "--property=ActiveState", "--value", unit]);
  return ["inactive", "failed"].includes(stdout.trim()) ? true : null;
}

/**
 * When the machine goes down, systemd has the pooler's stop waiting behind the handover already, so another one would
 * wait for itself; the signal is the same.
 */
async function askToEnd(): Promise<void> {
  if (await machineGoesDown()) await run("systemctl", ["kill", "--kill-whom=main", "--signal=SIGINT", unit]);
  else await run("systemctl", ["stop", "--no-block", unit]);
}

/**
 * Stops the pooler so that no transaction of a client is broken: from now on it takes no connection, and those that it
 * has are closed between two transactions (PgBouncer's answer to SIGINT, which the unit stops it with). What has not
 * ended at the deadline is cut.
 */
export async function drainPooler(deadline: Deadline): Promise<Drained> {
  const running = await active([unit]);
  if (!running.has(unit)) return { closed: 0, cut: 0 };
  let clients = await countClients();
  const closed = clients.all;
  await askToEnd();
  try {
    await deadline.until(isDown, late);
    return { closed, cut: 0 };
  } catch (error) {
    if (!(error instanceof NodeFailure) || error.code !== "pooler-not-drained") throw error;
  }
  clients = await countClients();
  await run("systemctl", ["kill", "--signal=SIGQUIT", unit]);
  await new Deadline(cutMs).until(isDown, late);
  return { closed, cut: clients.busy };
}

/** One word to the pooler's console, as its own user. 1: it says no; -1: it had not answered when it was given up. */
async function tell(word: string, timeoutMs: number): Promise<void> {
  const console = ["-h", nodePaths.poolerSocket, "-p", String(nodePorts.pooled), "-d", "pgbouncer"];
  const command = ["-X", "-q", "-U", "pgbouncer", "-c", word];
  const psql = `${nodePaths.postgresBin}/psql`;
  await runAs("pgbouncer", psql, [...console, ...command], { timeoutMs, answers: [1, -1] });
}

const releaseMs = 10_000;
/** PgBouncer reads a name in double quotes as it stands. */
const databaseName = (database: string): string => `"${database}"`;

/**
 * From now on no transaction begins. Those that run are waited for; the hold stays, whatever becomes of them: it is of
 * the database, and outlives whoever asked for it. False where no pooler runs.
 */
export async function holdClients(database: string, waitMs: number): Promise<boolean> {
  if (!(await active([unit])).has(unit)) return false;
  await tell(`PAUSE ${databaseName(database)};`, Math.max(1_000, waitMs));
  return true;
}

/** A pooler that holds nobody, or does not run, is success. */
export async function letClientsIn(database: string): Promise<void> {
  if ((await active([unit])).has(unit)) await tell(`RESUME ${databaseName(database)};`, releaseMs);
}

function late(): NodeFailure {
  return new NodeFailure("the pooler did not end in time", { code: "pooler-not-drained" });
}
