import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { ClusterNode } from "@pgherd/layers/domain";
import { initAt } from "./machines.ts";

const run = promisify(execFile);
const watchPauseMs = 500;
/** A node that answers later than this is asked again the next time. */
const answerTimeoutMs = 5_000;

/** Asks every node from inside, also one that is cut off, whether it leads. */
export class LeaderWatch {
  readonly rivals: string[] = [];
  readonly #nodes: readonly ClusterNode[];
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  /** Process 1 of each machine: looking for it goes through every process of this host. */
  readonly #inits = new Map<string, number>();

  constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const before = await this.#leaders();
      // Asked one after the other, an old leader and a new one look like rivals: twice at the same places is no chance.
      const again = before.length > 1 ? await this.#leaders() : [];
      const both = before.filter((id) => again.includes(id));
      if (both.length > 1) this.rivals.push(`${new Date().toISOString()}: ${both.join(" and ")}`);
      await delay(watchPauseMs);
    }
  }

  async #leaders(): Promise<string[]> {
    const answers = await Promise.all(
      this.#nodes.map(async ({ id, address }) => ((await this.#leads(address ?? "")) ? [id] : [])),
    );
    return answers.flat();
  }

  async #leads(address: string): Promise<boolean> {
    const question = "SELECT pg_is_in_recovery()";
    const client = [
      "runuser",
      "-u",
      "postgres",
      "--",
      "psql",
      "-XAtq",
      "-h",
      "/run/postgresql",
      "-d",
      "postgres",
    ];
    try {
      const init = this.#inits.get(address) ?? (await initAt(address)).pid;
      this.#inits.set(address, init);
      const { stdout } = await run("nsenter", ["-t", String(init), "-a", ...client, "-c", question], {
        timeout: answerTimeoutMs,
      });
      return stdout.trim() === "f";
    } catch {
      // A machine that is off, or whose PostgreSQL does not answer, leads nobody; it may have another process 1 now.
      this.#inits.delete(address);
      return false;
    }
  }
}
