import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import { nodePaths, tlsFiles } from "../../domain/config/index.ts";
import { run } from "../process.ts";

/** Private to root, in memory, gone with the next boot. */
const scratchParent = "/run";
const queryTimeoutMs = 5_000;
const connectTimeoutSeconds = 2;
/** Promotion takes some 50 ms: what is looked for more often is not found much earlier. */
const watchSeconds = 0.005;
/** Debian's own psql is a Perl script that looks for the right one first. */
const psql = `${nodePaths.postgresBin}/psql`;
const options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];

/** Waits for a standby to become the leader, from before it does. */
export interface PromotionWatch extends Disposable {
  /** Whether the connection stands and the standby answered. */
  readonly ready: Promise<boolean>;
  /** True once it is a leader; false when the connection broke before. */
  readonly promoted: Promise<boolean>;
}

/** Looks into members as `monitor`, over verified TLS; the password is in a file that only root can read. */
export class Monitor implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(password: string): Promise<Monitor> {
    const directory = await mkdtemp(join(scratchParent, "pgherd-monitor-"));
    const line = `*:*:*:monitor:${password.replace(/[:\\]/g, "\\$&")}\n`;
    await writeFile(join(directory, "passwords"), line, { mode: 0o600 });
    return new Monitor(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Rows of one statement, as text. */
  async query(address: string, sql: string): Promise<string[]> {
    const { stdout } = await run(psql, [...options, "-d", this.#connection(address), "-f", "-"], {
      stdin: sql,
      timeoutMs: queryTimeoutMs,
      env: this.#environment(),
    });
    return stdout.split("\n").filter((line) => line !== "");
  }

  watchPromotion(address: string): PromotionWatch {
    const child = spawn(psql, [...options, "-d", this.#connection(address)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: "/usr/bin:/bin", ...this.#environment() },
    });
    let [isReady, isPromoted] = [(_: boolean): void => undefined, (_: boolean): void => undefined];
    const ready = new Promise<boolean>((resolve) => {
      isReady = resolve;
    });
    const promoted = new Promise<boolean>((resolve) => {
      isPromoted = resolve;
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "t" || line === "f") isReady(true);
      if (line === "f") isPromoted(true);
    });
    const over = (): void => {
      isReady(false);
      isPromoted(false);
    };
    child.once("error", over);
    child.once("close", over);
    // A psql that has ended does not read any more.
    child.stdin.on("error", over);
    child.stdin.write(`SELECT pg_catalog.pg_is_in_recovery() \\watch i=${watchSeconds}\n`);
    return { ready, promoted, [Symbol.dispose]: () => void child.kill("SIGKILL") };
  }

  #connection(address: string): string {
    return `host=${address} port=${nodePorts.postgres} dbname=postgres user=monitor sslmode=verify-full`;
  }

  #environment(): Record<string, string> {
    return {
      PGSSLROOTCERT: tlsFiles("postgres").authority,
      PGPASSFILE: join(this.#directory, "passwords"),
      PGCONNECT_TIMEOUT: String(connectTimeoutSeconds),
      PGOPTIONS: "-c statement_timeout=3000",
      HOME: this.#directory,
    };
  }
}
