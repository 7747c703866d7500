import { describe, expect, test } from "vitest";
import type { DeletedCluster, RestoreRequest } from "../../layers/domain/index.ts";
import { openCloud } from "../world/cloud.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { expectUnwound, inventory, inventoryOf } from "../world/expectations.ts";
import { lastBackup, type MadeCluster, makeCluster, sourceOf } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

const members = 3;

interface Scene extends MadeCluster {
  readonly deleted: DeletedCluster;
  readonly request: RestoreRequest;
}

/** A cluster that was deleted after a final backup. */
async function open(): Promise<Scene> {
  const made = await makeCluster(await openCloud(dynamodb), { members });
  const { cloud, clusterId, plane } = made;
  await plane.delete(clusterId, true);
  const deleted = await cloud.ports.store.getDeletedCluster(clusterId);
  if (deleted === null) throw new Error("nothing is kept of the cluster");
  return { ...made, deleted, request: sourceOf(await lastBackup(cloud, clusterId), "latest") };
}

describe("an undelete", () => {
  test("makes the cluster again under its own id, from its own repository, and goes on archiving there", async () => {
    await using scene = await open();
    const { cloud, deleted, plane, request } = scene;
    const { id } = deleted;
    const operation = await plane.carryOut(await plane.writeUndelete(deleted, request));
    expect(operation).toMatchObject({ state: "succeeded", clusterId: id });
    const cluster = await cloud.ports.store.getCluster(id);
    expect(cluster).toMatchObject({ name: "orders", status: "available", spec: deleted.spec });
    expect(await inventory(cloud)).toEqual(inventoryOf(members));
    for (const node of cluster?.nodes ?? []) {
      const [first, ...later] = cloud.machines.restores.get(node.id) ?? [];
      expect(first).toMatchObject({ source: request, repository: { prefix: `/clusters/${id}/0` } });
      expect(later).toEqual([null]);
    }
    expect(cloud.machines.backups.repositories.get(id)).toHaveLength(1);
    expect(await plane.carryOut(await plane.writeBackup(id, "incr"))).toMatchObject({ state: "succeeded" });
  });

  test.each(sides)("comes to the same when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open();
    const { cloud, deleted, plane, request } = scene;
    const written = await plane.writeUndelete(deleted, request);
    crashAlways(plane, side);
    expect(await plane.carryOut(written)).toMatchObject({ state: "succeeded" });
    expect(await inventory(cloud)).toEqual(inventoryOf(members));
  });

  test("that fails leaves nothing of what it made and everything that was kept, and can be done again", async () => {
    await using scene = await open();
    const { cloud, deleted, plane, request } = scene;
    cloud.machines.behaviours.set("verify", { kind: "fails", code: "broken", message: "verify is broken" });
    const failed = await plane.carryOut(await plane.writeUndelete(deleted, request));
    expectUnwound(failed, { state: "failed", message: /verify is broken/ });
    expect(await inventory(cloud)).toEqual({ parameter: 1 });
    expect(cloud.machines.backups.repositories.get(deleted.id)).toHaveLength(1);
    expect(await cloud.ports.store.getCluster(deleted.id)).toMatchObject({ status: "failed" });
    cloud.machines.behaviours.clear();
    expect((await plane.delete(deleted.id)).state).toBe("succeeded");
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toEqual(deleted);
    const again = await plane.carryOut(await plane.writeUndelete(deleted, request));
    expect(again).toMatchObject({ state: "succeeded" });
  });

  test("cannot begin once somebody has begun to remove what was kept", async () => {
    await using scene = await open();
    const { cloud, deleted, plane, request } = scene;
    await cloud.ports.store.beginRemoval(deleted.id);
    await expect(plane.writeUndelete(deleted, request)).rejects.toMatchObject({ code: "backups-removed" });
    expect(await cloud.ports.store.findClusterByName("orders")).toBeNull();
  });

  test("without the pass of its backups is refused before anything is made", async () => {
    await using scene = await open();
    const { cloud, deleted, plane, request } = scene;
    await cloud.ports.secrets.removeAll(`/pgherd/test/${deleted.id}/backup`);
    const failed = await plane.carryOut(await plane.writeUndelete(deleted, request));
    expect(failed).toMatchObject({
      state: "failed",
      error: { message: expect.stringContaining("cipher-pass") },
    });
    expect(await inventory(cloud)).toEqual({});
  });
});
