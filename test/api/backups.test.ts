import type { Backup, Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeOperation, newClusterId } from "./support/fixtures.ts";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

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

const path = (more = "") => `/v1/clusters/${cluster.id}/backups${more}`;
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const take = (body: unknown, options: CallOptions & { query?: string } = {}) =>
  world.call("POST", path(options.query), { role: "operator", body, ...options });
const remove = ({ id }: Backup, query = "") => world.call("DELETE", path(`/${id}${query}`));
const list = async (query = "") => (await world.call("GET", path(query), { role: "viewer" })).body;

describe("POST …/backups", () => {
  test("writes the backup, starts its operation, and says where to watch both", async () => {
    const reply = await take({ type: "full" });
    expect(reply.status).toBe(202);
    const { backup, operation } = reply.body as { backup: Backup; operation: { id: string } };
    expect(backup).toMatchObject({ type: "full", state: "pending", startedBy: "olivia", label: null });
    expect(operation).toMatchObject({ kind: "backup-cluster", request: { backupId: backup.id } });
    expect(reply.headers["location"]).toBe(`/v1/operations/${operation.id}`);
    expect(world.executions.started).toEqual([{ kind: "backup-cluster", operationId: operation.id }]);
    expect((await world.call("GET", path(`/${backup.id}`))).body).toEqual(backup);
  });

  test("leaves the cluster to everybody else", async () => {
    await take({ type: "full" });
    expect(await world.store.getCluster(cluster.id)).toMatchObject({
      status: "available",
      activeOperationId: null,
      generation: cluster.generation,
    });
    const stop = await world.call("POST", `/v1/clusters/${cluster.id}/stop`, { role: "operator" });
    expect(stop.status).toBe(202);
  });

  test("is possible while the cluster is changed", async () => {
    await world.call("POST", `/v1/clusters/${cluster.id}/scale`, { body: { members: 5 } });
    expect((await take({ type: "full" })).status).toBe(202);
  });

  test("of one that builds on another takes a full one where there is none, and warns", async () => {
    expect((await take({ type: "incr" })).body).toMatchObject({
      backup: { type: "full" },
      warnings: [expect.stringContaining("no full backup")],
    });
  });

  test("of one that builds on another takes that where there is a full one", async () => {
    await world.makeBackup(cluster.id);
    expect((await take({ type: "diff" })).body).toMatchObject({ backup: { type: "diff" }, warnings: [] });
  });

  test("of a logical one needs no full one, and says what it is worth and what goes for it", async () => {
    const { body } = await take({ type: "logical" });
    expect(body).toMatchObject({
      backup: { type: "logical", engine: "pg_dump", logical: null },
      warnings: [
        expect.stringContaining("not consistent"),
        expect.stringMatching(/^7 logical backups are kept/),
      ],
    });
  });

  test("as a dry run writes nothing and says what it would be", async () => {
    const before = await world.items();
    const reply = await take({ type: "diff" }, { query: "?dryRun=true" });
    expect(reply).toMatchObject({
      status: 200,
      body: { dryRun: true, kind: "backup-cluster", summary: expect.stringContaining("full backup") },
    });
    expect(await world.items()).toEqual(before);
  });

  test("with the same Idempotency-Key takes one backup", async () => {
    const headers = { "idempotency-key": "nightly" };
    const replies = await Promise.all([1, 2, 3].map(() => take({ type: "full" }, { headers })));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect((await list())["items"]).toHaveLength(1);
    expect(world.executions.started).toHaveLength(1);
  });

  test("at the same time as another one is refused, and names its operation", async () => {
    const replies = await Promise.all([1, 2, 3].map(() => take({ type: "full" })));
    const statuses = replies.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([202, 409, 409]);
    const started = replies.flatMap(({ body }) => body["operation"] ?? []);
    const [{ id }] = started as [{ id: string }];
    for (const reply of replies.filter(({ status }) => status === 409)) {
      expect(reply.body).toMatchObject({ code: "backup-in-progress", detail: expect.stringContaining(id) });
    }
  });

  test.each([
    ["an unknown type", { type: "snapshot" }, "/type"],
    ["no type", {}, "/type"],
    ["a field that it does not know", { type: "full", compress: true }, "/compress"],
    ["a shard that is no number", { type: "full", shard: "0" }, "/shard"],
    ["a shard below the first", { type: "full", shard: -1 }, "/shard"],
  ])("refuses %s, names the field, and changes nothing", async (_what, body, field) => {
    const before = await world.items();
    const reply = await take(body);
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(reply.body["errors"]).toMatchObject([{ path: field }]);
    expect(await world.items()).toEqual(before);
  });

  test("takes one of the shard that is named", async () => {
    expect((await take({ type: "full", shard: 0 })).body).toMatchObject({ backup: { shard: 0 } });
  });

  test.each(["", "?dryRun=true"])("refuses a shard that the cluster does not have, %s", async (query) => {
    const before = await world.items();
    const reply = await take({ type: "full", shard: 1 }, { query });
    expect(code(reply)).toEqual([422, "shard-unknown"]);
    expect(reply.body["errors"]).toEqual([
      { path: "/shard", message: "must be one of the cluster's shards: 0" },
    ]);
    expect(await world.items()).toEqual(before);
  });

  test("says of an unknown type which there are", async () => {
    expect((await take({ type: "snapshot" })).text).toMatch(/full.*diff.*incr.*logical/);
  });
});

describe("GET …/backups", () => {
  test("lists the newest first, in pages", async () => {
    const made: string[] = [];
    for (let count = 0; count < 3; count += 1) made.unshift((await world.makeBackup(cluster.id)).id);
    const first = (await list("?limit=2")) as { items: Backup[]; nextCursor: string };
    expect(first.items.map(({ id }) => id)).toEqual(made.slice(0, 2));
    const second = (await list(`?limit=2&cursor=${first.nextCursor}`)) as { items: Backup[] };
    expect(second.items.map(({ id }) => id)).toEqual(made.slice(2));
    expect(second).toMatchObject({ nextCursor: null });
  });

  test("says what can be restored: nothing without a backup, and else up to what is archived", async () => {
    expect(await list()).toEqual({ items: [], nextCursor: null, restoreWindow: null, keptUntil: null });
    const endedAt = "2026-01-01T00:00:00.000Z";
    await world.makeBackup(cluster.id, { endedAt });
    expect((await list())["restoreWindow"]).toEqual({ earliest: endedAt, latest: endedAt });
    const record = await world.store.readHealth(cluster.id);
    const archivedUntil = "2026-01-01T12:00:00.000Z";
    await world.store.updateHealth(cluster.id, {
      status: "available",
      statusReason: "",
      drift: [],
      record: { ...record, archivedUntil },
      events: [],
    });
    expect((await list())["restoreWindow"]).toEqual({ earliest: endedAt, latest: archivedUntil });
  });

  test("has no window where there are logical backups alone, and says what is in them", async () => {
    const logical = { postgresVersion: "17.5", databases: ["app", "postgres"] };
    await world.makeBackup(cluster.id, { type: "logical", engine: "pg_dump", logical });
    expect(await list()).toMatchObject({
      items: [{ engine: "pg_dump", type: "logical", logical }],
      restoreWindow: null,
    });
  });

  test("says of one that runs how far it is, and of one that failed why", async () => {
    await take({ type: "full" });
    const [backup] = await world.store.allBackups(cluster.id);
    if (backup === undefined) throw new Error("there is no backup");
    const progress = { bytesDone: 1, bytesTotal: 2 };
    await world.store.putBackup({ ...backup, state: "running", progress });
    expect((await list())["items"]).toMatchObject([{ state: "running", progress }]);
    const error = { code: "backup-failed", message: "S3 says AccessDenied." };
    const endedAt = new Date().toISOString();
    await world.store.endOperation(backup.operationId, { state: "failed", endedAt, error });
    expect((await list())["items"]).toMatchObject([{ state: "failed", progress: null, error, endedAt }]);
    expect((await take({ type: "full" })).status).toBe(202);
  });

  test("finds no cluster that never was, and the backups of one that is gone", async () => {
    expect(code(await world.call("GET", `/v1/clusters/${newClusterId()}/backups`))).toEqual([
      404,
      "not-found",
    ]);
    const backup = await world.makeBackup(cluster.id);
    await world.store.removeCluster(cluster.id);
    expect((await list())["items"]).toMatchObject([{ id: backup.id }]);
    expect((await world.call("GET", path(`/${backup.id}`))).status).toBe(200);
  });

  test("says of a deleted cluster until when they are kept, and what can be restored", async () => {
    const endedAt = "2026-01-01T00:00:00.000Z";
    const archivedUntil = "2026-01-01T12:00:00.000Z";
    const backup = await world.makeBackup(cluster.id, { endedAt });
    const { keptUntil } = await world.deleteCluster(cluster, { archivedUntil });
    expect(await list()).toMatchObject({
      items: [{ id: backup.id }],
      keptUntil,
      restoreWindow: { earliest: endedAt, latest: archivedUntil },
    });
  });

  test("of one finds it under its own cluster alone", async () => {
    const backup = await world.makeBackup(cluster.id);
    const other = await world.makeAvailable("invoices");
    const paths = [`/v1/clusters/${other.id}/backups/${backup.id}`, path("/bkp_1"), path(`/${cluster.id}`)];
    for (const one of paths) expect(code(await world.call("GET", one))).toEqual([404, "not-found"]);
  });
});

describe("DELETE …/backups/{backupId}", () => {
  test("starts the operation, and from then on nobody relies on the backup", async () => {
    const [old] = [await world.makeBackup(cluster.id), await world.makeBackup(cluster.id)];
    const reply = await remove(old);
    expect(reply).toMatchObject({
      status: 202,
      body: { backup: { id: old.id, state: "deleting" }, operation: { kind: "delete-backup" } },
    });
    const { id } = reply.body["operation"] as { id: string };
    expect(world.executions.started).toEqual([{ kind: "delete-backup", operationId: id }]);
    const cancel = await world.call("POST", `/v1/operations/${id}/cancel`);
    expect(code(cancel)).toEqual([409, "wrong-status"]);
  });

  test("refuses the last full one, and one that others need, and names them", async () => {
    const full = await world.makeBackup(cluster.id);
    expect(code(await remove(full))).toEqual([409, "backup-needed"]);
    const incr = await world.makeBackup(cluster.id, { type: "incr", references: [full.label ?? ""] });
    await world.makeBackup(cluster.id);
    const before = await world.items();
    for (const query of ["", "?dryRun=true"]) {
      const reply = await remove(full, query);
      expect(code(reply)).toEqual([409, "backup-needed"]);
      expect(reply.body["detail"]).toContain(incr.id);
    }
    expect(await world.items()).toEqual(before);
    expect((await remove(incr)).status).toBe(202);
  });

  test("refuses one that an operation reads, and names that", async () => {
    const [old] = [await world.makeBackup(cluster.id), await world.makeBackup(cluster.id)];
    const drill = await world.call("POST", `/v1/clusters/${cluster.id}/backups/${old.id}/drill`, {
      body: {},
    });
    expect(drill.status, drill.text).toBe(202);
    const reply = await remove(old);
    expect(code(reply)).toEqual([409, "backup-needed"]);
    expect(reply.body["detail"]).toContain((drill.body["operation"] as { id: string }).id);
  });

  test("as a dry run writes nothing", async () => {
    const [old] = [await world.makeBackup(cluster.id), await world.makeBackup(cluster.id)];
    const before = await world.items();
    expect(await remove(old, "?dryRun=true")).toMatchObject({ status: 200, body: { kind: "delete-backup" } });
    expect(await world.items()).toEqual(before);
  });

  test("of a logical one is always possible, and makes no full one the last", async () => {
    const full = await world.makeBackup(cluster.id);
    const logical = await world.makeBackup(cluster.id, { type: "logical", engine: "pg_dump" });
    expect(code(await remove(full))).toEqual([409, "backup-needed"]);
    expect((await remove(logical)).status).toBe(202);
  });

  test("is for admins", async () => {
    const backup = await world.makeBackup(cluster.id);
    const reply = await world.call("DELETE", path(`/${backup.id}`), { role: "operator" });
    expect(code(reply)).toEqual([403, "forbidden"]);
  });

  test("of a backup that runs is refused until that has ended", async () => {
    await take({ type: "full" });
    const [backup] = await world.store.allBackups(cluster.id);
    if (backup === undefined) throw new Error("there is no backup");
    expect(code(await remove(backup))).toEqual([409, "backup-in-progress"]);
    const [endedAt, operationId] = [new Date().toISOString(), backup.operationId];
    await world.store.endOperation(operationId, { state: "cancelled", endedAt });
    expect((await remove(backup)).status).toBe(202);
  });

  test("of one that is not there finds nothing", async () => {
    const gone = {
      ...(await world.makeBackup(cluster.id)),
      id: makeOperation(cluster.id).id.replace("opn", "bkp"),
    };
    expect(code(await remove(gone))).toEqual([404, "not-found"]);
  });
});

describe("GET /v1/backups", () => {
  const all = async (query = "") => (await world.call("GET", `/v1/backups${query}`, { role: "viewer" })).body;

  test("lists those of all clusters, newest first, in pages, with names and with how long they are kept", async () => {
    const other = await world.makeAvailable("invoices");
    const first = await world.makeBackup(cluster.id);
    const second = await world.makeBackup(other.id);
    const { keptUntil } = await world.deleteCluster(cluster);
    expect(await all()).toMatchObject({
      items: [
        { id: second.id, clusterName: "invoices", keptUntil: null },
        { id: first.id, clusterName: "orders", keptUntil },
      ],
      nextCursor: null,
    });
    const page = (await all("?limit=1")) as { items: Backup[]; nextCursor: string };
    expect(page.items.map(({ id }) => id)).toEqual([second.id]);
    expect(await all(`?limit=1&cursor=${page.nextCursor}`)).toMatchObject({ items: [{ id: first.id }] });
  });

  test("lists those of one cluster, also of a deleted one", async () => {
    await world.makeBackup((await world.makeAvailable("invoices")).id);
    const backup = await world.makeBackup(cluster.id);
    await world.deleteCluster(cluster);
    expect(await all(`?clusterId=${cluster.id}`)).toMatchObject({
      items: [{ id: backup.id }],
      nextCursor: null,
    });
  });

  test("of a cluster without any is empty, and of one that never was is not found", async () => {
    expect(await all(`?clusterId=${cluster.id}`)).toEqual({ items: [], nextCursor: null });
    await world.deleteCluster(cluster);
    expect(await all(`?clusterId=${cluster.id}`)).toEqual({ items: [], nextCursor: null });
    const reply = await world.call("GET", `/v1/backups?clusterId=${newClusterId()}`);
    expect(code(reply)).toEqual([404, "not-found"]);
    expect(code(await world.call("GET", "/v1/backups?clusterId=orders"))).toEqual([422, "invalid-request"]);
  });
});
