import { setTimeout as sleep } from "node:timers/promises";

/** Often enough that nobody notices, seldom enough that nothing is busy with it. */
const pollMs = 50;

/** An end for everything that one command waits for. */
export class Deadline {
  readonly #end: number;

  constructor(milliseconds: number) {
    this.#end = performance.now() + milliseconds;
  }

  get remainingMs(): number {
    return Math.max(0, Math.ceil(this.#end - performance.now()));
  }

  get passed(): boolean {
    return this.remainingMs === 0;
  }

  /** Asks until `probe` has an answer (not null); at the end throws what `failure` says. */
  async until<T>(probe: () => Promise<T | null>, failure: () => Error, everyMs = pollMs): Promise<T> {
    for (;;) {
      const answer = await probe();
      if (answer !== null) return answer;
      if (this.passed) throw failure();
      await sleep(Math.min(everyMs, this.remainingMs));
    }
  }
}
