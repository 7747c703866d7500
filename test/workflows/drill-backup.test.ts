import { afterEach, describe, expect, test, vi } from "vitest";
import { type Backup, drillRequestSchema, type Operation } from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import type { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, crashAt, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";
import { lastBackup, makeCluster } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();
afterEach(() => {
  vi.restoreAllMocks();
});

/** A cluster with a backup. */
async function open(cloud: Cloud): Promise<{ plane: ControlPlane; backup: Backup }> {
  const made = await makeCluster(cloud);
  const { clusterId, plane } = made;
  await plane.carryOut(await plane.writeBackup(clusterId));
  return { plane, backup: await lastBackup(cloud, clusterId) };
}

const throwAwayOf = ({ request }: Operation) => drillRequestSchema.parse(request).throwAway;

/** Nothing is left of the drill's cluster, not even its record. */
async function expectNothingLeft(cloud: Cloud, operation: Operation): Promise<void> {
  expect(await inventory(cloud)).toEqual(inventoryOf(1));
  expect(await cloud.ports.store.getCluster(throwAwayOf(operation).clusterId)).toBeNull();
  expect(await cloud.ports.store.getDeletedCluster(throwAwayOf(operation).clusterId)).toBeNull();
  const open = operation.steps.filter(({ state }) =>
    ["pending", "running", "undoing", "undo-failed"].includes(state),
  );
  expect(open).toEqual([]);
}

/** Lines of the log that CloudWatch makes metrics of. */
function watchMetrics(): () => Record<string, unknown>[] {
  const written = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  return () =>
    written.mock.calls
      .map(([line]) => String(line))
      .filter((line) => line.startsWith('{"_aws"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("a drill", () => {
  test("restores the backup into a cluster of one node, checks it, and leaves nothing but what it has learnt", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const written = await plane.writeDrill(backup, ["public.orders"]);
    const { nodeId } = throwAwayOf(written);
    const operation = await plane.carryOut(written);
    expect(operation).toMatchObject({ state: "succeeded", clusterId: backup.clusterId });
    const [told] = cloud.machines.restores.get(nodeId) ?? [];
    expect(told).toMatchObject({
      source: { clusterId: backup.clusterId, backupId: backup.id, target: "latest" },
      repository: { prefix: `/clusters/${backup.clusterId}/0` },
    });
    await expectNothingLeft(cloud, operation);
    const { restoreSeconds } = operation.result as { restoreSeconds: number };
    expect(restoreSeconds).toBeGreaterThan(0);
    const common = {
      at: written.createdAt,
      ok: true,
      operationId: operation.id,
      restoreSeconds,
      message: null,
    };
    expect((await lastBackup(cloud, backup.clusterId)).lastDrill).toEqual({
      ...common,
      checks: {
        amcheck: { ok: true, detail: "Well." },
        checksums: { ok: true, detail: "1000 pages are what was written." },
        tables: [{ table: "public.orders", rows: 42, ok: true, detail: "42 rows" }],
      },
    });
    expect(await cloud.ports.store.getCluster(backup.clusterId)).toMatchObject({
      status: "available",
      lastDrill: { ...common, backupId: backup.id },
      measuredRecovery: {
        at: written.createdAt,
        restoreSeconds,
        backupId: backup.id,
        sizeBytes: backup.sizeBytes,
      },
    });
  });

  test("has no repository of its own, and takes no backup", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const operation = await plane.carryOut(await plane.writeDrill(backup));
    const { clusterId, nodeId } = throwAwayOf(operation);
    expect(cloud.machines.backups.repositories.has(clusterId)).toBe(false);
    expect(cloud.machines.repositories.get(nodeId)).toEqual([null]);
    expect(await cloud.ports.store.allBackups(clusterId)).toEqual([]);
  });

  test("tells CloudWatch how long it took", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const metrics = watchMetrics();
    const operation = await plane.carryOut(await plane.writeDrill(backup));
    const { restoreSeconds } = operation.result as { restoreSeconds: number };
    expect(metrics()).toEqual([
      expect.objectContaining({
        Environment: "test",
        ClusterId: backup.clusterId,
        DrillFailed: 0,
        DrillRestoreSeconds: restoreSeconds,
      }),
    ]);
  });

  test("of an older backup restores that alone", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    await plane.carryOut(await plane.writeBackup(backup.clusterId));
    const operation = await plane.carryOut(await plane.writeDrill(backup));
    expect(operation).toMatchObject({ state: "succeeded", request: { source: { target: "immediate" } } });
  });

  test.each(sides)("comes to the same when the control plane dies %s every checkpoint", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const written = await plane.writeDrill(backup, ["public.orders"]);
    crashAlways(plane, side);
    const operation = await plane.carryOut(written);
    expect(operation).toMatchObject({ state: "succeeded" });
    await expectNothingLeft(cloud, operation);
    expect(await lastBackup(cloud, backup.clusterId)).toMatchObject({ lastDrill: { ok: true } });
  });

  test("is one at a time for each cluster", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    await plane.writeDrill(backup);
    await expect(plane.writeDrill(backup)).rejects.toMatchObject({ code: "name-taken" });
  });

  test("whose execution is lost is unwound by the next one", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const written = await plane.writeDrill(backup);
    const operation = await plane.carryOut(written, { attempt: 1, reason: "its execution ended" });
    expect(operation).toMatchObject({ state: "failed", error: { code: "execution-lost" } });
    await expectNothingLeft(cloud, operation);
  });
});

describe("a drill that fails", () => {
  test("because the data is damaged says so at the backup, at the cluster and in an event, and leaves nothing", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    cloud.machines.drills.corruption = 'heap table "app.public.orders", block 7: xmin is in the future';
    const metrics = watchMetrics();
    const operation = await plane.carryOut(await plane.writeDrill(backup, ["public.orders"]));
    expect(operation).toMatchObject({
      state: "failed",
      error: { code: "drill-failed", message: expect.stringContaining("xmin is in the future") },
    });
    await expectNothingLeft(cloud, operation);
    const lastDrill = { ok: false, message: expect.stringContaining("xmin is in the future") };
    expect(await lastBackup(cloud, backup.clusterId)).toMatchObject({
      lastDrill: { ...lastDrill, checks: { amcheck: { ok: false }, tables: [{ rows: 42 }] } },
    });
    expect(await cloud.ports.store.getCluster(backup.clusterId)).toMatchObject({
      lastDrill,
      measuredRecovery: null,
    });
    const { items } = await cloud.ports.store.listAuditEntries({
      clusterId: backup.clusterId,
      limit: 1,
      cursor: null,
    });
    expect(items[0]).toMatchObject({ action: "drill-backup-failed", operationId: operation.id });
    expect(metrics()).toEqual([expect.objectContaining({ DrillFailed: 1 })]);
  });

  test("because a table is not there names it", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const operation = await plane.carryOut(await plane.writeDrill(backup, ["public.lost"]));
    expect(operation.error?.message).toContain("public.lost");
    await expectNothingLeft(cloud, operation);
  });

  test.each(["prepare", "configure", "await-members", "check-restored"] as const)(
    "at %s leaves nothing behind, and the cluster as it was",
    async (verb) => {
      await using cloud = await openCloud(dynamodb);
      const { plane, backup } = await open(cloud);
      cloud.machines.behaviours.set(verb, { kind: "fails", code: "broken", message: "it broke" });
      const operation = await plane.carryOut(await plane.writeDrill(backup));
      expect(operation).toMatchObject({
        state: "failed",
        error: { message: expect.stringContaining("it broke") },
      });
      await expectNothingLeft(cloud, operation);
      expect(await cloud.ports.store.getCluster(backup.clusterId)).toMatchObject({
        status: "available",
        activeOperationId: null,
        lastDrill: { ok: false },
      });
    },
  );

  test.each([
    ["ec2", "CreateSecurityGroup"],
    ["ec2", "CreateVolume"],
    ["ec2", "CreateNetworkInterface"],
    ["ec2", "RunInstances"],
    ["ssm", "PutParameter"],
  ])("because %s refuses %s leaves nothing behind either", async (service, action) => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const written = await plane.writeDrill(backup);
    const effect = { kind: "error", code: "AccessDenied", message: "no" } as const;
    cloud.faults.add({ service, action, times: 500, effect });
    const operation = await plane.carryOut(written);
    cloud.faults.clear();
    expect(operation.state).toBe("failed");
    expect(operation.result).toBeUndefined();
    await expectNothingLeft(cloud, operation);
    expect(await lastBackup(cloud, backup.clusterId)).toMatchObject({
      lastDrill: { ok: false, checks: null },
    });
  });

  test("keeps what the last one that succeeded has measured", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    await plane.carryOut(await plane.writeDrill(backup));
    const before = await cloud.ports.store.getCluster(backup.clusterId);
    cloud.machines.drills.corruption = "damaged";
    await plane.carryOut(await plane.writeDrill(backup));
    const after = await cloud.ports.store.getCluster(backup.clusterId);
    expect(after?.measuredRecovery).toEqual(before?.measuredRecovery);
    expect(after?.lastDrill?.ok).toBe(false);
  });
});

describe("a drill that is cancelled", () => {
  test("while the data is looked at ends within seconds, and leaves nothing behind", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    cloud.machines.drills.looksNeeded = Number.POSITIVE_INFINITY;
    const written = await plane.writeDrill(backup);
    const carried = plane.carryOut(written);
    await vi.waitFor(() => expect(cloud.machines.drills.begun).toHaveLength(1), { timeout: 20_000 });
    await plane.requestCancel(written);
    const operation = await carried;
    expect(operation).toMatchObject({ state: "cancelled" });
    await expectNothingLeft(cloud, operation);
  });

  test("leaves nothing behind and says nothing of the backup", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, backup } = await open(cloud);
    const written = await plane.writeDrill(backup);
    const count = crashAt(plane, Number.POSITIVE_INFINITY, "before");
    plane.hooks.afterCheckpoint = async () => {
      count.checkpoints += 1;
      if (count.checkpoints === 20) await plane.requestCancel(written);
    };
    const operation = await plane.carryOut(written);
    expect(operation).toMatchObject({ state: "cancelled" });
    await expectNothingLeft(cloud, operation);
    expect(await lastBackup(cloud, backup.clusterId)).toMatchObject({ lastDrill: null });
  });
});
