import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Faults } from "../faults.ts";
import type { Recorder } from "../recorder.ts";
import type { ObjectFront } from "../server.ts";
import { type Caller, ServiceError, serviceError } from "../service.ts";
import { sha256, splitUrl } from "../signature.ts";
import { BodyMismatch, ChunkDecoder } from "./body.ts";
import type { ObjectStore } from "./store.ts";

/** Clients send larger objects in parts; parts have five to eight megabytes by default. */
const bodyBytesMax = 128 * 1024 * 1024;

/** Not passed on: they were for us, or describe the connection. */
const ownHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "expect",
  "host",
  "transfer-encoding",
  "x-amz-content-sha256",
  "x-amz-date",
  "content-length",
  "x-amz-decoded-content-length",
  "x-amz-sdk-checksum-algorithm",
  "x-amz-security-token",
  "x-amz-trailer",
]);

interface ObjectCall {
  readonly action: string;
  readonly input: { readonly Bucket: string; readonly Key: string | null };
}

/** S3's front: signatures, records and faults, before the store that has none of them. */
export class S3Front implements ObjectFront {
  readonly #store: ObjectStore;
  readonly #recorder: Recorder;
  readonly #faults: Faults;

  constructor(options: { store: ObjectStore; recorder: Recorder; faults: Faults }) {
    this.#store = options.store;
    this.#recorder = options.recorder;
    this.#faults = options.faults;
  }

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    authorize: (payloadHash: string) => Caller,
    requestId: string,
  ): Promise<void> {
    const startedAt = performance.now();
    const call = describeCall(request);
    let caller: Caller = { accessKeyId: "", arn: "(unknown)", roleName: null };
    let errorCode: string | null = null;
    try {
      const payloadHash = request.headers["x-amz-content-sha256"];
      caller = authorize(typeof payloadHash === "string" ? payloadHash : "UNSIGNED-PAYLOAD");
      refuseTraversal(request.url ?? "/");
      for (const effect of this.#faults.take({ service: "s3", ...call, caller })) {
        if (effect.kind === "error") {
          throw new ServiceError(
            effect.code,
            effect.message ?? "a fault was injected",
            effect.statusCode ?? 400,
          );
        }
        if (effect.kind === "throttle")
          throw new ServiceError("SlowDown", "Please reduce your request rate.", 503);
      }
      await this.#forward(request, response, requestId);
    } catch (error) {
      const known = asServiceError(error);
      errorCode = known.code;
      answerError(response, known, requestId);
    } finally {
      const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
      this.#recorder.record({ requestId, service: "s3", ...call, caller, errorCode, durationMs });
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    const { path, query } = splitUrl(request.url ?? "/");
    const parameters = query.split("&").filter((part) => part !== "" && !/^x-amz-/i.test(part));
    const body = await bodyOf(request);
    const answer = await this.#store.send({
      method: request.method ?? "GET",
      path: parameters.length === 0 ? path : `${path}?${parameters.join("&")}`,
      headers: {
        ...forwardedHeaders(request),
        ...(body === null ? {} : { "content-length": String(body.length) }),
      },
      body,
    });
    const { connection: _connection, "keep-alive": _keepAlive, ...headers } = answer.headers;
    response.writeHead(answer.statusCode ?? 500, { ...headers, "x-amz-request-id": requestId });
    await pipeline(answer, response);
  }
}

function describeCall(request: IncomingMessage): ObjectCall {
  const { path, query } = splitUrl(request.url ?? "/");
  const [bucket = "", ...rest] = path.slice(1).split("/");
  const key = rest.join("/");
  const isObject = key !== "";
  const parameters = new URLSearchParams(query);
  const verb = request.method ?? "GET";
  let action = `${verb} ${isObject ? "object" : "bucket"}`;
  if (isObject) {
    if (verb === "GET") action = "GetObject";
    if (verb === "HEAD") action = "HeadObject";
    if (verb === "PUT") action = parameters.has("partNumber") ? "UploadPart" : "PutObject";
    if (verb === "DELETE") action = parameters.has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
    if (verb === "POST")
      action = parameters.has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
  } else {
    if (verb === "GET") action = bucket === "" ? "ListBuckets" : "ListObjectsV2";
    if (verb === "HEAD") action = "HeadBucket";
    if (verb === "PUT") action = "CreateBucket";
    if (verb === "DELETE") action = "DeleteBucket";
    if (verb === "POST" && parameters.has("delete")) action = "DeleteObjects";
  }
  return { action, input: { Bucket: bucket, Key: isObject ? key : null } };
}

/** The store makes paths of keys and lets them climb. */
function refuseTraversal(url: string): void {
  const { path } = splitUrl(url);
  const decoded = decodePath(path);
  if (decoded.split("/").some((part) => part === ".." || part === ".") || decoded.includes("\0")) {
    throw new ServiceError("InvalidURI", "A key must not have . or .. between its slashes.");
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw serviceError({ code: "InvalidURI", message: "Couldn't parse the specified URI.", cause });
  }
}

function forwardedHeaders(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (ownHeaders.has(name) || value === undefined) continue;
    headers[name] = Array.isArray(value) ? value.join(",") : value;
  }
  if (isChunked(request)) {
    const coding = (headers["content-encoding"] ?? "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "" && part !== "aws-chunked");
    if (coding.length > 0) headers["content-encoding"] = coding.join(",");
    else delete headers["content-encoding"];
  }
  return headers;
}

/**
 * The whole body, checked. It is held back until its end: the store writes what it gets at once, and would keep the
 * first half of a body that turns out wrong.
 */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
  if (!hasBody) return null;
  const hash = request.headers["x-amz-content-sha256"];
  const source = isChunked(request) ? request.compose<ChunkDecoder>(new ChunkDecoder()) : request;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) {
      throw new ServiceError(
        "EntityTooLarge",
        `One request carries at most ${bodyBytesMax} bytes here: use parts.`,
      );
    }
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (typeof hash === "string" && /^[0-9a-f]{64}$/i.test(hash) && sha256(body) !== hash.toLowerCase()) {
    throw new BodyMismatch("the body is not the one that was signed");
  }
  return body;
}

function isChunked(request: IncomingMessage): boolean {
  const hash = request.headers["x-amz-content-sha256"];
  return typeof hash === "string" && hash.startsWith("STREAMING-");
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof BodyMismatch) return new ServiceError("XAmzContentSHA256Mismatch", error.message);
  if (!(error instanceof ServiceError)) {
    return new ServiceError("InternalError", "The object store failed.", 500, { cause: error });
  }
  // S3 has names of its own for what the other services call otherwise.
  if (error.code === "UnrecognizedClientException") {
    return new ServiceError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist.", 403);
  }
  return error;
}

function answerError(response: ServerResponse, error: ServiceError, requestId: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${error.code}</Code><Message>${error.message.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</Message><RequestId>${requestId}</RequestId></Error>`;
  response.writeHead(error.statusCode, {
    "content-type": "application/xml",
    "content-length": Buffer.byteLength(body),
    "x-amz-request-id": requestId,
    // What was not read of a refused body must not be taken for the next request.
    connection: "close",
  });
  response.end(body);
}
