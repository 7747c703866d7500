import {
  type Backup,
  type Cluster,
  drillRequestSchema,
  type Operation,
  throwAwayName,
} from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newClusterId } from "./support/fixtures.ts";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let backup: Backup;
const label = "20260101-000001F";

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  backup = await world.makeBackup(cluster.id, { label });
});

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const drill = (body: unknown = {}, options: CallOptions & { query?: string; of?: string } = {}) =>
  world.call(
    "POST",
    `/v1/clusters/${cluster.id}/backups/${options.of ?? backup.id}/drill${options.query ?? ""}`,
    {
      role: "operator",
      body,
      ...options,
    },
  );
const operationOf = ({ body }: Reply): Operation => body["operation"] as Operation;
const throwAwayOf = (reply: Reply) => drillRequestSchema.parse(operationOf(reply).request).throwAway;

describe("POST …/drill", () => {
  test("starts an operation of the cluster that the backup is of, and makes another one for it", async () => {
    const reply = await drill({ tables: ["public.orders"] });
    expect(reply.status, reply.text).toBe(202);
    const operation = operationOf(reply);
    expect(operation).toMatchObject({
      kind: "drill-backup",
      clusterId: cluster.id,
      request: { backupId: backup.id, tables: ["public.orders"], database: "app" },
    });
    expect(reply.headers["location"]).toBe(`/v1/operations/${operation.id}`);
    expect(world.executions.started).toEqual([{ kind: "drill-backup", operationId: operation.id }]);
    const made = await world.store.getCluster(throwAwayOf(reply).clusterId);
    expect(made).toMatchObject({
      name: throwAwayName(cluster.id),
      status: "creating",
      activeOperationId: operation.id,
      drillOf: { clusterId: cluster.id, backupId: backup.id, operationId: operation.id },
      spec: {
        members: 1,
        instanceType: cluster.spec.instanceType,
        deletionProtection: false,
        backup: {
          schedules: { full: null, diff: null, incr: null, logical: null },
          drill: null,
          verify: null,
          retainAfterDeleteDays: 0,
        },
      },
      nodes: { length: 1 },
    });
    expect(made?.statusReason).toContain('cluster "orders"');
  });

  test("leaves the cluster to everybody else", async () => {
    const before = await world.store.getCluster(cluster.id);
    await drill();
    expect(await world.store.getCluster(cluster.id)).toEqual(before);
  });

  test("keeps everybody else away from what it makes", async () => {
    const { clusterId } = throwAwayOf(await drill());
    for (const [method, path, body] of [
      ["DELETE", "", undefined],
      ["POST", "/stop", undefined],
      ["PATCH", "", { members: 3 }],
    ] as const) {
      const reply = await world.call(method, `/v1/clusters/${clusterId}${path}`, { ...(body && { body }) });
      expect(code(reply)).toEqual([409, "operation-in-progress"]);
    }
    const reply = await world.call("POST", `/v1/clusters/${clusterId}/backups`, { body: { type: "full" } });
    expect(code(reply)).toEqual([409, "wrong-status"]);
  });

  test("is one at a time for each cluster, and names the one that runs", async () => {
    const first = operationOf(await drill());
    for (const query of ["", "?dryRun=true"]) {
      const reply = await drill({}, { query });
      expect(code(reply)).toEqual([409, "drill-in-progress"]);
      expect(reply.body["detail"]).toContain(first.id);
    }
    const other = await world.makeAvailable("invoices");
    const { id } = await world.makeBackup(other.id, { label });
    expect(
      (await world.call("POST", `/v1/clusters/${other.id}/backups/${id}/drill`, { body: {} })).status,
    ).toBe(202);
  });

  test("as a dry run writes nothing and says what it would do", async () => {
    const before = await world.items();
    expect(await drill({}, { query: "?dryRun=true" })).toMatchObject({
      status: 200,
      body: {
        dryRun: true,
        kind: "drill-backup",
        summary: expect.stringContaining(backup.id),
        interrupts: [],
      },
    });
    expect(await world.items()).toEqual(before);
  });

  test("with the same Idempotency-Key begins one", async () => {
    const headers = { "idempotency-key": "monthly" };
    const replies = await Promise.all([1, 2, 3].map(() => drill({}, { headers })));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(world.executions.started).toHaveLength(1);
  });

  test("of a backup that has not succeeded is refused, and so is one of a logical one", async () => {
    const running = await world.makeBackup(cluster.id, { state: "running", label: null });
    expect(code(await drill({}, { of: running.id }))).toEqual([422, "backup-unknown"]);
    const logical = await world.makeBackup(cluster.id, { engine: "pg_dump", type: "logical" });
    expect(code(await drill({}, { of: logical.id }))).toEqual([422, "backup-unfit"]);
    expect(world.executions.started).toEqual([]);
  });

  test("of a backup or a cluster that is not there is refused", async () => {
    expect(code(await drill({}, { of: `bkp_${newClusterId().slice(4)}` }))).toEqual([404, "not-found"]);
    expect((await drill({}, { role: "viewer" })).status).toBe(403);
  });

  test.each([
    ["a table without its schema", { tables: ["orders"] }, "/tables/0"],
    ["a table that would be SQL", { tables: ['public."x"; DROP'] }, "/tables/0"],
    ["a table twice", { tables: ["public.orders", "public.orders"] }, "/tables"],
    ["a field that it does not know", { checks: [] }, "/checks"],
  ])("refuses %s, names the field, and changes nothing", async (_what, body, field) => {
    const before = await world.items();
    const reply = await drill(body);
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect((reply.body["errors"] as { path: string }[]).map(({ path }) => path)).toEqual([field]);
    expect(await world.items()).toEqual(before);
  });
});

describe("backup.drill and backup.verify of the spec", () => {
  const create = (backup: unknown) =>
    world.call("POST", "/v1/clusters?dryRun=true", { role: "operator", body: { name: "fresh", backup } });
  const specOf = ({ body }: Reply) => (body["spec"] as Cluster["spec"]).backup;

  test("are off and weekly where nobody says anything else", async () => {
    expect(specOf(await create({}))).toMatchObject({ drill: null, verify: { cron: "0 5 * * 6" } });
  });

  test("are what was said", async () => {
    const asked = { drill: { cron: "0 6 1 * *", tables: ["public.orders"] }, verify: null };
    expect(specOf(await create(asked))).toMatchObject(asked);
    expect(specOf(await create({ drill: { cron: "0 6 1 * *" } })).drill).toEqual({
      cron: "0 6 1 * *",
      tables: [],
    });
  });

  test.each([
    [{ drill: { cron: "every month" } }, "/backup/drill/cron"],
    [{ drill: {} }, "/backup/drill/cron"],
    [{ drill: { cron: "0 6 1 * *", tables: ["orders"] } }, "/backup/drill/tables/0"],
    [{ verify: { cron: "61 * * * *" } }, "/backup/verify/cron"],
  ])("refuse %j and name the field", async (asked, field) => {
    const reply = await create(asked);
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect((reply.body["errors"] as { path: string }[]).map(({ path }) => path)).toEqual([field]);
  });

  test("follow a patch, and go with null", async () => {
    const patch = async (backup: unknown) => {
      const path = `/v1/clusters/${cluster.id}?dryRun=true`;
      return specOf(await world.call("PATCH", path, { role: "operator", body: { backup } }));
    };
    expect((await patch({ drill: { cron: "0 6 1 * *" } })).drill).toEqual({ cron: "0 6 1 * *", tables: [] });
    expect((await patch({ verify: null })).verify).toBeNull();
  });
});
