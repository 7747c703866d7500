import { randomUUID } from "node:crypto";
import { FunctionProcess, type ProcessOptions, tooManyRequests } from "./process.ts";

export interface PoolOptions {
  readonly functionName: string;
  readonly functionArn: string;
  readonly timeoutMs: number;
  /** Invocations that run at the same time, each in a process of its own. */
  readonly concurrency: number;
  /** Processes that stay when nobody calls. */
  readonly warm: number;
  readonly startProcess: () => ProcessOptions;
}

/** A process that nobody needed for so long ends. */
const idleMs = 120_000;
const reapIntervalMs = 30_000;
/** More callers than this waiting means that something is stuck. */
const waitingMax = 1_000;
/** A process older than this is replaced when it is free, well before its credentials expire. */
const processLifeMs = 10 * 60 * 60 * 1000;

interface Place {
  readonly process: FunctionProcess;
  readonly startedAt: number;
  taken: boolean;
}

/** The processes of one function version. Callers take turns, first come first served, when all are busy. */
export class FunctionPool {
  readonly #options: PoolOptions;
  #places: Place[] = [];
  readonly #waiting: ((place: Place) => void)[] = [];
  readonly #reaper: NodeJS.Timeout;
  #idle: (() => void) | null = null;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#reaper = setInterval(() => this.#reap(), reapIntervalMs);
    this.#reaper.unref();
  }

  /** Starts the processes that are kept. Resolves when they are loaded. */
  async warmUp(): Promise<void> {
    while (this.#places.length < this.#options.warm) this.#start().taken = false;
    await Promise.all(this.#places.map(({ process }) => process.ready()));
  }

  /** @throws {FunctionError} what the function answered, {ServiceError} when too many wait. */
  async invoke(payload: string, trace: string): Promise<string> {
    const place = await this.#take();
    try {
      return await place.process.invoke({
        requestId: randomUUID(),
        payload,
        trace,
        functionArn: this.#options.functionArn,
        timeoutMs: this.#options.timeoutMs,
      });
    } finally {
      this.#release(place);
    }
  }

  /** Kills every process; running invocations fail. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#reaper);
    await Promise.all(this.#places.splice(0).map(({ process }) => process.stop()));
  }

  /** Closes when the last running invocation has ended: for a version that others call no more. */
  async retire(): Promise<void> {
    if (this.#places.some((place) => place.taken)) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.close();
  }

  async #take(): Promise<Place> {
    if (this.#closed) throw tooManyRequests(this.#options.functionName);
    this.#places = this.#places.filter(({ process, taken }) => process.alive || taken);
    const free = this.#places.find((place) => !place.taken);
    if (free !== undefined) {
      free.taken = true;
      return free;
    }
    if (this.#places.length < this.#options.concurrency) return this.#start();
    if (this.#waiting.length >= waitingMax) throw tooManyRequests(this.#options.functionName);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): Place {
    const place = {
      process: new FunctionProcess(this.#options.startProcess()),
      startedAt: Date.now(),
      taken: true,
    };
    this.#places.push(place);
    return place;
  }

  #release(place: Place): void {
    if (!place.process.alive) this.#places = this.#places.filter((other) => other !== place);
    const next = this.#closed ? undefined : this.#waiting.shift();
    if (next !== undefined) {
      next(place.process.alive ? place : this.#start());
      return;
    }
    place.taken = false;
    if (!this.#places.some(({ taken }) => taken)) this.#idle?.();
  }

  #reap(): void {
    const now = Date.now();
    let kept = 0;
    this.#places = this.#places.filter(({ process, startedAt, taken }) => {
      if (taken) return true;
      const old = now - startedAt > processLifeMs;
      const idle = now - process.lastUsedAt > idleMs;
      if (process.alive && !old && (!idle || kept++ < this.#options.warm)) return true;
      void process.stop();
      return false;
    });
  }
}
