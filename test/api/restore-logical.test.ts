import type { Backup, Cluster } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeAudit, makeOperation, newClusterId } from "./support/fixtures.ts";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let target: Cluster;
let backup: Backup;

const gib = 1024 ** 3;
const kept = { type: "logical", engine: "pg_dump", sizeBytes: gib } as const;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  target = await world.makeAvailable("invoices");
  const logical = { postgresVersion: "17.5", databases: ["app", "reports"] };
  backup = await world.makeBackup(cluster.id, { ...kept, logical });
  for (const one of [cluster, target]) lead(one);
});

function lead({ nodes }: Cluster, at: World = world): void {
  const member = { state: "running", timeline: 1, lagBytes: null, pendingRestart: false } as const;
  const observation: Observation = {
    members: [{ ...member, nodeId: nodes[0]?.id ?? "", role: "leader" }],
    dcs: { quorum: true, members: [] },
  };
  for (const { instanceId } of nodes) at.nodes.observations.set(instanceId ?? "", observation);
}

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const restore = (into: unknown, more: Record<string, unknown> = {}, query = "") =>
  world.call("POST", `/v1/clusters/${cluster.id}/restore${query}`, {
    role: "operator",
    body: { backupId: backup.id, into, ...more },
  });

describe("POST …/restore of a logical backup into a database", () => {
  test("starts the operation on the cluster that the database is in, and leaves both to everybody else", async () => {
    const reply = await restore(
      { database: { clusterId: target.id, name: "orders_copy" } },
      { database: "reports" },
    );
    expect(reply.status, reply.text).toBe(202);
    const { operation } = reply.body as { operation: { id: string } };
    expect(reply.body).toMatchObject({
      cluster: { id: target.id, status: "available", backupOperationId: operation.id },
      operation: {
        kind: "load-database",
        clusterId: target.id,
        request: {
          source: { clusterId: cluster.id, shard: 0, backupId: backup.id, database: "reports" },
          name: "orders_copy",
        },
      },
    });
    expect(reply.headers["location"]).toBe(`/v1/operations/${operation.id}`);
    expect(world.executions.started).toEqual([{ kind: "load-database", operationId: operation.id }]);
    expect(await world.store.getCluster(target.id)).toMatchObject({
      backupOperationId: operation.id,
      activeOperationId: null,
    });
    expect(await world.store.getCluster(cluster.id)).toMatchObject({ backupOperationId: null });
  });

  test("takes the database of the spec and the cluster itself where nothing else is said", async () => {
    world.nodes.databases.set("app_copy", { isEmpty: true });
    const reply = await restore({ database: { name: "app_copy" } });
    expect(reply.body["operation"]).toMatchObject({
      clusterId: cluster.id,
      request: { source: { database: "app" }, name: "app_copy" },
    });
  });

  test("is possible from a cluster that nobody can ask, and is gone by now", async () => {
    for (const { instanceId } of cluster.nodes) world.nodes.observations.delete(instanceId ?? "");
    await world.store.updateClusterStatus(cluster.id, "failed", "It burnt down.");
    expect((await restore({ database: { clusterId: target.id, name: "app" } })).status).toBe(202);
  });

  test("asked twice at once with the same Idempotency-Key is one restore, and both are told of it", async () => {
    const { race, world: racing } = await worlds.makeRacing();
    const source = await racing.makeAvailable("orders");
    lead(source, racing);
    const logical = { postgresVersion: "17.5", databases: ["app"] };
    const { id: backupId } = await racing.makeBackup(source.id, { ...kept, logical });
    const { early, late } = await race(() =>
      racing.call("POST", `/v1/clusters/${source.id}/restore`, {
        role: "operator",
        body: { backupId, into: { database: { name: "copy" } } },
        headers: { "idempotency-key": "key" },
      }),
    );
    expect([early.status, late.status], late.text).toEqual([202, 202]);
    expect(late.text).toBe(early.text);
    expect(racing.executions.started).toHaveLength(1);
  });

  test("as a dry run says whether the database is there, and writes nothing", async () => {
    world.nodes.databases.set("app", { isEmpty: true });
    const before = await world.items();
    for (const [name, exists] of [
      ["app", true],
      ["copy", false],
    ] as const) {
      const reply = await restore({ database: { clusterId: target.id, name } }, {}, "?dryRun=true");
      expect(reply).toMatchObject({
        status: 200,
        body: { kind: "load-database", preflight: { backupId: backup.id, database: "app", exists } },
      });
    }
    expect(await world.items()).toEqual(before);
  });

  async function expectRefused(
    expected: readonly [number, string],
    path: string,
    ask: (query: string) => Promise<Reply>,
  ) {
    const before = await world.items();
    for (const query of ["", "?dryRun=true"]) {
      const reply = await ask(query);
      expect(code(reply), reply.text).toEqual(expected);
      if (path !== "") expect(reply.body["errors"]).toMatchObject([{ path }]);
    }
    expect(await world.items()).toEqual(before);
    expect(world.executions.started).toEqual([]);
  }

  test("refuses one that has something in it", async () => {
    world.nodes.databases.set("app", { isEmpty: false });
    await expectRefused([409, "database-not-empty"], "/into/database/name", (query) =>
      restore({ database: { clusterId: target.id, name: "app" } }, {}, query),
    );
  });

  test.each<[string, unknown, Record<string, unknown>, [number, string], string]>([
    [
      "a database that the backup does not have",
      { name: "copy" },
      { database: "sales" },
      [422, "database-unknown"],
      "/database",
    ],
    ["a target in WAL", { name: "copy" }, { target: "latest" }, [422, "backup-unfit"], "/target"],
    ["what is about a target", { name: "copy" }, { exclusive: true }, [422, "backup-unfit"], "/exclusive"],
    ["PostgreSQL's own databases", { name: "postgres" }, {}, [422, "invalid-request"], "/into/database/name"],
    ["a name that is none", { name: "Ümlaut" }, {}, [422, "invalid-request"], "/into/database/name"],
    ["no name", {}, {}, [422, "invalid-request"], "/into/database/name"],
    ["no backup", { name: "copy" }, { backupId: undefined }, [422, "backup-unknown"], "/backupId"],
    ["a cluster that never was", { name: "copy", clusterId: newClusterId() }, {}, [404, "not-found"], ""],
  ])("refuses %s, as a dry run too, and changes nothing", async (_what, database, more, expected, path) => {
    await expectRefused(expected, path, (query) => restore({ database }, more, query));
  });

  test("refuses a backup of files, which holds all databases, and one that came to nothing", async () => {
    const full = await world.makeBackup(cluster.id);
    const failed = await world.makeBackup(cluster.id, { ...kept, state: "failed", label: null });
    const into = { database: { name: "copy" } };
    await expectRefused([422, "backup-unfit"], "/into/database", (query) =>
      restore(into, { backupId: full.id }, query),
    );
    await expectRefused([422, "backup-unknown"], "/backupId", (query) =>
      restore(into, { backupId: failed.id }, query),
    );
  });

  test("refuses a backup of a later version of PostgreSQL", async () => {
    const logical = { postgresVersion: "18.1", databases: ["app"] };
    const later = await world.makeBackup(cluster.id, { ...kept, logical });
    await expectRefused([422, "backup-unfit"], "/into/database/clusterId", (query) =>
      restore({ database: { name: "copy" } }, { backupId: later.id }, query),
    );
  });

  test("refuses a cluster that does not run, has no leader, or does not say what is in the database", async () => {
    const ask = (query: string) => restore({ database: { clusterId: target.id, name: "copy" } }, {}, query);
    await world.store.updateClusterStatus(target.id, "stopped", "As the test has it.");
    await expectRefused([409, "wrong-status"], "", ask);
    await world.store.updateClusterStatus(target.id, "available", "As the test has it.");
    world.nodes.databases.set("copy", null);
    await expectRefused([503, "cluster-unreachable"], "", ask);
  });

  test("waits for no other backup of the cluster, and names what runs", async () => {
    const operation = makeOperation(target.id, { kind: "load-database", request: {} });
    await world.store.startBackupOperation(
      { operation, audit: makeAudit(target.id), idempotency: null },
      null,
    );
    const reply = await restore({ database: { clusterId: target.id, name: "copy" } });
    expect(code(reply)).toEqual([409, "backup-in-progress"]);
    expect(reply.body["detail"]).toContain(operation.id);
    await world.store.endOperation(operation.id, { state: "failed", endedAt: operation.createdAt });
    expect((await restore({ database: { clusterId: target.id, name: "copy" } })).status).toBe(202);
  });

  test("with the same Idempotency-Key loads once", async () => {
    const replies = await Promise.all(
      [1, 2, 3].map(() =>
        world.call("POST", `/v1/clusters/${cluster.id}/restore`, {
          body: { backupId: backup.id, into: { database: { name: "copy" } } },
          headers: { "idempotency-key": "once" },
        }),
      ),
    );
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(world.executions.started).toHaveLength(1);
  });
});

describe("POST …/restore of a logical backup into a new cluster", () => {
  test("makes one with the database in it, as the other one is otherwise", async () => {
    const newCluster = { name: "orders-copy", members: 1, parameters: { max_connections: 30 } };
    const reply = await restore({ newCluster });
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body).toMatchObject({
      cluster: { name: "orders-copy", status: "creating", spec: { members: 1, database: "app" } },
      operation: {
        kind: "restore-cluster",
        request: { source: { clusterId: cluster.id, backupId: backup.id, database: "app" }, name: "app" },
      },
    });
  });

  test("as a dry run answers spec and backup, and writes nothing", async () => {
    const before = await world.items();
    const reply = await restore(
      { newCluster: { name: "orders-copy" } },
      { target: "immediate" },
      "?dryRun=true",
    );
    expect(reply).toMatchObject({
      status: 200,
      body: { kind: "restore-cluster", spec: { name: "orders-copy" }, preflight: { backupId: backup.id } },
    });
    expect(await world.items()).toEqual(before);
  });

  test("refuses a volume that the data does not fit on", async () => {
    await world.store.putBackup({ ...backup, sizeBytes: 100 * gib });
    const reply = await restore({ newCluster: { name: "orders-copy" } });
    expect(code(reply)).toEqual([422, "volume-too-small"]);
  });
});

describe("a restore", () => {
  test.each([
    ["nowhere", {}],
    ["to two places", { newCluster: { name: "copy" }, database: { name: "copy" } }],
  ])("%s is refused", async (_what, into) => {
    const reply = await restore(into);
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toMatchObject([
      { path: "/into", message: expect.stringContaining("exactly one") },
    ]);
  });

  test("of files needs a target, and has all databases", async () => {
    await world.makeBackup(cluster.id);
    const into = { newCluster: { name: "copy" } };
    const without = await restore(into, { backupId: undefined });
    expect(without.body["errors"]).toMatchObject([{ path: "/target" }]);
    const one = await restore(into, { backupId: undefined, target: "latest", database: "app" });
    expect(one.body["errors"]).toMatchObject([{ path: "/database" }]);
  });
});
