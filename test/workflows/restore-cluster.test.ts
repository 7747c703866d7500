import { describe, expect, test } from "vitest";
import type { Operation, RestoreRequest, RestoreSource } from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import type { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { expectUnwound, inventory, inventoryOf } from "../world/expectations.ts";
import { lastBackup, makeCluster, sourceOf } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

/** A cluster with a backup. */
async function open(cloud: Cloud): Promise<{ plane: ControlPlane; source: RestoreSource }> {
  const made = await makeCluster(cloud);
  const { clusterId, plane } = made;
  await plane.carryOut(await plane.writeBackup(clusterId));
  return { plane, source: sourceOf(await lastBackup(cloud, clusterId), { lsn: "0/900000" }) };
}

const write = (plane: ControlPlane, source: RestoreRequest): Promise<Operation> =>
  plane.writeCreate({ name: "orders-before", members: 3 }, { kind: "restore-cluster", request: source });

describe("a restore into a new cluster", () => {
  test("makes every node from the other one's repository, and leaves none that could read it", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    const operation = await plane.carryOut(await write(plane, source));
    expect(operation).toMatchObject({ state: "succeeded" });
    const cluster = await cloud.ports.store.getCluster(operation.clusterId);
    expect(cluster).toMatchObject({ status: "available", nodes: { length: 3 } });
    for (const { id } of cluster?.nodes ?? []) {
      const [first, ...later] = cloud.machines.restores.get(id) ?? [];
      expect(first).toEqual({
        source,
        repository: { bucket: "backups", region: "local-1", prefix: `/clusters/${source.clusterId}/0` },
      });
      expect(later).toEqual([null]);
    }
    expect(cloud.machines.backups.repositories.get(operation.clusterId)).toEqual([]);
    expect(cloud.machines.backups.repositories.get(source.clusterId)).toHaveLength(1);
  });

  test("needs nothing of the cluster that it comes from but its backups", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    await plane.delete(source.clusterId);
    expect(await plane.carryOut(await write(plane, source))).toMatchObject({ state: "succeeded" });
  });

  test.each(sides)("comes to the same when the control plane dies %s every checkpoint", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    const operation = await write(plane, source);
    crashAlways(plane, side);
    expect(await plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
  });

  test("that does not get to its target leaves nothing behind, and the other cluster as it was", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    const before = await cloud.ports.store.getCluster(source.clusterId);
    cloud.machines.behaviours.set("await-members", {
      kind: "fails",
      code: "patroni-falls-over",
      message: "FATAL: recovery ended before configured recovery target was reached",
    });
    const operation = await plane.carryOut(await write(plane, source));
    expectUnwound(operation, {
      state: "failed",
      message: /recovery ended before configured recovery target/,
    });
    expect(await inventory(cloud)).toEqual(inventoryOf(1));
    expect(await cloud.ports.store.getCluster(source.clusterId)).toEqual(before);
    expect(await cloud.ports.store.getCluster(operation.clusterId)).toMatchObject({ status: "failed" });
  });
});

describe("a restore into a new cluster that fails once it archives", () => {
  test("removes what it has archived, and nothing of the cluster that it comes from", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    cloud.machines.behaviours.set("verify", { kind: "fails", code: "broken", message: "verify is broken" });
    const operation = await plane.carryOut(await write(plane, source));
    expectUnwound(operation, { state: "failed", message: /verify is broken/ });
    expect(operation.steps.find(({ name }) => name === "archive")?.endedAt).not.toBeNull();
    expect([...cloud.machines.backups.repositories.keys()]).toEqual([source.clusterId]);
    expect(await inventory(cloud)).toEqual(inventoryOf(1));
  });
});

describe("a target that is newer than the archive", () => {
  test("is archived first by the leader of the cluster that it is in", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    const operation = await plane.carryOut(
      await write(plane, { ...source, archiveFirst: "must", timeline: 1 }),
    );
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(cloud.machines.backups.archived).toEqual([source.clusterId]);
    const [node] = (await cloud.ports.store.getCluster(operation.clusterId))?.nodes ?? [];
    const [told] = cloud.machines.restores.get(node?.id ?? "") ?? [];
    expect(told?.source).toEqual({ ...source, timeline: 1 });
  });

  test("that cannot be archived fails the restore before anything is made, and says what to do", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    cloud.machines.backups.archiveFailure = "WAL segment 4 has not been archived in time";
    const operation = await plane.carryOut(await write(plane, { ...source, archiveFirst: "must" }));
    expectUnwound(operation, { state: "failed", message: /has not been archived in time.*earlier target/s });
    expect(operation.error?.code).toBe("target-not-archived");
    expect(await inventory(cloud)).toEqual(inventoryOf(1));
    expect(cloud.machines.done.filter((one) => one.startsWith("prepare"))).toHaveLength(1);
  });

  test("that is in the archive already goes on without", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud);
    cloud.machines.behaviours.set("archive-now", {
      kind: "fails",
      code: "archive-fails",
      message: "S3 is away",
    });
    const operation = await plane.carryOut(await write(plane, { ...source, archiveFirst: "may" }));
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(operation.steps.find(({ name }) => name === "archive-source")?.detail).toContain("S3 is away");
  });
});
