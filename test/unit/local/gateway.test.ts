import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { HttpApi } from "../../../local/gateway/http-api.ts";
import { RouteTable } from "../../../local/gateway/routes.ts";
import { Tokens } from "../../../local/gateway/tokens.ts";

const issuer = "http://127.0.0.1/issuer";
let directory: string;
let tokens: Tokens;
let api: HttpApi;
let base: string;
let answer: unknown = { statusCode: 200, body: "{}" };
let events: Record<string, unknown>[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-gateway-"));
  tokens = await Tokens.open({ keyFile: join(directory, "tokens.jwk"), issuer, audience: ["pgherd"] });
  api = new HttpApi({
    routes: [
      { routeKey: "ANY /v1/{proxy+}", integration: "api", authorization: "jwt" },
      { routeKey: "GET /healthz", integration: "api", authorization: "none" },
      { routeKey: "GET /only/{id}", integration: "api", authorization: "none" },
    ],
    tokens,
    account: "000000000000",
    apiId: "pgherd",
    invoke: async (_integration, payload) => {
      events.push(JSON.parse(payload) as Record<string, unknown>);
      if (answer === "fail") return { payload: "{}", functionError: "Unhandled" };
      return { payload: JSON.stringify(answer), functionError: null };
    },
  });
  base = `http://127.0.0.1:${await api.listen({ host: "127.0.0.1", port: 0 })}`;
});
afterAll(async () => {
  await api.close();
  await rm(directory, { recursive: true });
});

async function send(path: string, init: RequestInit = {}, functionAnswer: unknown = { statusCode: 204 }) {
  events = [];
  answer = functionAnswer;
  return fetch(base + path, init);
}

async function bearer(lifetimeSeconds = 60): Promise<{ authorization: string }> {
  const token = await tokens.issueToken({ subject: "ada", role: "operator", lifetimeSeconds });
  return { authorization: `Bearer ${token}` };
}

describe("routes", () => {
  const table = new RouteTable(
    ["$default", "ANY /v1/{proxy+}", "GET /v1/{id}", "ANY /v1/{id}", "GET /v1/fixed"].map((routeKey) => ({
      routeKey,
      integration: "f",
      authorization: "none" as const,
    })),
  );
  test.each([
    ["GET", "/v1/fixed", "GET /v1/fixed"],
    ["GET", "/v1/x", "GET /v1/{id}"],
    ["PUT", "/v1/x", "ANY /v1/{id}"],
    ["GET", "/v1/x/y", "ANY /v1/{proxy+}"],
    ["GET", "/elsewhere", "$default"],
  ])("%s %s goes to %s", (method, path, routeKey) => {
    expect(table.match(method, path)?.route.routeKey).toBe(routeKey);
  });

  test("parameters of the path are decoded", () => {
    expect(table.match("GET", "/v1/a%20b")?.pathParameters).toEqual({ id: "a b" });
  });
});

describe("events", () => {
  test("a request becomes an event of format 2.0", async () => {
    const response = await send("/v1/clusters/clu_1?limit=2&tag=a&tag=b%20c", {
      method: "POST",
      headers: {
        ...(await bearer()),
        "Content-Type": "application/json",
        "Idempotency-Key": "k1",
        Cookie: "a=1; b=2",
      },
      body: '{"name":"ä"}',
    });
    expect(response.status).toBe(204);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      version: "2.0",
      routeKey: "ANY /v1/{proxy+}",
      rawPath: "/v1/clusters/clu_1",
      rawQueryString: "limit=2&tag=a&tag=b%20c",
      queryStringParameters: { limit: "2", tag: "a,b c" },
      pathParameters: { proxy: "clusters/clu_1" },
      cookies: ["a=1", "b=2"],
      headers: { "content-type": "application/json", "idempotency-key": "k1" },
      body: '{"name":"ä"}',
      isBase64Encoded: false,
      requestContext: {
        accountId: "000000000000",
        stage: "$default",
        http: { method: "POST", path: "/v1/clusters/clu_1", sourceIp: "127.0.0.1" },
        authorizer: { jwt: { claims: { sub: "ada", role: "operator", aud: "[pgherd]" }, scopes: null } },
      },
    });
    expect(events[0]?.["headers"]).not.toHaveProperty("cookie");
  });

  test("bytes arrive as base64 and go out from base64", async () => {
    const bytes = Buffer.from([0, 255, 128]);
    const response = await send(
      "/v1/x",
      {
        method: "POST",
        headers: { ...(await bearer()), "content-type": "application/octet-stream" },
        body: bytes,
      },
      { statusCode: 200, body: bytes.toString("base64"), isBase64Encoded: true },
    );
    expect(events[0]).toMatchObject({ isBase64Encoded: true, body: bytes.toString("base64") });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  });

  test("status, headers and cookies of the answer reach the caller", async () => {
    const response = await send(
      "/healthz",
      {},
      {
        statusCode: 202,
        headers: { Location: "/v1/operations/1", "Content-Type": "application/json" },
        cookies: ["a=1", "b=2"],
        body: '{"ok":true}',
      },
    );
    expect(response.status).toBe(202);
    expect(response.headers.get("location")).toBe("/v1/operations/1");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.json()).toEqual({ ok: true });
  });

  test("a path without a route is 404, a failing function 500, a body over the limit 413", async () => {
    expect((await send("/nothing")).status).toBe(404);
    const failed = await send("/healthz", {}, "fail");
    expect(failed.status).toBe(500);
    expect(failed.headers.get("content-type")).toBe("application/problem+json");
    const large = await send("/v1/x", {
      method: "POST",
      headers: await bearer(),
      body: Buffer.alloc(10 * 1024 * 1024 + 1),
    });
    expect(large.status).toBe(413);
    expect(events).toEqual([]);
  });
});

describe("tokens", () => {
  async function refusal(authorization?: string): Promise<string> {
    const response = await send("/v1/x", authorization === undefined ? {} : { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(events).toEqual([]);
    const body = (await response.json()) as { code: string; detail: string };
    expect(body.code).toBe("unauthenticated");
    return body.detail;
  }

  test("no token, a malformed one, an expired one and a forged one say what is wrong", async () => {
    expect(await refusal()).toMatch(/no token/);
    expect(await refusal("Bearer nonsense")).toMatch(/malformed/);
    expect(await refusal((await bearer(-10)).authorization)).toMatch(/expired/);
    const { privateKey } = await generateKeyPair("ES256");
    const forged = await new SignJWT({ role: "admin" })
      .setProtectedHeader({ alg: "ES256" })
      .setSubject("eve")
      .setIssuer(issuer)
      .setAudience("pgherd")
      .setExpirationTime("1h")
      .sign(privateKey);
    expect(await refusal(`Bearer ${forged}`)).toMatch(/signature/);
  });

  test("a token that was good is refused once its time is over", async () => {
    const token = await tokens.issueToken({ subject: "ada", role: "admin", lifetimeSeconds: 60 });
    expect(await tokens.verify(token)).toMatchObject({ sub: "ada" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 62_000 });
    try {
      await expect(tokens.verify(token)).rejects.toThrow(/expired/);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a token of another issuer or without signature is refused", async () => {
    const other = await Tokens.open({
      keyFile: join(directory, "tokens.jwk"),
      issuer: "http://other/",
      audience: ["pgherd"],
    });
    const token = await other.issueToken({ subject: "ada", role: "admin", lifetimeSeconds: 60 });
    expect(await refusal(`Bearer ${token}`)).toMatch(/"iss"/);
    const [, payload] = token.split(".");
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
    expect(await refusal(`Bearer ${unsigned}`)).toMatch(/malformed|algorithm/);
  });

  test("the key stays the same over restarts and only its owner can read it", async () => {
    const token = await tokens.issueToken({ subject: "ada", role: "viewer", lifetimeSeconds: 60 });
    const again = await Tokens.open({ keyFile: join(directory, "tokens.jwk"), issuer, audience: ["pgherd"] });
    expect(await again.verify(token)).toMatchObject({ sub: "ada", role: "viewer" });
    expect((await stat(join(directory, "tokens.jwk"))).mode & 0o777).toBe(0o600);
  });

  test("an open route needs no token", async () => {
    expect((await send("/healthz")).status).toBe(204);
    expect(events[0]?.["requestContext"]).not.toHaveProperty("authorizer");
  });
});
