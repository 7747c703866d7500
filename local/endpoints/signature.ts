import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Identities } from "./identities.ts";
import { type Caller, ServiceError } from "./service.ts";

/** AWS refuses requests whose date is further away than this. */
const clockSkewMaxMs = 15 * 60 * 1000;
const algorithm = "AWS4-HMAC-SHA256";

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Authorization {
  readonly accessKeyId: string;
  readonly sessionToken: string | null;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly timestamp: string;
  /** Signed in the query string instead of the headers; seconds it is good for. */
  readonly presignedSeconds: number | null;
}

/** Reads the Authorization header (or the query of a presigned URL) without checking it. Null: not signed. */
export function parseAuthorization(request: SignedRequest): Authorization | null {
  const header = request.headers.authorization;
  if (header?.startsWith(algorithm)) {
    const fields = new Map(
      header
        .slice(algorithm.length)
        .split(",")
        .map((part): [string, string] => {
          const at = part.indexOf("=");
          return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
        }),
    );
    return authorizationOf({
      credential: fields.get("Credential"),
      signedHeaders: fields.get("SignedHeaders"),
      signature: fields.get("Signature"),
      timestamp: headerOf(request.headers, "x-amz-date"),
      sessionToken: headerOf(request.headers, "x-amz-security-token"),
      presignedSeconds: null,
    });
  }
  const query = new URLSearchParams(splitUrl(request.url).query);
  if (query.get("X-Amz-Algorithm") !== algorithm) return null;
  return authorizationOf({
    credential: query.get("X-Amz-Credential") ?? undefined,
    signedHeaders: query.get("X-Amz-SignedHeaders") ?? undefined,
    signature: query.get("X-Amz-Signature") ?? undefined,
    timestamp: query.get("X-Amz-Date") ?? undefined,
    sessionToken: query.get("X-Amz-Security-Token") ?? undefined,
    presignedSeconds: Number(query.get("X-Amz-Expires") ?? "0"),
  });
}

/**
 * Checks a request's signature, its date and whose key it is.
 * @param payloadHash lower-case hex of the body's SHA-256, or what `x-amz-content-sha256` may say instead of one.
 * @throws {ServiceError} as AWS answers.
 */
export function verifySignature(
  request: SignedRequest,
  authorization: Authorization,
  payloadHash: string,
  identities: Identities,
): Caller {
  const { caller, secretAccessKey } = identities.resolve(
    authorization.accessKeyId,
    authorization.sessionToken,
  );
  checkDate(authorization);
  const canonical = canonicalRequest(request, authorization, payloadHash);
  const scope = `${authorization.date}/${authorization.region}/${authorization.service}/aws4_request`;
  const stringToSign = [algorithm, authorization.timestamp, scope, sha256(canonical)].join("\n");
  const expected = hmac(signingKey(secretAccessKey, authorization), stringToSign);
  const given = Buffer.from(authorization.signature, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new ServiceError(
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided.",
      403,
    );
  }
  return caller;
}

function authorizationOf(fields: {
  credential: string | undefined;
  signedHeaders: string | undefined;
  signature: string | undefined;
  timestamp: string | undefined;
  sessionToken: string | undefined;
  presignedSeconds: number | null;
}): Authorization {
  const [accessKeyId, date, region, service, terminator] = fields.credential?.split("/") ?? [];
  if (
    accessKeyId === undefined ||
    date === undefined ||
    region === undefined ||
    service === undefined ||
    terminator !== "aws4_request" ||
    fields.signedHeaders === undefined ||
    fields.signature === undefined ||
    fields.timestamp === undefined
  ) {
    throw new ServiceError(
      "IncompleteSignature",
      "The request signature lacks a part: Credential, SignedHeaders, Signature or the date.",
      403,
    );
  }
  return {
    accessKeyId,
    date,
    region,
    service,
    sessionToken: fields.sessionToken ?? null,
    signedHeaders: fields.signedHeaders.split(";"),
    signature: fields.signature,
    timestamp: fields.timestamp,
    presignedSeconds: fields.presignedSeconds,
  };
}

function checkDate(authorization: Authorization): void {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(authorization.timestamp);
  const [, year, month, day, hour, minute, second] = match ?? [];
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const age = Date.now() - at;
  const expiresMs =
    authorization.presignedSeconds === null ? clockSkewMaxMs : authorization.presignedSeconds * 1000;
  if (Number.isNaN(at) || age > expiresMs || age < -clockSkewMaxMs) {
    throw new ServiceError(
      "RequestExpired",
      "The difference between the request time and the server's time is too large.",
      403,
    );
  }
  if (!authorization.timestamp.startsWith(authorization.date)) {
    throw new ServiceError(
      "SignatureDoesNotMatch",
      "Date in Credential scope does not match the request.",
      403,
    );
  }
}

function canonicalRequest(request: SignedRequest, authorization: Authorization, payloadHash: string): string {
  const { path, query } = splitUrl(request.url);
  const headers = authorization.signedHeaders
    .map((name) => `${name}:${(headerOf(request.headers, name) ?? "").trim().replace(/\s+/g, " ")}\n`)
    .join("");
  return [
    request.method,
    // S3 signs the path as it is sent; every other service encodes the sent path once more.
    authorization.service === "s3" ? path : path.split("/").map(encodeUri).join("/"),
    canonicalQuery(query),
    headers,
    authorization.signedHeaders.join(";"),
    payloadHash,
  ].join("\n");
}

function canonicalQuery(query: string): string {
  if (query === "") return "";
  return query
    .split("&")
    .filter((part) => part !== "")
    .map((part): [string, string] => {
      const at = part.indexOf("=");
      const name = at < 0 ? part : part.slice(0, at);
      const value = at < 0 ? "" : part.slice(at + 1);
      return [encodeUri(decodeQuery(name)), encodeUri(decodeQuery(value))];
    })
    .filter(([name]) => name !== "X-Amz-Signature")
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** A signing key is good for a day: whoever asks once asks again. More than these are not in use at a time. */
const signingKeysMax = 256;
const signingKeys = new Map<string, KeyObject>();

function signingKey(secret: string, { date, region, service }: Authorization): KeyObject {
  const name = [secret, date, region, service].join("/");
  const known = signingKeys.get(name);
  if (known !== undefined) return known;
  if (signingKeys.size >= signingKeysMax) signingKeys.clear();
  const derived = [date, region, service, "aws4_request"].reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${secret}`),
  );
  const key = createSecretKey(derived);
  signingKeys.set(name, key);
  return key;
}

export function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf("?");
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

export function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

function hmac(key: Buffer | KeyObject, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function decodeQuery(text: string): string {
  return decodeURIComponent(text.replaceAll("+", "%20"));
}

/** RFC 3986: everything but unreserved characters, as SigV4 asks. */
function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
