import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";

const connectionTimeoutMs = 2_000;
/** The node program has a megabyte or two. */
const requestTimeoutMs = 30_000;
const attemptsMax = 5;

/** Reads an object with the node's instance role. */
export async function downloadObject(bucket: string, key: string): Promise<Uint8Array> {
  const client = new S3Client({
    maxAttempts: attemptsMax,
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
    // Bucket names need not be host names everywhere.
    forcePathStyle: true,
  });
  try {
    const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    if (answer.Body === undefined) throw new Error(`object ${key} has no body`);
    return await answer.Body.transformToByteArray();
  } finally {
    client.destroy();
  }
}
