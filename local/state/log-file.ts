import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Two files of this size per function: the last hours of a busy function, and a bound for the disk. */
const fileBytesMax = 5 * 1024 * 1024;

/** A function's log: what its processes print, the older half in `<path>.1`. */
export class LogFile {
  readonly #path: string;
  #bytes: number;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#bytes = sizeOf(path);
  }

  append(data: Buffer | string): void {
    this.#bytes += Buffer.byteLength(data);
    if (this.#bytes > fileBytesMax) {
      if (sizeOf(this.#path) > 0) renameSync(this.#path, `${this.#path}.1`);
      this.#bytes = Buffer.byteLength(data);
    }
    appendFileSync(this.#path, data, { mode: 0o600 });
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
