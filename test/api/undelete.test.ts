import type { Backup, Cluster, DeletedCluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newClusterId } from "./support/fixtures.ts";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let backup: Backup;
let deleted: DeletedCluster;

const dayMs = 24 * 3600 * 1000;
const walStart = "00000001000000000000000C";

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  const wal = { lsnStart: "0/3000028", lsnStop: "0/3000100", walStart, walStop: walStart };
  backup = await world.makeBackup(cluster.id, { sizeBytes: 1024 ** 3, ...wal });
  world.repositories.keep(12, 13, 14);
  deleted = await world.deleteCluster(cluster);
});

const path = (query = "") => `/v1/clusters/${cluster.id}/undelete${query}`;
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const undelete = (query = "", options: CallOptions = {}) =>
  world.call("POST", path(query), { role: "operator", ...options });

describe("a deleted cluster", () => {
  test("is not found, and the answer says until when it can be brought back", async () => {
    const reply = await world.call("GET", `/v1/clusters/${cluster.id}`);
    expect(code(reply)).toEqual([404, "not-found"]);
    expect(reply.body["detail"]).toContain(deleted.keptUntil);
    expect(reply.body["detail"]).toContain(path());
    const patch = await world.call("PATCH", `/v1/clusters/${cluster.id}`, { body: { members: 5 } });
    expect(patch.body["detail"]).toContain(deleted.keptUntil);
  });
});

describe("POST …/undelete", () => {
  test("writes the cluster as it was, under its own id, and starts the operation", async () => {
    const reply = await undelete();
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body).toMatchObject({
      cluster: {
        id: cluster.id,
        name: "orders",
        status: "creating",
        spec: cluster.spec,
        generation: cluster.generation + 1,
      },
      operation: {
        kind: "undelete-cluster",
        clusterId: cluster.id,
        request: { clusterId: cluster.id, backupId: backup.id, label: backup.label, target: "latest" },
      },
    });
    const nodes = (reply.body["cluster"] as Cluster).nodes.map(({ id }) => id);
    expect(nodes.filter((id) => cluster.nodes.some((node) => node.id === id))).toEqual([]);
    expect(world.executions.started).toMatchObject([{ kind: "undelete-cluster" }]);
  });

  test("as a dry run says from what and how long, and writes nothing", async () => {
    const before = await world.items();
    expect(await undelete("?dryRun=true")).toMatchObject({
      status: 200,
      body: {
        kind: "undelete-cluster",
        preflight: { backupId: backup.id, isWalChecked: true, estimate: { seconds: expect.any(Number) } },
        spec: cluster.spec,
      },
    });
    expect(await world.items()).toEqual(before);
  });

  test("where another cluster has its name is refused, with the way to restore it under another one", async () => {
    const other = await world.makeAvailable("orders");
    const before = await world.items();
    for (const query of ["", "?dryRun=true"]) {
      const reply = await undelete(query);
      expect(code(reply)).toEqual([409, "name-taken"]);
      expect(reply.body["detail"]).toContain(other.id);
      expect(reply.body["detail"]).toContain(`/v1/clusters/${cluster.id}/restore`);
    }
    expect(await world.items()).toEqual(before);
  });

  test("twice brings it back once", async () => {
    const replies = await Promise.all([1, 2, 3].map(() => undelete()));
    expect(replies.map(code).toSorted()).toEqual([
      [202, undefined],
      [409, "not-deleted"],
      [409, "not-deleted"],
    ]);
    expect(world.executions.started).toHaveLength(1);
  });

  test("after its time, or while what was kept is removed, is refused", async () => {
    await world.store.beginRemoval(cluster.id);
    expect(code(await undelete())).toEqual([409, "backups-removed"]);
    const late = await world.makeAvailable("late");
    await world.makeBackup(late.id);
    const keptUntil = new Date(Date.now() - dayMs).toISOString();
    await world.deleteCluster(late, { keptUntil });
    const reply = await world.call("POST", `/v1/clusters/${late.id}/undelete`);
    expect(code(reply)).toEqual([409, "backups-removed"]);
    expect(reply.body["detail"]).toContain(keptUntil);
  });

  test("of a cluster without a backup is refused", async () => {
    const { id } = await world.deleteCluster(await world.makeAvailable("invoices"));
    expect(code(await world.call("POST", `/v1/clusters/${id}/undelete`))).toEqual([409, "no-backup"]);
  });

  test("of a cluster with logical backups alone is refused, as every answer about it says, and says what is possible", async () => {
    const invoices = await world.makeAvailable("invoices");
    await world.makeBackup(invoices.id, {
      type: "logical",
      engine: "pg_dump",
      logical: { postgresVersion: "17.5", databases: ["app"] },
    });
    const dry = await world.call("DELETE", `/v1/clusters/${invoices.id}?finalBackup=false&dryRun=true`);
    expect(dry.body["summary"]).toMatch(/its logical backups are kept for 7 days.*do not bring it back/);
    const { id, keptUntil } = await world.deleteCluster(invoices);
    const found = await world.call("GET", `/v1/clusters/${id}`);
    expect(found.body["detail"]).not.toContain("undelete");
    for (const query of ["", "?dryRun=true"]) {
      const reply = await world.call("POST", `/v1/clusters/${id}/undelete${query}`);
      expect(code(reply)).toEqual([409, "no-backup"]);
      expect(reply.body["detail"]).toContain(keptUntil);
      expect(reply.body["detail"]).toContain(`POST /v1/clusters/${id}/restore`);
    }
  });

  test("with WAL missing after the last backup is refused, and the segments are named", async () => {
    world.repositories.keep(12, 14);
    const reply = await undelete();
    expect(code(reply)).toEqual([422, "wal-missing"]);
    expect(reply.body["detail"]).toContain("00000001000000000000000D");
  });

  test("of one that never was finds nothing, and is not for those who may only look", async () => {
    expect(code(await world.call("POST", `/v1/clusters/${newClusterId()}/undelete`))).toEqual([
      404,
      "not-found",
    ]);
    expect((await undelete("", { role: "viewer" })).status).toBe(403);
  });

  test("goes by the generation that the cluster had", async () => {
    expect(code(await undelete("", { headers: { "if-match": '"7"' } }))).toEqual([
      412,
      "precondition-failed",
    ]);
    const own = `"${cluster.generation}"`;
    expect((await undelete("", { headers: { "if-match": own } })).status).toBe(202);
  });
});
