import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import {
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
import { Bucket, S3Scene } from "./support/s3.ts";

let scene: S3Scene;
beforeAll(async () => {
  scene = await S3Scene.open();
});
afterEach(() => scene.settle());
afterAll(() => scene.close());

test("a file of the deployment can be read by its key", async () => {
  const file = join(scene.directory, "program.cjs");
  await writeFile(file, "program");
  await scene.store.putFile(Bucket, "pgherd/local/abc.cjs", file);
  expect(await scene.read("pgherd/local/abc.cjs")).toBe("program");
  // A call is recorded when its answer has left.
  await expect
    .poll(() => scene.recorder.list({ action: "GetObject" }).at(-1))
    .toMatchObject({
      roleName: "node",
      input: { Bucket, Key: "pgherd/local/abc.cjs" },
      errorCode: null,
    });
});

test("bytes put by the SDK come back the same, whole, streamed and in parts", async () => {
  await scene.s3.send(new PutObjectCommand({ Bucket, Key: "a/whole", Body: "some text" }));
  expect(await scene.read("a/whole")).toBe("some text");
  const parts = ["first ", "second ", "x".repeat(100_000)];
  await scene.s3.send(
    new PutObjectCommand({
      Bucket,
      Key: "a/streamed",
      Body: Readable.from(parts.map((part) => Buffer.from(part))),
      ContentLength: parts.join("").length,
    }),
  );
  expect(await scene.read("a/streamed")).toBe(parts.join(""));
  const upload = await scene.s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "a/parts" }));
  const part = await scene.s3.send(
    new UploadPartCommand({
      Bucket,
      Key: "a/parts",
      UploadId: upload.UploadId,
      PartNumber: 1,
      Body: "part one",
    }),
  );
  await scene.s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key: "a/parts",
      UploadId: upload.UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag }] },
    }),
  );
  expect(await scene.read("a/parts")).toBe("part one");
  const list = await scene.s3.send(new ListObjectsV2Command({ Bucket, Prefix: "a/" }));
  expect(list.Contents?.map((item) => item.Key)).toEqual(["a/parts", "a/streamed", "a/whole"]);
  await scene.s3.send(new DeleteObjectCommand({ Bucket, Key: "a/whole" }));
  await expect(scene.read("a/whole")).rejects.toMatchObject({ name: "NoSuchKey" });
});

test("a request that is not signed, signed wrongly or by nobody known is refused", async () => {
  const url = `${scene.endpoints.endpoint}/${Bucket}/pgherd/local/abc.cjs`;
  expect((await fetch(url)).status).toBe(403);
  const wrong = new S3Client({
    ...scene.endpoints.operator,
    forcePathStyle: true,
    credentials: { accessKeyId: scene.endpoints.operator.credentials.accessKeyId, secretAccessKey: "wrong" },
  });
  await expect(wrong.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject({
    name: "SignatureDoesNotMatch",
  });
  const unknown = new S3Client({
    ...scene.endpoints.operator,
    forcePathStyle: true,
    credentials: { accessKeyId: "AKIANOBODY", secretAccessKey: "x" },
  });
  await expect(unknown.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject({
    name: "InvalidAccessKeyId",
  });
});

test("a key that looks like a way out of the bucket is a name like any other", async () => {
  const before = await readdir(scene.directory);
  await scene.store.put(Bucket, "../../climbed", {
    bytes: Readable.from([Buffer.from("out")]),
    contentType: null,
    md5: null,
  });
  expect(scene.store.get(Bucket, "../../climbed")).toMatchObject({ sizeBytes: 3 });
  expect(await readdir(scene.directory)).toEqual(before);
  expect(await readdir(join(scene.directory, ".."))).not.toContain("climbed");
});

describe("a list", () => {
  const under = (Prefix: string, more: object = {}) =>
    scene.s3.send(new ListObjectsV2Command({ Bucket, Prefix, Delimiter: "/", ...more }));

  test("names a folder that holds only folders", async () => {
    await scene.put("l/archive/main/17-1/0000000100000000/000000010000000000000001.zst", "wal");
    await scene.put("l/archive/main/archive.info", "info");
    const list = await under("l/archive/main/");
    expect(list.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(["l/archive/main/17-1/"]);
    expect(list.Contents?.map(({ Key }) => Key)).toEqual(["l/archive/main/archive.info"]);
  });

  test("goes on where the page before it ended, without a gap and without a repetition", async () => {
    const keys = ["p/a", "p/b/1", "p/b/2", "p/c", "p/d/1"];
    for (const key of keys) await scene.put(key, "x");
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
      expect(scene.recorder.list({ action: "ListObjectsV2" }).at(-1)).toMatchObject({
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
    await scene.put("range", "abcdefghij");
    expect(await scene.read("range", range)).toBe(expected);
  });

  test("goes over the borders of parts", async () => {
    const Key = "range/parts";
    const { UploadId } = await scene.s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const Parts = [];
    for (const [index, Body] of ["abc", "def", "ghi"].entries()) {
      const PartNumber = index + 1;
      const { ETag } = await scene.s3.send(
        new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }),
      );
      Parts.push({ PartNumber, ETag });
    }
    await scene.s3.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
    expect(await scene.read(Key, "bytes=2-6")).toBe("cdefg");
    const { ETag, ContentLength } = await scene.s3.send(new HeadObjectCommand({ Bucket, Key }));
    expect(ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
    expect(ContentLength).toBe(9);
  });

  test("behind the end is refused", async () => {
    await scene.put("range", "abc");
    await expect(scene.read("range", "bytes=3-")).rejects.toMatchObject({ name: "InvalidRange" });
  });
});

test("of those who write only what is not there yet one succeeds, and its bytes stay", async () => {
  const written = await Promise.allSettled(
    ["one", "two", "three"].map((body) => scene.putNew("first", body)),
  );
  const refused = written.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  expect(refused).toMatchObject([{ name: "PreconditionFailed" }, { name: "PreconditionFailed" }]);
  const before = await scene.read("first");
  expect(before).toBe(["one", "two", "three"][written.findIndex(({ status }) => status === "fulfilled")]);
  await expect(scene.putNew("first", "four")).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } });
  expect(await scene.read("first")).toBe(before);
});

describe("a deletion", () => {
  test("of what is not there succeeds", async () => {
    await scene.s3.send(new DeleteObjectCommand({ Bucket, Key: "nothing/here" }));
  });

  test("of many keys deletes these and tells nothing more when it is asked to be quiet", async () => {
    for (const key of ["d/1", "d/2", "d/<&>", "d/kept"]) await scene.put(key, "x");
    const answer = await scene.s3.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Quiet: true, Objects: ["d/1", "d/2", "d/<&>", "d/never"].map((Key) => ({ Key })) },
      }),
    );
    expect(answer.Errors ?? []).toEqual([]);
    expect(answer.Deleted ?? []).toEqual([]);
    const list = await scene.s3.send(new ListObjectsV2Command({ Bucket, Prefix: "d/" }));
    expect(list.Contents?.map(({ Key }) => Key)).toEqual(["d/kept"]);
  });

  test("gives the room back", async () => {
    const before = await blobs();
    await scene.put("room", "x".repeat(1000));
    await scene.put("room", "y".repeat(1000));
    expect((await blobs()).length).toBe(before.length + 1);
    await scene.s3.send(new DeleteObjectCommand({ Bucket, Key: "room" }));
    expect(await blobs()).toEqual(before);
  });

  async function blobs(): Promise<string[]> {
    const found = await readdir(join(scene.directory, "blobs"), { recursive: true, withFileTypes: true });
    return found
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort();
  }
});

test("a call that nobody makes here is refused by its name, not taken for another", async () => {
  await scene.put("source", "x");
  const copy = new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/source` });
  await expect(scene.s3.send(copy)).rejects.toMatchObject({ name: "NotImplemented" });
  await expect(scene.read("copy")).rejects.toMatchObject({ name: "NoSuchKey" });
});
