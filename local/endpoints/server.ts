import { randomUUID, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Refusal } from "../permissions/refuse.ts";
import type { CallListener } from "../permissions/watch.ts";
import { administrationPrefix, answerAdministration } from "./administration.ts";
import { Dropped, type Faults, suffer } from "./faults.ts";
import type { Identities } from "./identities.ts";
import { fallbackProtocol, type Protocol, protocols, type WireAnswer } from "./protocols.ts";
import type { Recorder } from "./recorder.ts";
import { type Caller, type Service, ServiceError } from "./service.ts";
import { type Authorization, parseAuthorization, sha256, verifySignature } from "./signature.ts";

/** Lambda takes six megabytes and a checkpoint less than one; more than this is a mistake. */
const bodyBytesMax = 10 * 1024 * 1024;
/** Longer than any client keeps an idle connection, so that the client is the one who closes it. */
const keepAliveMs = 120_000;

/** S3 streams its bodies, so it gets the raw request once the caller is known. */
export interface ObjectFront {
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    authorize: (payloadHash: string) => Caller,
    requestId: string,
  ): Promise<void>;
}

export interface EndpointServerOptions {
  readonly services: readonly Service[];
  readonly identities: Identities;
  readonly recorder: Recorder;
  readonly faults: Faults;
  readonly objects?: ObjectFront;
  /** Hears of calls before they are carried out, while what they remove is there. */
  readonly onCall?: CallListener;
  /** Says no to calls that the caller's role may not make. */
  readonly refusal?: Refusal;
  /** Hears of errors that are nobody's answer: defects of ours. */
  readonly onError?: (error: unknown) => void;
}

/**
 * The AWS endpoint of an environment: one HTTP server for all services, told apart by the service name that the
 * request's signature is for.
 */
export class EndpointServer {
  readonly #options: EndpointServerOptions;
  readonly #services: ReadonlyMap<string, Service>;
  readonly #servers: Server[] = [];

  constructor(options: EndpointServerOptions) {
    this.#options = options;
    this.#services = new Map(options.services.map((service) => [service.name, service]));
  }

  /** Listens on one more address. @returns the port, chosen by the system where `port` is 0. */
  async listen(address: { host: string; port: number }): Promise<number> {
    const server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        if (!(error instanceof Dropped)) this.#options.onError?.(error);
        response.destroy();
      });
    });
    server.keepAliveTimeout = keepAliveMs;
    server.requestTimeout = 0;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(address.port, address.host, () => {
        server.off("error", reject);
        resolve();
      });
    });
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#servers.splice(0).map(async (server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomUUID();
    if (request.url?.startsWith(administrationPrefix)) {
      await this.#administer(request, response);
      return;
    }
    let protocol: Protocol = fallbackProtocol;
    try {
      const authorization = authorizationOf(request);
      if (authorization.service === "s3" && this.#options.objects !== undefined) {
        const authorize = (payloadHash: string) =>
          verifySignature(wireOf(request), authorization, payloadHash, this.#options.identities);
        await this.#options.objects.handle(request, response, authorize, requestId);
        return;
      }
      protocol = protocols[authorization.service] ?? fallbackProtocol;
      send(response, await this.#call(request, authorization, protocol, requestId), requestId);
    } catch (error) {
      if (error instanceof Dropped) throw error;
      send(response, protocol.encodeError(this.#asServiceError(error), requestId), requestId);
    }
  }

  async #call(
    request: IncomingMessage,
    authorization: Authorization,
    protocol: Protocol,
    requestId: string,
  ): Promise<WireAnswer> {
    const service = this.#services.get(authorization.service);
    if (service === undefined) {
      throw new ServiceError(
        "UnknownOperationException",
        `There is no service ${authorization.service} here.`,
        404,
      );
    }
    const body = await readBody(request);
    const wire = wireOf(request);
    const caller = verifySignature(wire, authorization, sha256(body), this.#options.identities);
    const { action, input } = protocol.decode({ ...wire, body });
    const output = await this.#perform(service, action, input, caller, requestId);
    return protocol.encodeAnswer(action, output, requestId);
  }

  async #perform(
    service: Service,
    action: string,
    input: Record<string, unknown>,
    caller: Caller,
    requestId: string,
  ): Promise<Record<string, unknown>> {
    const startedAt = performance.now();
    const effects = this.#options.faults.take({ service: service.name, action, caller, input });
    let errorCode: string | null = null;
    const asked = { service: service.name, action, input, caller };
    try {
      const refused = this.#options.refusal?.(asked) ?? null;
      if (refused !== null) throw refused;
      this.#options.onCall?.(asked);
      for (const effect of effects) await suffer(effect, throttled(service.name));
      const output = await service.call(action, input, caller);
      if (effects.some((effect) => effect.kind === "repeat")) await service.call(action, input, caller);
      if (effects.some((effect) => effect.kind === "drop-answer"))
        throw new Dropped("answer dropped by a fault");
      return output;
    } catch (error) {
      errorCode = error instanceof Dropped ? "(dropped)" : this.#asServiceError(error).code;
      throw error;
    } finally {
      this.#options.recorder.record({
        requestId,
        service: service.name,
        action,
        caller,
        input,
        errorCode,
        durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
      });
    }
  }

  async #administer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const given = Buffer.from(request.headers.authorization?.replace(/^Bearer /, "") ?? "");
    const expected = Buffer.from(this.#options.identities.adminToken());
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      response.writeHead(403).end();
      return;
    }
    const body = await readBody(request);
    const answer = answerAdministration(
      { method: request.method ?? "GET", url: request.url ?? "/", body },
      this.#options,
    );
    response.writeHead(answer.statusCode, { "content-type": "application/json" }).end(answer.body);
  }

  #asServiceError(error: unknown): ServiceError {
    if (error instanceof ServiceError) return error;
    this.#options.onError?.(error);
    return new ServiceError("InternalError", "An internal error occurred.", 500, { cause: error });
  }
}

function throttled(service: string): ServiceError {
  return service === "ec2"
    ? new ServiceError("RequestLimitExceeded", "Request limit exceeded.", 503)
    : new ServiceError("ThrottlingException", "Rate exceeded", 400);
}

function authorizationOf(request: IncomingMessage): Authorization {
  const authorization = parseAuthorization(wireOf(request));
  if (authorization === null) {
    throw new ServiceError("MissingAuthenticationToken", "The request is not signed.", 403);
  }
  return authorization;
}

function wireOf(request: IncomingMessage) {
  return { method: request.method ?? "GET", url: request.url ?? "/", headers: request.headers };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) {
      throw new ServiceError("RequestEntityTooLarge", `The body is longer than ${bodyBytesMax} bytes.`, 413);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, answer: WireAnswer, requestId: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = Buffer.from(answer.body);
  response.writeHead(answer.statusCode, {
    ...answer.headers,
    "content-length": body.length,
    "x-amzn-requestid": requestId,
  });
  response.end(body);
}
