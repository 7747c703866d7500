import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { ServiceError } from "../service.ts";
import type { ByteRange } from "./blobs.ts";
import { bodyOf, headerOf, md5Of, textOf } from "./body.ts";
import type { ObjectCall } from "./calls.ts";
import { partNumberMax, type StoredObject } from "./catalogue.ts";
import type { ObjectBody, ObjectStore } from "./store.ts";
import { decodeCompletion, decodeDeletion, encodeAnswer, type XmlFields } from "./xml.ts";

/** One call on its way to its answer. */
export interface Exchange {
  readonly store: ObjectStore;
  readonly call: ObjectCall;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Hears of the objects that a call names in its body, and says which of them are not its caller's to delete. */
  readonly refusedAmong: (keys: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** Also what S3 answers at most, whatever is asked for. */
const listMax = 1_000;

/** Carries a call out and answers it. @throws {ServiceError} as S3 answers, as long as nothing was sent. */
export async function answerCall(exchange: Exchange): Promise<void> {
  switch (exchange.call.action) {
    case "ListBuckets":
      return listBuckets(exchange);
    case "HeadBucket":
      return headBucket(exchange);
    case "ListObjectsV2":
      return listObjects(exchange);
    case "DeleteObjects":
      return deleteObjects(exchange);
    case "HeadObject":
    case "GetObject":
      return readObject(exchange);
    case "PutObject":
      return putObject(exchange);
    case "DeleteObject":
      return deleteObject(exchange);
    case "CreateMultipartUpload":
      return beginUpload(exchange);
    case "UploadPart":
      return uploadPart(exchange);
    case "CompleteMultipartUpload":
      return completeUpload(exchange);
    case "AbortMultipartUpload":
      return abortUpload(exchange);
  }
}

function listBuckets({ store, response }: Exchange): void {
  const buckets = store.buckets().map((Name) => ({ Name }));
  sendXml(response, "ListAllMyBucketsResult", { Buckets: { Bucket: buckets } });
}

function headBucket({ store, call, response }: Exchange): void {
  store.list(call.bucket, { prefix: "", delimiter: "", after: "", max: 0 });
  response.writeHead(200).end();
}

function listObjects({ store, call, response }: Exchange): void {
  const { parameters } = call;
  if (parameters.get("list-type") !== "2") {
    throw new ServiceError("NotImplemented", "Only lists of the type 2 are known here.", 501);
  }
  const prefix = parameters.get("prefix") ?? "";
  const delimiter = parameters.get("delimiter") ?? "";
  const token = parameters.get("continuation-token");
  const max = Math.min(listMax, countOf(parameters.get("max-keys")));
  const after = token === null ? (parameters.get("start-after") ?? "") : readToken(token);
  const list = store.list(call.bucket, { prefix, delimiter, after, max });
  const inUrls = parameters.get("encoding-type") === "url";
  const written = (text: string) => (inUrls ? encodeURIComponent(text).replaceAll("%2F", "/") : text);
  sendXml(response, "ListBucketResult", {
    Name: call.bucket,
    Prefix: written(prefix),
    Delimiter: delimiter === "" ? null : written(delimiter),
    MaxKeys: max,
    EncodingType: inUrls ? "url" : null,
    KeyCount: list.objects.length + list.commonPrefixes.length,
    IsTruncated: list.next !== null,
    ContinuationToken: token,
    NextContinuationToken: list.next === null ? null : writeToken(list.next),
    Contents: list.objects.map((object) => ({
      Key: written(object.key),
      LastModified: new Date(object.modifiedAt).toISOString(),
      ETag: quoted(object.etag),
      Size: object.sizeBytes,
      StorageClass: "STANDARD",
    })),
    CommonPrefixes: list.commonPrefixes.map((common) => ({ Prefix: written(common) })),
  });
}

/** S3 asks about each object for itself: those that are refused stay, and the answer names them. */
async function deleteObjects({ store, call, request, response, refusedAmong }: Exchange): Promise<void> {
  const { keys, quiet } = decodeDeletion(await textOf(request));
  const refused = await refusedAmong(keys);
  const deleted = keys.filter((key) => !refused.has(key));
  for (const key of deleted) await store.delete(call.bucket, key);
  sendXml(response, "DeleteResult", {
    Deleted: quiet ? [] : deleted.map((Key) => ({ Key })),
    Error: [...refused].map((Key) => ({ Key, Code: "AccessDenied", Message: "Access Denied" })),
  });
}

async function readObject({ store, call, request, response }: Exchange): Promise<void> {
  const object = store.get(call.bucket, call.key);
  const range = rangeOf(headerOf(request, "range"), object.sizeBytes);
  const { first, last } = range ?? { first: 0, last: object.sizeBytes - 1 };
  response.writeHead(range === null ? 200 : 206, {
    ...describe(object),
    "content-length": last - first + 1,
    ...(range === null ? {} : { "content-range": `bytes ${first}-${last}/${object.sizeBytes}` }),
  });
  if (call.action === "HeadObject") response.end();
  else await pipeline(store.read(object, { first, last }), response);
}

async function putObject({ store, call, request, response }: Exchange): Promise<void> {
  const isNewOnly = headerOf(request, "if-none-match") !== null;
  const { etag } = await store.put(call.bucket, call.key, receivedBody(request), isNewOnly);
  response.writeHead(200, { etag: quoted(etag), "content-length": 0 }).end();
}

async function deleteObject({ store, call, response }: Exchange): Promise<void> {
  await store.delete(call.bucket, call.key);
  response.writeHead(204).end();
}

function beginUpload({ store, call, request, response }: Exchange): void {
  const id = store.beginUpload(call.bucket, call.key, headerOf(request, "content-type"));
  sendXml(response, "InitiateMultipartUploadResult", { Bucket: call.bucket, Key: call.key, UploadId: id });
}

async function uploadPart({ store, call, request, response }: Exchange): Promise<void> {
  const number = countOf(call.parameters.get("partNumber"));
  if (number < 1 || number > partNumberMax) {
    throw new ServiceError(
      "InvalidArgument",
      `Part number must be an integer between 1 and ${partNumberMax}, inclusive`,
    );
  }
  const etag = await store.putPart(uploadOf(call), number, receivedBody(request));
  response.writeHead(200, { etag: quoted(etag), "content-length": 0 }).end();
}

async function completeUpload({ store, call, request, response }: Exchange): Promise<void> {
  const parts = decodeCompletion(await textOf(request));
  const { etag } = await store.completeUpload(uploadOf(call), parts);
  sendXml(response, "CompleteMultipartUploadResult", {
    Bucket: call.bucket,
    Key: call.key,
    ETag: quoted(etag),
  });
}

async function abortUpload({ store, call, response }: Exchange): Promise<void> {
  await store.abortUpload(uploadOf(call));
  response.writeHead(204).end();
}

function sendXml(response: ServerResponse, root: string, fields: XmlFields): void {
  const body = encodeAnswer(root, fields);
  response
    .writeHead(200, { "content-type": "application/xml", "content-length": Buffer.byteLength(body) })
    .end(body);
}

function receivedBody(request: IncomingMessage): ObjectBody {
  return { bytes: bodyOf(request), contentType: headerOf(request, "content-type"), md5: md5Of(request) };
}

function uploadOf({ bucket, key, parameters }: ObjectCall) {
  return { bucket, key, id: parameters.get("uploadId") ?? "" };
}

function describe(object: StoredObject): Record<string, string> {
  return {
    etag: quoted(object.etag),
    "last-modified": new Date(object.modifiedAt).toUTCString(),
    "content-type": object.contentType ?? "binary/octet-stream",
    "accept-ranges": "bytes",
  };
}

/**
 * The bytes that are asked for; null where all are. A range of another form than one of bytes is taken for none, as
 * RFC 9110 has it.
 */
function rangeOf(header: string | null, sizeBytes: number): ByteRange | null {
  const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === "" && to === "") return null;
  const end = sizeBytes - 1;
  const range =
    from === ""
      ? { first: Math.max(0, sizeBytes - Number(to)), last: end }
      : { first: Number(from), last: to === "" ? end : Math.min(end, Number(to)) };
  if (range.first > range.last) {
    throw new ServiceError("InvalidRange", "The requested range is not satisfiable", 416);
  }
  return range;
}

function countOf(text: string | null): number {
  if (text === null) return listMax;
  if (!/^\d{1,9}$/.test(text)) throw new ServiceError("InvalidArgument", `${text} is not a count`);
  return Number(text);
}

const quoted = (etag: string) => `"${etag}"`;
const writeToken = (after: string) => Buffer.from(after, "utf8").toString("base64url");
const readToken = (token: string) => Buffer.from(token, "base64url").toString("utf8");
