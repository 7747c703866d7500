import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Transform, type TransformCallback } from "node:stream";
import { ServiceError } from "../service.ts";

/** A thousand keys of a thousand characters, with what is written around them. */
const textBytesMax = 2 * 1024 * 1024;
const md5Bytes = 16;

/**
 * Takes the `aws-chunked` coding off a body: `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n … 0\r\n[trailers]`.
 * Signatures of single chunks are not checked; the request's own covers all headers.
 */
class ChunkDecoder extends Transform {
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes of the chunk that are still to come; null: a size line comes next. */
  #missing: number | null = null;
  #ended = false;

  override _transform(data: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    try {
      while (!this.#ended && this.#step()) {
        // Every step takes something off the rest.
      }
      done();
    } catch (error) {
      done(error instanceof Error ? error : malformed(String(error)));
    }
  }

  override _flush(done: TransformCallback): void {
    done(this.#ended ? null : malformed("the body ends in the middle of a chunk"));
  }

  #step(): boolean {
    if (this.#missing === null) return this.#readSize();
    if (this.#missing > 0) {
      if (this.#rest.length === 0) return false;
      const part = this.#rest.subarray(0, this.#missing);
      this.push(part);
      this.#rest = this.#rest.subarray(part.length);
      this.#missing -= part.length;
      return true;
    }
    if (this.#rest.length < 2) return false;
    this.#rest = this.#rest.subarray(2);
    this.#missing = null;
    return true;
  }

  #readSize(): boolean {
    const end = this.#rest.indexOf("\r\n");
    if (end < 0) return false;
    const size = /^([0-9a-f]+)(?:;.*)?$/i.exec(this.#rest.subarray(0, end).toString("latin1"))?.[1];
    if (size === undefined) throw malformed("a chunk does not begin with its size");
    this.#rest = this.#rest.subarray(end + 2);
    this.#missing = Number.parseInt(size, 16);
    this.#ended = this.#missing === 0;
    return true;
  }
}

function malformed(reason: string): ServiceError {
  return new ServiceError("IncompleteBody", `The body's coding is broken: ${reason}.`);
}

/** As S3: what is larger comes in parts. */
const bodyBytesMax = 5 * 1024 ** 3;

/**
 * A request's body as it comes, without its coding. It ends with an error when it is longer than S3 takes, shorter than
 * announced or not the one that was signed.
 */
export async function* bodyOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  const chunked = isChunked(request);
  // A refused body is read to its end by whoever answers, so it must not be destroyed here.
  const source = chunked
    ? request.compose<ChunkDecoder>(new ChunkDecoder())
    : request.iterator({ destroyOnReturn: false });
  const signed = headerOf(request, "x-amz-content-sha256");
  const sha256 = signed !== null && /^[0-9a-f]{64}$/i.test(signed) ? createHash("sha256") : null;
  const announced = headerOf(request, chunked ? "x-amz-decoded-content-length" : "content-length");
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) {
      throw new ServiceError(
        "EntityTooLarge",
        `One request carries at most ${bodyBytesMax} bytes: use parts.`,
      );
    }
    sha256?.update(chunk);
    yield chunk;
  }
  if (announced !== null && Number(announced) !== bytes) {
    throw new ServiceError(
      "IncompleteBody",
      `The request announced ${announced} bytes in its body and carried ${bytes}.`,
    );
  }
  if (sha256 !== null && sha256.digest("hex") !== signed?.toLowerCase()) {
    throw new ServiceError("XAmzContentSHA256Mismatch", "The body is not the one that was signed.");
  }
}

/** The body of a call whose body says what to do. */
export async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  const md5 = createHash("md5");
  let bytes = 0;
  for await (const chunk of bodyOf(request)) {
    bytes += chunk.length;
    if (bytes > textBytesMax) {
      throw new ServiceError("MalformedXML", `A list in a request has at most ${textBytesMax} bytes.`);
    }
    md5.update(chunk);
    chunks.push(chunk);
  }
  const announced = md5Of(request);
  if (announced !== null && announced !== md5.digest("hex")) throw badDigest();
  return Buffer.concat(chunks).toString("utf8");
}

/** The body's MD5 as its sender told it, in hexadecimal. */
export function md5Of(request: IncomingMessage): string | null {
  const header = headerOf(request, "content-md5");
  if (header === null) return null;
  const digest = Buffer.from(header, "base64");
  if (digest.length !== md5Bytes) {
    throw new ServiceError("InvalidDigest", "The Content-MD5 you specified is not valid.");
  }
  return digest.toString("hex");
}

/** What was sent is not what was announced. */
export function badDigest(): ServiceError {
  return new ServiceError("BadDigest", "The Content-MD5 you specified did not match what we received.");
}

export function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return value === undefined ? null : Array.isArray(value) ? value.join(",") : value;
}

function isChunked(request: IncomingMessage): boolean {
  return headerOf(request, "x-amz-content-sha256")?.startsWith("STREAMING-") === true;
}
