import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Two files of this size per function: the last hours of a busy function, and a bound for the disk. */
const fileBytesMax = 5 * 1024 * 1024;
/** Lines that come within this time are written together. A process that is killed loses so much of its log. */
const gatherMs = 50;

/** Those with something that is not written yet. */
const unwritten = new Set<LogFile>();
process.on("exit", () => {
  for (const log of unwritten) log.writeNow();
});

/**
 * A function's log: what its processes print, the older half in `<path>.1`. Whoever appends does not wait for the
 * disk: on one that is busy a write can take as long as a hundred answers.
 */
export class LogFile {
  readonly #path: string;
  #bytes: number;
  #gathered: Buffer[] = [];
  #writing: Promise<void> | null = null;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#bytes = sizeOf(path);
  }

  append(data: Buffer | string): void {
    this.#gathered.push(Buffer.from(data));
    if (this.#gathered.length > 1) return;
    unwritten.add(this);
    setTimeout(() => void this.flush(), gatherMs).unref();
  }

  /** Resolves when everything that was appended is in the file. */
  async flush(): Promise<void> {
    await this.#writing;
    const data = this.#take();
    if (data === null) return;
    this.#writing = appendFile(this.#path, data, { mode: 0o600 }).catch((error: unknown) => {
      // The disk is full, or the directory gone: nobody who answers requests can do anything about it.
      process.stderr.write(`${this.#path}: ${String(error)}\n`);
    });
    await this.#writing;
  }

  /** For a process that is about to end. */
  writeNow(): void {
    const data = this.#take();
    if (data !== null) appendFileSync(this.#path, data, { mode: 0o600 });
  }

  #take(): Buffer | null {
    unwritten.delete(this);
    if (this.#gathered.length === 0) return null;
    const data = Buffer.concat(this.#gathered.splice(0));
    this.#bytes += data.length;
    if (this.#bytes > fileBytesMax) {
      if (sizeOf(this.#path) > 0) renameSync(this.#path, `${this.#path}.1`);
      this.#bytes = data.length;
    }
    return data;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
