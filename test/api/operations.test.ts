import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newClusterId, newOperationId } from "./support/fixtures.ts";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let clusterId: string;
let operationId: string;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  const { operation } = (await world.call("POST", "/v1/clusters", { body: { name: "orders" } })).body as {
    operation: { id: string; clusterId: string };
  };
  ({ id: operationId, clusterId } = operation);
});

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const end = (id: string) =>
  world.store.endOperation(id, { state: "succeeded", endedAt: new Date().toISOString() });
const cancel = (id: string, query = "") =>
  world.call("POST", `/v1/operations/${id}/cancel${query}`, { role: "operator" });

describe("GET /v1/operations/{operationId}", () => {
  test("shows the steps and how far they are, while they run", async () => {
    await world.store.markOperationRunning(operationId);
    const startedAt = new Date().toISOString();
    await world.store.updateStep(operationId, {
      name: "volumes",
      state: "succeeded",
      startedAt,
      endedAt: startedAt,
      detail: "3 volumes",
    });
    await world.store.updateStep(operationId, {
      name: "instances",
      state: "running",
      startedAt,
      endedAt: null,
    });

    const { body } = await world.call("GET", `/v1/operations/${operationId}`, { role: "viewer" });

    expect(body).toMatchObject({
      id: operationId,
      state: "running",
      progress: 0.5,
      endedAt: null,
      steps: [
        { name: "volumes", state: "succeeded", detail: "3 volumes" },
        { name: "instances", state: "running" },
      ],
    });
  });

  test("says why it failed", async () => {
    const error = { code: "capacity", message: "no zone has room" };
    await world.store.endOperation(operationId, {
      state: "failed",
      error,
      endedAt: new Date().toISOString(),
    });

    const { body } = await world.call("GET", `/v1/operations/${operationId}`);

    expect(body).toMatchObject({ state: "failed", error });
  });

  test.each(["nope", newClusterId(), newOperationId()])("answers 404 for %s", async (id) => {
    expect(code(await world.call("GET", `/v1/operations/${id}`))).toEqual([404, "not-found"]);
    expect(code(await cancel(id))).toEqual([404, "not-found"]);
  });
});

describe("GET /v1/operations", () => {
  test("lists those of one cluster or of all, also of clusters that are gone, in pages", async () => {
    await world.call("POST", "/v1/clusters", { body: { name: "billing" } });
    await end(operationId);
    await world.store.removeCluster(clusterId);

    const all = (await world.call("GET", "/v1/operations?limit=1")).body as {
      items: unknown[];
      nextCursor: string;
    };
    expect(all.items).toHaveLength(1);
    const rest = await world.call("GET", `/v1/operations?limit=1&cursor=${all.nextCursor}`);
    expect(rest.body).toMatchObject({ items: [{ id: operationId }], nextCursor: null });
    const own = await world.call("GET", `/v1/operations?clusterId=${clusterId}`);
    expect(own.body).toMatchObject({ items: [{ id: operationId }], nextCursor: null });
  });

  test.each(["clusterId=nope", "state=running", "cursor=x"])("refuses ?%s and names it", async (query) => {
    const reply = await world.call("GET", `/v1/operations?${query}`);

    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toContainEqual(expect.objectContaining({ path: query.split("=")[0] }));
  });
});

describe("POST /v1/operations/{operationId}/cancel", () => {
  test("sets the flag that steps read, once, and leaves a trace", async () => {
    const reply = await cancel(operationId);
    await cancel(operationId);

    expect(reply.status).toBe(202);
    expect(reply.headers["location"]).toBe(`/v1/operations/${operationId}`);
    expect(reply.body).toMatchObject({ operation: { id: operationId, cancelRequested: true } });
    expect((await world.store.getOperation(operationId))?.cancelRequested).toBe(true);
    const events = (await world.call("GET", `/v1/clusters/${clusterId}/events`)).body as {
      items: { action: string }[];
    };
    expect(events.items.map((event) => event.action)).toEqual(["cancel-operation", "create-cluster"]);
  });

  test("is taken for a delete as long as its final backup is not there", async () => {
    await end(operationId);
    const { body } = await world.call("DELETE", `/v1/clusters/${clusterId}`);
    const { id } = (body as { operation: { id: string } }).operation;
    expect((await cancel(id)).status).toBe(202);
    const taken = { name: "final-backup", state: "succeeded", startedAt: null, endedAt: null } as const;
    await world.store.updateStep(id, taken);
    expect(code(await cancel(id))).toEqual([409, "wrong-status"]);
  });

  test("is refused when the operation has ended, and for a delete without a final backup", async () => {
    await end(operationId);
    expect(code(await cancel(operationId))).toEqual([409, "operation-ended"]);
    const { body } = await world.call("DELETE", `/v1/clusters/${clusterId}?finalBackup=false`);

    expect(code(await cancel((body as { operation: { id: string } }).operation.id))).toEqual([
      409,
      "wrong-status",
    ]);
  });

  test("as a dry run says what would happen and writes nothing", async () => {
    const before = await world.items();

    const reply = await cancel(operationId, "?dryRun=true");

    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ dryRun: true, kind: "cancel-operation" });
    expect(await world.items()).toEqual(before);
  });
});

describe("GET /v1/clusters/{clusterId}/events", () => {
  test("says who did what, when and from where, newest first, also when the cluster is gone", async () => {
    await end(operationId);
    await world.call("DELETE", `/v1/clusters/${clusterId}`, { principal: "omar" });
    await world.store.removeCluster(clusterId);

    const { body } = await world.call("GET", `/v1/clusters/${clusterId}/events?limit=1`, { role: "viewer" });
    const page = body as { items: { at: string }[]; nextCursor: string };

    expect(page.items).toEqual([
      expect.objectContaining({
        action: "delete-cluster",
        principal: "omar",
        role: "admin",
        sourceAddress: "203.0.113.7",
        requestId: expect.stringMatching(/^req_/),
        detail: expect.stringContaining("orders"),
      }),
    ]);
    expect(Date.now() - Date.parse(page.items[0]?.at ?? "")).toBeLessThan(60_000);
    const rest = await world.call("GET", `/v1/clusters/${clusterId}/events?cursor=${page.nextCursor}`);
    expect(rest.body).toMatchObject({
      items: [{ action: "create-cluster", principal: "olivia", operationId }],
      nextCursor: null,
    });
  });

  test("has no trace of what was refused", async () => {
    await world.call("DELETE", `/v1/clusters/${clusterId}`);
    await cancel(operationId, "?dryRun=true");

    const { body } = await world.call("GET", `/v1/clusters/${clusterId}/events`);

    expect((body as { items: unknown[] }).items).toHaveLength(1);
  });
});
