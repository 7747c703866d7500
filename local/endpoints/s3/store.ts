import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ServiceError } from "../service.ts";
import { Blobs, type ByteRange } from "./blobs.ts";
import { badDigest } from "./body.ts";
import { type Blob, Catalogue, type ListAnswer, type ListRequest, type StoredObject } from "./catalogue.ts";

export interface ObjectBody {
  /** Ends with an error when it is not what the sender meant; nothing is kept then. */
  readonly bytes: AsyncIterable<Buffer>;
  readonly contentType: string | null;
  /** Hexadecimal; null where the sender told none. */
  readonly md5: string | null;
}

/** A part as the completion of an upload names it. */
export interface NamedPart {
  readonly number: number;
  readonly etag: string;
}

/**
 * Buckets of an environment. Objects appear in full or not at all, also for whoever reads or is killed meanwhile. More
 * than one process can have it open.
 */
export class ObjectStore {
  readonly #catalogue: Catalogue;
  readonly #blobs: Blobs;

  private constructor(catalogue: Catalogue, blobs: Blobs) {
    this.#catalogue = catalogue;
    this.#blobs = blobs;
  }

  /** @param options.writer names this process among those that have the store open. */
  static async open(options: { readonly directory: string; readonly writer: string }): Promise<ObjectStore> {
    const blobs = new Blobs(options.directory, options.writer);
    await blobs.prepare();
    return new ObjectStore(new Catalogue(join(options.directory, "catalogue.sqlite")), blobs);
  }

  close(): void {
    this.#catalogue.close();
  }

  async ensureBucket(name: string): Promise<void> {
    this.#catalogue.ensureBucket(name);
  }

  buckets(): readonly string[] {
    return this.#catalogue.buckets();
  }

  /** Puts a file as an object: an asset of the deployment. */
  async putFile(bucket: string, key: string, file: string): Promise<void> {
    const bytes = createReadStream(file) as AsyncIterable<Buffer>;
    await this.put(bucket, key, { bytes, contentType: "application/octet-stream", md5: null });
  }

  async has(bucket: string, key: string): Promise<boolean> {
    return this.#catalogue.get(bucket, key) !== undefined;
  }

  /** @throws {ServiceError} when there is no such object. */
  get(bucket: string, key: string): StoredObject {
    const object = this.#catalogue.get(bucket, key);
    if (object === undefined) throw new ServiceError("NoSuchKey", "The specified key does not exist.", 404);
    return object;
  }

  read(object: StoredObject, range: ByteRange): Readable {
    return this.#blobs.read(object.blobs, range);
  }

  /** @throws {ServiceError} with `isNewOnly`, where there is an object already. */
  async put(bucket: string, key: string, body: ObjectBody, isNewOnly = false): Promise<StoredObject> {
    this.#catalogue.requireBucket(bucket);
    const blob = await this.#receive(body);
    const object = objectOf({ key, contentType: body.contentType, blobs: [blob], etag: blob.md5 });
    await this.#commit(blob, () => this.#catalogue.put(bucket, object, isNewOnly));
    return object;
  }

  async delete(bucket: string, key: string): Promise<void> {
    await this.#blobs.remove(this.#catalogue.delete(bucket, key));
  }

  list(bucket: string, request: ListRequest): ListAnswer {
    return this.#catalogue.list(bucket, request);
  }

  beginUpload(bucket: string, key: string, contentType: string | null): string {
    return this.#catalogue.beginUpload(bucket, key, contentType);
  }

  /** @returns the part's entity tag. */
  async putPart(
    upload: { bucket: string; key: string; id: string },
    number: number,
    body: ObjectBody,
  ): Promise<string> {
    const known = this.#catalogue.upload(upload.bucket, upload.key, upload.id);
    const blob = await this.#receive(body);
    await this.#commit(blob, () => this.#catalogue.putPart(known, number, blob));
    return blob.md5;
  }

  /** Takes the named parts as the object; parts that are not named are dropped, as S3 does. */
  async completeUpload(
    upload: { bucket: string; key: string; id: string },
    named: readonly NamedPart[],
  ): Promise<StoredObject> {
    const known = this.#catalogue.upload(upload.bucket, upload.key, upload.id);
    const sent = new Map(this.#catalogue.parts(known).map((part) => [part.number, part]));
    const blobs = named.map(({ number, etag }): Blob => {
      const part = sent.get(number);
      if (part === undefined || part.md5 !== etag) {
        throw new ServiceError(
          "InvalidPart",
          `The part ${number} was not uploaded, or its entity tag is another one.`,
        );
      }
      const { name, sizeBytes, md5 } = part;
      return { name, sizeBytes, md5 };
    });
    const md5s = Buffer.concat(blobs.map(({ md5 }) => Buffer.from(md5, "hex")));
    const etag = `${createHash("md5").update(md5s).digest("hex")}-${blobs.length}`;
    const object = objectOf({ key: upload.key, contentType: known.contentType, blobs, etag });
    await this.#blobs.remove(this.#catalogue.completeUpload(known, object));
    return object;
  }

  async abortUpload(upload: { bucket: string; key: string; id: string }): Promise<void> {
    const known = this.#catalogue.upload(upload.bucket, upload.key, upload.id);
    await this.#blobs.remove(this.#catalogue.abortUpload(known));
  }

  async #receive(body: ObjectBody): Promise<Blob> {
    const blob = await this.#blobs.write(body.bytes);
    if (body.md5 === null || body.md5 === blob.md5) return blob;
    await this.#blobs.remove([blob]);
    throw badDigest();
  }

  /** @param change returns the blobs that nothing needs any more. */
  async #commit(blob: Blob, change: () => readonly Blob[]): Promise<void> {
    let unused = [blob];
    try {
      unused = [...change()];
    } finally {
      await this.#blobs.remove(unused);
    }
  }
}

function objectOf(fields: {
  key: string;
  contentType: string | null;
  blobs: readonly Blob[];
  etag: string;
}): StoredObject {
  const sizeBytes = fields.blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  return { ...fields, sizeBytes, modifiedAt: Date.now() };
}
