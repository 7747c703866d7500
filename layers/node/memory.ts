import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ensureDirectory, ensureFile, readIfPresent, root } from "./files.ts";

/** No operation is still asking after this; its answers go. */
const rememberedMs = 14 * 24 * 3600 * 1000;

/** Which command of which operation this is; the same one again is answered from memory. */
export interface CommandKey {
  readonly operationId: string;
  readonly step: string;
  readonly verb: string;
  /** Text of the input: another input is another command. */
  readonly input: string;
}

/** Answers of commands that this node has finished (SendCommand has no client token, so one may come twice). */
export class FinishedCommands {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async recall(key: CommandKey): Promise<{ readonly output: unknown } | null> {
    const text = await readIfPresent(this.#file(key));
    if (text === null) return null;
    const output: unknown = JSON.parse(text);
    return { output };
  }

  async remember(key: CommandKey, output: unknown): Promise<void> {
    await ensureDirectory(this.#directory, root, 0o700);
    await ensureFile({ path: this.#file(key), content: JSON.stringify(output), owner: root, mode: 0o600 });
    await this.#forgetOld();
  }

  #file(key: CommandKey): string {
    const text = JSON.stringify([key.operationId, key.step, key.verb, key.input]);
    return join(this.#directory, `${createHash("sha256").update(text).digest("hex")}.json`);
  }

  async #forgetOld(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs > rememberedMs) await rm(path, { force: true });
    }
  }
}
