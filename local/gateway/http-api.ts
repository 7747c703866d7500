import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { JWTPayload } from "jose";
import { type ProblemCode, problemKinds } from "../../layers/domain/problems.ts";
import { type HttpAnswer, readAnswer } from "./answer.ts";
import { makeEvent } from "./event.ts";
import { type Route, RouteTable } from "./routes.ts";
import { TokenError, type Tokens } from "./tokens.ts";

/** API Gateway's own limits. */
const bodyBytesMax = 10 * 1024 * 1024;
const integrationTimeoutMs = 30_000;
/** Longer than clients keep an idle connection, so that they are the ones who close it. */
const keepAliveMs = 120_000;

/** One request and how it went: no header and no query, so no token either. */
export interface AccessLogEntry {
  readonly requestId: string;
  readonly sourceAddress: string;
  readonly method: string;
  readonly path: string;
  readonly routeKey: string | null;
  readonly status: number;
  readonly durationMs: number;
}

export interface HttpApiOptions {
  readonly routes: readonly Route[];
  /** Verifies the tokens of routes with a JWT authorizer. */
  readonly tokens: Tokens;
  readonly account: string;
  readonly apiId: string;
  /** Runs the integration's function. */
  readonly invoke: (
    integration: string,
    payload: string,
    trace: string | undefined,
  ) => Promise<{ payload: string | null; functionError: string | null }>;
  readonly onRequest?: (entry: AccessLogEntry) => void;
  readonly onError?: (error: unknown) => void;
}

interface Refusal {
  readonly code: ProblemCode;
  readonly detail: string;
  /** Where it is not the code's own. */
  readonly status?: number;
}

class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, options?: { cause: unknown }) {
    super(refusal.detail, options);
    this.refusal = refusal;
  }
}

/** The environment's HTTP API: routes, JWT authorizer and Lambda integrations as API Gateway has them. */
export class HttpApi {
  readonly #options: HttpApiOptions;
  #routes: RouteTable;
  #server: Server | null = null;

  constructor(options: HttpApiOptions) {
    this.#options = options;
    this.#routes = new RouteTable(options.routes);
  }

  /** Replaces the routes, for a deployment that changes them. */
  setRoutes(routes: readonly Route[]): void {
    this.#routes = new RouteTable(routes);
  }

  /** @returns the port, chosen by the system where `port` is 0. */
  async listen(address: { host: string; port: number }): Promise<number> {
    const server = createServer((request, response) => void this.#handle(request, response));
    server.keepAliveTimeout = keepAliveMs;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(address.port, address.host, () => {
        server.off("error", reject);
        resolve();
      });
    });
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const requestId = randomUUID();
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const match = this.#routes.match(request.method ?? "GET", path);
    let answer: HttpAnswer;
    try {
      answer = await this.#answer(request, match, requestId);
    } catch (error) {
      if (!(error instanceof Refused)) this.#options.onError?.(error);
      answer = problem(error instanceof Refused ? error.refusal : internalError, requestId);
    }
    send(request, response, answer, requestId);
    this.#options.onRequest?.({
      requestId,
      sourceAddress: request.socket.remoteAddress ?? "",
      method: request.method ?? "",
      path,
      routeKey: match?.route.routeKey ?? null,
      status: answer.statusCode,
      durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    });
  }

  async #answer(
    request: IncomingMessage,
    match: ReturnType<RouteTable["match"]>,
    requestId: string,
  ): Promise<HttpAnswer> {
    if (match === null) throw new Refused(noRoute);
    const claims = match.route.authorization === "jwt" ? await this.#authorize(request) : null;
    const body = await readBody(request);
    const event = makeEvent(request, {
      match,
      requestId,
      claims,
      account: this.#options.account,
      apiId: this.#options.apiId,
      body,
      now: new Date(),
    });
    const result = await withinIntegrationTime(
      this.#options.invoke(match.route.integration, JSON.stringify(event), traceOf(request)),
    );
    if (result.functionError !== null) throw new Refused(internalError);
    const answer = readAnswer(result.payload ?? "");
    if (answer === null) throw new Refused(internalError);
    return answer;
  }

  async #authorize(request: IncomingMessage): Promise<JWTPayload> {
    const header = request.headers.authorization;
    if (header === undefined || header === "") {
      throw new Refused(unauthenticated("there is no token: send it as Authorization: Bearer <token>"));
    }
    try {
      return await this.#options.tokens.verify(header.replace(/^Bearer\s+/i, ""));
    } catch (error) {
      if (error instanceof TokenError) throw new Refused(unauthenticated(error.message), { cause: error });
      throw error;
    }
  }
}

/** A caller may bring a trace of its own. */
function traceOf({ headers }: IncomingMessage): string | undefined {
  const header = headers["x-amzn-trace-id"];
  return typeof header === "string" ? header : undefined;
}

async function withinIntegrationTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Refused(unavailable)), integrationTimeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new Refused(tooLarge);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: HttpAnswer,
  requestId: string,
): void {
  if (response.destroyed) return;
  for (const [name, value] of Object.entries(answer.headers)) {
    response.setHeader(name, typeof value === "string" ? value : [...value]);
  }
  response.setHeader("apigw-requestid", requestId);
  response.setHeader("content-length", answer.body.length);
  // What was not read of a refused body must not be taken for the next request.
  if (!request.complete) response.setHeader("connection", "close");
  response.writeHead(answer.statusCode);
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

function problem(refusal: Refusal, requestId: string): HttpAnswer {
  const { code, detail } = refusal;
  const { title } = problemKinds[code];
  const status = refusal.status ?? problemKinds[code].status;
  const body = { type: `/docs#${code}`, title, status, detail, code, requestId };
  return {
    statusCode: status,
    headers: {
      "content-type": "application/problem+json",
      ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    },
    body: Buffer.from(JSON.stringify(body)),
  };
}

function unauthenticated(detail: string): Refusal {
  return { code: "unauthenticated", detail };
}

const noRoute: Refusal = { code: "not-found", detail: "there is no such path" };
const tooLarge: Refusal = { code: "body-too-large", detail: `a body has at most ${bodyBytesMax} bytes` };
const unavailable: Refusal = { code: "internal", status: 503, detail: "the function did not answer in time" };
const internalError: Refusal = { code: "internal", detail: "the function failed; its log says why" };
