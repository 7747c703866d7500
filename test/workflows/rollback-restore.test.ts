import { describe, expect, test } from "vitest";
import { endWhatIsOver } from "../../functions/reconcilers/expirations/expire.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { contentAtFirst } from "../world/paper-in-place.ts";
import { inService, openScene, restored } from "./support/in-place-scene.ts";

const dynamodb = useDynamoDB();
const open = (members?: number) => openScene(dynamodb, members);

describe("a rollback", () => {
  test("returns to the data of before on every member, on a timeline that nobody has used", async () => {
    await using scene = await open();
    const restore = await scene.restore();
    scene.cloud.machines.inPlace.write(scene.clusterId, "written since");
    const operation = await scene.rollback(restore);
    expect(operation.error).toBeUndefined();
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
    expect(scene.cloud.machines.inPlace.seen(scene.clusterId).timelines).toEqual([3, 3, 3]);
    const { branches, kept } = await scene.read();
    expect(kept).toBeNull();
    expect(branches.map(({ left, timeline }) => [left.timeline, timeline])).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });

  test("that fails, wherever it is, leaves the restored data in service, and can be tried again", async () => {
    await using scene = await open();
    const restore = await scene.restore();
    for (const [verb, skip] of [
      ["preserve-state", 0],
      ["take-kept-data", 1],
      ["restore-data", 1],
      ["start-member", 0],
      ["ensure-stanza", 0],
    ] as const) {
      scene.failures.set(verb, { skip, times: 1 });
      const operation = await scene.rollback(restore);
      expect({ verb, error: operation.error?.code }).toEqual({ verb, error: "broken" });
      expect({ verb, ...(await scene.seen()) }).toEqual({ verb, ...inService(restored, 1) });
      expect((await scene.read()).kept?.operationId).toBe(restore.id);
    }
    expect((await scene.rollback(restore)).state).toBe("succeeded");
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
  });

  test("of what is kept no more fails before anything is stopped", async () => {
    await using scene = await open();
    const restore = await scene.restore();
    await scene.confirm(restore);
    expect(await scene.rollback(restore)).toMatchObject({ state: "failed", error: { code: "nothing-kept" } });
    expect(await scene.seen()).toEqual(inService(restored));
  });
});

describe("a confirmation", () => {
  test("drops what was kept, and nothing else", async () => {
    await using scene = await open();
    const operation = await scene.confirm(await scene.restore());
    expect(operation.state).toBe("succeeded");
    expect(await scene.seen()).toEqual(inService(restored));
    expect(await scene.read()).toMatchObject({ status: "available", kept: null, branches: { length: 1 } });
  });

  test("comes by itself when the time is over, and not before", async () => {
    await using scene = await open();
    await scene.restore();
    const { until = "" } = (await scene.read()).kept ?? {};
    const at = (ms: number) => ({
      store: scene.cloud.ports.store,
      executions: scene.plane.executions,
      now: () => new Date(ms),
      log: () => undefined,
    });
    await endWhatIsOver(at(Date.parse(until) - 1));
    expect((await scene.read()).activeOperationId).toBeNull();
    await endWhatIsOver(at(Date.parse(until)));
    await scene.plane.settled();
    expect((await scene.read()).kept).toBeNull();
    expect(await scene.seen()).toEqual(inService(restored));
  });
});

test("what could not be dropped goes with the next restore, and makes room for it", async () => {
  await using scene = await open();
  const first = await scene.restore();
  scene.failures.set("drop-aside-data", { skip: 0, times: 3 });
  expect((await scene.confirm(first)).state).toBe("failed");
  expect(await scene.seen()).toMatchObject({ kept: [1, 1, 1] });
  expect((await scene.restore()).state).toBe("succeeded");
  expect(await scene.seen()).toEqual(inService(restored, 1));
});
