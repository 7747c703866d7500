import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Database, EndpointName } from "./database.ts";

const run = promisify(execFile);

/** 100,000 accounts a unit. */
const usualScale = 2;
const clientsTotal = 8;
/**
 * Of all clients together, where a promise is tried and not a speed: somebody is always about to ask, and the machine
 * has room for what else happens on it.
 */
export const calmTransactionsPerSecond = 80;
const microsecondsPerMs = 1_000;

export type Protocol = "simple" | "prepared";

/** One transaction of one client, in milliseconds since 1970. */
interface Transaction {
  readonly beganMs: number;
  readonly endedMs: number;
}

/** What clients saw. */
export interface LoadReport {
  readonly transactions: readonly Transaction[];
  /** What clients were told that had an error: each of these ended one. */
  readonly complaints: readonly string[];
}

/** The longest that any client waited for a transaction that lies in this time, or touches it. */
export function longestWaitMs(report: LoadReport, fromMs: number, toMs: number): number {
  return report.transactions
    .filter(({ beganMs, endedMs }) => endedMs >= fromMs && beganMs <= toMs)
    .reduce((longest, { beganMs, endedMs }) => Math.max(longest, endedMs - beganMs), 0);
}

/** pgbench's tables; `client` may write them. */
export async function prepareLoad(database: Database, scale = usualScale): Promise<void> {
  const uri = database.uri("readWrite", "admin");
  await run("pgbench", ["-i", "-q", "-s", String(scale), uri], { env: database.clientEnvironment });
}

/** What pgbench says at its end where a client had told of its own error before. */
const lastWord = /Run was aborted/;
/** A client that somebody still holds by then is not waited for. */
const finishMs = 2_000;

interface Program {
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly complaints: Promise<string>;
}

/** pgbench through the poolers (or another endpoint) of these nodes: eight clients in all, each staying with its node. */
export class Load implements AsyncDisposable {
  readonly #directory: string;
  readonly #programs: readonly Program[];

  private constructor(directory: string, programs: readonly Program[]) {
    this.#directory = directory;
    this.#programs = programs;
  }

  static async start(
    database: Database,
    options: {
      readonly protocol: Protocol;
      readonly addresses: readonly string[];
      /** Null: as many as they can. */
      readonly transactionsPerSecond: number | null;
      readonly endpoint?: EndpointName;
    },
  ): Promise<Load> {
    const directory = await mkdtemp(join(tmpdir(), "pgherd-load-"));
    const { addresses, protocol, transactionsPerSecond } = options;
    const { database: name, endpoints, users } = database.connection;
    const { port } = endpoints[options.endpoint ?? "pooled"];
    const programs = addresses.map((address, index) => {
      const share = Math.floor((clientsTotal + addresses.length - 1 - index) / addresses.length);
      const pace =
        transactionsPerSecond === null ? [] : ["-R", String((transactionsPerSecond * share) / clientsTotal)];
      const target = `host=${address} port=${port} dbname=${name} user=${users.client.name} sslmode=verify-full`;
      const child = spawn(
        "pgbench",
        [
          ...["-n", "-N", "-M", protocol, "-c", String(share), "-j", "1", "-T", "3600", ...pace],
          ...["-l", "--log-prefix", join(directory, `log-${index}`), target],
        ],
        { env: database.clientEnvironment, stdio: ["ignore", "ignore", "pipe"] },
      );
      return { signal: (signal: NodeJS.Signals) => child.kill(signal), complaints: text(child.stderr) };
    });
    return new Load(directory, programs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) program.signal("SIGKILL");
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Ends the load and says how it was. */
  async end(): Promise<LoadReport> {
    const ended = Promise.all(this.#programs.map(({ complaints }) => complaints));
    // To pgbench its time is over: it ends in order, and what its log still buffers is written.
    for (const program of this.#programs) program.signal("SIGALRM");
    await Promise.race([ended, delay(finishMs)]);
    for (const program of this.#programs) program.signal("SIGKILL");
    const said = await ended;
    const complaints = said
      .flatMap((lines) => lines.split("\n"))
      .filter((line) => /error|aborted|FATAL/i.test(line) && !lastWord.test(line));
    const logs = (await readdir(this.#directory)).filter((name) => name.startsWith("log-"));
    const contents = await Promise.all(logs.map((name) => readFile(join(this.#directory, name), "utf8")));
    return {
      transactions: contents.flatMap((content) => content.split("\n").flatMap(transactionOf)),
      complaints,
    };
  }
}

/**
 * pgbench's log: client, number, microseconds (since it was due), script, second and microsecond of its end. The last
 * line may be cut.
 */
function transactionOf(line: string): Transaction[] {
  const [, , microseconds, , second, microsecond] = line.split(" ").map(Number);
  if (microseconds === undefined || second === undefined || microsecond === undefined) return [];
  const endedMs = second * 1000 + microsecond / microsecondsPerMs;
  return [{ beganMs: endedMs - microseconds / microsecondsPerMs, endedMs }];
}
