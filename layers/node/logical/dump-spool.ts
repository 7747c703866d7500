import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ManifestFile } from "../../domain/backup/manifest.ts";
import { NodeFailure } from "../failure.ts";
import { isMissing } from "../files.ts";
import { FileWriter, type ObjectWriter } from "./object-writer.ts";

/** What is taken of a file at once, while it is still written to. A multiple of every file system's block. */
export const segmentBytes = 8 * 1024 ** 2;

/** How the kernel calls an open file that has no name any more. */
const deleted = " (deleted)";

export interface SpoolWorld {
  /** Files that somebody writes to. */
  readonly openFiles: () => Promise<ReadonlySet<string>>;
  /** Gives the beginning of a file that is still written to back to the volume. */
  readonly free: (path: string, bytes: number) => Promise<void>;
}

/**
 * The directory that pg_dump writes to. Files are sent while they grow, what is sent of them is given back to the
 * volume, and a file that is closed goes altogether: so a table of any size takes little room here.
 */
export class DumpSpool {
  readonly #directory: string;
  readonly #writer: ObjectWriter;
  readonly #world: SpoolWorld;
  readonly #growing = new Map<string, { readonly file: FileWriter; taken: number }>();
  readonly #done: ManifestFile[] = [];

  constructor(directory: string, writer: ObjectWriter, world: SpoolWorld) {
    this.#directory = directory;
    this.#writer = writer;
    this.#world = world;
  }

  /** Everything that there was, once nothing more comes. */
  get files(): readonly ManifestFile[] {
    return this.#done;
  }

  /** What is written and not taken yet. */
  async waitingBytes(): Promise<number> {
    let bytes = 0;
    for (const [name, size] of await this.#sizes()) bytes += size - (this.#growing.get(name)?.taken ?? 0);
    return bytes;
  }

  /**
   * Takes what cannot change any more. pg_dump only appends, and opens each file once: one that has bytes and that
   * nobody has open is complete.
   * @param isOver pg_dump has ended
   */
  async sweep(isOver: boolean): Promise<void> {
    const sizes = await this.#sizes();
    const open: ReadonlySet<string> = isOver ? new Set() : await this.#world.openFiles();
    for (const path of open) {
      if (!path.startsWith(this.#directory) || !path.endsWith(deleted)) continue;
      throw new NodeFailure(`${path} was taken before it was complete`, { code: "dump-incomplete" });
    }
    for (const [name, size] of sizes) {
      await this.#take(name, isOver || (size > 0 && !open.has(join(this.#directory, name))));
    }
  }

  async #sizes(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const name of await readdir(this.#directory)) {
      try {
        sizes.set(name, (await stat(join(this.#directory, name))).size);
      } catch (error) {
        // It was complete, and has just been taken.
        if (!isMissing(error)) throw error;
      }
    }
    return sizes;
  }

  async #take(name: string, isClosed: boolean): Promise<void> {
    const path = join(this.#directory, name);
    const growing = this.#growing.get(name) ?? { file: new FileWriter(name, this.#writer), taken: 0 };
    this.#growing.set(name, growing);
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      while (size - growing.taken >= segmentBytes || (isClosed && growing.taken < size)) {
        const part = await readPart(handle, growing.taken, Math.min(segmentBytes, size - growing.taken));
        await growing.file.add(part);
        growing.taken += part.length;
        if (!isClosed) await this.#world.free(path, growing.taken);
      }
    } finally {
      await handle.close();
    }
    if (!isClosed) return;
    await rm(path);
    this.#growing.delete(name);
    this.#done.push(growing.file.file);
  }
}

async function readPart(handle: FileHandle, from: number, bytes: number): Promise<Buffer> {
  const part = Buffer.allocUnsafe(bytes);
  for (let filled = 0; filled < bytes; ) {
    const { bytesRead } = await handle.read(part, filled, bytes - filled, from + filled);
    if (bytesRead === 0) throw new Error("a file of the dump became shorter while it was read");
    filled += bytesRead;
  }
  return part;
}
