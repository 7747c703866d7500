import type { IncomingMessage } from "node:http";
import type { JWTPayload } from "jose";
import type { RouteMatch } from "./routes.ts";

export interface EventContext {
  readonly match: RouteMatch;
  readonly requestId: string;
  readonly claims: JWTPayload | null;
  readonly account: string;
  readonly apiId: string;
  readonly body: Buffer;
  readonly now: Date;
}

/** API Gateway passes these as text and everything else as base64. */
const textType =
  /^(?:text\/|application\/(?:json|xml|javascript|x-www-form-urlencoded)\b|application\/[^;]*\+(?:json|xml)\b)/i;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The event of payload format 2.0 that the function gets for a request. */
export function makeEvent(request: IncomingMessage, context: EventContext): Record<string, unknown> {
  const url = request.url ?? "/";
  const at = url.indexOf("?");
  const rawPath = at < 0 ? url : url.slice(0, at);
  const rawQueryString = at < 0 ? "" : url.slice(at + 1);
  const { cookie, ...headers } = headersOf(request);
  const query = queryOf(rawQueryString);
  const { match, body } = context;
  const isText = textType.test(headers["content-type"] ?? "text/plain");
  return {
    version: "2.0",
    routeKey: match.route.routeKey,
    rawPath,
    rawQueryString,
    ...(cookie === undefined ? {} : { cookies: cookie.split(";").map((part) => part.trim()) }),
    headers,
    ...(Object.keys(query).length === 0 ? {} : { queryStringParameters: query }),
    ...(Object.keys(match.pathParameters).length === 0 ? {} : { pathParameters: match.pathParameters }),
    requestContext: {
      accountId: context.account,
      apiId: context.apiId,
      ...(context.claims === null
        ? {}
        : { authorizer: { jwt: { claims: textClaims(context.claims), scopes: null } } }),
      domainName: headers["host"] ?? "",
      domainPrefix: context.apiId,
      http: {
        method: request.method,
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "",
        userAgent: headers["user-agent"] ?? "",
      },
      requestId: context.requestId,
      routeKey: match.route.routeKey,
      stage: "$default",
      time: logTime(context.now),
      timeEpoch: context.now.getTime(),
    },
    ...(body.length === 0 ? {} : { body: body.toString(isText ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

function headersOf(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headersDistinct).map(([name, values]) => [
      name,
      (values ?? []).join(name === "cookie" ? "; " : ","),
    ]),
  );
}

function queryOf(text: string): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    query[name] = Object.hasOwn(query, name) ? `${query[name]},${value}` : value;
  }
  return query;
}

/** API Gateway makes every claim a text, lists in brackets. */
function textClaims(claims: JWTPayload): Record<string, string> {
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [
      name,
      Array.isArray(value) ? `[${value.join(" ")}]` : String(value),
    ]),
  );
}

/** `12/Mar/2020:19:03:58 +0000` */
function logTime(at: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(at.getUTCDate())}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`;
}
