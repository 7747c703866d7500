import { describe, expect, test } from "vitest";
import { cipherPassParameter } from "../../layers/domain/index.ts";
import { openCloud } from "../world/cloud.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";
import { type MadeCluster, makeCluster } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

const members = 3;

const open = async (): Promise<MadeCluster> => makeCluster(await openCloud(dynamodb), { members });
const statesOf = async (scene: MadeCluster) => (await scene.backups()).map(({ state }) => state);

describe("a delete with a final backup", () => {
  test("takes it, archives what was written after it, and keeps what makes a cluster of it", async () => {
    await using scene = await open();
    const { cloud, clusterId, plane } = scene;
    const before = await cloud.ports.store.getCluster(clusterId);
    const deleted = await plane.delete(clusterId, true);
    expect(deleted).toMatchObject({ state: "succeeded", progress: 1 });
    expect(await statesOf(scene)).toEqual(["succeeded"]);
    expect(cloud.machines.backups.archived).toEqual([clusterId]);
    expect(await inventory(cloud)).toEqual({ parameter: 1 });
    expect(await cloud.ports.secrets.find(cipherPassParameter("test", clusterId))).not.toBeNull();
    const kept = await cloud.ports.store.getDeletedCluster(clusterId);
    expect(kept).toMatchObject({
      name: "orders",
      spec: before?.spec,
      hasBackups: true,
      isRemoving: false,
      archiveEnd: { timeline: 1, lsn: "0/5000148" },
    });
    const days = (Date.parse(kept?.keptUntil ?? "") - Date.parse(kept?.deletedAt ?? "")) / 86_400_000;
    expect(days).toBe(7);
    const { items } = await cloud.ports.store.listAuditEntries({ clusterId, limit: 20, cursor: null });
    const told = items.find(({ action }) => action === "backups-kept");
    expect(told?.detail).toContain(kept?.keptUntil);
  });

  test("builds on the backups that there are", async () => {
    await using scene = await open();
    await scene.plane.carryOut(await scene.plane.writeBackup(scene.clusterId));
    await scene.plane.delete(scene.clusterId, true);
    const backups = await scene.backups();
    expect(backups.map(({ type }) => type)).toEqual(["full", "incr"]);
  });

  test("whose backup cannot be taken removes nothing, says why and how to do without, and leaves the cluster as it was", async () => {
    await using scene = await open();
    const { cloud, clusterId, plane } = scene;
    const before = await cloud.ports.store.getCluster(clusterId);
    cloud.machines.backups.objection = () => "S3 says AccessDenied";
    const failed = await plane.delete(clusterId, true);
    expect(failed).toMatchObject({
      state: "failed",
      error: {
        code: "final-backup-failed",
        message: expect.stringMatching(/AccessDenied.*\?finalBackup=false/s),
      },
    });
    expect(await inventory(cloud)).toEqual(inventoryOf(members));
    const after = await cloud.ports.store.getCluster(clusterId);
    expect(after).toEqual({ ...before, updatedAt: after?.updatedAt });
    expect(await cloud.ports.store.getDeletedCluster(clusterId)).toBeNull();
    cloud.machines.backups.objection = () => null;
    expect(await plane.delete(clusterId, true)).toMatchObject({ state: "succeeded" });
    expect(await statesOf(scene)).toEqual(["failed", "succeeded"]);
  });

  test("waits for a backup that is being taken, and then takes its own", async () => {
    await using scene = await open();
    const { cloud, clusterId, plane } = scene;
    cloud.machines.backups.looksNeeded = 4;
    const other = await plane.writeBackup(clusterId);
    const written = await plane.writeDelete(clusterId, true);
    const [taken, deleted] = await Promise.all([plane.carryOut(other), plane.carryOut(written)]);
    expect([taken.state, deleted.state]).toEqual(["succeeded", "succeeded"]);
    expect(await statesOf(scene)).toEqual(["succeeded", "succeeded"]);
    expect(cloud.machines.backups.faults).toEqual([]);
  });

  test("that is cancelled while the backup is taken leaves the cluster and no backup", async () => {
    await using scene = await open();
    const { cloud, clusterId, plane } = scene;
    const before = await cloud.ports.store.getCluster(clusterId);
    cloud.machines.backups.looksNeeded = 100_000;
    const written = await plane.writeDelete(clusterId, true);
    let isAsked = false;
    plane.hooks.afterCheckpoint = async () => {
      if (isAsked || cloud.machines.backups.taking.size === 0) return;
      isAsked = true;
      await plane.requestCancel(written);
    };
    expect(await plane.carryOut(written)).toMatchObject({ state: "cancelled" });
    await plane.settled();
    expect(await statesOf(scene)).toEqual(["cancelled"]);
    expect(await inventory(cloud)).toEqual(inventoryOf(members));
    const after = await cloud.ports.store.getCluster(clusterId);
    expect(after).toEqual({ ...before, updatedAt: after?.updatedAt });
  });

  test.each(sides)("comes to the same when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open();
    const { cloud, clusterId, plane } = scene;
    const written = await plane.writeDelete(clusterId, true);
    const count = crashAlways(plane, side);
    expect(await plane.carryOut(written)).toMatchObject({ state: "succeeded" });
    expect(count.crashes).toBeGreaterThan(8);
    expect(await statesOf(scene)).toEqual(["succeeded"]);
    expect(cloud.machines.backups.begun).toHaveLength(1);
    expect(await inventory(cloud)).toEqual({ parameter: 1 });
  });

  test("whose execution was lost after the backup goes on, whatever was asked meanwhile", async () => {
    await using scene = await open();
    const { clusterId, cloud, plane } = scene;
    cloud.faults.add({
      service: "ec2",
      action: "TerminateInstances",
      times: 50,
      effect: { kind: "error", code: "UnauthorizedOperation" },
    });
    const written = await plane.writeDelete(clusterId, true);
    let isRemoving = false;
    plane.hooks.beforeCheckpoint = async () => {
      const { steps } = await plane.read(written.id);
      isRemoving ||= steps.some(({ name, state }) => name === "instances" && state === "running");
    };
    expect(await plane.carryOut(written)).toMatchObject({ state: "failed" });
    expect(isRemoving).toBe(true);
    expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({ status: "failed" });
    cloud.faults.clear();
    expect(await plane.delete(clusterId)).toMatchObject({ state: "succeeded" });
    expect(await statesOf(scene)).toEqual(["succeeded"]);
    expect(await cloud.ports.store.getDeletedCluster(clusterId)).toMatchObject({ hasBackups: true });
  });

  test("of a cluster whose leader archives nothing more ends with the backup, and says so", async () => {
    await using scene = await open();
    const { cloud, clusterId, plane } = scene;
    cloud.machines.behaviours.set("archive-now", {
      kind: "fails",
      code: "archive-fails",
      message: "S3 is away",
    });
    const deleted = await plane.delete(clusterId, true);
    expect(deleted.state).toBe("succeeded");
    expect(deleted.steps.find(({ name }) => name === "last-wal")?.detail).toContain("S3 is away");
    expect(await cloud.ports.store.getDeletedCluster(clusterId)).toMatchObject({ archiveEnd: null });
  });
});

test("a delete without a final backup takes none, and keeps those that there are", async () => {
  await using scene = await open();
  const { cloud, clusterId, plane } = scene;
  await plane.carryOut(await plane.writeBackup(clusterId));
  expect((await plane.delete(clusterId, false)).state).toBe("succeeded");
  expect(await statesOf(scene)).toEqual(["succeeded"]);
  expect(await cloud.ports.store.getDeletedCluster(clusterId)).toMatchObject({ hasBackups: true });
});
