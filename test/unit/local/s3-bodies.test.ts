import { createHash } from "node:crypto";
import { PassThrough } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
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

test("a body that is not the one that was signed is refused and not kept", async () => {
  const forging = new S3Client({ ...scene.endpoints.operator, forcePathStyle: true });
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
  await expect(scene.read("forged")).rejects.toMatchObject({ name: "NoSuchKey" });
});

describe("a body", () => {
  test("with another MD5 than announced is refused and not kept", async () => {
    const ContentMD5 = createHash("md5").update("other").digest("base64");
    const wrong = new PutObjectCommand({ Bucket, Key: "digest", Body: "text", ContentMD5 });
    await expect(scene.s3.send(wrong)).rejects.toMatchObject({ name: "BadDigest" });
    await expect(scene.read("digest")).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("lies on the disk while it comes, and is an object when it has come to its end", async () => {
    const half = Buffer.alloc(8 * 1024 * 1024, "x");
    const Body = new PassThrough();
    const sent = scene.s3.send(
      new PutObjectCommand({ Bucket, Key: "long", Body, ContentLength: half.length * 2 }),
    );
    Body.write(half);
    await vi.waitFor(async () => expect((await scene.drafts())[0]).toBeGreaterThan(half.length / 2), {
      timeout: 5_000,
    });
    await expect(scene.read("long")).rejects.toMatchObject({ name: "NoSuchKey" });
    Body.end(half);
    await sent;
    expect((await scene.read("long")).length).toBe(half.length * 2);
    expect(await scene.drafts()).toEqual([]);
  });

  test("whose sender goes away leaves nothing", async () => {
    const Body = new PassThrough();
    const abort = new AbortController();
    const sent = scene.s3.send(new PutObjectCommand({ Bucket, Key: "gone", Body, ContentLength: 1000 }), {
      abortSignal: abort.signal,
    });
    Body.write("x".repeat(500));
    await vi.waitFor(async () => expect((await scene.drafts()).length).toBe(1), { timeout: 5_000 });
    abort.abort();
    await expect(sent).rejects.toThrow();
    await vi.waitFor(async () => expect(await scene.drafts()).toEqual([]), { timeout: 5_000 });
    await expect(scene.read("gone")).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("that cannot be kept is answered with an error, and the connection goes on", async () => {
    vi.spyOn(scene.store, "put").mockImplementationOnce(async (_bucket, _key, { bytes }) => {
      for await (const _chunk of bytes) break;
      throw new Error("no space left on device");
    });
    const Body = Buffer.alloc(4 * 1024 * 1024, "x");
    const sent = scene.s3.send(new PutObjectCommand({ Bucket, Key: "full", Body }));
    await expect(sent).rejects.toMatchObject({ name: "InternalError" });
    expect(scene.errors.splice(0)).toEqual([new Error("no space left on device")]);
    await scene.put("full", "room again");
    expect(await scene.read("full")).toBe("room again");
  });

  test("of a refused request does not spoil the connection for the next one", async () => {
    scene.faults.add({ service: "s3", action: "PutObject", effect: { kind: "throttle" } });
    const Body = "x".repeat(1024 * 1024);
    const refused = new PutObjectCommand({ Bucket, Key: "next", Body });
    await expect(scene.s3.send(refused)).rejects.toMatchObject({ name: "SlowDown" });
    await scene.put("next", "taken");
    expect(await scene.read("next")).toBe("taken");
  });
});

describe("an upload in parts", () => {
  test("that is aborted is gone with its parts", async () => {
    const Key = "aborted";
    const { UploadId } = await scene.s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    await scene.s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: "x" }));
    await scene.s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    const part = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 2, Body: "x" });
    await expect(scene.s3.send(part)).rejects.toMatchObject({ name: "NoSuchUpload" });
    const calls = ["CreateMultipartUpload", "UploadPart", "AbortMultipartUpload", "UploadPart"];
    await vi.waitFor(() => expect(scene.actionsOn(Key)).toEqual(calls));
  });

  test("is not completed with a part that was not sent", async () => {
    const Key = "incomplete";
    const { UploadId } = await scene.s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const { ETag } = await scene.s3.send(
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
    await expect(scene.s3.send(complete)).rejects.toMatchObject({ name: "InvalidPart" });
    await expect(scene.read(Key)).rejects.toMatchObject({ name: "NoSuchKey" });
  });
});

describe("a fault", () => {
  test("that loses the request leaves nothing done, one that loses the answer leaves it done", async () => {
    scene.faults.add({ service: "s3", action: "PutObject", effect: { kind: "drop-request" } });
    await expect(scene.put("f/request", "x")).rejects.toThrow();
    await expect(scene.read("f/request")).rejects.toMatchObject({ name: "NoSuchKey" });
    scene.faults.add({ service: "s3", action: "PutObject", effect: { kind: "drop-answer" } });
    await expect(scene.put("f/answer", "x")).rejects.toThrow();
    expect(await scene.read("f/answer")).toBe("x");
  });

  test("can refuse writes while reads go on", async () => {
    await scene.put("f/read", "x");
    const effect = { kind: "error", code: "AccessDenied", statusCode: 403 } as const;
    scene.faults.add({ service: "s3", action: "PutObject", times: 2, effect });
    await expect(scene.put("f/read", "y")).rejects.toMatchObject({ name: "AccessDenied" });
    expect(await scene.read("f/read")).toBe("x");
  });
});
