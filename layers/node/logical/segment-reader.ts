import { type Manifest, type ManifestFile, objectKey, type Segment } from "../../domain/backup/manifest.ts";
import type { Objects } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import type { StoredManifest } from "./manifest-store.ts";

/** Segments that are on their way while one is used: each is in memory. */
const aheadMax = 4;

export interface ReadPart {
  readonly name: string;
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** Reads files of a backup, in any order. Nothing of a segment is handed on before all of it is known to be right. */
export class SegmentReader {
  readonly #objects: Objects;
  readonly #prefix: string;
  readonly #stored: StoredManifest;

  constructor(objects: Objects, prefix: string, stored: StoredManifest) {
    this.#objects = objects;
    this.#prefix = prefix;
    this.#stored = stored;
  }

  get manifest(): Manifest {
    return this.#stored.manifest;
  }

  async read(file: ManifestFile): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const { bytes } of this.parts([file])) parts.push(bytes);
    return Buffer.concat(parts);
  }

  /** One file after the other; the next segments are fetched while one is used. */
  async *parts(files: readonly ManifestFile[]): AsyncGenerator<ReadPart> {
    const queue = files.flatMap(({ name, segments }) =>
      segments.map((segment, index) => ({ name, segment, isLast: index === segments.length - 1 })),
    );
    const fetched = queue.slice(0, aheadMax).map(({ segment }) => this.#fetch(segment));
    for (const [index, { isLast, name }] of queue.entries()) {
      const bytes = await fetched.shift();
      if (bytes === undefined) throw new Error("a segment was not asked for");
      const next = queue[index + aheadMax];
      if (next !== undefined) fetched.push(this.#fetch(next.segment));
      yield { name, bytes, isLast };
    }
  }

  #fetch(segment: Segment): Promise<Buffer> {
    const fetched = this.#fetchNow(segment);
    // Whoever comes to it hears of it; nobody may, where an earlier one has failed.
    fetched.catch(() => undefined);
    return fetched;
  }

  async #fetchNow(segment: Segment): Promise<Buffer> {
    const { bytes, object, offset } = segment;
    const key = objectKey(this.#prefix, this.manifest.attempt, object);
    const stored = await this.#objects.get(key, { offset, bytes });
    if (stored === null) {
      throw new NodeFailure(`object ${object} of the backup is gone`, { code: "backup-damaged" });
    }
    return this.#stored.seal.open(stored, segment);
  }
}
