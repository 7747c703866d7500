import { setTimeout as delay } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";

/** Where a writer finds PostgreSQL: it tries one host after the other until one takes writes. */
export interface WriterTarget {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Certificate of the cluster's CA, for verify-full; null: no TLS. */
  readonly authority: string | null;
  /** Hosts that are not the leader answer too and are left, as libpq does with target_session_attrs=read-write. */
  readonly isDirect: boolean;
}

export interface WriterOptions {
  readonly writers: number;
  readonly table: string;
  /** Between a writer's transactions: what is measured should not be the machine's last reserves. */
  readonly pauseMs: number;
  readonly connectTimeoutMs: number;
  /** From here on a client takes its connection for dead, as with libpq's tcp_user_timeout. */
  readonly answerTimeoutMs: number;
}

export const writerDefaults = {
  writers: 4,
  table: "beats",
  pauseMs: 5,
  connectTimeoutMs: 1_500,
  answerTimeoutMs: 3_000,
} as const satisfies WriterOptions;

/** Before the next host is tried: logins by many clients at once would take the processors from whoever is to lead. */
const retryPauseMs = 40;

interface Failure {
  readonly at: number;
  readonly message: string;
}

/** What one accident or change did to the clients. */
export interface WritersReport {
  /** The longest time in which nobody's write was acknowledged. */
  readonly outageMs: number;
  /** The longest time that any client went without an acknowledgement. */
  readonly longestStallMs: number;
  /** Transactions that were begun and ended with an error. */
  readonly failedTransactions: number;
  /** Errors by their words. */
  readonly errors: Readonly<Record<string, number>>;
}

/** A client that writes one row per transaction, notes what was acknowledged, and comes back after errors. */
class Writer {
  readonly number: number;
  readonly acknowledged: { readonly id: number; readonly at: number }[] = [];
  readonly failures: Failure[] = [];
  readonly #target: WriterTarget;
  readonly #options: WriterOptions;
  #host: number;
  #nextId = 1;
  #client: Client | undefined;

  constructor(number: number, target: WriterTarget, options: WriterOptions) {
    this.number = number;
    this.#target = target;
    this.#options = options;
    this.#host = number % target.hosts.length;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const client = this.#client ?? (await this.#connect());
      if (client === undefined) await delay(retryPauseMs);
      else if (await this.#write(client)) await delay(this.#options.pauseMs);
    }
    await this.#leave();
  }

  async #write(client: Client): Promise<boolean> {
    const id = this.#nextId;
    this.#nextId += 1;
    try {
      await client.query(`INSERT INTO ${this.#options.table} (client, id) VALUES ($1, $2)`, [
        this.number,
        id,
      ]);
      this.acknowledged.push({ id, at: performance.now() });
      return true;
    } catch (error) {
      this.failures.push({ at: performance.now(), message: messageOf(error) });
      await this.#leave();
      return false;
    }
  }

  async #connect(): Promise<Client | undefined> {
    const host = this.#target.hosts[this.#host % this.#target.hosts.length] ?? "";
    this.#host += 1;
    const client = new Client(this.#configuration(host));
    // What breaks between two transactions is found by the next one.
    client.on("error", () => undefined);
    this.#client = client;
    try {
      await client.connect();
      if (!this.#target.isDirect) return client;
      const answer = await client.query<{ writable: boolean }>(
        "SELECT NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::bool AS writable",
      );
      if (answer.rows[0]?.writable === true) return client;
    } catch {
      // The next host is tried; a connection that was refused is no failed transaction.
    }
    await this.#leave();
    return undefined;
  }

  #configuration(host: string): ClientConfig {
    const { port, database, user, password, authority } = this.#target;
    const { connectTimeoutMs, answerTimeoutMs } = this.#options;
    return {
      ...{ host, port, database, user, password },
      // The certificate must be valid for the address that was asked for.
      ...(authority === null ? {} : { ssl: { ca: authority, host } }),
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: answerTimeoutMs,
    };
  }

  /** A connection is left without ceremony: its other end may be gone. */
  async #leave(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    const stream: unknown = Reflect.get(Reflect.get(client, "connection") ?? {}, "stream");
    if (isDestroyable(stream)) stream.destroy();
  }
}

function isDestroyable(value: unknown): value is { destroy: () => void } {
  return typeof value === "object" && value !== null && "destroy" in value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Several clients that write all the time, and what they saw. */
export class Writers implements AsyncDisposable {
  readonly #writers: readonly Writer[];
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;
  #markedAt = performance.now();

  private constructor(writers: readonly Writer[]) {
    this.#writers = writers;
    this.#running = Promise.all(writers.map((writer) => writer.run(this.#stopping.signal)));
  }

  /** @param numberFrom number of the first writer: two loads on one table need different ones. */
  static start(target: WriterTarget, options: Partial<WriterOptions> = {}, numberFrom = 0): Writers {
    const all: WriterOptions = { ...writerDefaults, ...options };
    const writers = Array.from(
      { length: all.writers },
      (_, index) => new Writer(numberFrom + index, target, all),
    );
    return new Writers(writers);
  }

  /** Rows that were acknowledged so far. */
  get acknowledgedCount(): number {
    return this.#writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0);
  }

  /** From here on the next report counts. */
  mark(): void {
    this.#markedAt = performance.now();
  }

  /** Whether every client has written since `at` (of `performance.now()`). */
  haveAllWrittenSince(at: number): boolean {
    return this.#writers.every((writer) => (writer.acknowledged.at(-1)?.at ?? 0) > at);
  }

  report(): WritersReport {
    const now = performance.now();
    const moments = this.#writers.map(({ acknowledged }) => acknowledged.map(({ at }) => at));
    const merged = moments.flat().toSorted((left, right) => left - right);
    const failures = this.#writers.flatMap(({ failures: all }) =>
      all.filter(({ at }) => at >= this.#markedAt),
    );
    return {
      outageMs: longestGapMs(merged, this.#markedAt, now),
      longestStallMs: Math.max(...moments.map((own) => longestGapMs(own, this.#markedAt, now))),
      failedTransactions: failures.length,
      errors: countBy(failures.map(({ message }) => message)),
    };
  }

  /** Acknowledged rows, as `client id`: what a table that lost nothing has all of. */
  acknowledgedKeys(): string[] {
    return this.#writers.flatMap(({ number, acknowledged }) =>
      acknowledged.map(({ id }) => `${number} ${id}`),
    );
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The longest time between two of these moments, from the last one before `since` until `now`. */
function longestGapMs(moments: readonly number[], since: number, now: number): number {
  const before = moments.findLast((at) => at < since) ?? since;
  const all = [before, ...moments.filter((at) => at >= since), now];
  return all.reduce((longest, at, index) => Math.max(longest, at - (all[index - 1] ?? at)), 0);
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

/** Acknowledged rows that a table lacks. */
export function lostRows(acknowledged: readonly string[], present: Iterable<string>): string[] {
  const there = new Set(present);
  return acknowledged.filter((key) => !there.has(key));
}
