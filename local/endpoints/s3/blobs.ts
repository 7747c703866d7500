import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Blob } from "./catalogue.ts";

const nameBytes = 16;
/** Blobs lie in folders by the beginning of their names: 256 of them. */
const folderCharacters = 2;

/** First and last byte, both counted from 0 and both meant. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** TLS brings 16 KiB at a time, and writing that little at once takes longer than encrypting it. */
const pieceBytesMin = 256 * 1024;

async function* inLargerPieces(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  for await (const chunk of bytes) {
    waiting.push(chunk);
    waitingBytes += chunk.length;
    if (waitingBytes < pieceBytesMin) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
  }
  if (waitingBytes > 0) yield Buffer.concat(waiting);
}

/** Files with the bytes of objects. A blob appears in full or not at all, and never changes. */
export class Blobs {
  readonly #directory: string;
  readonly #drafts: string;

  /** @param writer the process that writes here: each has its own place for what is not whole yet. */
  constructor(directory: string, writer: string) {
    this.#directory = join(directory, "blobs");
    this.#drafts = join(directory, "drafts", writer);
  }

  /** Removes what the process did not finish when it last ran. */
  async prepare(): Promise<void> {
    await rm(this.#drafts, { recursive: true, force: true });
    await mkdir(this.#drafts, { recursive: true, mode: 0o700 });
  }

  /** Writes the bytes as they come; when they end with an error, nothing is kept. */
  async write(bytes: AsyncIterable<Buffer>): Promise<Blob> {
    const name = randomBytes(nameBytes).toString("hex");
    const draft = join(this.#drafts, name);
    const md5 = createHash("md5");
    let sizeBytes = 0;
    const file = await open(draft, "wx", 0o600);
    try {
      for await (const chunk of inLargerPieces(bytes)) {
        md5.update(chunk);
        sizeBytes += chunk.length;
        await file.writeFile(chunk);
      }
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    const path = this.#path(name);
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    await rename(draft, path);
    return { name, sizeBytes, md5: md5.digest("hex") };
  }

  read(blobs: readonly Blob[], range: ByteRange): Readable {
    return Readable.from(this.#chunks(blobs, range), { objectMode: false });
  }

  async remove(blobs: readonly Blob[]): Promise<void> {
    await Promise.all(blobs.map(({ name }) => rm(this.#path(name), { force: true })));
  }

  async *#chunks(blobs: readonly Blob[], { first, last }: ByteRange): AsyncGenerator<Buffer> {
    let start = 0;
    for (const { name, sizeBytes } of blobs) {
      const end = start + sizeBytes - 1;
      if (sizeBytes > 0 && end >= first && start <= last) {
        const own = { start: Math.max(0, first - start), end: Math.min(sizeBytes - 1, last - start) };
        yield* createReadStream(this.#path(name), own) as AsyncIterable<Buffer>;
      }
      start = end + 1;
    }
  }

  #path(name: string): string {
    return join(this.#directory, name.slice(0, folderCharacters), name);
  }
}
