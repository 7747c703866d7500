import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { type BackupStore, type StoreKeys, storeHost } from "../domain/backup/store.ts";

/** How the SDK speaks to a store of somebody else's, which may know less than S3 does. */
export function foreignConfig(
  store: Pick<BackupStore, "endpoint" | "pathStyle" | "region">,
  { accessKeyId, secretAccessKey, sessionToken }: StoreKeys,
): S3ClientConfig {
  return {
    endpoint: `https://${storeHost(store)}`,
    region: store.region,
    forcePathStyle: store.pathStyle,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    // Checksums that come after the body are S3's own.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  };
}

/** As many requests at a time as a small store takes. */
const removalsAtOnce = 16;

/** One by one: deleting many at once is what stores differ in most. */
export async function eachOf(keys: readonly string[], act: (key: string) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < keys.length; from += removalsAtOnce) {
    await Promise.all(keys.slice(from, from + removalsAtOnce).map(act));
  }
}
