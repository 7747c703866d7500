import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Faults } from "../../../local/endpoints/faults.ts";
import { Recorder } from "../../../local/endpoints/recorder.ts";
import { S3Front } from "../../../local/endpoints/s3/front.ts";
import { ObjectStore, startObjectStore } from "../../../local/endpoints/s3/store.ts";
import { startEndpoints } from "./support/endpoints.ts";

const Bucket = "cdk-assets";
let directory: string;
let child: Awaited<ReturnType<typeof startObjectStore>>;
let store: ObjectStore;
let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let s3: S3Client;
const recorder = new Recorder();
const faults = new Faults();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-s3-"));
  child = await startObjectStore({ directory, node: process.execPath });
  store = new ObjectStore({ directory });
  await store.ensureBucket(Bucket);
  endpoints = await startEndpoints([], new S3Front({ store, recorder, faults }));
  s3 = new S3Client(endpoints.as("node"));
});
afterAll(async () => {
  s3.destroy();
  await endpoints.close();
  store.close();
  await child.stop();
  await rm(directory, { recursive: true });
});

async function read(Key: string): Promise<string> {
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return (await answer.Body?.transformToString()) ?? "";
}

test("a file of the deployment can be read by its key", async () => {
  const file = join(directory, "program.mjs");
  await writeFile(file, "program");
  await store.putFile(Bucket, "pgherd/local/abc.mjs", file);
  expect(await read("pgherd/local/abc.mjs")).toBe("program");
  expect(recorder.list({ action: "GetObject" }).at(-1)).toMatchObject({
    roleName: "node",
    input: { Bucket, Key: "pgherd/local/abc.mjs" },
    errorCode: null,
  });
});

test("bytes put by the SDK come back the same, whole, streamed and in parts", async () => {
  await s3.send(new PutObjectCommand({ Bucket, Key: "a/whole", Body: "some text" }));
  expect(await read("a/whole")).toBe("some text");
  const parts = ["first ", "second ", "x".repeat(100_000)];
  await s3.send(
    new PutObjectCommand({
      Bucket,
      Key: "a/streamed",
      Body: Readable.from(parts.map((part) => Buffer.from(part))),
      ContentLength: parts.join("").length,
    }),
  );
  expect(await read("a/streamed")).toBe(parts.join(""));
  const upload = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "a/parts" }));
  const part = await s3.send(
    new UploadPartCommand({
      Bucket,
      Key: "a/parts",
      UploadId: upload.UploadId,
      PartNumber: 1,
      Body: "part one",
    }),
  );
  await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key: "a/parts",
      UploadId: upload.UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag }] },
    }),
  );
  expect(await read("a/parts")).toBe("part one");
  const list = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "a/" }));
  expect(list.Contents?.map((item) => item.Key)).toEqual(["a/parts", "a/streamed", "a/whole"]);
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "a/whole" }));
  await expect(read("a/whole")).rejects.toMatchObject({ name: "NoSuchKey" });
});

test("a request that is not signed, signed wrongly or by nobody known is refused", async () => {
  const url = `${endpoints.endpoint}/${Bucket}/pgherd/local/abc.mjs`;
  expect((await fetch(url)).status).toBe(403);
  const wrong = new S3Client({
    ...endpoints.operator,
    credentials: { accessKeyId: endpoints.operator.credentials.accessKeyId, secretAccessKey: "wrong" },
  });
  await expect(wrong.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject({
    name: "SignatureDoesNotMatch",
  });
  const unknown = new S3Client({
    ...endpoints.operator,
    credentials: { accessKeyId: "AKIANOBODY", secretAccessKey: "x" },
  });
  await expect(unknown.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject({
    name: "InvalidAccessKeyId",
  });
});

test("a key cannot climb out of its bucket", async () => {
  await expect(read("../../etc/passwd")).rejects.toMatchObject({ name: "InvalidURI" });
});

test("a body that is not the one that was signed is refused and not kept", async () => {
  const forging = new S3Client(endpoints.operator);
  // After the signature was made.
  forging.middlewareStack.add(
    (next) => (args) => {
      (args.request as { body?: unknown }).body = "forged";
      return next(args);
    },
    { step: "deserialize", name: "forge" },
  );
  const put = new PutObjectCommand({ Bucket, Key: "forged", Body: "honest" });
  await expect(forging.send(put)).rejects.toMatchObject({ name: "XAmzContentSHA256Mismatch" });
  forging.destroy();
  await expect(read("forged")).rejects.toMatchObject({ name: "NoSuchKey" });
});
