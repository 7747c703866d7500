import { randomBytes } from "node:crypto";
import { afterEveryId, type Collection, Documents } from "../../state/documents.ts";
import { ServiceError } from "../service.ts";

/** Bytes of an object, or of a part of one, in a file of their own. */
export interface Blob {
  readonly name: string;
  readonly sizeBytes: number;
  readonly md5: string;
}

export interface StoredObject {
  readonly key: string;
  readonly etag: string;
  readonly sizeBytes: number;
  /** Epoch milliseconds. */
  readonly modifiedAt: number;
  readonly contentType: string | null;
  /** One after the other they are the object. */
  readonly blobs: readonly Blob[];
}

export interface ListRequest {
  readonly prefix: string;
  /** What comes after the prefix up to and with the delimiter is told once for all keys that have it; "": nothing is. */
  readonly delimiter: string;
  /** Only what sorts after it; "": everything. */
  readonly after: string;
  readonly max: number;
}

export interface ListAnswer {
  readonly objects: readonly StoredObject[];
  readonly commonPrefixes: readonly string[];
  /** What the next request has to come after; null: there is no more. */
  readonly next: string | null;
}

interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly contentType: string | null;
}

interface Part extends Blob {
  readonly number: number;
}

const uploadIdBytes = 16;
/** S3 numbers parts from 1 to 10,000. */
export const partNumberMax = 10_000;

const preconditionFailed = (): ServiceError =>
  new ServiceError(
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
    412,
  );

/** What is in the buckets: everything but the bytes. Each change is whole or has not happened. */
export class Catalogue {
  readonly #documents: Documents;
  readonly #buckets: Collection<{ readonly name: string }>;
  readonly #uploads: Collection<Upload>;

  constructor(path: string) {
    this.#documents = new Documents(path);
    this.#buckets = this.#documents.collection("buckets");
    this.#uploads = this.#documents.collection("uploads");
  }

  close(): void {
    this.#documents.close();
  }

  ensureBucket(name: string): void {
    this.#buckets.put(name, { name });
  }

  buckets(): readonly string[] {
    return this.#buckets.list().map(({ name }) => name);
  }

  /** @throws {ServiceError} when there is no such bucket. */
  requireBucket(name: string): void {
    if (this.#buckets.get(name) !== undefined) return;
    throw new ServiceError("NoSuchBucket", "The specified bucket does not exist", 404);
  }

  get(bucket: string, key: string): StoredObject | undefined {
    return this.#objects(bucket).get(key);
  }

  /** @returns the blobs that nothing needs any more. */
  put(bucket: string, object: StoredObject, isNewOnly = false): readonly Blob[] {
    const objects = this.#objects(bucket);
    return this.#documents.transaction(() => {
      const before = objects.get(object.key);
      if (isNewOnly && before !== undefined) throw preconditionFailed();
      objects.put(object.key, object);
      return before?.blobs ?? [];
    });
  }

  /** What is not there is deleted. @returns the blobs that nothing needs any more. */
  delete(bucket: string, key: string): readonly Blob[] {
    const objects = this.#objects(bucket);
    return this.#documents.transaction(() => {
      const deleted = objects.get(key)?.blobs ?? [];
      objects.delete(key);
      return deleted;
    });
  }

  list(bucket: string, { prefix, delimiter, after, max }: ListRequest): ListAnswer {
    const objects = this.#objects(bucket);
    const found: StoredObject[] = [];
    const commonPrefixes: string[] = [];
    let last = after;
    for (;;) {
      const missing = max - found.length - commonPrefixes.length;
      // One more than is missing tells whether there is more.
      const batch = objects.listAfter(prefix, last, missing + 1);
      const common = batch.findIndex(({ key }) => delimiter !== "" && key.includes(delimiter, prefix.length));
      const plain = (common < 0 ? batch : batch.slice(0, common)).slice(0, missing);
      found.push(...plain);
      last = plain.at(-1)?.key ?? last;
      if (plain.length === batch.length) return { objects: found, commonPrefixes, next: null };
      if (plain.length === missing) return { objects: found, commonPrefixes, next: last };
      const key = batch[common]?.key ?? "";
      const end = key.indexOf(delimiter, prefix.length) + delimiter.length;
      commonPrefixes.push(key.slice(0, end));
      last = key.slice(0, end) + afterEveryId;
    }
  }

  beginUpload(bucket: string, key: string, contentType: string | null): string {
    const id = randomBytes(uploadIdBytes).toString("hex");
    this.#uploads.put(id, { id, bucket, key, contentType });
    return id;
  }

  /** @throws {ServiceError} when there is no such upload of that object. */
  upload(bucket: string, key: string, id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.bucket !== bucket || upload.key !== key) {
      throw new ServiceError(
        "NoSuchUpload",
        "The specified upload does not exist. It may have been aborted or completed.",
        404,
      );
    }
    return upload;
  }

  /** @returns the blobs that nothing needs any more: of a part that was sent again. */
  putPart(upload: Upload, number: number, blob: Blob): readonly Blob[] {
    const parts = this.#parts(upload.id);
    const id = String(number).padStart(String(partNumberMax).length, "0");
    return this.#documents.transaction(() => {
      this.upload(upload.bucket, upload.key, upload.id);
      const replaced = parts.get(id);
      parts.put(id, { ...blob, number });
      return replaced === undefined ? [] : [replaced];
    });
  }

  parts(upload: Upload): readonly Part[] {
    return this.#parts(upload.id).list();
  }

  /** The upload becomes the object. @returns the blobs that nothing needs any more. */
  completeUpload(upload: Upload, object: StoredObject): readonly Blob[] {
    const objects = this.#objects(upload.bucket);
    return this.#documents.transaction(() => {
      const unused = this.#forgetUpload(upload).filter(
        ({ name }) => !object.blobs.some((blob) => blob.name === name),
      );
      const replaced = objects.get(object.key)?.blobs ?? [];
      objects.put(object.key, object);
      return [...unused, ...replaced];
    });
  }

  /** @returns the blobs that nothing needs any more. */
  abortUpload(upload: Upload): readonly Blob[] {
    return this.#documents.transaction(() => this.#forgetUpload(upload));
  }

  #forgetUpload(upload: Upload): readonly Blob[] {
    this.upload(upload.bucket, upload.key, upload.id);
    const collection = this.#parts(upload.id);
    const parts = collection.list();
    for (const { number } of parts) {
      collection.delete(String(number).padStart(String(partNumberMax).length, "0"));
    }
    this.#uploads.delete(upload.id);
    return parts;
  }

  #objects(bucket: string): Collection<StoredObject> {
    this.requireBucket(bucket);
    return this.#documents.collection(`objects ${bucket}`);
  }

  #parts(uploadId: string): Collection<Part> {
    return this.#documents.collection(`parts ${uploadId}`);
  }
}
