import { type Backup, type Cluster, type Kept, keptHours } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeAudit, makeOperation, newOperationId } from "./support/fixtures.ts";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let backup: Backup;

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const gib = 1024 ** 3;
const wal = (timeline: number): string => `0000000${timeline}0000000000000003`;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  backup = await world.makeBackup(cluster.id, {
    endedAt: at(10),
    walStart: wal(1),
    lsnStop: "0/3000100",
    sizeBytes: 8 * gib,
  });
  await archived(cluster.id, at(30));
  observe(cluster);
});

async function archived(clusterId: string, until: string): Promise<void> {
  const record = { ...(await world.store.readHealth(clusterId)), archivedUntil: until };
  const status = { status: "available", statusReason: "", drift: [], events: [] } as const;
  await world.store.updateHealth(clusterId, { ...status, record });
}

/** The first node leads, and every one has ten GiB free. */
function observe(
  { nodes }: Cluster,
  states: readonly string[] = ["running", "streaming", "streaming"],
): void {
  const members = nodes.map(({ id }, index): Observation["members"][number] => ({
    nodeId: id,
    role: index === 0 ? "leader" : "replica",
    state: states[index] ?? "streaming",
    timeline: 1,
    lagBytes: 0,
    pendingRestart: false,
  }));
  const observation: Observation = { members, dcs: { quorum: true, members: [] } };
  for (const { instanceId } of nodes) {
    world.nodes.observations.set(instanceId ?? "", observation);
    world.nodes.freeBytes.set(instanceId ?? "", 10 * gib);
  }
}

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const path = (more = "", query = "") => `/v1/clusters/${cluster.id}/restore${more}${query}`;
const restore = (more: Record<string, unknown> = {}, query = "") =>
  world.call("POST", path("", query), {
    role: "operator",
    body: { target: { time: at(15) }, into: "in-place", ...more },
  });

async function expectRefused(
  ask: (query: string) => Promise<Reply>,
  ...expected: [number, string]
): Promise<Reply> {
  const before = await world.items();
  const dry = await ask("?dryRun=true");
  expect(code(dry), dry.text).toEqual(expected);
  const reply = await ask("");
  expect(code(reply), reply.text).toEqual(expected);
  expect(await world.items()).toEqual(before);
  expect(world.executions.started).toEqual([]);
  return reply;
}

/** As an operation that holds the cluster has left it. */
async function record(change: { kept?: Kept; paused?: Cluster["paused"] }): Promise<string> {
  const operation = makeOperation(cluster.id, { kind: "restore-in-place" });
  const start = { operation, audit: makeAudit(cluster.id), idempotency: null };
  await world.store.startOperation(start, { status: "restoring", statusReason: "" });
  const kept = change.kept === undefined ? {} : { kept: { ...change.kept, operationId: operation.id } };
  await world.store.recordOnCluster(cluster.id, operation.id, { paused: null, ...change, ...kept });
  const free = { status: "available", statusReason: "" } as const;
  await world.store.endOperation(operation.id, { state: "succeeded", endedAt: at(20), cluster: free });
  return operation.id;
}

const keep = (): Promise<string> => {
  const leaderId = cluster.nodes[0]?.id ?? "";
  return record({
    kept: { operationId: newOperationId(), since: at(20), until: at(20 + keptHours * 60), leaderId },
  });
};

describe("POST …/restore into in-place", () => {
  test("holds the cluster for it, and says what it goes to and from where", async () => {
    const reply = await restore();
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body).toMatchObject({
      cluster: { id: cluster.id, status: "restoring", spec: cluster.spec, generation: cluster.generation },
      operation: {
        kind: "restore-in-place",
        clusterId: cluster.id,
        request: { backupId: backup.id, label: backup.label, target: { time: at(15) }, exclusive: false },
      },
    });
    expect(world.executions.started).toMatchObject([{ kind: "restore-in-place" }]);
    const events = await world.call("GET", `/v1/clusters/${cluster.id}/events`);
    expect(events.text).toContain(`Take cluster \\"orders\\" back to ${at(15)}`);
  });

  test("as a dry run says what stops and what is kept, and writes nothing", async () => {
    const before = await world.items();
    const reply = await restore({}, "?dryRun=true");
    expect(reply).toMatchObject({
      status: 200,
      body: {
        kind: "restore-in-place",
        interrupts: [expect.stringContaining("port 6432 wait for up to two minutes")],
        warnings: [expect.stringContaining(`kept for ${keptHours} hours`), expect.stringContaining("cloned")],
        preflight: { backupId: backup.id, restoreWindow: { earliest: at(10), latest: at(30) } },
      },
    });
    expect(await world.items()).toEqual(before);
  });

  test("looks for a target on the timeline that was in service then", async () => {
    world.repositories.starts = [{ timeline: 2, since: at(20) }];
    const requestOf = async (time: string) =>
      (await restore({ target: { time } }, "")).body as { operation: { id: string; request: object } };
    const old = await requestOf(at(18));
    expect(old.operation.request).toMatchObject({ timeline: 1 });
    const end = { state: "failed", endedAt: at(21) } as const;
    const free = { status: "available", statusReason: "" } as const;
    await world.store.endOperation(old.operation.id, { ...end, cluster: free });
    expect((await requestOf(at(25))).operation.request).not.toHaveProperty("timeline");
  });

  test("is refused where a volume has no room for both, with what to do", async () => {
    world.nodes.freeBytes.set(cluster.nodes[2]?.instanceId ?? "", 9 * gib);
    const reply = await expectRefused((query) => restore({}, query), 422, "volume-too-small");
    expect(reply.body["detail"]).toContain(cluster.nodes[2]?.id);
    expect(reply.body["detail"]).toMatch(/grow storage\.sizeGiB to 21, or restore into a new cluster/);
  });

  test("is refused where a member could come back with other data", async () => {
    observe(cluster, ["running", "start failed"]);
    await expectRefused((query) => restore({}, query), 409, "member-not-streaming");
  });

  test("is refused where a node does not answer", async () => {
    world.nodes.freeBytes.delete(cluster.nodes[1]?.instanceId ?? "");
    await expectRefused((query) => restore({}, query), 409, "member-not-streaming");
  });

  test("is refused where there is no leader whose state could be preserved", async () => {
    const observation: Observation = { members: [], dcs: { quorum: true, members: [] } };
    for (const { instanceId } of cluster.nodes) world.nodes.observations.set(instanceId ?? "", observation);
    await expectRefused((query) => restore({}, query), 409, "no-leader");
  });

  test("is refused beside another operation, and beside a backup", async () => {
    const taken = await world.call("POST", `/v1/clusters/${cluster.id}/backups`, { body: { type: "full" } });
    expect(taken.status).toBe(202);
    world.executions.started.length = 0;
    await expectRefused((query) => restore({}, query), 409, "backup-in-progress");
    const paused = await world.call("POST", `/v1/clusters/${cluster.id}/pause`, { body: {} });
    expect(paused.status).toBe(202);
    world.executions.started.length = 0;
    await expectRefused((query) => restore({}, query), 409, "operation-in-progress");
  });

  test("is refused while the cluster is paused", async () => {
    await record({ paused: { since: at(1), until: null } });
    const reply = await expectRefused((query) => restore({}, query), 409, "wrong-status");
    expect(reply.body["detail"]).toContain("resume it");
  });

  test.each(["stopped", "failed", "updating", "restoring"] as const)(
    "is refused while it is %s",
    async (status) => {
      await world.store.updateClusterStatus(cluster.id, status, "As the test has it.");
      await expectRefused((query) => restore({}, query), 409, "wrong-status");
    },
  );

  test("is refused as long as another restore can be gone back from, and names it", async () => {
    const operationId = await keep();
    const reply = await expectRefused((query) => restore({}, query), 409, "restore-unconfirmed");
    expect(reply.body["detail"]).toContain(operationId);
  });

  test.each([
    ["a time of the future", { target: { time: at(31) } }, "target-outside-window"],
    ["a name that was never made", { target: { name: "never" } }, "restore-point-unknown"],
    ["somewhere that it does not know", { into: "elsewhere" }, "invalid-request"],
    ["a field that it does not know", { drop: true }, "invalid-request"],
  ])("to %s is refused", async (_what, more, expected) => {
    await expectRefused((query) => restore(more, query), 422, expected);
  });
});

describe.each([
  ["rollback", "rollback-restore", "restoring"],
  ["confirm", "confirm-restore", "available"],
] as const)("POST …/restore/{operationId}/%s", (verb, kind, status) => {
  const call = (operationId: string, query = "") =>
    world.call("POST", path(`/${operationId}/${verb}`, query));

  test("is there as long as the data of before is kept, which the cluster says", async () => {
    const operationId = await keep();
    const shown = await world.call("GET", `/v1/clusters/${cluster.id}`);
    expect(shown.body).toMatchObject({ kept: { operationId, until: at(20 + keptHours * 60) } });
    const dry = await call(operationId, "?dryRun=true");
    expect(dry, dry.text).toMatchObject({ status: 200, body: { kind } });
    const reply = await call(operationId);
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body).toMatchObject({ cluster: { status }, operation: { kind, request: { operationId } } });
  });

  test("of an operation that was none is not found", async () => {
    const kept = await keep();
    await expectRefused((query) => call(newOperationId(), query), 404, "not-found");
    const other = await world.makeAvailable("invoices");
    const elsewhere = await world.call("POST", `/v1/clusters/${other.id}/restore/${kept}/${verb}`);
    expect(code(elsewhere)).toEqual([404, "not-found"]);
  });

  test("of one whose data is kept no more is refused, with what can be done instead", async () => {
    const operationId = await record({});
    const reply = await expectRefused((query) => call(operationId, query), 409, "nothing-kept");
    expect(reply.body["detail"]).toContain("restore to a time before it");
  });

  test("of a restore before the last one is refused, and names the last one", async () => {
    const first = await record({});
    const last = await keep();
    const reply = await expectRefused((query) => call(first, query), 409, "nothing-kept");
    expect(reply.body["detail"]).toContain(last);
  });
});

test("what is kept is dropped by an admin only", async () => {
  const operationId = await keep();
  const reply = await world.call("POST", path(`/${operationId}/confirm`), { role: "operator" });
  expect(reply.status).toBe(403);
});
