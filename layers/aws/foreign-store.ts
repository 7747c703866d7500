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
