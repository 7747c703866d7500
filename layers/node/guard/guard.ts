import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  configurationFiles,
  type GuardSettings,
  guardSettingsSchema,
  nodePaths,
} from "../../domain/config/index.ts";
import { readIfPresent } from "../files.ts";
import { PeerClient } from "../peer-client.ts";
import { LeadersApart } from "./apart.ts";
import { LeaderKey } from "./leader-key.ts";
import { isPaused, isUndisputed, patroniLives } from "./neighbours.ts";
import {
  isBeingStopped,
  mayTakeWrites,
  postmaster,
  stopAtOnce,
  stopInOrder,
  takesWrites,
} from "./postgres.ts";
import { Reprieve } from "./reprieve.ts";

/**
 * The guard of a node: PostgreSQL outlives the leader's key when its Patroni dies, hangs, or waits too long for an etcd
 * that it cannot reach, and somebody else is promoted. Before that, the guard stops a PostgreSQL that takes writes
 * (docs/decisions/guard.md).
 */

const lookMs = 1_000;
/** Asking the neighbours and stopping PostgreSQL take half a second each at most; the rest is for a busy machine. */
const actingMs = 1_500;
/** Until the neighbours are asked again; one look may fail. */
const undisputedMs = 2_000;

/** Since the machine's boot, so that a guard that is started again goes on where the last one was. */
const uptimeMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Holds a connection for as long as it answers: a handshake costs more than the question. */
class Line implements Disposable {
  #client: PeerClient | null = null;

  async open(): Promise<PeerClient> {
    this.#client ??= await PeerClient.open();
    return this.#client;
  }

  /** The next one is opened with the certificate of then. */
  [Symbol.dispose](): void {
    this.#client?.[Symbol.dispose]();
    this.#client = null;
  }
}

class Guard {
  readonly #settings: GuardSettings;
  readonly #key: LeaderKey;
  readonly #apart: LeadersApart;
  readonly #line = new Line();
  readonly #reprieve = new Reprieve();
  /** Until then nobody else can have been promoted. */
  #safeUntilMs: number;

  constructor(settings: GuardSettings, safeUntilMs: number) {
    this.#settings = settings;
    this.#key = new LeaderKey(settings);
    this.#apart = new LeadersApart(settings);
    this.#safeUntilMs = safeUntilMs;
  }

  async keep(): Promise<never> {
    for (;;) {
      const lookedMs = uptimeMs();
      this.#safeUntilMs = Math.max(this.#safeUntilMs, await this.#safeAsOf(lookedMs));
      await writeFile(nodePaths.guardMark, `${this.#safeUntilMs}\n`);
      if (this.#leftMs() > 0) this.#reprieve.forget();
      else if (await this.#act()) {
        // Patroni gets its whole time again.
        this.#safeUntilMs = uptimeMs() + this.#settings.graceMs;
      }
      const nextLookMs = Math.max(0, lookedMs + lookMs - uptimeMs());
      await sleep(this.#leftMs() > 0 ? Math.min(nextLookMs, this.#leftMs()) : nextLookMs);
    }
  }

  #leftMs(): number {
    return this.#safeUntilMs - uptimeMs();
  }

  async #safeAsOf(nowMs: number): Promise<number> {
    const { neighbours, graceMs } = this.#settings;
    if (neighbours.length === 0 || !(await mayTakeWrites())) return nowMs + graceMs;
    const client = await this.#line.open();
    const withinMs = this.#leftMs() > 0 ? Math.min(lookMs, this.#leftMs()) : lookMs;
    const oursForMs = await this.#key.oursForMs(client, withinMs);
    if (oursForMs !== null && oursForMs > 0) this.#apart.consider();
    if (oursForMs !== null) return nowMs + oursForMs - actingMs;
    this.#line[Symbol.dispose]();
    const again = await this.#line.open();
    return (await isUndisputed(again, neighbours)) ? nowMs + undisputedMs : 0;
  }

  /** Says whether PostgreSQL was stopped. */
  async #act(): Promise<boolean> {
    const pid = await postmaster();
    if (pid === null || !(await takesWrites())) return false;
    const client = await this.#line.open();
    const [paused, stopping, lives] = await Promise.all([
      isPaused(client, this.#settings.neighbours),
      isBeingStopped(),
      patroniLives(client),
    ]);
    if (this.#reprieve.grants(paused)) return false;
    say(`The leader's key may be another's ${actingMs} ms from now: PostgreSQL (process ${pid}) is stopped`);
    if (stopping) stopInOrder(pid);
    else await stopAtOnce(pid, lives);
    return true;
  }
}

async function safeUntilAtStart(settings: GuardSettings): Promise<number> {
  const noted = Number.parseInt((await readIfPresent(nodePaths.guardMark)) ?? "", 10);
  return Number.isNaN(noted) ? uptimeMs() + settings.graceMs : noted;
}

export async function keepGuard(): Promise<void> {
  const settings = guardSettingsSchema.parse(JSON.parse(await readFile(configurationFiles.guard, "utf8")));
  await new Guard(settings, await safeUntilAtStart(settings)).keep();
}
