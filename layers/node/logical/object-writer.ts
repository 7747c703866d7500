import type { ManifestFile, Segment } from "../../domain/backup/manifest.ts";
import type { Objects } from "../context.ts";
import { type Seal, sha256 } from "./seal.ts";

/** An object is sent as soon as it has so many bytes: some thousand requests for a hundred gigabytes. */
const objectBytes = 8 * 1024 ** 2;
/** Each holds one object in memory. */
const uploadsMax = 4;

/** Cuts what comes into segments, seals them, and sends them in objects. Small files share one. */
export class ObjectWriter {
  /** Bytes of the objects so far. */
  readonly objects: number[] = [];
  readonly #objects: Objects;
  readonly #keyOf: (number: number) => string;
  readonly #seal: Seal;
  readonly #uploads = new Set<Promise<void>>();
  #sealed: Buffer[] = [];
  #bytes = 0;
  #failure: Error | null = null;

  constructor(objects: Objects, keyOf: (number: number) => string, seal: Seal) {
    this.#objects = objects;
    this.#keyOf = keyOf;
    this.#seal = seal;
  }

  /** Waits where as much as possible is on its way already. */
  async add(plain: Uint8Array): Promise<Segment> {
    const place = { object: this.objects.length + 1, offset: this.#bytes };
    const stored = this.#seal.close(plain, place);
    this.#sealed.push(stored);
    this.#bytes += stored.length;
    if (this.#bytes >= objectBytes) await this.#send();
    return { ...place, bytes: stored.length, sha256: sha256(stored) };
  }

  /** All that was added is stored. */
  async finish(): Promise<void> {
    if (this.#bytes > 0) await this.#send();
    await Promise.all(this.#uploads);
    if (this.#failure !== null) throw this.#failure;
  }

  async #send(): Promise<void> {
    const bytes = Buffer.concat(this.#sealed);
    this.objects.push(bytes.length);
    const key = this.#keyOf(this.objects.length);
    this.#sealed = [];
    this.#bytes = 0;
    while (this.#uploads.size >= uploadsMax) await Promise.race(this.#uploads);
    if (this.#failure !== null) throw this.#failure;
    const upload: Promise<void> = this.#objects
      .put(key, bytes)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.#uploads.delete(upload));
    this.#uploads.add(upload);
  }
}

/** Segments of one file, in their order. */
export class FileWriter {
  readonly #name: string;
  readonly #writer: ObjectWriter;
  readonly #segments: Segment[] = [];
  #bytes = 0;

  constructor(name: string, writer: ObjectWriter) {
    this.#name = name;
    this.#writer = writer;
  }

  async add(plain: Uint8Array): Promise<void> {
    if (plain.length === 0) return;
    this.#segments.push(await this.#writer.add(plain));
    this.#bytes += plain.length;
  }

  get file(): ManifestFile {
    return { name: this.#name, bytes: this.#bytes, segments: this.#segments };
  }
}
