import { setTimeout as delay } from "node:timers/promises";
import type { ChildProgram } from "../endpoints/child-program.ts";

/** A server that ends at once every time must not be started in a tight loop. */
const restartDelayMs = 1_000;

/** Keeps a server of its own process up for as long as the control plane runs. */
export class KeptChild {
  readonly #start: () => Promise<ChildProgram>;
  readonly #log: (line: string) => void;
  readonly #name: string;
  readonly #restartDelayMs: number;
  /** Called when another process serves. */
  onChange: () => Promise<void> = async () => undefined;
  #child: ChildProgram | null = null;
  #ending = false;

  constructor(options: {
    name: string;
    start: () => Promise<ChildProgram>;
    log: (line: string) => void;
    restartDelayMs?: number;
  }) {
    this.#name = options.name;
    this.#restartDelayMs = options.restartDelayMs ?? restartDelayMs;
    this.#start = options.start;
    this.#log = options.log;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async start(): Promise<void> {
    const child = await this.#start();
    this.#child = child;
    void child.exited.then((how) => this.#startAgain(how));
  }

  async stop(): Promise<void> {
    this.#ending = true;
    await this.#child?.stop();
  }

  async #startAgain(how: string): Promise<void> {
    let reason = `ended (${how})`;
    for (;;) {
      if (this.#ending) return;
      this.#log(`${this.#name} ${reason} and is started again`);
      await delay(this.#restartDelayMs);
      if (this.#ending) return;
      try {
        await this.start();
        break;
      } catch (error) {
        reason = `does not start (${String(error)})`;
      }
    }
    try {
      await this.onChange();
    } catch (error) {
      this.#log(`nobody was told that ${this.#name} was started again: ${String(error)}`);
    }
  }
}
