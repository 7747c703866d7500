import { describe, expect, test } from "vitest";
import { crashAlways, crashAt, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { contentAtFirst } from "../world/paper-in-place.ts";
import { inService, openScene, restored } from "./support/in-place-scene.ts";

const dynamodb = useDynamoDB();
const open = (members?: number) => openScene(dynamodb, members);

/** A workflow that never ends would run into this instead of the test's deadline. */
const checkpointsMax = 300;
/** A run that dies at each of them is beside those that die at one, and there every fourth is seen. */
const stride = 4;
/** No act on paper takes longer. */
const actMs = 100;

describe.each(sides)("a control plane that dies %s a checkpoint", (side) => {
  test("of a restore in place, at every one of them, comes to the same", async () => {
    await using scene = await open();
    const operation = await scene.writeRestore();
    const count = crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(count.crashes).toBeGreaterThan(operation.steps.length);
    expect(await scene.seen()).toEqual(inService(restored, 1));
  });

  test("of a restore in place that fails, at every one of them, puts back what there was", async () => {
    await using scene = await open();
    scene.cloud.machines.inPlace.failure = "FATAL:  no";
    const operation = await scene.writeRestore();
    crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "failed" });
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
  });

  test("of a rollback, at every one of them, comes to the same", async () => {
    await using scene = await open();
    const restore = await scene.restore();
    crashAlways(scene.plane, side);
    expect(await scene.rollback(restore)).toMatchObject({ state: "succeeded" });
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
  });

  test("of a restore or of its rollback, whichever it is, comes to the same", async () => {
    await using scene = await open(1);
    for (let number = 1; ; number += stride) {
      expect(number).toBeLessThan(checkpointsMax);
      const whileRestoring = crashAt(scene.plane, number, side);
      const restore = await scene.restore();
      expect({ number, error: restore.error }).toEqual({ number, error: undefined });
      expect({ number, ...(await scene.seen()) }).toEqual({ number, ...inService(restored, 1, 1) });
      const whileGoingBack = crashAt(scene.plane, number, side);
      const rollback = await scene.rollback(restore);
      expect({ number, error: rollback.error }).toEqual({ number, error: undefined });
      expect({ number, ...(await scene.seen()) }).toEqual({ number, ...inService(contentAtFirst, 0, 1) });
      if (whileRestoring.crashes + whileGoingBack.crashes === 0) break;
    }
  });
});

test("an execution that is lost, wherever it is, leaves the data of before or the restored, in service", async () => {
  await using scene = await open();
  for (let number = 1; ; number += stride) {
    expect(number).toBeLessThan(checkpointsMax);
    const operation = await scene.writeRestore();
    let count = 0;
    scene.plane.hooks.afterCheckpoint = async () => {
      count += 1;
      if (count === number) await scene.plane.executions.stop("restore-in-place", operation.id, 0);
    };
    await scene.plane.executions.start("restore-in-place", {
      operationId: operation.id,
      clusterId: scene.clusterId,
    });
    await scene.plane.settled();
    // What it was at comes to its end.
    await new Promise((resolve) => setTimeout(resolve, actMs));
    scene.plane.hooks.afterCheckpoint = () => undefined;
    const isLost = (await scene.plane.read(operation.id)).endedAt === null;
    const recovery = { attempt: 1, reason: "its execution ended" };
    const ended = isLost ? await scene.plane.carryOut(operation, recovery) : operation;
    const before = (await scene.read()).kept === null;
    const content = before ? contentAtFirst : restored;
    expect({ number, ...(await scene.seen()) }).toEqual({ number, ...inService(content, before ? 0 : 1) });
    if (isLost) expect(ended.state).toBe(before ? "failed" : "succeeded");
    if (!isLost) break;
    if (!before) expect((await scene.rollback(operation)).state).toBe("succeeded");
  }
});
