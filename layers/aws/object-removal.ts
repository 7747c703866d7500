import { DeleteObjectCommand, DeleteObjectsCommand, type S3Client } from "@aws-sdk/client-s3";

/** A bucket and who may use it. */
export interface OpenBucket {
  readonly name: string;
  readonly client: S3Client;
  readonly isForeign: boolean;
}

/** S3's own limit for one DeleteObjects. */
const keysMax = 1_000;
/** As many requests at a time as a small store takes. */
const removalsAtOnce = 16;

export async function removeObjects(bucket: OpenBucket, keys: readonly string[]): Promise<void> {
  // Deleting many at once is what stores differ in most.
  const [atOnce, remove] = bucket.isForeign ? [removalsAtOnce, oneByOne] : [keysMax, together];
  for (let from = 0; from < keys.length; from += atOnce) {
    await remove(bucket, keys.slice(from, from + atOnce));
  }
}

async function oneByOne({ client, name: Bucket }: OpenBucket, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((Key) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
}

async function together({ client, name: Bucket }: OpenBucket, keys: readonly string[]): Promise<void> {
  const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
  const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete }));
  const [failed] = Errors;
  if (failed === undefined) return;
  throw new Error(`S3 does not delete ${failed.Key ?? "an object"}: ${failed.Code}: ${failed.Message}`);
}
