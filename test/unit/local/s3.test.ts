import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Faults } from "../../../local/endpoints/faults.ts";
import { Recorder } from "../../../local/endpoints/recorder.ts";
import { S3Front } from "../../../local/endpoints/s3/front.ts";
import { ObjectStore } from "../../../local/endpoints/s3/store.ts";
import { watchCalls } from "../../../local/endpoints/s3/watch.ts";
import { startEndpoints } from "./support/endpoints.ts";

const Bucket = "backups";
let directory: string;
let store: ObjectStore;
let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let s3: S3Client;
const recorder = new Recorder();
const faults = new Faults();
const errors: unknown[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-s3-"));
  store = await ObjectStore.open({ directory, writer: "test" });
  await store.ensureBucket(Bucket);
  const watch = watchCalls({ recorder, faults });
  endpoints = await startEndpoints([], new S3Front({ store, watch, onError: (error) => errors.push(error) }));
  s3 = new S3Client({ ...endpoints.as("node"), forcePathStyle: true, maxAttempts: 1 });
});
afterEach(() => {
  faults.clear();
  expect(errors).toEqual([]);
});
afterAll(async () => {
  s3.destroy();
  await endpoints.close();
  store.close();
  await rm(directory, { recursive: true });
});

const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));

const putNew = (Key: string, Body: string) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: "*" }));

async function read(Key: string, Range?: string): Promise<string> {
  const answer = await s3.send(
    new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }),
  );
  return (await answer.Body?.transformToString()) ?? "";
}

/** What is on the disk of bodies that have not come to their end. */
async function drafts(): Promise<number[]> {
  const folder = join(directory, "drafts", "test");
  return Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
}

/** What was asked about an object. A call is recorded when its answer has left. */
function actionsOn(key: string): string[] {
  const calls = recorder.list().map(({ action, input }) => ({ action, input: input as { Key: unknown } }));
  return calls.filter(({ input }) => input.Key === key).map(({ action }) => action);
}

test("a file of the deployment can be read by its key", async () => {
  const file = join(directory, "program.cjs");
  await writeFile(file, "program");
  await store.putFile(Bucket, "pgherd/local/abc.cjs", file);
  expect(await read("pgherd/local/abc.cjs")).toBe("program");
  // A call is recorded when its answer has left.
  await expect
    .poll(() => recorder.list({ action: "GetObject" }).at(-1))
    .toMatchObject({
      roleName: "node",
      input: { Bucket, Key: "pgherd/local/abc.cjs" },
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
  const url = `${endpoints.endpoint}/${Bucket}/pgherd/local/abc.cjs`;
  expect((await fetch(url)).status).toBe(403);
  const wrong = new S3Client({
    ...endpoints.operator,
    forcePathStyle: true,
    credentials: { accessKeyId: endpoints.operator.credentials.accessKeyId, secretAccessKey: "wrong" },
  });
  await expect(wrong.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject({
    name: "SignatureDoesNotMatch",
  });
  const unknown = new S3Client({
    ...endpoints.operator,
    forcePathStyle: true,
    credentials: { accessKeyId: "AKIANOBODY", secretAccessKey: "x" },
  });
  await expect(unknown.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject({
    name: "InvalidAccessKeyId",
  });
});

test("a key that looks like a way out of the bucket is a name like any other", async () => {
  const before = await readdir(directory);
  await store.put(Bucket, "../../climbed", {
    bytes: Readable.from([Buffer.from("out")]),
    contentType: null,
    md5: null,
  });
  expect(store.get(Bucket, "../../climbed")).toMatchObject({ sizeBytes: 3 });
  expect(await readdir(directory)).toEqual(before);
  expect(await readdir(join(directory, ".."))).not.toContain("climbed");
});

test("a body that is not the one that was signed is refused and not kept", async () => {
  const forging = new S3Client({ ...endpoints.operator, forcePathStyle: true });
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

describe("a list", () => {
  const under = (Prefix: string, more: object = {}) =>
    s3.send(new ListObjectsV2Command({ Bucket, Prefix, Delimiter: "/", ...more }));

  test("names a folder that holds only folders", async () => {
    await put("l/archive/main/17-1/0000000100000000/000000010000000000000001.zst", "wal");
    await put("l/archive/main/archive.info", "info");
    const list = await under("l/archive/main/");
    expect(list.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(["l/archive/main/17-1/"]);
    expect(list.Contents?.map(({ Key }) => Key)).toEqual(["l/archive/main/archive.info"]);
  });

  test("goes on where the page before it ended, without a gap and without a repetition", async () => {
    const keys = ["p/a", "p/b/1", "p/b/2", "p/c", "p/d/1"];
    for (const key of keys) await put(key, "x");
    const seen: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await under("p/", {
        MaxKeys: 1,
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      });
      expect(page.KeyCount).toBe(1);
      seen.push(page.Contents?.[0]?.Key ?? page.CommonPrefixes?.[0]?.Prefix ?? "");
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(seen).toEqual(["p/a", "p/b/", "p/c", "p/d/"]);
  });

  test("is recorded with what it asked for, as policies speak of it", async () => {
    await under("l/archive/");
    await vi.waitFor(() =>
      expect(recorder.list({ action: "ListObjectsV2" }).at(-1)).toMatchObject({
        roleName: "node",
        input: { Bucket, Key: null, Prefix: "l/archive/" },
      }),
    );
  });
});

describe("a range", () => {
  test.each([
    ["bytes=0-0", "a"],
    ["bytes=2-4", "cde"],
    ["bytes=8-", "ij"],
    ["bytes=-3", "hij"],
    ["bytes=5-100", "fghij"],
  ])("%s of abcdefghij is %s", async (range, expected) => {
    await put("range", "abcdefghij");
    expect(await read("range", range)).toBe(expected);
  });

  test("goes over the borders of parts", async () => {
    const Key = "range/parts";
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const Parts = [];
    for (const [index, Body] of ["abc", "def", "ghi"].entries()) {
      const PartNumber = index + 1;
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    expect(await read(Key, "bytes=2-6")).toBe("cdefg");
    const { ETag, ContentLength } = await s3.send(new HeadObjectCommand({ Bucket, Key }));
    expect(ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
    expect(ContentLength).toBe(9);
  });

  test("behind the end is refused", async () => {
    await put("range", "abc");
    await expect(read("range", "bytes=3-")).rejects.toMatchObject({ name: "InvalidRange" });
  });
});

test("of those who write only what is not there yet one succeeds, and its bytes stay", async () => {
  const written = await Promise.allSettled(["one", "two", "three"].map((body) => putNew("first", body)));
  const refused = written.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  expect(refused).toMatchObject([{ name: "PreconditionFailed" }, { name: "PreconditionFailed" }]);
  const before = await read("first");
  expect(before).toBe(["one", "two", "three"][written.findIndex(({ status }) => status === "fulfilled")]);
  await expect(putNew("first", "four")).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } });
  expect(await read("first")).toBe(before);
});

describe("a deletion", () => {
  test("of what is not there succeeds", async () => {
    await s3.send(new DeleteObjectCommand({ Bucket, Key: "nothing/here" }));
  });

  test("of many keys deletes these and tells nothing more when it is asked to be quiet", async () => {
    for (const key of ["d/1", "d/2", "d/<&>", "d/kept"]) await put(key, "x");
    const answer = await s3.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Quiet: true, Objects: ["d/1", "d/2", "d/<&>", "d/never"].map((Key) => ({ Key })) },
      }),
    );
    expect(answer.Errors ?? []).toEqual([]);
    expect(answer.Deleted ?? []).toEqual([]);
    const list = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "d/" }));
    expect(list.Contents?.map(({ Key }) => Key)).toEqual(["d/kept"]);
  });

  test("gives the room back", async () => {
    const before = await blobs();
    await put("room", "x".repeat(1000));
    await put("room", "y".repeat(1000));
    expect((await blobs()).length).toBe(before.length + 1);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: "room" }));
    expect(await blobs()).toEqual(before);
  });

  async function blobs(): Promise<string[]> {
    const found = await readdir(join(directory, "blobs"), { recursive: true, withFileTypes: true });
    return found
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort();
  }
});

describe("a body", () => {
  test("with another MD5 than announced is refused and not kept", async () => {
    const ContentMD5 = createHash("md5").update("other").digest("base64");
    const wrong = new PutObjectCommand({ Bucket, Key: "digest", Body: "text", ContentMD5 });
    await expect(s3.send(wrong)).rejects.toMatchObject({ name: "BadDigest" });
    await expect(read("digest")).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("lies on the disk while it comes, and is an object when it has come to its end", async () => {
    const half = Buffer.alloc(8 * 1024 * 1024, "x");
    const Body = new PassThrough();
    const sent = s3.send(new PutObjectCommand({ Bucket, Key: "long", Body, ContentLength: half.length * 2 }));
    Body.write(half);
    await vi.waitFor(async () => expect((await drafts())[0]).toBeGreaterThan(half.length / 2), {
      timeout: 5_000,
    });
    await expect(read("long")).rejects.toMatchObject({ name: "NoSuchKey" });
    Body.end(half);
    await sent;
    expect((await read("long")).length).toBe(half.length * 2);
    expect(await drafts()).toEqual([]);
  });

  test("whose sender goes away leaves nothing", async () => {
    const Body = new PassThrough();
    const abort = new AbortController();
    const sent = s3.send(new PutObjectCommand({ Bucket, Key: "gone", Body, ContentLength: 1000 }), {
      abortSignal: abort.signal,
    });
    Body.write("x".repeat(500));
    await vi.waitFor(async () => expect((await drafts()).length).toBe(1), { timeout: 5_000 });
    abort.abort();
    await expect(sent).rejects.toThrow();
    await vi.waitFor(async () => expect(await drafts()).toEqual([]), { timeout: 5_000 });
    await expect(read("gone")).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("that cannot be kept is answered with an error, and the connection goes on", async () => {
    vi.spyOn(store, "put").mockImplementationOnce(async (_bucket, _key, { bytes }) => {
      for await (const _chunk of bytes) break;
      throw new Error("no space left on device");
    });
    const Body = Buffer.alloc(4 * 1024 * 1024, "x");
    const sent = s3.send(new PutObjectCommand({ Bucket, Key: "full", Body }));
    await expect(sent).rejects.toMatchObject({ name: "InternalError" });
    expect(errors.splice(0)).toEqual([new Error("no space left on device")]);
    await put("full", "room again");
    expect(await read("full")).toBe("room again");
  });

  test("of a refused request does not spoil the connection for the next one", async () => {
    faults.add({ service: "s3", action: "PutObject", effect: { kind: "throttle" } });
    const Body = "x".repeat(1024 * 1024);
    const refused = new PutObjectCommand({ Bucket, Key: "next", Body });
    await expect(s3.send(refused)).rejects.toMatchObject({ name: "SlowDown" });
    await put("next", "taken");
    expect(await read("next")).toBe("taken");
  });
});

describe("an upload in parts", () => {
  test("that is aborted is gone with its parts", async () => {
    const Key = "aborted";
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: "x" }));
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    const part = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 2, Body: "x" });
    await expect(s3.send(part)).rejects.toMatchObject({ name: "NoSuchUpload" });
    const calls = ["CreateMultipartUpload", "UploadPart", "AbortMultipartUpload", "UploadPart"];
    await vi.waitFor(() => expect(actionsOn(Key)).toEqual(calls));
  });

  test("is not completed with a part that was not sent", async () => {
    const Key = "incomplete";
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const { ETag } = await s3.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: "x" }),
    );
    const Parts = [
      { PartNumber: 1, ETag },
      { PartNumber: 2, ETag },
    ];
    const complete = new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts },
    });
    await expect(s3.send(complete)).rejects.toMatchObject({ name: "InvalidPart" });
    await expect(read(Key)).rejects.toMatchObject({ name: "NoSuchKey" });
  });
});

describe("a fault", () => {
  test("that loses the request leaves nothing done, one that loses the answer leaves it done", async () => {
    faults.add({ service: "s3", action: "PutObject", effect: { kind: "drop-request" } });
    await expect(put("f/request", "x")).rejects.toThrow();
    await expect(read("f/request")).rejects.toMatchObject({ name: "NoSuchKey" });
    faults.add({ service: "s3", action: "PutObject", effect: { kind: "drop-answer" } });
    await expect(put("f/answer", "x")).rejects.toThrow();
    expect(await read("f/answer")).toBe("x");
  });

  test("can refuse writes while reads go on", async () => {
    await put("f/read", "x");
    const effect = { kind: "error", code: "AccessDenied", statusCode: 403 } as const;
    faults.add({ service: "s3", action: "PutObject", times: 2, effect });
    await expect(put("f/read", "y")).rejects.toMatchObject({ name: "AccessDenied" });
    expect(await read("f/read")).toBe("x");
  });
});

test("a call that nobody makes here is refused by its name, not taken for another", async () => {
  await put("source", "x");
  const copy = new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/source` });
  await expect(s3.send(copy)).rejects.toMatchObject({ name: "NotImplemented" });
  await expect(read("copy")).rejects.toMatchObject({ name: "NoSuchKey" });
});
