import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  GetObjectCommand,
  PutObjectCommand,
  type PutObjectCommandOutput,
  S3Client,
} from "@aws-sdk/client-s3";
import { expect } from "vitest";
import { Faults } from "../../../../local/endpoints/faults.ts";
import { Recorder } from "../../../../local/endpoints/recorder.ts";
import { S3Front } from "../../../../local/endpoints/s3/front.ts";
import { ObjectStore } from "../../../../local/endpoints/s3/store.ts";
import { watchCalls } from "../../../../local/endpoints/s3/watch.ts";
import { startEndpoints } from "./endpoints.ts";

export const Bucket = "backups";

/** An S3 with one bucket, spoken to by the real SDK. */
export class S3Scene {
  readonly s3: S3Client;
  readonly recorder: Recorder;
  readonly faults: Faults;
  readonly errors: unknown[];
  readonly directory: string;
  readonly store: ObjectStore;
  readonly endpoints: Awaited<ReturnType<typeof startEndpoints>>;

  private constructor(
    parts: Pick<S3Scene, "directory" | "endpoints" | "errors" | "faults" | "recorder" | "store">,
  ) {
    this.directory = parts.directory;
    this.endpoints = parts.endpoints;
    this.errors = parts.errors;
    this.faults = parts.faults;
    this.recorder = parts.recorder;
    this.store = parts.store;
    this.s3 = new S3Client({ ...parts.endpoints.as("node"), forcePathStyle: true, maxAttempts: 1 });
  }

  static async open(): Promise<S3Scene> {
    const directory = await mkdtemp(join(tmpdir(), "pgherd-s3-"));
    const store = await ObjectStore.open({ directory, writer: "test" });
    await store.ensureBucket(Bucket);
    const [recorder, faults, errors]: [Recorder, Faults, unknown[]] = [new Recorder(), new Faults(), []];
    const watch = watchCalls({ recorder, faults });
    const front = new S3Front({ store, watch, onError: (error) => errors.push(error) });
    const endpoints = await startEndpoints([], front);
    return new S3Scene({ directory, endpoints, errors, faults, recorder, store });
  }

  /** Between two tests: no fault is left, and nothing went wrong unseen. */
  settle(): void {
    this.faults.clear();
    expect(this.errors).toEqual([]);
  }

  async close(): Promise<void> {
    this.s3.destroy();
    await this.endpoints.close();
    this.store.close();
    await rm(this.directory, { recursive: true });
  }

  put(Key: string, Body: string): Promise<PutObjectCommandOutput> {
    return this.s3.send(new PutObjectCommand({ Bucket, Key, Body }));
  }

  putNew(Key: string, Body: string): Promise<PutObjectCommandOutput> {
    return this.s3.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: "*" }));
  }

  async read(Key: string, Range?: string): Promise<string> {
    const answer = await this.s3.send(
      new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }),
    );
    return (await answer.Body?.transformToString()) ?? "";
  }

  /** What is on the disk of bodies that have not come to their end. */
  async drafts(): Promise<number[]> {
    const folder = join(this.directory, "drafts", "test");
    return Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
  }

  /** What was asked about an object. A call is recorded when its answer has left. */
  actionsOn(key: string): string[] {
    const calls = this.recorder
      .list()
      .map(({ action, input }) => ({ action, input: input as { Key: unknown } }));
    return calls.filter(({ input }) => input.Key === key).map(({ action }) => action);
  }
}
