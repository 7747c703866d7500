import { expect, test } from "vitest";
import { openCloud } from "../../world/cloud.ts";
import { ControlPlane } from "../../world/control-plane.ts";
import { crashAlways, crashAt, type Side } from "../../world/crashes.ts";
import { useDynamoDB } from "../../world/dynamodb.ts";
import { expectUnwound, inventory, inventoryOf } from "../../world/expectations.ts";
import { onStep } from "../../world/steps.ts";

/** A workflow that never ends would run into this instead of the test's deadline. */
const checkpointsMax = 300;

/** What holds wherever the control plane dies; a file for each side, so that both can run at once. */
export function crashPromises(side: Side): void {
  const dynamodb = useDynamoDB();

  test("of a create or a delete, at whichever: the create ends available, the delete leaves nothing", async () => {
    await using cloud = await openCloud(dynamodb);
    let isDone = { create: false, delete: false };
    for (let number = 1; !(isDone.create && isDone.delete); number++) {
      expect(number).toBeLessThan(checkpointsMax);
      const plane = new ControlPlane(cloud);
      const whileCreating = crashAt(plane, number, side);
      const { operation, cluster } = await plane.create({ name: "orders", members: 1 });
      expect({ number, state: operation.state, error: operation.error }).toEqual({
        number,
        state: "succeeded",
      });
      expect(cluster?.status).toBe("available");
      expect({ number, ...(await inventory(cloud)) }).toEqual({ number, ...inventoryOf(1) });
      const whileDeleting = crashAt(plane, number, side);
      const deleted = await plane.delete(operation.clusterId);
      expect({ number, state: deleted.state }).toEqual({ number, state: "succeeded" });
      expect({ number, leftovers: await cloud.leftovers() }).toEqual({ number, leftovers: [] });
      isDone = { create: whileCreating.crashes === 0, delete: whileDeleting.crashes === 0 };
    }
  });

  test("of a create that fails, at whichever: nothing is left", async () => {
    await using cloud = await openCloud(dynamodb);
    cloud.machines.behaviours.set("verify", { kind: "fails", code: "broken", message: "verify is broken" });
    for (let number = 1; ; number++) {
      expect(number).toBeLessThan(checkpointsMax);
      const plane = new ControlPlane(cloud);
      const count = crashAt(plane, number, side);
      const { operation } = await plane.create({ name: "orders", members: 1 });
      expectUnwound(operation, { state: "failed", message: /verify is broken/ });
      expect({ number, leftovers: await cloud.leftovers() }).toEqual({ number, leftovers: [] });
      if (count.crashes === 0) break;
    }
  });

  test("of a create of three nodes, at every one of them: it ends available, with exactly three", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const count = crashAlways(plane, side);
    const { operation, cluster } = await plane.create({ name: "orders", members: 3 });
    expect(operation.state).toBe("succeeded");
    expect(cluster?.status).toBe("available");
    expect(await inventory(cloud)).toEqual(inventoryOf(3));
    expect(count.crashes).toBeGreaterThan(operation.steps.length);
    const deleted = await plane.delete(operation.clusterId);
    expect(deleted.state).toBe("succeeded");
    expect(await cloud.leftovers()).toEqual([]);
  });

  test("of a create that finds a zone full, at every one of them: each node is in a zone once", async () => {
    await using cloud = await openCloud(dynamodb);
    cloud.ec2.setCapacity("local-1a", 0);
    cloud.ec2.setCapacity("local-1b", 0);
    const plane = new ControlPlane(cloud);
    crashAlways(plane, side);
    const { operation, cluster } = await plane.create({ name: "orders", members: 2 });
    expect(operation.state).toBe("succeeded");
    expect(cluster?.nodes.map((node) => node.zone)).toEqual(["local-1c", "local-1c"]);
    expect(await inventory(cloud)).toEqual(inventoryOf(2));
  });

  test("of a create of three nodes that is cancelled, at every one of them: nothing is left", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    onStep(cloud.ports.store, async (step, id) => {
      if (step.name === "configure" && step.state === "running") {
        await plane.requestCancel(await plane.read(id));
      }
    });
    crashAlways(plane, side);
    const { operation } = await plane.create({ name: "orders", members: 3 });
    expectUnwound(operation, { state: "cancelled", message: /cancelled/ });
    expect(await cloud.leftovers()).toEqual([]);
  });
}
