import type { Cluster, RestorePoint } from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newClusterId } from "./support/fixtures.ts";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
});

const path = (query = "") => `/v1/clusters/${cluster.id}/restore-points${query}`;
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const make = (name: string, query = "") =>
  world.call("POST", path(query), { role: "operator", body: { name } });
const list = async (query = "") => (await world.call("GET", path(query), { role: "viewer" })).body;

describe("POST …/restore-points", () => {
  test("writes the point, starts its operation, and says where to watch it", async () => {
    const reply = await make("before-release");
    expect(reply.status).toBe(202);
    const { operation, restorePoint } = reply.body as {
      operation: { id: string };
      restorePoint: RestorePoint;
    };
    expect(restorePoint).toMatchObject({ name: "before-release", state: "pending", lsn: null, at: null });
    expect(operation).toMatchObject({ kind: "create-restore-point", request: { name: "before-release" } });
    expect(reply.headers["location"]).toBe(`/v1/operations/${operation.id}`);
    const started = { kind: "create-restore-point", operationId: operation.id };
    expect(world.executions.started).toEqual([started]);
    expect(await list()).toMatchObject({ items: [restorePoint], nextCursor: null });
  });

  test("leaves the cluster to everybody else, and warns where no backup leads to the point", async () => {
    const reply = await make("beside");
    expect(reply.body["warnings"]).toEqual([expect.stringContaining("no backup")]);
    expect(await world.store.getCluster(cluster.id)).toEqual(cluster);
    await world.makeBackup(cluster.id);
    expect((await make("after")).body["warnings"]).toEqual([]);
  });

  test("of a name that there is, or of two at once, is refused, and changes nothing", async () => {
    const replies = await Promise.all([1, 2, 3].map(() => make("twice")));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([202, 409, 409]);
    const before = await world.items();
    for (const query of ["", "?dryRun=true"]) {
      const reply = await make("twice", query);
      expect(code(reply)).toEqual([409, "restore-point-exists"]);
      expect(reply.body["errors"]).toMatchObject([{ path: "/name" }]);
    }
    expect(await world.items()).toEqual(before);
  });

  test.each([
    ["no name", {}],
    ["an empty one", { name: "" }],
    ["one of 64 characters", { name: "x".repeat(64) }],
    ["one with a quote", { name: "it's" }],
    ["one with a space", { name: "before release" }],
  ])("refuses %s, and names the field", async (_what, body) => {
    const before = await world.items();
    const reply = await world.call("POST", path(), { role: "operator", body });
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toMatchObject([{ path: "/name" }]);
    expect(await world.items()).toEqual(before);
  });

  test("as a dry run writes nothing", async () => {
    const before = await world.items();
    expect(await make("perhaps", "?dryRun=true")).toMatchObject({
      status: 200,
      body: { kind: "create-restore-point", summary: expect.stringContaining("perhaps") },
    });
    expect(await world.items()).toEqual(before);
  });

  test("with the same Idempotency-Key makes one point", async () => {
    const headers = { "idempotency-key": "release-42" };
    const ask = () => world.call("POST", path(), { role: "operator", body: { name: "once" }, headers });
    const replies = [await ask(), await ask()];
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(world.executions.started).toHaveLength(1);
  });
});

describe("GET …/restore-points", () => {
  test("lists the newest first, in pages, with time and LSN", async () => {
    for (const name of ["one", "two", "three"]) await world.makeRestorePoint(cluster.id, name);
    const first = (await list("?limit=2")) as { items: RestorePoint[]; nextCursor: string };
    expect(first.items.map(({ name }) => name)).toEqual(["three", "two"]);
    expect(first.items[0]).toMatchObject({ lsn: "0/5000000", at: expect.any(String), timeline: 1 });
    const second = await list(`?limit=2&cursor=${first.nextCursor}`);
    expect(second).toMatchObject({ items: [{ name: "one" }], nextCursor: null });
  });

  test("finds no cluster that never was, and the points of one that is gone", async () => {
    const reply = await world.call("GET", `/v1/clusters/${newClusterId()}/restore-points`);
    expect(code(reply)).toEqual([404, "not-found"]);
    await world.makeRestorePoint(cluster.id, "kept");
    await world.deleteCluster(cluster);
    expect(await list()).toMatchObject({ items: [{ name: "kept" }] });
  });
});
