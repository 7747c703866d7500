import { randomUUID } from "node:crypto";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import type { BackupStore, StoreKeys } from "../domain/backup/store.ts";
import { storeKeyPrefix } from "../domain/cluster/names.ts";
import { StoreError } from "../ports/store-error.ts";
import { foreignConfig } from "./foreign-store.ts";
import { asStoreError } from "./store-errors.ts";

/** A caller waits for it: what does not answer by then is not there. */
const probeMs = 12_000;
const connectionTimeoutMs = 3_000;
const requestTimeoutMs = 5_000;
/** A lost packet is no reason to refuse a store. */
const attemptsMax = 2;

/** Does once what backups do all the time. @throws {StoreError} */
export async function probeStore(environment: string, store: BackupStore, keys: StoreKeys): Promise<void> {
  const client = new S3Client({
    ...foreignConfig(store, keys),
    maxAttempts: attemptsMax,
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
  });
  try {
    await writeReadDelete(client, environment, store);
  } catch (error) {
    throw asStoreError(error, store);
  } finally {
    client.destroy();
  }
}

async function writeReadDelete(client: S3Client, environment: string, store: BackupStore): Promise<void> {
  const until = { abortSignal: AbortSignal.timeout(probeMs) };
  const prefix = `${storeKeyPrefix(environment)}probe/`;
  const object = { Bucket: store.bucket, Key: `${prefix}${randomUUID()}` };
  const text = `pgherd looks whether it can keep backups here: ${object.Key}`;
  await client.send(new PutObjectCommand({ ...object, Body: text }), until);
  try {
    const { Body } = await client.send(new GetObjectCommand(object), until);
    if ((await Body?.transformToString()) !== text)
      throw unfit(store, "an object reads otherwise than it was written");
    const listed = await client.send(
      new ListObjectsV2Command({ Bucket: store.bucket, Prefix: object.Key }),
      until,
    );
    if (listed.Contents?.[0]?.Key !== object.Key)
      throw unfit(store, "an object that was written is not in a list");
  } finally {
    await client.send(new DeleteObjectCommand(object), until);
  }
}

const unfit = ({ endpoint }: BackupStore, why: string): StoreError =>
  new StoreError(`${endpoint} does not answer as S3 does: ${why}`, { fault: "unfit" });
