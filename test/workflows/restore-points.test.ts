import { describe, expect, test } from "vitest";
import type { Operation, RestorePoint } from "../../layers/domain/index.ts";
import { CommandError, type NodeCommandPort } from "../../layers/ports/index.ts";
import { openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { type MadeCluster, makeCluster } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

interface Scene extends MadeCluster {
  make(name: string): Promise<Operation>;
  find(name: string): Promise<RestorePoint | null>;
}

/** `before`: called with each command before the node gets it. */
async function open(before: (verb: string) => void = () => undefined): Promise<Scene> {
  const made = await makeCluster(await openCloud(dynamodb), { members: 2 }, before);
  const { cloud, clusterId, plane } = made;
  return {
    ...made,
    make: async (name) => plane.carryOut(await plane.writeRestorePoint(clusterId, name)),
    find: (name) => cloud.ports.store.findRestorePoint(clusterId, name),
  };
}

describe("a restore point", () => {
  test("is made on the leader and on record with its place, and the cluster is as it was", async () => {
    await using scene = await open();
    const before = await scene.cloud.ports.store.getCluster(scene.clusterId);
    const operation = await scene.make("before-release");
    expect(operation).toMatchObject({
      state: "succeeded",
      result: { name: "before-release", lsn: "0/5000148", timeline: 1 },
    });
    expect(await scene.find("before-release")).toMatchObject({
      state: "succeeded",
      lsn: "0/5000148",
      timeline: 1,
      at: expect.any(String),
    });
    expect(scene.cloud.machines.backups.points).toEqual([`${scene.clusterId} before-release`]);
    expect(await scene.cloud.ports.store.getCluster(scene.clusterId)).toEqual(before);
  });

  test("of a name that there is is refused, and one of another cluster is nobody's business", async () => {
    await using scene = await open();
    await scene.make("twice");
    await expect(scene.plane.writeRestorePoint(scene.clusterId, "twice")).rejects.toMatchObject({
      code: "restore-point-exists",
    });
    const other = await scene.plane.create({ name: "invoices", members: 1 });
    const written = await scene.plane.writeRestorePoint(other.operation.clusterId, "twice");
    expect(await scene.plane.carryOut(written)).toMatchObject({ state: "succeeded" });
  });

  test.each(sides)("is made once when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open();
    const operation = await scene.plane.writeRestorePoint(scene.clusterId, "once");
    const count = crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(count.crashes).toBeGreaterThan(2);
    expect(scene.cloud.machines.backups.points).toHaveLength(1);
  });

  test("of which nobody was told leaves its name free", async () => {
    await using scene = await open((verb) => {
      if (verb === "make-restore-point") throw new CommandError("not-leader", "i-1", "it does not lead");
    });
    expect(await scene.make("later")).toMatchObject({ state: "failed", error: { code: "not-leader" } });
    expect(await scene.find("later")).toBeNull();
    expect((await scene.plane.writeRestorePoint(scene.clusterId, "later")).state).toBe("pending");
  });

  test("that was cancelled before anybody was told leaves its name free", async () => {
    await using scene = await open();
    const operation = await scene.plane.writeRestorePoint(scene.clusterId, "never");
    await scene.plane.requestCancel(operation);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "cancelled" });
    expect(await scene.find("never")).toBeNull();
    expect(scene.cloud.machines.backups.points).toEqual([]);
  });

  test("of which nobody knows what came of it is uncertain, and its name is used up", async () => {
    await using scene = await open((verb) => {
      if (verb === "make-restore-point") throw new CommandError("command-deadline", "i-1", "no answer");
    });
    expect(await scene.make("perhaps")).toMatchObject({
      state: "failed",
      error: { code: "restore-point-uncertain", message: expect.stringContaining("another name") },
    });
    expect(await scene.find("perhaps")).toMatchObject({ state: "uncertain", lsn: null });
    await expect(scene.plane.writeRestorePoint(scene.clusterId, "perhaps")).rejects.toMatchObject({
      code: "restore-point-exists",
    });
  });

  test("whose answer was lost is asked for again, and is there once", async () => {
    let isLost = false;
    await using scene = await open();
    const { commands } = scene.cloud.ports;
    const run: NodeCommandPort["run"] = async (target, verb, input) => {
      const output = await commands.run(target, verb, input);
      if (verb !== "make-restore-point" || isLost) return output;
      isLost = true;
      throw new CommandError("command-deadline", target.instanceId, "the answer was lost");
    };
    const plane = new ControlPlane(scene.cloud, { ...scene.cloud.ports, commands: { ...commands, run } });
    const operation = await plane.carryOut(await plane.writeRestorePoint(scene.clusterId, "once"));
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(isLost).toBe(true);
    expect(scene.cloud.machines.backups.points).toHaveLength(1);
  });

  test("is made while a backup is taken and while the cluster is changed", async () => {
    await using scene = await open();
    const { clusterId, plane } = scene;
    await plane.writeBackup(clusterId);
    await plane.write("pause-cluster", clusterId, { status: "updating" });
    const written = await plane.writeRestorePoint(clusterId, "beside");
    const before = await scene.cloud.ports.store.getCluster(clusterId);
    await plane.engine.ended((await begin(scene, written)).arn);
    expect(await plane.read(written.id)).toMatchObject({ state: "succeeded" });
    expect(await scene.cloud.ports.store.getCluster(clusterId)).toEqual(before);
  });
});

async function begin({ plane }: Scene, { clusterId, id: operationId, kind }: Operation) {
  return plane.engine.start({
    functionName: kind,
    version: "1",
    name: operationId,
    payload: JSON.stringify({ operationId, clusterId }),
    executionTimeoutSeconds: 60,
    retentionDays: 1,
  });
}
