import { type APIGatewayProxyResult, handle, type LambdaContext, type LambdaEvent } from "hono/aws-lambda";
import type { HttpApp } from "./app.ts";

/** Methods that a `Request` cannot have: the adapter would answer them itself, and not with a problem. */
const unrepresentable = new Set(["CONNECT", "TRACE", "TRACK"]);
/** Methods whose body has no meaning (RFC 9110), and with which a `Request` cannot have one. */
const bodiless = new Set(["GET", "HEAD"]);

export type LambdaHandler = (event: LambdaEvent, context?: LambdaContext) => Promise<APIGatewayProxyResult>;

/** The application as what API Gateway invokes (HTTP API, payload 2.0). */
export function lambdaHandler(app: HttpApp): LambdaHandler {
  const inner = handle(app);
  return (event, context) => inner(withEmptyHeaders(representable(event)), context);
}

/**
 * The adapter leaves headers out that are empty, and an empty `If-Match` is a mistake of the caller's and no absent one.
 * With a space, which is no part of a header's value, they stay.
 */
function withEmptyHeaders(event: LambdaEvent): LambdaEvent {
  const headers = Object.entries(event.headers ?? {}).map(([name, value]) => [
    name,
    value === "" ? " " : value,
  ]);
  return { ...event, headers: Object.fromEntries(headers) } as LambdaEvent;
}

function representable(event: LambdaEvent): LambdaEvent {
  const { requestContext } = event;
  if (!("http" in requestContext)) return event;
  const method = requestContext.http.method.toUpperCase();
  if (bodiless.has(method)) return { ...event, body: null } as LambdaEvent;
  if (!unrepresentable.has(method)) return event;
  const http = { ...requestContext.http, method: `X-${requestContext.http.method}` };
  return { ...event, requestContext: { ...requestContext, http } } as LambdaEvent;
}
