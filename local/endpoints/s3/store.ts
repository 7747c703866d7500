import { fork } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ChildProgram } from "../child-program.ts";

export interface ObjectStoreOptions {
  /** Where buckets and objects are kept; the store's socket is beside them. */
  readonly directory: string;
  /** The Node.js binary that the store runs on. */
  readonly node: string;
}

const entry = join(import.meta.dirname, "store-main.ts");
const startTimeoutMs = 20_000;
/** All buckets of the store are ours: the one that exists is the one that is wanted. */
const bucketExists = 409;
/** Large enough for a node's parallel archive pushes. */
const socketsMax = 64;

const socketIn = (directory: string) => join(directory, "store.sock");

/** Starts the store's process, which ends with ours, and returns when it answers. */
export async function startObjectStore(options: ObjectStoreOptions): Promise<ChildProgram> {
  const data = join(options.directory, "objects");
  await mkdir(data, { recursive: true, mode: 0o700 });
  const child = fork(entry, [data, socketIn(options.directory)], {
    execPath: options.node,
    execArgv: ["--disable-warning=ExperimentalWarning", "--disable-warning=DEP0169"],
    env: { PATH: "/usr/bin:/bin", NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(`exit ${code ?? signal}`));
    child.once("error", (error) => resolve(String(error)));
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the object store did not answer within ${startTimeoutMs} ms`));
    }, startTimeoutMs);
    child.once("message", () => {
      clearTimeout(timer);
      resolve();
    });
    void exited.then((how) => {
      clearTimeout(timer);
      reject(new Error(`the object store ended at its start: ${how}`));
    });
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  if (child.pid === undefined) throw new Error("the object store has no process");
  return { pid: child.pid, exited, stop };
}

/** The store behind the S3 endpoint: s3rver in a process of its own, reached through a socket. */
export class ObjectStore {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: socketsMax });

  constructor(options: Pick<ObjectStoreOptions, "directory">) {
    this.#socketPath = socketIn(options.directory);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** `AWS::S3::Bucket` and the bucket of the deployment's assets. */
  async ensureBucket(bucket: string): Promise<void> {
    const answer = await this.send({ method: "PUT", path: `/${bucket}`, headers: {}, body: null });
    if (answer.statusCode === bucketExists) answer.resume();
    else await this.#expect(answer);
  }

  /** Puts a file as an object: an asset of the deployment. */
  async putFile(bucket: string, key: string, file: string): Promise<void> {
    const { size } = await stat(file);
    const path = `/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
    const headers = { "content-length": String(size), "content-type": "application/octet-stream" };
    await this.#expect(await this.send({ method: "PUT", path, headers, body: createReadStream(file) }));
  }

  /** Sends one request to the store, which checks nobody's signature. */
  async send(request: {
    method: string;
    path: string;
    headers: Readonly<Record<string, string>>;
    body: Readable | Buffer | null;
  }): Promise<IncomingMessage> {
    const answer = Promise.withResolvers<IncomingMessage>();
    const outgoing = httpRequest(
      {
        agent: this.#agent,
        socketPath: this.#socketPath,
        method: request.method,
        path: request.path,
        // Without a header of Amazon's the store takes a request for one of a website.
        headers: { ...request.headers, host: "localhost", "x-amz-date": new Date().toISOString() },
      },
      answer.resolve,
    );
    outgoing.on("error", answer.reject);
    if (request.body === null || Buffer.isBuffer(request.body)) outgoing.end(request.body ?? undefined);
    else pipeline(request.body, outgoing).catch(answer.reject);
    return answer.promise;
  }

  async #expect(response: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    if ((response.statusCode ?? 500) >= 300) {
      throw new Error(
        `the object store answered ${response.statusCode}: ${Buffer.concat(chunks).toString("utf8")}`,
      );
    }
  }
}
