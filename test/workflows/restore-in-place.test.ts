import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endWhatIsOver } from "../../functions/reconcilers/expirations/expire.ts";
import {
  type Backup,
  type Cluster,
  keptHours,
  type Operation,
  type RestoreSource,
  restorePointBefore,
} from "../../layers/domain/index.ts";
import type { NodeVerb } from "../../layers/domain/node/index.ts";
import { CommandError, type NodeCommandPort } from "../../layers/ports/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, crashAt, sides } from "../world/crashes.ts";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import { contentAtFirst, restoredContent } from "../world/paper-in-place.ts";
import { onStep } from "../world/steps.ts";

let dynamodb: DynamoDB;
beforeAll(async () => {
  dynamodb = openDynamoDB();
});
afterAll(async () => {
  await dynamodb[Symbol.asyncDispose]();
});

/** A workflow that never ends would run into this instead of the test's deadline. */
const checkpointsMax = 300;
/** A run that dies at each of them is beside those that die at one, and there every fourth is seen. */
const stride = 4;
/** No act on paper takes longer. */
const actMs = 100;
const target = { lsn: "0/900000" } as const;
const restored = restoredContent(target);

interface Scene extends AsyncDisposable {
  readonly cloud: Cloud;
  readonly plane: ControlPlane;
  readonly clusterId: string;
  /** Verb → how often it fails from now on, and which of its calls are meant. */
  readonly failures: Map<NodeVerb, { times: number; skip: number }>;
  cluster(): Promise<Cluster>;
  writeRestore(change?: Partial<RestoreSource>): Promise<Operation>;
  restore(change?: Partial<RestoreSource>): Promise<Operation>;
  rollback(restore: Operation): Promise<Operation>;
  confirm(restore: Operation): Promise<Operation>;
  /** What an operator finds: data, what is kept beside it, who waits. */
  seen(): Promise<object>;
}

async function open(members = 3): Promise<Scene> {
  const cloud = await openCloud(dynamodb);
  const failures: Scene["failures"] = new Map();
  const commands: NodeCommandPort = {
    awaitOnline: (...asked) => cloud.ports.commands.awaitOnline(...asked),
    run: async (target, verb, input) => {
      const failure = failures.get(verb);
      if (failure !== undefined && failure.skip > 0) failure.skip -= 1;
      else if (failure !== undefined && failure.times > 0) {
        failure.times -= 1;
        throw new CommandError("broken", target.instanceId, `${verb} is broken`);
      }
      return cloud.ports.commands.run(target, verb, input);
    },
  };
  const plane = new ControlPlane(cloud, { ...cloud.ports, commands });
  const { cluster: made } = await plane.create({ name: "orders", members });
  if (made === null) throw new Error("the cluster was not created");
  const { id: clusterId } = made;
  await plane.carryOut(await plane.writeBackup(clusterId));
  const [backup] = await cloud.ports.store.allBackups(clusterId);
  const cluster = async (): Promise<Cluster> => {
    const found = await cloud.ports.store.getCluster(clusterId);
    if (found === null) throw new Error("the cluster is gone");
    return found;
  };
  const write = (kind: Operation["kind"], request: NonNullable<Operation["request"]>) =>
    plane.write(kind, clusterId, { status: "restoring", request });
  const writeRestore: Scene["writeRestore"] = (change = {}) =>
    write("restore-in-place", { ...sourceOf(backup), ...change });
  return {
    cloud,
    plane,
    clusterId,
    failures,
    cluster,
    writeRestore,
    restore: async (change) => plane.carryOut(await writeRestore(change)),
    rollback: async ({ id: operationId }) => plane.carryOut(await write("rollback-restore", { operationId })),
    confirm: async ({ id: operationId }) => plane.carryOut(await write("confirm-restore", { operationId })),
    seen: async () => {
      const { machines } = cloud;
      const { paused, stopped } = await machines.maintenance.database(clusterId);
      const { timelines: _own, ...data } = machines.inPlace.seen(clusterId);
      const faults = [...machines.inPlace.faults, ...machines.backups.faults];
      return { ...data, paused, stopped: stopped.size, faults };
    },
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  };
}

function sourceOf(backup: Backup | undefined): RestoreSource {
  if (backup?.label == null) throw new Error("there is no backup");
  const { clusterId, id: backupId, label, shard } = backup;
  return { clusterId, shard, backupId, label, target, exclusive: false };
}

/** Everybody has this data and is at work; `kept` of each node lies beside it. */
const inService = (content: string, kept = 0, members = 3) => ({
  contents: Array.from({ length: members }, () => content),
  kept: Array.from({ length: members }, () => kept),
  held: 0,
  closed: 0,
  paused: false,
  stopped: 0,
  faults: [],
});

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
    const before = await scene.cluster();
    const operation = await scene.restore();
    const { branches, kept, paused, status } = await scene.cluster();
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
    expect(await scene.cluster()).toMatchObject({
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
      expect(await scene.cluster()).toMatchObject({ kept: null, branches: [], paused: null });
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
    expect(await scene.cluster()).toMatchObject({ status: "degraded", kept: { operationId: operation.id } });
    expect((await scene.rollback(operation)).state).toBe("succeeded");
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
  });
});

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
    const before = (await scene.cluster()).kept === null;
    const content = before ? contentAtFirst : restored;
    expect({ number, ...(await scene.seen()) }).toEqual({ number, ...inService(content, before ? 0 : 1) });
    if (isLost) expect(ended.state).toBe(before ? "failed" : "succeeded");
    if (!isLost) break;
    if (!before) expect((await scene.rollback(operation)).state).toBe("succeeded");
  }
});

describe("a rollback", () => {
  test("returns to the data of before on every member, on a timeline that nobody has used", async () => {
    await using scene = await open();
    const restore = await scene.restore();
    scene.cloud.machines.inPlace.write(scene.clusterId, "written since");
    const operation = await scene.rollback(restore);
    expect(operation.error).toBeUndefined();
    expect(await scene.seen()).toEqual(inService(contentAtFirst));
    expect(scene.cloud.machines.inPlace.seen(scene.clusterId).timelines).toEqual([3, 3, 3]);
    const { branches, kept } = await scene.cluster();
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
      expect((await scene.cluster()).kept?.operationId).toBe(restore.id);
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
    expect(await scene.cluster()).toMatchObject({ status: "available", kept: null, branches: { length: 1 } });
  });

  test("comes by itself when the time is over, and not before", async () => {
    await using scene = await open();
    await scene.restore();
    const { until = "" } = (await scene.cluster()).kept ?? {};
    const at = (ms: number) => ({
      store: scene.cloud.ports.store,
      executions: scene.plane.executions,
      now: () => new Date(ms),
      log: () => undefined,
    });
    await endWhatIsOver(at(Date.parse(until) - 1));
    expect((await scene.cluster()).activeOperationId).toBeNull();
    await endWhatIsOver(at(Date.parse(until)));
    await scene.plane.settled();
    expect((await scene.cluster()).kept).toBeNull();
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
