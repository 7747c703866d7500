import { problemKinds } from "@pgherd/layers/domain";
import { type Role, roles } from "@pgherd/layers/runtime/http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newClusterId, newOperationId } from "./support/fixtures.ts";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
});

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const post = (options: CallOptions) => world.call("POST", "/v1/clusters", options);

/** What each route needs. Bodies and ids are such that the route itself answers 404 or 422, whoever may call it. */
const routes: readonly [string, string, Role][] = [
  ["GET", "/v1/clusters", "viewer"],
  ["POST", "/v1/clusters", "operator"],
  ["GET", `/v1/clusters/${newClusterId()}`, "viewer"],
  ["DELETE", `/v1/clusters/${newClusterId()}`, "admin"],
  ["GET", `/v1/clusters/${newClusterId()}/topology`, "viewer"],
  ["GET", `/v1/clusters/${newClusterId()}/metrics`, "viewer"],
  ["GET", `/v1/clusters/${newClusterId()}/connection`, "viewer"],
  ["GET", `/v1/clusters/${newClusterId()}/events`, "viewer"],
  ["GET", "/v1/operations", "viewer"],
  ["GET", `/v1/operations/${newOperationId()}`, "viewer"],
  ["POST", `/v1/operations/${newOperationId()}/cancel`, "operator"],
];

describe.each(routes)("%s %s", (method, path, needed) => {
  test("answers 401 without credentials and 403 without a role", async () => {
    expect(code(await world.call(method, path, { role: null }))).toEqual([401, "unauthenticated"]);
    expect(code(await world.call(method, path, { role: "unknown" }))).toEqual([403, "forbidden"]);
  });

  test.each(roles)(`needs ${needed}: %s`, async (role) => {
    const reply = await world.call(method, path, { role });

    const isAllowed = roles.indexOf(role) >= roles.indexOf(needed);
    expect(reply.status === 403).toBe(!isAllowed);
  });
});

test("a caller without the right learns nothing of what is wrong with the request", async () => {
  const reply = await post({ role: "viewer", text: "{", headers: { "content-type": "text/plain" } });

  expect(code(reply)).toEqual([403, "forbidden"]);
});

describe("IAM callers", () => {
  const iam = (userArn: string) => ({ authorizer: { iam: { userArn } } });

  test("have the role of their ARN", async () => {
    const ops = iam("arn:aws:iam::000000000000:user/ops");

    expect((await post({ ...ops, body: { name: "orders" } })).body).toMatchObject({
      operation: { startedBy: "arn:aws:iam::000000000000:user/ops" },
    });
    expect(code(await world.call("DELETE", `/v1/clusters/${newClusterId()}`, ops))).toEqual([
      403,
      "forbidden",
    ]);
  });

  test("of an IAM role have its role in every session, and only in that account", async () => {
    const session = (account: string) => iam(`arn:aws:sts::${account}:assumed-role/readers/anna`);

    expect((await world.call("GET", "/v1/clusters", session("000000000000"))).status).toBe(200);
    expect(code(await world.call("GET", "/v1/clusters", session("111111111111")))).toEqual([
      403,
      "forbidden",
    ]);
  });

  test("that the environment does not name may do nothing", async () => {
    const stranger = iam("arn:aws:iam::000000000000:user/stranger");

    expect(code(await world.call("GET", "/v1/clusters", stranger))).toEqual([403, "forbidden"]);
  });
});

describe("bodies", () => {
  const json = { "content-type": "application/json" };
  const good = '{"name":"orders"}';

  test.each([
    ["that end too early", "{", json, 400, "malformed-json"],
    ["that are empty", "", json, 422, "invalid-request"],
    ["that are not JSON", "nonsense", json, 400, "malformed-json"],
    ["with a comma too many", '{"name": "a",}', json, 400, "malformed-json"],
    ["of plain text", good, { "content-type": "text/plain" }, 415, "unsupported-media-type"],
    ["of no type", good, {}, 415, "unsupported-media-type"],
    [
      "of a form",
      "a=1",
      { "content-type": "application/x-www-form-urlencoded" },
      415,
      "unsupported-media-type",
    ],
    ["above the limit", `{"name":"${"x".repeat(70_000)}"}`, json, 413, "body-too-large"],
  ])("%s are refused and change nothing", async (_name, text, headers, status, problem) => {
    const before = await world.items();

    const reply = await post({ text, headers });

    expect(code(reply)).toEqual([status, problem]);
    expect(await world.items()).toEqual(before);
    expect(world.executions.started).toEqual([]);
  });

  test.each(["application/json; charset=utf-8", "application/merge-patch+json", "APPLICATION/JSON"])(
    "of type %s are JSON",
    async (type) => {
      expect((await post({ text: '{"name":"orders"}', headers: { "content-type": type } })).status).toBe(202);
    },
  );

  test("just below the limit are read", async () => {
    const spare = "x".repeat(65_536 - '{"name":""}'.length);

    expect(code(await post({ text: `{"name":"${spare}"}`, headers: json }))).toEqual([
      422,
      "invalid-request",
    ]);
  });

  test("of routes that take none may be absent or empty, and hold nothing", async () => {
    const path = `/v1/operations/${newOperationId()}/cancel`;

    expect((await world.call("POST", path, { body: {} })).status).toBe(404);
    expect((await world.call("POST", path, { text: "", headers: json })).status).toBe(404);
    const refused = await world.call("POST", path, { body: { force: true } });
    expect(code(refused)).toEqual([422, "invalid-request"]);
    expect(refused.body["errors"]).toEqual([expect.objectContaining({ path: "/force" })]);
  });
});

describe("unknown places", () => {
  test.each(["/", "/v1", "/v2/clusters", "/v1/clusters/", "/v1/cluster", "/favicon.ico"])(
    "%s answers 404",
    async (path) => {
      expect(code(await world.call("GET", path, { role: null }))).toEqual([404, "not-found"]);
    },
  );

  test.each([
    ["PUT", "/v1/clusters", "POST, GET"],
    ["PUT", `/v1/clusters/${newClusterId()}`, "GET, PATCH, DELETE"],
    ["DELETE", "/v1/operations", "GET"],
    ["POST", "/healthz", "GET"],
    ["TRACE", "/v1/operations", "GET"],
  ])("%s %s answers 405 with what is allowed", async (method, path, allow) => {
    const reply = await world.call(method, path);

    expect(code(reply)).toEqual([405, "method-not-allowed"]);
    expect(reply.headers["allow"]).toBe(allow);
  });

  test.each(["If-Match", "Idempotency-Key"])("an empty %s is a mistake, and not none", async (name) => {
    const { id } = await world.makeAvailable(`empty-${name.toLowerCase()}`);
    const reply = await world.call("DELETE", `/v1/clusters/${id}`, { headers: { [name]: "" } });

    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect((await world.store.getCluster(id))?.activeOperationId).toBeNull();
  });

  test("a read with a body is answered as without one", async () => {
    const reply = await world.call("GET", "/v1/operations", { body: { ignored: true } });

    expect(reply.status).toBe(200);
  });
});

describe("problems", () => {
  test("have every member of RFC 9457, and a request id that is in the log", async () => {
    const reply = await world.call("GET", `/v1/clusters/${newClusterId()}`);

    expect(reply.headers["content-type"]).toBe("application/problem+json");
    expect(reply.body).toEqual({
      type: "/docs#not-found",
      title: problemKinds["not-found"].title,
      status: 404,
      detail: expect.any(String),
      code: "not-found",
      requestId: reply.headers["x-request-id"],
    });
    expect(world.logs.at(-1)).toMatchObject({ requestId: reply.headers["x-request-id"], code: "not-found" });
  });

  test("of our own making say nothing of the inside and leave the cause in the log", async () => {
    const broken = await worlds.make({}, (store) => ({
      ...store,
      listClusters: () =>
        Promise.reject(new Error("table arn:aws:dynamodb is on fire", { cause: new Error("match") })),
    }));

    const reply = await broken.call("GET", "/v1/clusters");

    expect(code(reply)).toEqual([500, "internal"]);
    expect(reply.text).not.toMatch(/fire|arn|match|stack|\.ts/);
    expect(broken.logs.at(-1)).toMatchObject({
      level: "error",
      errorMessage: "table arn:aws:dynamodb is on fire",
      cause: { errorMessage: "match" },
      requestId: reply.body["requestId"],
    });
  });
});

describe("every answer", () => {
  test("has headers that keep it from caches, frames and other origins", async () => {
    for (const path of ["/v1/clusters", "/healthz", "/docs", "/nowhere"]) {
      const { headers } = await world.call("GET", path);
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "content-security-policy": expect.stringContaining("default-src 'none'"),
        "x-request-id": expect.stringMatching(/^req_/),
      });
    }
  });

  test("has one line in the log, which holds who, what and how long, and neither token nor body", async () => {
    const headers = { authorization: "Bearer secret-token", "idempotency-key": "secret-key" };

    await post({ body: { name: "orders", tags: { note: "secret-tag" } }, headers, role: "operator" });

    const lines = world.logs.filter((line) => line["message"] === "request");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: "info",
      method: "POST",
      route: "/v1/clusters",
      status: 202,
      principal: "olivia",
      role: "operator",
      sourceAddress: "203.0.113.7",
      milliseconds: expect.any(Number),
      gatewayRequestId: "gateway-1",
    });
    expect(JSON.stringify(world.logs)).not.toContain("secret");
  });
});
