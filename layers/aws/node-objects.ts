import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import type { StoreKeys } from "../domain/backup/store.ts";
import type { Repository } from "../domain/node/protocol.ts";
import { awsErrorCode, isAwsError } from "./errors.ts";
import { foreignConfig } from "./foreign-store.ts";
import { removeObjects } from "./object-removal.ts";

const connectionTimeoutMs = 2_000;
/** Some megabytes over a slow line. */
const requestTimeoutMs = 60_000;
/** With growing pauses: what ends an outage of some seconds must not cost hours of work. */
const attemptsMax = 10;
const bodyAttemptsMax = 5;

/** A bucket, with the node's instance role or with keys for the store that it is in. */
export class NodeObjects {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #isForeign: boolean;

  constructor({ bucket, region, store }: Omit<Repository, "prefix">, keys: StoreKeys | null) {
    this.#bucket = bucket;
    this.#isForeign = store !== undefined;
    if (store !== undefined && keys === null) throw new Error(`there are no keys for ${store.endpoint}`);
    this.#client = new S3Client({
      maxAttempts: attemptsMax,
      requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
      ...(store === undefined || keys === null
        ? // Bucket names need not be host names everywhere.
          { region, forcePathStyle: true }
        : foreignConfig({ ...store, region }, keys)),
    });
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: bytes }));
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    // Some stores of others do not know the condition: what is there already is seen without it.
    if (this.#isForeign && (await this.get(key)) !== null) return false;
    try {
      await this.#client.send(
        new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: bytes, IfNoneMatch: "*" }),
      );
      return true;
    } catch (error) {
      if (isAwsError(error, ["PreconditionFailed"])) return false;
      if (!this.#isForeign || !isAwsError(error, ["NotImplemented"])) throw error;
      await this.put(key, bytes);
      return true;
    }
  }

  async get(key: string, part?: { readonly offset: number; readonly bytes: number }): Promise<Buffer | null> {
    const range = part === undefined ? {} : { Range: `bytes=${part.offset}-${part.offset + part.bytes - 1}` };
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await this.#client.send(
          new GetObjectCommand({ Bucket: this.#bucket, Key: key, ...range }),
        );
        if (answer.Body === undefined) throw new Error(`object ${key} has no body`);
        return Buffer.from(await answer.Body.transformToByteArray());
      } catch (error) {
        if (isAwsError(error, ["NoSuchKey"])) return null;
        // The SDK tries a request again, but not a body that breaks off.
        if (awsErrorCode(error) !== null || attempt >= bodyAttemptsMax) throw error;
      }
    }
  }

  async *list(prefix: string): AsyncGenerator<readonly string[]> {
    const pages = paginateListObjectsV2({ client: this.#client }, { Bucket: this.#bucket, Prefix: prefix });
    for await (const page of pages) yield (page.Contents ?? []).flatMap(({ Key }) => Key ?? []);
  }

  async remove(keys: readonly string[]): Promise<void> {
    const bucket = { name: this.#bucket, client: this.#client, isForeign: this.#isForeign };
    await removeObjects(bucket, keys);
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}
