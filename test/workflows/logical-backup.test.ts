import { describe, expect, test } from "vitest";
import type { Backup, LoadRequest, Operation } from "../../layers/domain/index.ts";
import { cipherPassParameter } from "../../layers/domain/index.ts";
import { openCloud } from "../world/cloud.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { expectUnwound, inventory, inventoryOf } from "../world/expectations.ts";
import { type MadeCluster, makeCluster } from "../world/made-cluster.ts";
import type { PaperLogical } from "../world/paper-logical.ts";

const dynamodb = useDynamoDB();

interface Scene extends MadeCluster {
  readonly logical: PaperLogical;
  begin(): Promise<Operation>;
  take(): Promise<{ operation: Operation; backup: Backup }>;
  backupOf(operation: Operation): Promise<Backup>;
  loadOf(backup: Backup, name?: string): LoadRequest;
}

async function open(members = 3, keep?: number): Promise<Scene> {
  const backup = keep === undefined ? {} : { backup: { retention: { logical: keep } } };
  const made = await makeCluster(await openCloud(dynamodb), { members, ...backup });
  const { cloud, clusterId, plane } = made;
  const begin = () => plane.writeBackup(clusterId, "logical");
  const backupOf = async ({ request }: Operation): Promise<Backup> => {
    const found = await cloud.ports.store.getBackup(clusterId, String(request?.["backupId"]));
    if (found === null) throw new Error("there is no such backup");
    return found;
  };
  return {
    ...made,
    logical: cloud.machines.logical,
    begin,
    backupOf,
    take: async () => {
      const operation = await plane.carryOut(await begin());
      return { operation, backup: await backupOf(operation) };
    },
    loadOf: ({ id: backupId }, name = "copy") => ({
      source: { clusterId, shard: 0, backupId, database: "app" },
      name,
    }),
  };
}

describe("a logical backup", () => {
  test("is taken on a replica, recorded as its manifest has it, and opens no restore window", async () => {
    await using scene = await open();
    const { operation, backup } = await scene.take();
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(backup).toMatchObject({
      engine: "pg_dump",
      type: "logical",
      state: "succeeded",
      label: expect.stringMatching(/^[0-9a-f]{16}$/),
      sizeBytes: 1024 ** 3,
      repositoryBytes: 1024 ** 3 / 4,
      walStart: null,
      logical: { postgresVersion: "17.5", databases: ["app", "postgres"] },
      progress: null,
      error: null,
    });
    expect(scene.logical.begun).toHaveLength(1);
    expect(backup.nodeId).not.toBe(scene.nodeIds.at(-1));
    expect(scene.cloud.machines.backups.begun).toEqual([]);
  });

  test("says how far it is while it runs", async () => {
    await using scene = await open();
    scene.logical.looksNeeded = 5;
    const seen: (Backup["progress"] | undefined)[] = [];
    const operation = await scene.begin();
    scene.plane.hooks.afterCheckpoint = async () => {
      seen.push((await scene.backupOf(operation)).progress);
    };
    await scene.plane.carryOut(operation);
    expect(seen).toContainEqual({ bytesDone: expect.any(Number), bytesTotal: 1024 ** 3 });
  });

  test("that replicas cannot hold on to is taken on the leader in the end", async () => {
    await using scene = await open();
    const leader = scene.nodeIds.at(-1) ?? "";
    scene.logical.objection = (nodeId) => (nodeId === leader ? null : "conflict with recovery");
    const { backup } = await scene.take();
    expect(backup).toMatchObject({ state: "succeeded", nodeId: leader });
    expect(scene.logical.begun).toHaveLength(4);
    expect(new Set(scene.logical.begun.slice(0, 3)).size).toBe(2);
  });

  test("whose node is interrupted is begun again by itself", async () => {
    await using scene = await open();
    const { logical } = scene;
    logical.looksNeeded = 4;
    let isInterrupted = false;
    scene.plane.hooks.afterCheckpoint = () => {
      if (isInterrupted || logical.taking.size === 0) return;
      isInterrupted = true;
      logical.interrupt("the machine was started again");
    };
    const { backup } = await scene.take();
    expect([isInterrupted, backup.state, logical.begun.length]).toEqual([true, "succeeded", 2]);
    expect([...logical.stored.keys()]).toEqual([backup.id]);
  });

  test.each(sides)("is there once when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open();
    const operation = await scene.begin();
    const count = crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(count.crashes).toBeGreaterThan(5);
    expect(scene.logical.begun).toHaveLength(1);
    expect(scene.logical.faults).toEqual([]);
    expect([...scene.logical.stored.keys()]).toEqual([(await scene.backupOf(operation)).id]);
  });

  test("that is cancelled is stopped on its node", async () => {
    await using scene = await open();
    scene.logical.looksNeeded = 100_000;
    const operation = await scene.begin();
    let isAsked = false;
    scene.plane.hooks.afterCheckpoint = async () => {
      if (isAsked || scene.logical.taking.size === 0) return;
      isAsked = true;
      await scene.plane.requestCancel(operation);
    };
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "cancelled" });
    expect(await scene.backupOf(operation)).toMatchObject({ state: "cancelled" });
    expect(scene.logical.taking.size).toBe(0);
  });

  test("that comes after as many as are kept takes the place of the oldest, and of no other kind", async () => {
    await using scene = await open(3, 2);
    await scene.plane.carryOut(await scene.plane.writeBackup(scene.clusterId, "full"));
    const taken: string[] = [];
    for (let count = 0; count < 4; count += 1) taken.push((await scene.take()).backup.id);
    const left = await scene.cloud.ports.store.allBackups(scene.clusterId);
    expect(left.map(({ type }) => type)).toEqual(["full", "logical", "logical"]);
    expect(left.slice(1).map(({ id }) => id)).toEqual(taken.slice(2));
    expect([...scene.logical.stored.keys()]).toEqual(taken.slice(2));
  });

  test("succeeds though an old one cannot be removed, and the next one removes that", async () => {
    await using scene = await open(3, 1);
    const { backup: first } = await scene.take();
    const { behaviours } = scene.cloud.machines;
    behaviours.set("delete-logical-backup", { kind: "fails", code: "internal", message: "AccessDenied" });
    const { operation, backup: second } = await scene.take();
    expect(operation.state).toBe("succeeded");
    expect(operation.steps.at(-1)?.detail).toMatch(/stays until the next backup: .*AccessDenied/);
    const states = async () =>
      (await scene.cloud.ports.store.allBackups(scene.clusterId)).map(({ id, state }) => [id, state]);
    expect(await states()).toEqual([
      [first.id, "deleting"],
      [second.id, "succeeded"],
    ]);
    behaviours.clear();
    const { backup: third } = await scene.take();
    expect(await states()).toEqual([[third.id, "succeeded"]]);
  });

  test("is deleted where it is stored and on record, and so is one that came to nothing", async () => {
    await using scene = await open();
    const { backup } = await scene.take();
    scene.logical.objection = () => "no";
    const { backup: failed } = await scene.take();
    expect(failed).toMatchObject({ state: "failed", label: null });
    for (const one of [backup, failed]) {
      const operation = await scene.plane.writeDeleteBackup(one);
      expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    }
    expect(scene.logical.stored.size).toBe(0);
    expect(await scene.cloud.ports.store.allBackups(scene.clusterId)).toEqual([]);
  });

  test("whose delete fails half-way is relied on by nobody, says why, and goes with the next delete", async () => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    const { behaviours } = scene.cloud.machines;
    behaviours.set("delete-logical-backup", { kind: "fails", code: "internal", message: "AccessDenied" });
    const failed = await scene.plane.carryOut(await scene.plane.writeDeleteBackup(backup));
    expect(failed.state).toBe("failed");
    const [left] = await scene.cloud.ports.store.allBackups(scene.clusterId);
    expect(left).toMatchObject({
      state: "deleting",
      error: { message: expect.stringContaining("AccessDenied") },
    });
    behaviours.clear();
    const again = await scene.plane.writeDeleteBackup(left ?? backup);
    expect(await scene.plane.carryOut(again)).toMatchObject({ state: "succeeded" });
    expect(await scene.cloud.ports.store.allBackups(scene.clusterId)).toEqual([]);
  });

  test("whose delete fails half-way goes with the next backup of any kind", async () => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    const { behaviours } = scene.cloud.machines;
    behaviours.set("delete-logical-backup", { kind: "fails", code: "internal", message: "AccessDenied" });
    await scene.plane.carryOut(await scene.plane.writeDeleteBackup(backup));
    behaviours.clear();
    await scene.plane.carryOut(await scene.plane.writeBackup(scene.clusterId, "full"));
    const left = await scene.cloud.ports.store.allBackups(scene.clusterId);
    expect(left.map(({ type }) => type)).toEqual(["full"]);
    expect(scene.logical.stored.size).toBe(0);
  });

  test("keeps the pass that opens it when its cluster is deleted", async () => {
    await using scene = await open(1);
    await scene.take();
    await scene.plane.delete(scene.clusterId);
    const pass = cipherPassParameter("test", scene.clusterId);
    expect(await scene.cloud.ports.secrets.find(pass)).not.toBeNull();
  });
});

describe("a database of a logical backup", () => {
  test("is loaded on the leader, and the cluster is free and as it was otherwise", async () => {
    await using scene = await open();
    const { backup } = await scene.take();
    const before = await scene.cloud.ports.store.getCluster(scene.clusterId);
    const operation = await scene.plane.writeLoad(scene.clusterId, scene.loadOf(backup));
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded", progress: 1 });
    expect(scene.logical.loads).toEqual([scene.nodeIds.at(-1)]);
    expect(scene.logical.database(scene.clusterId, "copy")).toMatchObject({ content: backup.id, mark: null });
    const after = await scene.cloud.ports.store.getCluster(scene.clusterId);
    expect(after).toEqual({ ...before, updatedAt: after?.updatedAt });
  });

  test.each(sides)("is loaded once when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    const operation = await scene.plane.writeLoad(scene.clusterId, scene.loadOf(backup));
    crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(scene.logical.loads).toHaveLength(1);
    expect(scene.logical.database(scene.clusterId, "copy")).toMatchObject({ content: backup.id, mark: null });
  });

  test("is begun again by itself where the leader goes meanwhile", async () => {
    await using scene = await open();
    const { logical } = scene;
    const { backup } = await scene.take();
    logical.looksNeeded = 4;
    let isInterrupted = false;
    scene.plane.hooks.afterCheckpoint = () => {
      if (isInterrupted || logical.loading.size === 0) return;
      isInterrupted = true;
      logical.interrupt("server closed the connection unexpectedly");
    };
    const operation = await scene.plane.writeLoad(scene.clusterId, scene.loadOf(backup));
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect([isInterrupted, logical.loads.length]).toEqual([true, 2]);
  });

  test.each([
    ["for ever", true, 1],
    ["each time", false, 4],
  ])("that fails %s leaves what there was before, and says why", async (_what, isFinal, tries) => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    const empty = { content: null, mark: null, isMade: false };
    scene.logical.databases.set(`${scene.clusterId} empty`, { ...empty });
    scene.logical.loadFailure = { message: 'role "auditor" does not exist', isFinal };
    for (const name of ["copy", "empty"]) {
      scene.logical.loads.length = 0;
      const operation = await scene.plane.writeLoad(scene.clusterId, scene.loadOf(backup, name));
      expect(await scene.plane.carryOut(operation)).toMatchObject({
        state: "failed",
        error: { code: "restore-failed", message: expect.stringContaining('role "auditor" does not exist') },
      });
      expect(scene.logical.loads).toHaveLength(tries);
    }
    expect(scene.logical.database(scene.clusterId, "copy")).toBeUndefined();
    expect(scene.logical.database(scene.clusterId, "empty")).toEqual(empty);
    expect(await scene.cloud.ports.store.getCluster(scene.clusterId)).toMatchObject({
      status: "available",
      backupOperationId: null,
    });
  });

  test("is not loaded over anything", async () => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    const full = { content: "something else", mark: null, isMade: false };
    scene.logical.databases.set(`${scene.clusterId} copy`, { ...full });
    const operation = await scene.plane.writeLoad(scene.clusterId, scene.loadOf(backup));
    expect(await scene.plane.carryOut(operation)).toMatchObject({
      state: "failed",
      error: { message: expect.stringContaining("not empty") },
    });
    expect(scene.logical.database(scene.clusterId, "copy")).toEqual(full);
  });

  test("whose load is cancelled is as it was before", async () => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    scene.logical.looksNeeded = 100_000;
    const operation = await scene.plane.writeLoad(scene.clusterId, scene.loadOf(backup));
    let isAsked = false;
    scene.plane.hooks.afterCheckpoint = async () => {
      if (isAsked || scene.logical.loading.size === 0) return;
      isAsked = true;
      await scene.plane.requestCancel(operation);
    };
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "cancelled" });
    expect(scene.logical.loading.size).toBe(0);
    expect(scene.logical.database(scene.clusterId, "copy")).toBeUndefined();
  });
});

describe("a new cluster from a logical backup", () => {
  const write = (scene: Scene, backup: Backup): Promise<Operation> =>
    scene.plane.writeCreate(
      { name: "orders-copy", members: 3 },
      { kind: "restore-cluster", request: { ...scene.loadOf(backup, "app") } },
    );

  test("begins empty, gets the database, and reads nobody's repository of files", async () => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    const operation = await scene.plane.carryOut(await write(scene, backup));
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(scene.logical.database(operation.clusterId, "app")).toMatchObject({
      content: backup.id,
      mark: null,
    });
    const cluster = await scene.cloud.ports.store.getCluster(operation.clusterId);
    expect(cluster).toMatchObject({ status: "available", nodes: { length: 3 } });
    for (const { id } of cluster?.nodes ?? []) {
      expect(scene.cloud.machines.restores.get(id)).toEqual([null]);
    }
  });

  test.each(sides)("comes to the same when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    const operation = await write(scene, backup);
    crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(scene.logical.loads).toHaveLength(1);
  });

  test("whose database cannot be loaded leaves nothing behind", async () => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    scene.logical.loadFailure = { message: 'role "auditor" does not exist', isFinal: true };
    const operation = await scene.plane.carryOut(await write(scene, backup));
    expectUnwound(operation, { state: "failed", message: /role "auditor" does not exist/ });
    expect(await inventory(scene.cloud)).toEqual(inventoryOf(1));
  });
});
