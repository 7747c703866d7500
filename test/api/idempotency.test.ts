import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
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

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const keyed = (key: string) => ({ headers: { "idempotency-key": key } });
const create = (key: string, body: unknown = { name: "orders", members: 1 }, principal = "olivia") =>
  world.call("POST", "/v1/clusters", { body, principal, ...keyed(key) });
const operationOf = (reply: Reply) => reply.body["operation"] as { id: string; clusterId: string };
const end = (reply: Reply) =>
  world.store.endOperation(operationOf(reply).id, { state: "succeeded", endedAt: new Date().toISOString() });

test("the same key and request get the same bytes, marked as a repetition, and nothing happens twice", async () => {
  const first = await create("key");
  const second = await create("key");

  expect(second.status).toBe(202);
  expect(second.text).toBe(first.text);
  expect(second.headers["location"]).toBe(first.headers["location"]);
  expect(second.headers["etag"]).toBe(first.headers["etag"]);
  expect(first.headers["idempotent-replayed"]).toBeUndefined();
  expect(second.headers["idempotent-replayed"]).toBe("true");
  expect(world.executions.started).toHaveLength(1);
});

test("white space and the order of fields make no other request", async () => {
  const send = (text: string) =>
    world.call("POST", "/v1/clusters", {
      text,
      headers: { "idempotency-key": "key", "content-type": "application/json" },
    });
  const first = await send('{"name":"orders","members":1}');

  expect((await send('{ "members": 1, "name": "orders" }')).text).toBe(first.text);
});

test("ten calls at once make one cluster and all get the same answer", async () => {
  const replies = await Promise.all(Array.from({ length: 10 }, () => create("key")));

  expect(new Set(replies.map((reply) => `${reply.status} ${reply.text}`)).size).toBe(1);
  expect(replies[0]?.status).toBe(202);
  expect(replies.filter((reply) => reply.headers["idempotent-replayed"] === undefined)).toHaveLength(1);
  expect(world.executions.started).toHaveLength(1);
  expect((await world.store.listClusters({ limit: 10, cursor: null })).items).toHaveLength(1);
});

test.each<[string, (clusterId: string) => [string, string, unknown]]>([
  ["of a name", () => ["POST", "/v1/clusters", { name: "orders", members: 1 }]],
  ["of the cluster", (id) => ["POST", `/v1/clusters/${id}/stop`, undefined]],
  ["of its backups", (id) => ["POST", `/v1/clusters/${id}/backups`, { type: "full" }]],
])(
  "a call that comes second to the very claim %s that its twin has just made gets the twin's answer",
  async (_what, callOf) => {
    const { race, world: racing } = await worlds.makeRacing();
    const cluster = await racing.makeAvailable("invoices");
    const [method, path, body] = callOf(cluster.id);
    const { early, late } = await race(() =>
      racing.call(method, path, { ...(body === undefined ? {} : { body }), ...keyed("key") }),
    );

    expect(early.status, early.text).toBe(202);
    expect(late.status, late.text).toBe(202);
    expect(late.text).toBe(early.text);
    expect(late.headers["idempotent-replayed"]).toBe("true");
    expect(racing.executions.started).toHaveLength(1);
  },
);

describe("a key that was used", () => {
  test("with another body, path, method or parameter is refused and changes nothing", async () => {
    const first = await create("key");
    await end(first);
    const { clusterId, id } = operationOf(first);
    const before = await world.items();

    for (const reply of [
      await create("key", { name: "orders", members: 3 }),
      await world.call("DELETE", `/v1/clusters/${clusterId}`, keyed("key")),
      await world.call("POST", `/v1/operations/${id}/cancel`, keyed("key")),
      await world.call("POST", "/v1/clusters?dryRun=false", {
        body: { name: "orders", members: 1 },
        ...keyed("key"),
      }),
    ]) {
      expect(code(reply)).toEqual([422, "idempotency-key-reused"]);
    }
    expect(await world.items()).toEqual(before);
  });

  test("is another principal's to use", async () => {
    await create("key");

    expect((await create("key", { name: "billing" }, "omar")).status).toBe(202);
  });

  test("for a call that was refused can be used again", async () => {
    expect((await create("key", { name: "X" })).status).toBe(422);

    expect((await create("key")).status).toBe(202);
  });

  test("by two different calls at once belongs to one of them", async () => {
    const replies = await Promise.all([
      create("key", { name: "orders" }),
      create("key", { name: "billing" }),
    ]);

    expect(replies.map((reply) => reply.status).toSorted()).toEqual([202, 422]);
    expect((await world.store.listClusters({ limit: 10, cursor: null })).items).toHaveLength(1);
  });
});

test("a delete gets its first answer again, also when the cluster is gone", async () => {
  const created = await create("create");
  await end(created);
  const { clusterId } = operationOf(created);
  const remove = (key: string) => world.call("DELETE", `/v1/clusters/${clusterId}`, keyed(key));

  const first = await remove("one");
  const joined = await remove("two");
  await world.store.removeCluster(clusterId);
  await end(first);

  expect((await remove("one")).text).toBe(first.text);
  expect((await remove("two")).text).toBe(joined.text);
  expect(operationOf(joined).id).toBe(operationOf(first).id);
  expect(code(await remove("three"))).toEqual([404, "not-found"]);
});

test("a cancel gets its first answer again, also when the operation has ended", async () => {
  const created = await create("create");
  const { id } = operationOf(created);
  const cancel = (key: string) => world.call("POST", `/v1/operations/${id}/cancel`, keyed(key));

  const first = await cancel("one");
  const again = await cancel("two");
  await world.store.endOperation(id, { state: "cancelled", endedAt: new Date().toISOString() });

  expect((await cancel("one")).text).toBe(first.text);
  expect((await cancel("two")).text).toBe(again.text);
  expect(code(await cancel("three"))).toEqual([409, "operation-ended"]);
});

test.each([
  ["is too long", "x".repeat(129)],
  ["has a space", "two words"],
  ["is empty", ""],
])("a key that %s is not valid", async (_name, key) => {
  // Past the gateway's event, which leaves empty headers out. A dry run ignores the key, but not what it looks like.
  const reply = await world.app.request(
    "/v1/clusters?dryRun=true",
    {
      method: "POST",
      body: '{"name":"orders"}',
      headers: { "content-type": "application/json", "idempotency-key": key },
    },
    { requestContext: { authorizer: { jwt: { claims: { sub: "olivia", role: "admin" } } } } },
  );

  expect(reply.status).toBe(422);
  expect(await reply.json()).toMatchObject({
    code: "invalid-request",
    errors: [{ path: "Idempotency-Key", message: expect.stringContaining("128") }],
  });
  expect(await world.items()).toEqual([]);
});
