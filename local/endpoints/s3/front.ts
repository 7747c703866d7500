import { type IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { Dropped, type FaultEffect, suffer } from "../faults.ts";
import type { ObjectFront } from "../server.ts";
import { type Caller, ServiceError } from "../service.ts";
import { answerCall, type Exchange } from "./answers.ts";
import { headerOf } from "./body.ts";
import { describeRequest, readCall } from "./calls.ts";
import type { ObjectStore } from "./store.ts";
import { encodeError } from "./xml.ts";

export interface WatchedCall {
  readonly service: "s3";
  readonly action: string;
  readonly input: unknown;
  readonly caller: Caller;
}

/** Objects that are deleted together lie side by side: the first ones say where. */
const keysNotedMax = 10;

/** Hears of every call, and may make it fail: the environment's recorder and faults, wherever they are. */
export interface CallWatch {
  begin(call: WatchedCall): Promise<readonly FaultEffect[]> | readonly FaultEffect[];
  /** Of the objects that a call names in its body, those that its caller may not delete. */
  refusedKeys(call: WatchedCall, keys: readonly string[]): Promise<readonly string[]> | readonly string[];
  end(call: WatchedCall & { requestId: string; errorCode: string | null; durationMs: number }): void;
}

/** The S3 of an environment: signatures, faults and records before the store that has none of them. */
export class S3Front implements ObjectFront {
  readonly #store: ObjectStore;
  readonly #watch: CallWatch;
  readonly #onError: (error: unknown) => void;

  constructor(options: { store: ObjectStore; watch: CallWatch; onError?: (error: unknown) => void }) {
    this.#store = options.store;
    this.#watch = options.watch;
    this.#onError = options.onError ?? (() => undefined);
  }

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    authorize: (payloadHash: string) => Caller,
    requestId: string,
  ): Promise<void> {
    const startedAt = performance.now();
    const described = { service: "s3" as const, ...describeRequest(request) };
    let caller: Caller = { accessKeyId: "", arn: "(unknown)", roleName: null };
    let errorCode: string | null = null;
    response.setHeader("x-amz-request-id", requestId);
    try {
      caller = authorize(headerOf(request, "x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD");
      const effects = await this.#watch.begin({ ...described, caller });
      for (const effect of effects) await suffer(effect, throttled());
      const call = readCall(request);
      const refusedAmong = async (keys: readonly string[]) => {
        const refused = new Set(await this.#watch.refusedKeys({ ...described, caller }, keys));
        described.input.Keys = keys.filter((key) => !refused.has(key)).slice(0, keysNotedMax);
        return refused;
      };
      const exchange = { store: this.#store, call, request, refusedAmong };
      if (effects.some((effect) => effect.kind === "drop-answer")) await loseAnswer(exchange);
      await answerCall({ ...exchange, response });
    } catch (error) {
      errorCode = await this.#answerError(error, request, response, requestId);
    } finally {
      const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
      this.#watch.end({ ...described, caller, requestId, errorCode, durationMs });
    }
  }

  /** @returns the error's code for the record. */
  async #answerError(
    error: unknown,
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<string> {
    if (error instanceof Dropped) {
      request.socket.destroy();
      return "(dropped)";
    }
    if (request.destroyed && !request.complete) return "(disconnected)";
    const known = this.#asServiceError(error);
    if (response.headersSent) {
      response.destroy();
      return known.code;
    }
    // Clients send the whole body before they read the answer, and connections are used again.
    if (!request.complete) await finished(request.resume());
    const body = encodeError({ Code: known.code, Message: known.message, RequestId: requestId });
    response
      .writeHead(known.statusCode, {
        "content-type": "application/xml",
        "content-length": Buffer.byteLength(body),
      })
      .end(body);
    return known.code;
  }

  #asServiceError(error: unknown): ServiceError {
    if (!(error instanceof ServiceError)) {
      this.#onError(error);
      return new ServiceError("InternalError", "The object store failed.", 500, { cause: error });
    }
    // S3 has names of its own for what the other services call otherwise.
    if (error.code === "UnrecognizedClientException") {
      return new ServiceError(
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist.",
        403,
      );
    }
    if (error.code === "ExpiredTokenException") {
      return new ServiceError("ExpiredToken", "The provided token has expired.");
    }
    return error;
  }
}

/** Does the work and answers nobody. */
async function loseAnswer(exchange: Omit<Exchange, "response">): Promise<never> {
  const { request } = exchange;
  // What only reads does no work, and its answer may be long.
  const works = request.method !== "GET" && request.method !== "HEAD";
  if (works) await answerCall({ ...exchange, response: new ServerResponse(request) });
  throw new Dropped("answer dropped by a fault");
}

function throttled(): ServiceError {
  return new ServiceError("SlowDown", "Please reduce your request rate.", 503);
}
