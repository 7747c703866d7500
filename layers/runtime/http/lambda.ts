import { type APIGatewayProxyResult, handle, type LambdaContext, type LambdaEvent } from "hono/aws-lambda";
import type { HttpApp } from "./app.ts";

/** Methods that a `Request` cannot have: the adapter would answer them itself, and not with a problem. */
const unrepresentable = new Set(["CONNECT", "TRACE", "TRACK"]);

export type LambdaHandler = (event: LambdaEvent, context?: LambdaContext) => Promise<APIGatewayProxyResult>;

/** The application as what API Gateway invokes (HTTP API, payload 2.0). */
export function lambdaHandler(app: HttpApp): LambdaHandler {
  const inner = handle(app);
  return (event, context) => inner(representable(event), context);
}

function representable(event: LambdaEvent): LambdaEvent {
  const { requestContext } = event;
  if (!("http" in requestContext) || !unrepresentable.has(requestContext.http.method.toUpperCase()))
    return event;
  const http = { ...requestContext.http, method: `X-${requestContext.http.method}` };
  return { ...event, requestContext: { ...requestContext, http } } as LambdaEvent;
}
