import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newClusterId } from "./support/fixtures.ts";
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

type Accepted = {
  cluster: { id: string; nodes: { zone: string; services: string[]; state: string }[] };
  operation: { id: string };
};

async function create(name = "orders", more: Record<string, unknown> = {}): Promise<Accepted> {
  const reply = await world.call("POST", "/v1/clusters", { body: { name, ...more } });
  expect(reply.status, reply.text).toBe(202);
  return reply.body as unknown as Accepted;
}

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const end = (operationId: string) =>
  world.store.endOperation(operationId, { state: "succeeded", endedAt: new Date().toISOString() });

describe("POST /v1/clusters", () => {
  test("answers 202 with the cluster as it will be, the operation and where to watch it, and starts the work", async () => {
    const reply = await world.call("POST", "/v1/clusters", { body: { name: "orders" }, role: "operator" });

    expect(reply.status).toBe(202);
    const { cluster, operation } = reply.body as {
      cluster: Record<string, unknown>;
      operation: Record<string, unknown>;
    };
    expect(cluster).toMatchObject({
      name: "orders",
      status: "creating",
      generation: 1,
      activeOperationId: operation["id"],
      spec: {
        members: 3,
        postgresVersion: 17,
        durability: "sync",
        dcs: { members: 3 },
        instanceType: "t4g.medium",
      },
    });
    expect(operation).toMatchObject({
      kind: "create-cluster",
      state: "pending",
      progress: 0,
      startedBy: "olivia",
      clusterId: cluster["id"],
      endedAt: null,
    });
    expect(reply.headers["location"]).toBe(`/v1/operations/${operation["id"]}`);
    expect(reply.headers["etag"]).toBe('"1"');
    expect(world.executions.started).toEqual([{ kind: "create-cluster", operationId: operation["id"] }]);
  });

  test("lays the nodes out over the zones, with the DCS on the first of them", async () => {
    const { cluster } = await create("orders", {
      members: 5,
      dcs: { members: 3 },
      pooler: { enabled: false },
    });

    expect(cluster.nodes.map((node) => node.zone)).toEqual([
      "local-1a",
      "local-1b",
      "local-1c",
      "local-1a",
      "local-1b",
    ]);
    expect(cluster.nodes.map((node) => node.services.includes("etcd"))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(cluster.nodes.every((node) => !node.services.includes("pgbouncer"))).toBe(true);
    expect(cluster.nodes.every((node) => node.state === "pending")).toBe(true);
  });

  test("refuses a name that is taken and frees it with the cluster", async () => {
    const first = await create();
    const before = await world.items();

    const refused = await world.call("POST", "/v1/clusters", { body: { name: "orders" } });

    expect(code(refused)).toEqual([409, "name-taken"]);
    expect(refused.body["detail"]).toContain(first.cluster.id);
    expect(await world.items()).toEqual(before);
    await world.store.removeCluster(first.cluster.id);
    await create();
  });

  test("answers 202 when the execution cannot be started, and logs why: the reconciler starts it again", async () => {
    world.executions.failure = new Error("Lambda is away");

    const { operation } = await create();

    expect((await world.store.listOpenOperations(null)).map((one) => one.id)).toEqual([operation.id]);
    expect(world.logs).toContainEqual(
      expect.objectContaining({ level: "error", operationId: operation.id, errorMessage: "Lambda is away" }),
    );
  });

  test("warns of what is allowed and unwise", async () => {
    const reply = await world.call("POST", "/v1/clusters", { body: { name: "alone", members: 1 } });

    expect(reply.status).toBe(202);
    expect(reply.body["warnings"]).toContainEqual(expect.stringContaining("standby"));
  });
});

describe("GET /v1/clusters", () => {
  test("pages through all clusters, newest first", async () => {
    const names = ["one", "two", "three", "four", "five"].map((name) => `cluster-${name}`);
    for (const name of names) await create(name, { members: 1 });

    const seen: string[] = [];
    let path = "/v1/clusters?limit=2";
    for (;;) {
      const { body } = await world.call("GET", path, { role: "viewer" });
      const page = body as unknown as { items: { name: string }[]; nextCursor: string | null };
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((item) => item.name));
      if (page.nextCursor === null) break;
      path = `/v1/clusters?limit=2&cursor=${encodeURIComponent(page.nextCursor)}`;
    }

    expect(seen).toEqual(names.toReversed());
  });

  test("is empty in an empty environment", async () => {
    expect((await world.call("GET", "/v1/clusters")).body).toEqual({ items: [], nextCursor: null });
  });

  test.each([
    ["limit=0", "limit"],
    ["limit=101", "limit"],
    ["limit=ten", "limit"],
    ["limit=1e1", "limit"],
    ["limit=", "limit"],
    ["limit=1&limit=2", "limit"],
    ["cursor=broken", "cursor"],
    ["colour=red", "colour"],
  ])("names the parameter of ?%s", async (query, name) => {
    const reply = await world.call("GET", `/v1/clusters?${query}`);

    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toContainEqual(expect.objectContaining({ path: name }));
  });
});

describe("GET /v1/clusters/{clusterId}", () => {
  test("answers the cluster with its ETag", async () => {
    const { cluster } = await create();

    const reply = await world.call("GET", `/v1/clusters/${cluster.id}`, { role: "viewer" });

    expect(reply.body).toEqual(cluster);
    expect(reply.headers["etag"]).toBe('"1"');
  });

  test.each(["nope", "opn_01ARZ3NDEKTSV4RRFFQ69G5FAV", "clu_%20", "clu_01ARZ3NDEKTSV4RRFFQ69G5FAV"])(
    "answers 404 for %s",
    async (id) => {
      for (const below of ["", "/topology", "/metrics", "/connection", "/events"]) {
        const reply = await world.call("GET", `/v1/clusters/${id}${below}`);
        expect(code(reply)).toEqual([404, "not-found"]);
      }
      expect(code(await world.call("DELETE", `/v1/clusters/${id}`))).toEqual([404, "not-found"]);
    },
  );
});

describe("DELETE /v1/clusters/{clusterId}", () => {
  test("answers 202 with the operation, marks the cluster and starts the work", async () => {
    const { cluster, operation } = await create();
    await end(operation.id);

    const reply = await world.call("DELETE", `/v1/clusters/${cluster.id}`);

    expect(reply.status).toBe(202);
    const deleting = reply.body["operation"] as { id: string; kind: string };
    expect(deleting.kind).toBe("delete-cluster");
    expect(reply.headers["location"]).toBe(`/v1/operations/${deleting.id}`);
    const read = await world.call("GET", `/v1/clusters/${cluster.id}`);
    expect(read.body).toMatchObject({ status: "deleting", activeOperationId: deleting.id });
    expect(world.executions.started.at(-1)).toEqual({ kind: "delete-cluster", operationId: deleting.id });
  });

  test("again, one after the other or ten at once, is the same operation", async () => {
    const { cluster, operation } = await create();
    await end(operation.id);

    const replies = await Promise.all(
      Array.from({ length: 10 }, () => world.call("DELETE", `/v1/clusters/${cluster.id}`)),
    );
    replies.push(await world.call("DELETE", `/v1/clusters/${cluster.id}`));

    expect(replies.map((reply) => reply.status)).toEqual(Array.from({ length: 11 }, () => 202));
    expect(new Set(replies.map((reply) => reply.headers["location"])).size).toBe(1);
    expect(world.executions.started.filter((one) => one.kind === "delete-cluster")).toHaveLength(1);
  });

  test("is refused while another operation runs, which it names", async () => {
    const { cluster, operation } = await create();

    const reply = await world.call("DELETE", `/v1/clusters/${cluster.id}`);

    expect(code(reply)).toEqual([409, "operation-in-progress"]);
    expect(reply.body["detail"]).toContain(operation.id);
  });

  test("is refused under deletionProtection", async () => {
    const { cluster, operation } = await create("orders", { deletionProtection: true });
    await end(operation.id);
    const before = await world.items();

    const reply = await world.call("DELETE", `/v1/clusters/${cluster.id}`);

    expect(code(reply)).toEqual([409, "deletion-protected"]);
    expect(await world.items()).toEqual(before);
  });

  test("removes the record of a create that failed, also under deletionProtection", async () => {
    const { cluster, operation } = await create("orders", { deletionProtection: true });
    const { nodes } = (await world.store.getCluster(cluster.id)) ?? { nodes: [] };
    await world.store.endOperation(operation.id, {
      state: "failed",
      endedAt: new Date().toISOString(),
      cluster: { status: "failed", statusReason: "The create failed." },
    });
    expect(code(await world.call("DELETE", `/v1/clusters/${cluster.id}`))).toEqual([
      409,
      "deletion-protected",
    ]);
    for (const node of nodes) await world.store.removeNode(cluster.id, node.id);

    expect((await world.call("DELETE", `/v1/clusters/${cluster.id}`)).status).toBe(202);
  });

  test("takes If-Match: the present generation or any, and no other", async () => {
    const { cluster, operation } = await create();
    await end(operation.id);
    const remove = (etag: string) =>
      world.call("DELETE", `/v1/clusters/${cluster.id}`, { headers: { "if-match": etag } });

    expect(code(await remove('"2"'))).toEqual([412, "precondition-failed"]);
    expect(code(await remove('W/"1"'))).toEqual([412, "precondition-failed"]);
    const malformed = await remove("1");
    expect(code(malformed)).toEqual([422, "invalid-request"]);
    expect(malformed.body["errors"]).toEqual([expect.objectContaining({ path: "If-Match" })]);
    expect((await remove('"7", "1"')).status).toBe(202);
    expect((await remove("*")).status).toBe(202);
  });

  test("takes a final backup, unless it is told not to, and says which and for how long it is kept", async () => {
    const { cluster, operation } = await create("orders", { backup: { retainAfterDeleteDays: 30 } });
    await end(operation.id);
    const before = await world.store.getCluster(cluster.id);
    for (const [query, finalBackup] of [
      ["", true],
      ["?finalBackup=true", true],
      ["?finalBackup=false", false],
    ] as const) {
      const more = query === "" ? "?dryRun=true" : `${query}&dryRun=true`;
      const dry = await world.call("DELETE", `/v1/clusters/${cluster.id}${more}`);
      expect(String(dry.body["summary"]).startsWith("Take a final backup")).toBe(finalBackup);
      expect(dry.body["summary"]).toContain(finalBackup ? "30 days" : "no backup of it that could be kept");
      expect((dry.body["warnings"] as string[]).length).toBe(finalBackup ? 0 : 1);
    }
    const reply = await world.call("DELETE", `/v1/clusters/${cluster.id}`);
    const { status, statusReason } = before ?? {};
    expect(reply.body).toMatchObject({
      operation: {
        request: { finalBackup: { backupId: expect.any(String) }, before: { status, statusReason } },
      },
      cluster: { statusReason: expect.stringContaining("30 days") },
      warnings: [],
    });
  });

  test("of a stopped cluster is refused with what to do: nobody can take a final backup", async () => {
    const { cluster, operation } = await create();
    await end(operation.id);
    await world.store.updateClusterStatus(cluster.id, "stopped", "Every instance is stopped.");
    const before = await world.items();
    for (const query of ["", "?dryRun=true"]) {
      const reply = await world.call("DELETE", `/v1/clusters/${cluster.id}${query}`);
      expect(code(reply)).toEqual([409, "final-backup-impossible"]);
      expect(reply.body["detail"]).toContain("?finalBackup=false");
    }
    expect(await world.items()).toEqual(before);
    const reply = await world.call("DELETE", `/v1/clusters/${cluster.id}?finalBackup=false`);
    expect(reply.status).toBe(202);
  });

  test("takes true or false for the final backup, and nothing else", async () => {
    const { cluster } = await create();
    const reply = await world.call("DELETE", `/v1/clusters/${cluster.id}?finalBackup=no`);
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toContainEqual(expect.objectContaining({ path: "finalBackup" }));
  });

  test("of a cluster that is gone answers 404", async () => {
    expect(code(await world.call("DELETE", `/v1/clusters/${newClusterId()}`))).toEqual([404, "not-found"]);
  });
});

describe("dry runs", () => {
  test("of a create say what would happen and write and start nothing", async () => {
    const before = await world.items();

    const reply = await world.call("POST", "/v1/clusters?dryRun=true", {
      body: { name: "orders", members: 4, dcs: { members: 3 } },
      headers: { "idempotency-key": "key" },
    });

    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      dryRun: true,
      kind: "create-cluster",
      nodesPerZone: { "local-1a": 2, "local-1b": 1, "local-1c": 1 },
      interrupts: [],
      spec: { name: "orders", database: "app", members: 4 },
    });
    expect(await world.items()).toEqual(before);
    expect(world.executions.started).toEqual([]);
  });

  test("of a create find out that the name is taken", async () => {
    await create();
    const before = await world.items();

    const reply = await world.call("POST", "/v1/clusters?dryRun=true", { body: { name: "orders" } });

    expect(code(reply)).toEqual([409, "name-taken"]);
    expect(await world.items()).toEqual(before);
  });

  test("of a delete say what it interrupts, and what would refuse it", async () => {
    const { cluster, operation } = await create();
    const dry = () => world.call("DELETE", `/v1/clusters/${cluster.id}?dryRun=true`);
    expect(code(await dry())).toEqual([409, "operation-in-progress"]);
    await end(operation.id);
    const before = await world.items();

    const reply = await dry();

    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      kind: "delete-cluster",
      interrupts: [expect.stringContaining("orders")],
    });
    expect(await world.items()).toEqual(before);
  });

  test("take true or false only", async () => {
    const reply = await world.call("POST", "/v1/clusters?dryRun=yes", { body: { name: "orders" } });

    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toContainEqual(expect.objectContaining({ path: "dryRun" }));
    expect((await world.call("POST", "/v1/clusters?dryRun=false", { body: { name: "orders" } })).status).toBe(
      202,
    );
  });
});
