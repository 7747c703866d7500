import { type Context, Hono } from "hono";
import type { EnvironmentSettings } from "../../domain/environment.ts";
import { Problem } from "../../domain/problems.ts";
import type { Store } from "../../ports/store.ts";
import { newId } from "../ids.ts";
import { errorFields, type Log } from "../log.ts";
import { readBody } from "./body.ts";
import { authorize, type Caller, type RequestContext, readCaller, readRequestContext } from "./caller.ts";
import { checkKey, once, type RequestIdentity, type WrittenAnswer, write } from "./idempotency.ts";
import { problemBody } from "./problem-answer.ts";
import type { Answer, Call, RawInput, Route } from "./route.ts";

interface Env {
  Bindings: { readonly requestContext?: unknown };
  Variables: {
    requestId: string;
    context: RequestContext;
    caller: Caller | null;
    /** The route's own path, for the log. */
    route: string;
    /** What the answer's problem was made from, for the log. */
    failure: unknown;
  };
}

export type HttpApp = Hono<Env>;

export interface HttpOptions {
  readonly routes: readonly Route[];
  readonly principals: EnvironmentSettings["principals"];
  readonly records: Pick<Store, "readIdempotencyRecord">;
  readonly log: Log;
}

/** Nothing that the API answers is for caches, frames or other origins. */
const securityHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** Routes in, application out: who calls, what they may, what they sent, one answer and one log line. */
export function createHttpApp(options: HttpOptions): HttpApp {
  const app: HttpApp = new Hono<Env>();
  app.use(async (c, next) => {
    const started = performance.now();
    const context = readRequestContext(c.env?.requestContext);
    c.set("requestId", newId("request"));
    c.set("context", context);
    c.set("caller", readCaller(context, options.principals));
    c.set("route", "");
    c.set("failure", null);
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
    c.res.headers.set("x-request-id", c.get("requestId"));
    logRequest(options.log, c, performance.now() - started);
  });
  for (const route of options.routes) {
    const { method, path } = route.definition;
    app.on(method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ":$1"), async (c) => {
      c.set("route", path);
      return respond(await serve(c, route, options.records));
    });
  }
  // Returned and not thrown: what is thrown here passes the middleware by.
  app.notFound((c) => refuse(c, notFound(options.routes, c.req.method, c.req.path)));
  app.onError((error, c) => refuse(c, error));
  return app;
}

function refuse(c: Context<Env>, error: unknown): Response {
  c.set("failure", error);
  const body = problemBody(error, c.get("requestId"));
  const headers = error instanceof MethodNotAllowed ? { allow: error.allow } : {};
  return respond(write({ status: body.status, body, contentType: "application/problem+json", headers }));
}

function respond({ status, body, headers }: WrittenAnswer): Response {
  return new Response(body, { status, headers });
}

/** In this order: a caller learns what is wrong with a request only where it may make it. */
async function serve(
  c: Context<Env>,
  { definition, handle }: Route,
  records: HttpOptions["records"],
): Promise<WrittenAnswer> {
  const caller =
    definition.role === null
      ? { principal: "anyone", role: "viewer" as const, sourceAddress: "unknown" }
      : authorize(c.get("caller"), definition.role);
  /** A body has no meaning with GET. */
  const body = definition.method === "get" ? undefined : await readBody(c.req);
  const input: RawInput = { params: c.req.param(), query: c.req.queries(), body };
  const run = (remember: Call["remember"]): Promise<Answer> =>
    handle(input, { caller, requestId: c.get("requestId"), ifMatch: c.req.header("if-match"), remember });

  const key = definition.isMutation ? c.req.header("idempotency-key") : undefined;
  if (key !== undefined) checkKey(key);
  /** A dry run changes nothing that could happen twice. */
  const isDry = input.query["dryRun"]?.[0] === "true";
  if (key === undefined || isDry) return write(await run(() => null));
  const { principal } = caller;
  const identity: RequestIdentity = {
    principal,
    method: c.req.method,
    path: c.req.path,
    query: input.query,
    body: input.body,
  };
  return once(records, key, identity, run);
}

class MethodNotAllowed extends Problem {
  readonly allow: string;

  constructor(method: string, path: string, allow: string) {
    super("method-not-allowed", `${method} is not for ${path}; allowed: ${allow}.`);
    this.allow = allow;
  }
}

function notFound(routes: readonly Route[], method: string, path: string): Problem {
  const allowed = routes
    .filter(({ definition }) => pathPattern(definition.path).test(path))
    .map(({ definition }) => definition.method.toUpperCase());
  if (allowed.length > 0) return new MethodNotAllowed(method, path, [...new Set(allowed)].join(", "));
  return new Problem("not-found", `There is nothing at ${path.slice(0, 200)}.`);
}

function pathPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`);
}

function logRequest(log: Log, c: Context<Env>, milliseconds: number): void {
  const failure = c.get("failure");
  const caller = c.get("caller");
  const isOurFault = c.res.status >= 500;
  log(isOurFault ? "error" : "info", "request", {
    requestId: c.get("requestId"),
    gatewayRequestId: c.get("context").requestId,
    method: c.req.method,
    route: c.get("route"),
    path: c.req.path,
    status: c.res.status,
    milliseconds: Math.round(milliseconds * 10) / 10,
    principal: caller?.principal,
    role: caller?.role,
    sourceAddress: c.get("context").http?.sourceIp,
    ...(c.res.headers.has("idempotent-replayed") ? { isReplay: true } : {}),
    ...(failure instanceof Problem ? { code: failure.code, detail: failure.message } : {}),
    ...(isOurFault && failure !== null ? errorFields(failure) : {}),
  });
}
