import { Transform, type TransformCallback } from "node:stream";

/** What was sent is not what was signed. */
export class BodyMismatch extends Error {
  override readonly name = "BodyMismatch";
}

/**
 * Takes the `aws-chunked` coding off a body: `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n … 0\r\n[trailers]`.
 * Signatures of single chunks are not checked; the request's own covers all headers.
 */
export class ChunkDecoder extends Transform {
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
      done(error instanceof Error ? error : new BodyMismatch(String(error)));
    }
  }

  override _flush(done: TransformCallback): void {
    done(this.#ended ? null : new BodyMismatch("the body ends in the middle of a chunk"));
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
    if (size === undefined) throw new BodyMismatch("a chunk does not begin with its size");
    this.#rest = this.#rest.subarray(end + 2);
    this.#missing = Number.parseInt(size, 16);
    this.#ended = this.#missing === 0;
    return true;
  }
}
