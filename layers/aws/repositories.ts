import {
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import type { ArchivedSegment } from "../domain/backup/archive.ts";
import { type BackupStore, parseStoreKeys, type StoreKeys, storeKeysForm } from "../domain/backup/store.ts";
import type { TimelineStart } from "../domain/backup/timeline.ts";
import { repositoryKeyPrefix } from "../domain/cluster/names.ts";
import { stanza } from "../domain/config/pgbackrest.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { ClusterPlace, Repositories, RepositoryPlace } from "../ports/repositories.ts";
import type { Secrets } from "../ports/secrets.ts";
import { StoreError } from "../ports/store-error.ts";
import { clientBehaviour } from "./clients.ts";
import { awsErrorCode } from "./errors.ts";
import { foreignConfig } from "./foreign-store.ts";
import { type OpenBucket, removeObjects } from "./object-removal.ts";
import { asStoreError } from "./store-errors.ts";
import { probeStore } from "./store-probe.ts";

/** `17-1`: PostgreSQL's version, and which of the databases that have been in the repository. */
const archiveId = /\/\d+-(\d+)\/$/;
const segmentKey = /\/([0-9A-F]{24})-[0-9a-f]{40}(?:\.[a-z0-9]+)?$/;
const historyKey = /\/([0-9A-F]{8})\.history$/;
/** A thousand keys each: a caller waits for these some seconds at most, and they are weeks of WAL. */
const pagesMax = 60;
/** A caller waits for the answer of a store that may not be there at all. */
const foreignAttemptsMax = 2;

/** pgBackRest's repositories in the environment's bucket, and in the stores of others that clusters have. */
export class S3Repositories implements Repositories {
  readonly #own: OpenBucket;
  readonly #environment: string;
  readonly #secrets: Pick<Secrets, "find">;

  constructor(settings: EnvironmentSettings, secrets: Pick<Secrets, "find">, config: S3ClientConfig = {}) {
    // Bucket names need not be host names everywhere.
    const client = new S3Client({ ...clientBehaviour, forcePathStyle: true, ...config });
    this.#own = { name: settings.backups.bucket, client, isForeign: false };
    this.#environment = settings.environment;
    this.#secrets = secrets;
  }

  timelines: Repositories["timelines"] = (place) =>
    this.#within(place.store, async (bucket) => {
      const Prefix = await this.#archive(bucket, place);
      if (Prefix === null) return [];
      const starts: TimelineStart[] = [];
      for await (const page of pagesOf(bucket, { Prefix, Delimiter: "/" })) {
        for (const { Key, LastModified } of page.Contents ?? []) {
          const timeline = historyKey.exec(Key ?? "")?.[1];
          if (timeline === undefined || LastModified === undefined) continue;
          starts.push({ timeline: Number.parseInt(timeline, 16), since: LastModified.toISOString() });
        }
      }
      return starts;
    });

  wal: Repositories["wal"] = (place, from) =>
    this.#within(place.store, async (bucket) => {
      const Prefix = await this.#archive(bucket, place);
      if (Prefix === null) return { segments: [], isCut: false };
      const segments: ArchivedSegment[] = [];
      let pages = 0;
      const StartAfter = `${Prefix}${from.slice(0, 16)}/${from}`;
      for await (const page of pagesOf(bucket, { Prefix, StartAfter })) {
        for (const { Key, LastModified } of page.Contents ?? []) {
          const name = segmentKey.exec(Key ?? "")?.[1];
          if (name !== undefined && LastModified !== undefined) {
            segments.push({ name, at: LastModified.toISOString() });
          }
        }
        pages += 1;
        if (pages === pagesMax && page.IsTruncated === true) return { segments, isCut: true };
      }
      return { segments, isCut: false };
    });

  removeAll: Repositories["removeAll"] = (place, forMs) =>
    this.#within(place.store, async (bucket) => {
      const Prefix = this.#keyPrefix(place);
      const deadline = performance.now() + forMs;
      let removed = 0;
      for (;;) {
        const page = await bucket.client.send(new ListObjectsV2Command({ Bucket: bucket.name, Prefix }));
        const keys = (page.Contents ?? []).flatMap(({ Key }) => Key ?? []);
        if (keys.length === 0) return { removed, isDone: true };
        await removeObjects(bucket, keys);
        removed += keys.length;
        if (performance.now() > deadline) return { removed, isDone: false };
      }
    });

  probe: Repositories["probe"] = async (store) =>
    probeStore(this.#environment, store, await this.#keysOf(store));

  async #within<T>(store: BackupStore | null, work: (bucket: OpenBucket) => Promise<T>): Promise<T> {
    if (store === null) return work(this.#own);
    const keys = await this.#keysOf(store);
    const config = { ...clientBehaviour, maxAttempts: foreignAttemptsMax, ...foreignConfig(store, keys) };
    const client = new S3Client(config);
    try {
      return await work({ name: store.bucket, client, isForeign: true });
    } catch (error) {
      throw asStoreError(error, store);
    } finally {
      client.destroy();
    }
  }

  /** Read for each use: whoever owns the store may give it another key at any time. */
  async #keysOf({ credentialsParameter: name }: BackupStore): Promise<StoreKeys> {
    const value = await this.#valueOf(name);
    const keys = value === null ? null : parseStoreKeys(value);
    if (keys !== null) return keys;
    const why = value === null ? `there is no parameter ${name}: it` : `parameter ${name}`;
    throw new StoreError(`${why} ${storeKeysForm}`, { fault: "keys-unfit" });
  }

  async #valueOf(name: string): Promise<string | null> {
    try {
      return await this.#secrets.find(name);
    } catch (error) {
      const answer = awsErrorCode(error);
      if (answer === null) throw error;
      throw new StoreError(`parameter ${name} cannot be read (${answer})`, {
        fault: "keys-unfit",
        cause: error,
      });
    }
  }

  #keyPrefix({ clusterId, store }: ClusterPlace): string {
    return repositoryKeyPrefix({ environment: this.#environment, clusterId, store });
  }

  /** Where the present database's WAL is; null as long as there is none. */
  async #archive(bucket: OpenBucket, place: RepositoryPlace): Promise<string | null> {
    const Prefix = `${this.#keyPrefix(place)}${place.shard}/archive/${stanza}/`;
    const found: { path: string; number: number }[] = [];
    for await (const page of pagesOf(bucket, { Prefix, Delimiter: "/" })) {
      for (const { Prefix: path = "" } of page.CommonPrefixes ?? []) {
        const number = archiveId.exec(path)?.[1];
        if (number !== undefined) found.push({ path, number: Number(number) });
      }
    }
    return found.toSorted((left, right) => left.number - right.number).at(-1)?.path ?? null;
  }
}

const pagesOf = ({ client, name: Bucket }: OpenBucket, query: Omit<ListObjectsV2CommandInput, "Bucket">) =>
  paginateListObjectsV2({ client }, { Bucket, ...query });
