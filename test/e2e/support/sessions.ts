import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";

const answerTimeoutMs = 60_000;

/** One connection that stays open: a psql that is given statement after statement. */
export class Session implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = "";

  constructor(uri: string, environment: NodeJS.ProcessEnv) {
    this.#child = spawn("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", uri], {
      env: { ...process.env, ...environment },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on("data", (part: Buffer) => {
        this.#output += part.toString();
      });
    }
    // A psql that has ended is noticed by its missing answer, which tells what it said last.
    this.#child.stdin.on("error", () => undefined);
  }

  /** Rows of one statement. Rejects with what psql said when the connection is gone. */
  async ask(statement: string): Promise<string> {
    const mark = randomUUID();
    this.#output = "";
    this.#child.stdin.write(`${statement};\n\\echo ${mark}\n`);
    const end = Date.now() + answerTimeoutMs;
    while (!this.#output.includes(mark)) {
      if (this.#child.exitCode !== null || Date.now() > end)
        throw new Error(`psql gave no answer: ${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#output.slice(0, this.#output.indexOf(mark)).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await new Promise((resolve) => {
      this.#child.once("close", resolve);
    });
  }
}
