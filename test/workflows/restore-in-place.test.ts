import { describe, expect, test } from "vitest";
import { keptHours, restorePointBefore } from "../../layers/domain/index.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { contentAtFirst } from "../world/paper-in-place.ts";
import { onStep } from "../world/steps.ts";
import { inService, openScene, restored } from "./support/in-place-scene.ts";

const dynamodb = useDynamoDB();
const open = (members?: number) => openScene(dynamodb, members);

describe("a restore in place", () => {
  test("leaves every member with the data of then, and beside it what there was", async () => {
    await using scene = await open();
    const operation = await scene.restore();
    expect(operation.error).toBeUndefined();
    expect(operation).toMatchObject({ state: "succeeded", progress: 1 });
    expect(await scene.seen()).toEqual(inService(restored, 1));
  });

  test("says until when there is a way back, and where the cluster's past branches", async () => {
    await using scene = await open();
    const before = await scene.read();
    const operation = await scene.restore();
    const { branches, kept, paused, status } = await scene.read();
    expect({ status, paused }).toEqual({ status: "available", paused: null });
    expect(kept).toMatchObject({ operationId: operation.id });
    const hours = (Date.parse(kept?.until ?? "") - Date.parse(kept?.since ?? "")) / 3_600_000;
    expect(hours).toBe(keptHours);
    const restorePoint = restorePointBefore(operation.id);
    expect(branches).toEqual([
      {
        operationId: operation.id,
        at: expect.any(String),
        left: { timeline: 1, lsn: "0/9000000", nextXid: "900", restorePoint, at: expect.any(String) },
        timeline: 2,
        history: [{ timeline: 1, lsn: "0/5000000" }],
      },
    ]);
    expect(before.branches).toEqual([]);
  });

  test("holds clients first, preserves what there is, and stops replicas before their leader", async () => {
    await using scene = await open();
    const { done } = scene.cloud.machines;
    const from = done.length;
    await scene.restore();
    const verbs = done.slice(from).map((one) => one.split(" ")[0] ?? "");
    const firsts = [...new Set(verbs)].filter(
      (verb) => !["inspect", "observe", "drop-aside-data"].includes(verb),
    );
    expect(firsts).toEqual([
      "set-pause",
      "hold-clients",
      "preserve-state",
      "shut-down",
      "set-aside-data",
      "restore-data",
      "start-member",
      "ensure-stanza",
      "admit-clients",
      "let-clients-in",
      "await-members",
      "verify",
    ]);
  });

  test("of a cluster of one node works as well", async () => {
    await using scene = await open(1);
    expect((await scene.restore()).state).toBe("succeeded");
    expect(await scene.seen()).toEqual(inService(restored, 1, 1));
  });

  test("tells how far it is while it runs", async () => {
    await using scene = await open(1);
    scene.cloud.machines.inPlace.looksNeeded = 8;
    const operation = await scene.writeRestore();
    const details = new Set<string | undefined>();
    onStep(scene.cloud.ports.store, (step) => {
      if (step.name === "restore" && step.heardAt !== undefined) details.add(step.detail);
    });
    expect((await scene.plane.carryOut(operation)).state).toBe("succeeded");
    expect([...details]).toEqual(["The backup is copied.", "WAL is replayed."]);
  });

  test("that takes longer than one step is waited for in the next one", async () => {
    await using scene = await open(1);
    // A step on paper waits for less than half a second.
    scene.cloud.machines.inPlace.looksNeeded = 12;
    onStep(scene.cloud.ports.store, async (step) => {
      if (step.heardAt !== undefined) await new Promise((resolve) => setTimeout(resolve, 100));
    });
    expect((await scene.restore()).state).toBe("succeeded");
  });
});

describe("a restore in place that does not come to its end leaves the data that there was in service", () => {
  test("where PostgreSQL does not reach the target", async () => {
    await using scene = await open();
    scene.cloud.machines.inPlace.failure =
      "FATAL:  recovery ended before configured recovery target was reached";
    const operation = await scene.restore();
    expect(operation).toMatchObject({
      state: "failed",
      error: {
        code: "target-not-reached",
        message: expect.stringContaining("The data that there was is in service again."),
      },
    });
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
    expect(await scene.read()).toMatchObject({
      status: "degraded",
      kept: null,
      branches: [],
      paused: null,
    });
  });

  test("where there is no room on a volume, before anything is stopped", async () => {
    await using scene = await open();
    scene.cloud.machines.inPlace.freeBytes = 1024 ** 3;
    const { done } = scene.cloud.machines;
    const from = done.length;
    const operation = await scene.restore();
    expect(operation).toMatchObject({ state: "failed", error: { code: "volume-too-small" } });
    expect(operation.error?.message).toContain("grow storage.sizeGiB");
    const changing = done
      .slice(from)
      .filter((one) => !/^(?:inspect|drop-aside-data|let-clients-in) /.test(one));
    expect(changing).toEqual([]);
  });

  test("where a backup is being taken", async () => {
    await using scene = await open();
    const backup = await scene.plane.writeBackup(scene.clusterId);
    const operation = await scene.restore();
    expect(operation).toMatchObject({ state: "failed", error: { code: "backup-in-progress" } });
    expect(operation.error?.message).toContain(backup.id);
    expect(scene.cloud.machines.done.filter((one) => one.startsWith("shut-down"))).toEqual([]);
  });

  test("whatever fails, and then can be tried again", async () => {
    await using scene = await open();
    for (const [verb, skip, times] of [
      // Every member is asked for a pause.
      ["set-pause", 0, 3],
      ["hold-clients", 0, 1],
      ["preserve-state", 0, 1],
      ["shut-down", 0, 1],
      ["shut-down", 2, 1],
      ["set-aside-data", 0, 1],
      ["set-aside-data", 2, 1],
      ["restore-data", 0, 1],
      ["restore-data", 2, 1],
      ["start-member", 0, 1],
      ["ensure-stanza", 0, 1],
    ] as const) {
      scene.failures.set(verb, { skip, times });
      const operation = await scene.restore();
      const which = { verb, skip };
      expect({ ...which, error: operation.error?.code }).toEqual({ ...which, error: "broken" });
      expect({ ...which, ...(await scene.seen()) }).toEqual({ ...which, ...inService(contentAtFirst) });
      expect(await scene.read()).toMatchObject({ kept: null, branches: [], paused: null });
      const unfinished = ["running", "undoing", "undo-failed"];
      expect(operation.steps.filter((step) => unfinished.includes(step.state))).toEqual([]);
    }
    expect((await scene.restore()).state).toBe("succeeded");
    expect(await scene.seen()).toEqual(inService(restored, 1));
  });

  test("on a timeline of its own, once the restored data had begun to archive", async () => {
    await using scene = await open();
    scene.failures.set("ensure-stanza", { skip: 0, times: 1 });
    await scene.restore();
    const { timelines } = scene.cloud.machines.inPlace.seen(scene.clusterId);
    // Replicas follow the leader there.
    expect(Math.max(...timelines.map(Number))).toBe(3);
  });

  test("on the timeline that it was on, as long as nothing else was archived", async () => {
    await using scene = await open();
    scene.failures.set("start-member", { skip: 0, times: 1 });
    await scene.restore();
    expect(scene.cloud.machines.inPlace.seen(scene.clusterId).timelines).toEqual([1, 1, 1]);
  });

  test("where it is cancelled while data is restored", async () => {
    await using scene = await open();
    scene.cloud.machines.inPlace.looksNeeded = 100_000;
    const operation = await scene.writeRestore();
    let isAsked = false;
    onStep(scene.cloud.ports.store, async (step) => {
      if (isAsked || step.heardAt === undefined) return;
      isAsked = true;
      await scene.plane.requestCancel(operation);
    });
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "cancelled" });
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
  });

  test("where undoing fails at one node, and says so", async () => {
    await using scene = await open();
    scene.failures.set("ensure-stanza", { skip: 0, times: 1 });
    scene.failures.set("let-clients-in", { skip: 0, times: 100 });
    const operation = await scene.restore();
    expect(operation.error?.message).toContain("Undoing failed at 3 things, so that somebody has to look");
    expect(await scene.seen()).toEqual({ ...inService(contentAtFirst), held: 3 });
  });
});

describe("past the point of no return", () => {
  test("a node that refuses for a moment is asked again", async () => {
    await using scene = await open();
    for (const [verb, skip] of [
      ["set-pause", 1],
      ["admit-clients", 0],
      ["start-member", 1],
    ] as const) {
      scene.failures.set(verb, { skip, times: 3 });
      const operation = await scene.restore();
      expect({ verb, error: operation.error }).toEqual({ verb, error: undefined });
      expect({ verb, ...(await scene.seen()) }).toEqual({ verb, ...inService(restored, 1) });
      await scene.confirm(operation);
    }
  });

  test("clients come in, and not before: nothing that they commit is taken back by itself", async () => {
    await using scene = await open();
    scene.failures.set("admit-clients", { skip: 0, times: 1000 });
    const operation = await scene.restore();
    expect(operation.state).toBe("failed");
    expect(await scene.seen()).toMatchObject({ closed: 1, held: 3 });
    scene.failures.clear();
    expect((await scene.rollback(operation)).state).toBe("succeeded");
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
  });

  test("what fails leaves the restored data in service, and the way back open", async () => {
    await using scene = await open();
    scene.failures.set("await-members", { skip: 0, times: 1 });
    const operation = await scene.restore();
    expect(operation).toMatchObject({
      state: "failed",
      error: { message: expect.stringContaining("Nothing was undone") },
    });
    expect(await scene.seen()).toEqual(inService(restored, 1));
    expect(await scene.read()).toMatchObject({ status: "degraded", kept: { operationId: operation.id } });
    expect((await scene.rollback(operation)).state).toBe("succeeded");
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
  });
});
