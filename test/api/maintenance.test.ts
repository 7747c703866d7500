import type { Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeAudit, makeCluster, makeNode, makeOperation } from "./support/fixtures.ts";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
});

/** A cluster in this state, with no operation at work. */
async function clusterThatIs(change: Partial<Cluster>): Promise<Cluster> {
  const nodes = ["local-1a", "local-1b", "local-1c"].map((zone, index) =>
    makeNode(zone, {
      state: change.status === "stopped" ? "stopped" : "running",
      instanceId: `i-${index}`,
      address: `198.18.0.1${index}`,
    }),
  );
  const cluster = makeCluster("orders", { nodes, statusReason: "As the test has it.", ...change });
  const operation = makeOperation(cluster.id);
  await world.store.createCluster(
    { ...cluster, activeOperationId: operation.id },
    { operation, audit: makeAudit(cluster.id), idempotency: null },
  );
  await world.store.endOperation(operation.id, { state: "succeeded", endedAt: new Date().toISOString() });
  return { ...cluster, activeOperationId: null };
}

const post = (cluster: { id: string }, verb: string, body?: unknown, query = ""): Promise<Reply> =>
  world.call("POST", `/v1/clusters/${cluster.id}/${verb}${query}`, {
    role: "operator",
    ...(body === undefined ? {} : { body }),
  });

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const paused = { since: "2026-01-31T12:00:00.000Z", until: null };
const passwords = { what: "passwords" };

/** Verb, body, and the state in which it makes sense. */
const verbs: [verb: string, body: unknown, change: Partial<Cluster>][] = [
  ["stop", undefined, { status: "available" }],
  ["start", undefined, { status: "stopped" }],
  ["pause", {}, { status: "available" }],
  ["resume", undefined, { status: "available", paused }],
  ["rotate", passwords, { status: "available" }],
];

describe.each(verbs)("POST …/%s", (verb, body, change) => {
  test("answers 202, starts the work, and is in the audit trail", async () => {
    const cluster = await clusterThatIs(change);
    const reply = await post(cluster, verb, body);
    expect(reply.status, reply.text).toBe(202);
    const { operation } = reply.body as { operation: { id: string; kind: string } };
    expect(world.executions.started.at(-1)).toEqual({ kind: operation.kind, operationId: operation.id });
    expect((await world.store.getCluster(cluster.id))?.activeOperationId).toBe(operation.id);
    const events = await world.store.listAuditEntries({ clusterId: cluster.id, limit: 1, cursor: null });
    expect(events.items[0]).toMatchObject({ action: operation.kind, operationId: operation.id });
  });

  test("with dryRun says what would happen and changes nothing", async () => {
    const cluster = await clusterThatIs(change);
    const before = await world.items();
    const reply = await post(cluster, verb, body, "?dryRun=true");
    expect(reply.status, reply.text).toBe(200);
    expect(reply.body).toMatchObject({ dryRun: true, summary: expect.stringContaining('"orders"') });
    expect(await world.items()).toEqual(before);
  });
});

test.each<[verb: string, body: unknown, change: Partial<Cluster>, says: RegExp]>([
  ["stop", undefined, { status: "stopped" }, /available or degraded; cluster clu_\w+ is stopped/],
  ["start", undefined, { status: "available" }, /stopped or degraded; cluster clu_\w+ is available/],
  ["start", undefined, { status: "degraded" }, /every node of cluster clu_\w+ runs/],
  ["stop", undefined, { status: "available", paused }, /paused since 2026-01-31T12:00:00.000Z: resume it/],
  ["pause", {}, { status: "available", paused }, /paused since .* until someone resumes it already/],
  ["resume", undefined, { status: "available" }, /not paused/],
  [
    "rotate",
    { ...passwords, graceSeconds: 3600 },
    { status: "available", retiring: { logins: ["client"], until: "2026-01-31T12:00:00.000Z" } },
    /client.* valid until 2026-01-31T12:00:00.000Z/,
  ],
])("%s %j of a cluster that is %j is refused with the reason", async (verb, body, change, says) => {
  const cluster = await clusterThatIs(change);
  const before = await world.items();
  const reply = await post(cluster, verb, body);
  expect(code(reply)).toEqual([409, "wrong-status"]);
  expect(reply.body["detail"]).toMatch(says);
  expect(await world.items()).toEqual(before);
});

test.each<[verb: string, body: unknown, path: string]>([
  ["pause", { untilSeconds: 1 }, "/untilSeconds"],
  ["pause", { until: "tomorrow" }, "/until"],
  ["rotate", {}, "/what"],
  ["rotate", { what: "everything" }, "/what"],
  ["rotate", { what: "passwords", users: [] }, "/users"],
  ["rotate", { what: "passwords", users: ["postgres"] }, "/users/0"],
  ["rotate", { what: "passwords", users: ["client", "monitor"], graceSeconds: 3600 }, "/users/1"],
  ["rotate", { what: "passwords", graceSeconds: 5 }, "/graceSeconds"],
  ["rotate", { what: "certificates", graceSeconds: 3600 }, "/graceSeconds"],
  ["rotate", { what: "certificates", users: ["client"] }, "/users"],
])("%s of %j is refused at %s", async (verb, body, path) => {
  const cluster = await clusterThatIs({ status: "available" });
  const before = await world.items();
  const reply = await post(cluster, verb, body);
  expect(code(reply)).toEqual([422, "invalid-request"]);
  expect(reply.body["errors"]).toContainEqual(expect.objectContaining({ path }));
  expect(await world.items()).toEqual(before);
});

describe("POST …/rotate asks for", () => {
  const requestOf = async (cluster: Cluster, body: unknown) => {
    const { operation } = (await post(cluster, "rotate", body)).body as {
      operation: { kind: string; request: Record<string, unknown> };
    };
    return operation.request;
  };

  test("every password at once where nothing else is said", async () => {
    const cluster = await clusterThatIs({ status: "available" });
    expect(await requestOf(cluster, passwords)).toEqual({
      mode: "at-once",
      names: ["admin", "client", "replicator", "rewind", "monitor", "patroni"],
    });
  });

  test("the password of the login whose turn it is", async () => {
    const logins = { admin: "admin_2", client: "client" } as const;
    const cluster = await clusterThatIs({ status: "available", logins });
    expect(await requestOf(cluster, { what: "passwords", users: ["admin", "client"] })).toEqual({
      mode: "at-once",
      names: ["admin_2", "client"],
    });
  });

  test("the other login of each pair, with a time for those before", async () => {
    const logins = { admin: "admin_2", client: "client" } as const;
    const cluster = await clusterThatIs({ status: "available", logins });
    expect(await requestOf(cluster, { what: "passwords", graceSeconds: 3600 })).toMatchObject({
      mode: "take-turns",
      begin: ["admin", "client_2"],
      retiring: { logins: ["admin_2", "client"] },
    });
  });
});

test("connections are told of the login whose turn it is, and of the one before as long as it is valid", async () => {
  const retiring = { logins: ["client" as const], until: "2026-01-31T12:00:00.000Z" };
  const logins = { admin: "admin", client: "client_2" } as const;
  const cluster = await clusterThatIs({ status: "available", logins, retiring });
  await world.store.putAuthorityCertificate(cluster.id, "PEM");
  const { body } = await world.call("GET", `/v1/clusters/${cluster.id}/connection`, { role: "viewer" });
  expect(body).toMatchObject({
    users: {
      admin: { name: "admin", retiring: null },
      client: {
        name: "client_2",
        passwordParameter: `/pgherd/local/${cluster.id}/users/client_2`,
        retiring: { name: "client", until: retiring.until },
      },
    },
    endpoints: { readWrite: { uri: expect.stringMatching(/^postgresql:\/\/client_2@/) } },
  });
});

describe("GET …/logs", () => {
  const line = (micros: number, message: string) => ({
    cursor: `s=1;i=${micros}`,
    micros,
    priority: 6,
    message,
  });
  const get = (cluster: Cluster, query: string) =>
    world.call("GET", `/v1/clusters/${cluster.id}/logs?${query}`, { role: "operator" });

  test("merges the nodes' lines by time, and names those that do not answer", async () => {
    const cluster = await clusterThatIs({ status: "available" });
    world.nodes.logs.set("i-0", () => ({ lines: [line(1_000, "a"), line(3_000, "c")], isMore: false }));
    world.nodes.logs.set("i-1", () => ({ lines: [line(2_000, "b")], isMore: false }));
    const { body, status } = await get(cluster, "component=postgres");
    expect(status).toBe(200);
    const [first, second, third] = cluster.nodes.map((node) => node.id);
    expect(body).toMatchObject({
      items: [
        { nodeId: first, message: "a", time: "1970-01-01T00:00:00.001Z" },
        { nodeId: second, message: "b" },
        { nodeId: first, message: "c" },
      ],
      nextCursor: null,
      unreachable: [third],
    });
  });

  test("goes on, page by page, where the page before has ended on each node", async () => {
    const cluster = await clusterThatIs({ status: "available" });
    const all = { "i-0": [1, 4, 5], "i-1": [2, 3, 6], "i-2": [7] } as const;
    for (const [instanceId, times] of Object.entries(all)) {
      world.nodes.logs.set(instanceId, ({ after, limit }) => {
        const from = after === null ? 0 : Number(after.split("=").at(-1));
        const rest = times.filter((time) => time > from);
        return {
          lines: rest.slice(0, limit).map((time) => line(time, String(time))),
          isMore: rest.length > limit,
        };
      });
    }
    const seen: string[] = [];
    let query = "component=etcd&limit=2&since=1970-01-01T00:00:00Z";
    for (let page = 0; page < 10; page++) {
      const { body, text } = await get(cluster, query);
      const { items, nextCursor } = body as { items: { message: string }[]; nextCursor: string | null };
      expect(items.length, text).toBeLessThanOrEqual(2);
      seen.push(...items.map((item) => item.message));
      if (nextCursor === null) break;
      query = `component=etcd&limit=2&cursor=${nextCursor}`;
    }
    expect(seen).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
  });

  test.each([
    ["component=kernel", "component"],
    ["", "component"],
    ["component=etcd&nodeId=nod_01JD3V9Q0CZ5J8W6T4S2R1N7KM", "nodeId"],
    ["component=etcd&since=yesterday", "since"],
    ["component=etcd&limit=0", "limit"],
    ["component=etcd&limit=1001", "limit"],
    ["component=etcd&cursor=abc", "cursor"],
    ["component=etcd&lines=5", "lines"],
  ])("?%s is refused at %s", async (query, path) => {
    const cluster = await clusterThatIs({ status: "available" });
    const reply = await get(cluster, query);
    expect(code(reply), reply.text).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toContainEqual(expect.objectContaining({ path }));
  });

  test("is for operators, and has no answer where no node runs or none answers", async () => {
    const cluster = await clusterThatIs({ status: "available" });
    const path = `/v1/clusters/${cluster.id}/logs?component=etcd`;
    expect(code(await world.call("GET", path, { role: "viewer" }))).toEqual([403, "forbidden"]);
    expect(code(await get(cluster, "component=etcd"))).toEqual([503, "cluster-unreachable"]);
    for (const node of cluster.nodes) await world.store.putNode(cluster.id, { ...node, state: "stopped" });
    expect(code(await get(cluster, "component=etcd"))).toEqual([409, "wrong-status"]);
  });
});
