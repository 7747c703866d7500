import { setTimeout as sleep } from "node:timers/promises";
import { NodeFailure } from "../failure.ts";
import { run } from "../process.ts";
import { PoolerConsole } from "./pooler-console.ts";

/** systemd ends a gate that has not renewed or ended its hold by then, and lets the pooler go on (ExecStopPost). */
const systemdLeaseMs = 4_000;
const microsecondsPerMs = 1_000;

/** systemd's watchdog as a timer that does not depend on this process; 0 takes it away. */
async function askSystemd(milliseconds: number): Promise<void> {
  const socket = process.env["NOTIFY_SOCKET"];
  if (socket === undefined) return;
  await run("systemd-notify", [`WATCHDOG_USEC=${milliseconds * microsecondsPerMs}`], {
    env: { NOTIFY_SOCKET: socket },
  });
}

function complain(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
}

/** PgBouncer's PAUSE, which always ends: by a release, with the conductor, after its lease, or with this process. */
export class Hold implements AsyncDisposable {
  /** PAUSE answers when the last transaction has ended, so RESUME needs a connection of its own. */
  #consoles: { readonly pause: PoolerConsole; readonly resume: PoolerConsole } | null = null;
  #lease: NodeJS.Timeout | null = null;
  #since: number | null = null;

  get heldMs(): number {
    return this.#since === null ? 0 : performance.now() - this.#since;
  }

  /** False where the node has no pooler that runs: there is nothing to hold. */
  async ready(): Promise<boolean> {
    if (this.#consoles !== null) return true;
    try {
      const [pause, resume] = await Promise.all([PoolerConsole.open(), PoolerConsole.open()]);
      this.#consoles = { pause, resume };
      return true;
    } catch (error) {
      if (error instanceof NodeFailure && error.code === "pooler-silent") return false;
      throw error;
    }
  }

  /** True when no transaction runs any more; false when one still did after `waitMs`: it is waited for on. */
  async hold(waitMs: number, leaseMs: number): Promise<boolean> {
    if (this.#consoles === null) return true;
    await askSystemd(systemdLeaseMs);
    this.#since = performance.now();
    this.#startLease(leaseMs);
    const paused = this.#consoles.pause.command("PAUSE;").then(() => true);
    // What comes after the wait has ended is nobody's answer any more: a RESUME ends the PAUSE, too.
    paused.catch(() => undefined);
    return Promise.race([paused, sleep(waitMs, false, { ref: false })]);
  }

  async renew(leaseMs: number): Promise<void> {
    if (this.#since === null) return;
    this.#startLease(leaseMs);
    await askSystemd(systemdLeaseMs);
  }

  /** Says how long the pooler was held. */
  async release(): Promise<number> {
    const { heldMs } = this;
    if (this.#since === null) return 0;
    this.#endLease();
    await this.#consoles?.resume.command("RESUME;");
    this.#since = null;
    await askSystemd(0);
    return heldMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } finally {
      this.#consoles?.pause[Symbol.dispose]();
      this.#consoles?.resume[Symbol.dispose]();
      this.#consoles = null;
    }
  }

  #startLease(leaseMs: number): void {
    this.#endLease();
    this.#lease = setTimeout(() => void this.release().catch(complain), leaseMs);
  }

  #endLease(): void {
    if (this.#lease !== null) clearTimeout(this.#lease);
    this.#lease = null;
  }
}
