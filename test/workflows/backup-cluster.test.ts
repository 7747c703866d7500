import { describe, expect, test } from "vitest";
import type { Backup, BackupType, Operation } from "../../layers/domain/index.ts";
import { cipherPassParameter } from "../../layers/domain/index.ts";
import { CommandError } from "../../layers/ports/index.ts";
import { openCloud } from "../world/cloud.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory } from "../world/expectations.ts";
import { type MadeCluster, makeCluster } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

interface Scene extends MadeCluster {
  /** Instances that take no commands. */
  readonly deaf: Set<string>;
  take(type?: BackupType): Promise<{ operation: Operation; backup: Backup }>;
  backupOf(operation: Operation): Promise<Backup>;
  repository(): readonly (string | null)[];
}

async function open(members = 3): Promise<Scene> {
  const deaf = new Set<string>();
  const made = await makeCluster(await openCloud(dynamodb), { members }, (_verb, { instanceId }) => {
    if (deaf.has(instanceId)) throw new CommandError("node-not-online", instanceId, "it is not online");
  });
  const { cloud, clusterId, plane } = made;
  const backupOf = async ({ request }: Operation): Promise<Backup> => {
    const backup = await cloud.ports.store.getBackup(clusterId, String(request?.["backupId"]));
    if (backup === null) throw new Error("there is no such backup");
    return backup;
  };
  return {
    ...made,
    deaf,
    backupOf,
    take: async (type) => {
      const operation = await plane.carryOut(await plane.writeBackup(clusterId, type));
      return { operation, backup: await backupOf(operation) };
    },
    repository: () => (cloud.machines.backups.repositories.get(clusterId) ?? []).map((one) => one.backupId),
  };
}

describe("a backup", () => {
  test("is taken on a replica and recorded as the repository has it, and the cluster is as it was", async () => {
    await using scene = await open();
    const { cloud, clusterId, nodeIds } = scene;
    const before = await cloud.ports.store.getCluster(clusterId);
    const { operation, backup } = await scene.take();
    expect(operation).toMatchObject({ state: "succeeded", progress: 1 });
    expect(backup).toMatchObject({
      state: "succeeded",
      type: "full",
      label: expect.stringMatching(/^\d{8}-\d{6}F$/),
      sizeBytes: 1024 ** 3,
      repositoryBytes: 1024 ** 3 / 4,
      walStart: "000000010000000000000002",
      progress: null,
      error: null,
    });
    expect(backup.nodeId).not.toBe(nodeIds.at(-1));
    expect(scene.repository()).toEqual([backup.id]);
    const after = await cloud.ports.store.getCluster(clusterId);
    expect(after).toEqual({ ...before, updatedAt: after?.updatedAt });
  });

  test("says how far it is while it runs", async () => {
    await using scene = await open();
    const { machines, ports } = scene.cloud;
    machines.backups.looksNeeded = 12;
    const seen: (Backup["progress"] | undefined)[] = [];
    const operation = await scene.plane.writeBackup(scene.clusterId);
    scene.plane.hooks.afterCheckpoint = async () => {
      seen.push((await scene.backupOf(operation)).progress);
    };
    await scene.plane.carryOut(operation);
    expect(seen).toContainEqual({ bytesDone: expect.any(Number), bytesTotal: 1024 ** 3 });
    const { steps } = (await ports.store.getOperation(operation.id)) ?? { steps: [] };
    expect(steps.map(({ detail }) => detail)).toContainEqual(expect.stringMatching(/^\d+ of 1024 MiB$/));
  });

  test("is taken on the leader where there is nobody else", async () => {
    await using scene = await open(1);
    const { backup } = await scene.take();
    expect(backup).toMatchObject({ state: "succeeded", nodeId: scene.nodeIds[0] });
  });

  test("that was to build on a full one is a full one where there is none, and says so", async () => {
    await using scene = await open();
    expect((await scene.take("incr")).backup).toMatchObject({ type: "full" });
    const { backup } = await scene.take("incr");
    expect(backup).toMatchObject({ type: "incr", references: [expect.stringMatching(/F$/)] });
  });

  test("that comes to nothing is begun again somewhere else", async () => {
    await using scene = await open();
    const { backups } = scene.cloud.machines;
    const [first = ""] = scene.nodeIds;
    backups.objection = (nodeId) => (nodeId === first ? "lost the connection to the primary" : null);
    const { operation, backup } = await scene.take();
    expect(backup).toMatchObject({ state: "succeeded", nodeId: scene.nodeIds[1] });
    expect(backups.begun).toEqual([`${first} full`, `${scene.nodeIds[1]} full`]);
    const words = operation.steps.map(({ detail }) => detail ?? "");
    expect(words).toContainEqual(expect.stringContaining("lost the connection to the primary"));
  });

  test("whose leader goes while it is read is begun again by itself", async () => {
    await using scene = await open();
    const { backups } = scene.cloud.machines;
    backups.looksNeeded = 6;
    let isInterrupted = false;
    scene.plane.hooks.afterCheckpoint = () => {
      if (isInterrupted || backups.taking.size === 0) return;
      isInterrupted = true;
      backups.interrupt("the standby was promoted");
    };
    const { backup } = await scene.take();
    expect(isInterrupted).toBe(true);
    expect(backup.state).toBe("succeeded");
    expect(scene.repository()).toEqual([backup.id]);
  });

  test("of a node that dies is taken by another one", async () => {
    await using scene = await open();
    const { machines, ports } = scene.cloud;
    machines.backups.looksNeeded = 1000;
    const operation = await scene.plane.writeBackup(scene.clusterId);
    scene.plane.hooks.afterCheckpoint = async () => {
      const [nodeId] = machines.backups.taking.keys();
      if (nodeId === undefined) return;
      scene.plane.hooks.afterCheckpoint = () => undefined;
      const cluster = await ports.store.getCluster(scene.clusterId);
      const node = cluster?.nodes.find((one) => one.id === nodeId);
      scene.deaf.add(node?.instanceId ?? "");
      await machines.kill(node?.instanceId ?? "");
      machines.backups.looksNeeded = 1;
    };
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(machines.backups.begun).toHaveLength(2);
    expect(scene.repository()).toHaveLength(1);
  });

  test.each(sides)("is there once when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open();
    const { machines } = scene.cloud;
    const operation = await scene.plane.writeBackup(scene.clusterId);
    const count = crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(count.crashes).toBeGreaterThan(5);
    const backup = await scene.backupOf(operation);
    expect(scene.repository()).toEqual([backup.id]);
    expect(machines.backups.begun).toHaveLength(1);
    expect(machines.backups.faults).toEqual([]);
  });

  test("goes on in an execution that takes another's place", async () => {
    await using scene = await open();
    const { machines, ports } = scene.cloud;
    const operation = await scene.plane.writeBackup(scene.clusterId);
    await ports.store.markOperationRunning(operation.id);
    const [, nodeId = ""] = scene.nodeIds;
    const course = { isReady: true, attempts: 1, nodeId, attempt: "begun", message: null, isRecorded: false };
    await ports.store.putOperationResult(operation.id, course);
    const backupId = (await scene.backupOf(operation)).id as never;
    machines.backups.do(
      "take-backup",
      { clusterId: scene.clusterId, nodeId, backupId, type: "full" },
      { nodeIds: scene.nodeIds, isUp: () => true },
    );
    const recovery = { attempt: 1, reason: "its execution ended" };
    expect(await scene.plane.carryOut(operation, recovery)).toMatchObject({ state: "succeeded" });
    expect(machines.backups.begun).toHaveLength(1);
  });

  test("that nobody can take fails with the reason, leaves the cluster free, and another one can follow", async () => {
    await using scene = await open();
    const { machines, ports } = scene.cloud;
    machines.backups.objection = () => "raised from remote: S3 says AccessDenied";
    const { operation, backup } = await scene.take();
    expect(operation).toMatchObject({
      state: "failed",
      error: { code: "backup-failed", message: expect.stringContaining("AccessDenied") },
    });
    expect(backup).toMatchObject({ state: "failed", label: null, error: { code: "backup-failed" } });
    expect(backup.endedAt).not.toBeNull();
    expect(await ports.store.getCluster(scene.clusterId)).toMatchObject({
      status: "available",
      backupOperationId: null,
    });
    machines.backups.objection = () => null;
    expect((await scene.take()).backup.state).toBe("succeeded");
  });

  test("fails before it begins where WAL does not get into the archive", async () => {
    await using scene = await open();
    scene.cloud.machines.backups.archiveFailure = "WAL segment 4 has not been archived in time";
    const { operation, backup } = await scene.take();
    expect(operation.error?.message).toContain("has not been archived in time");
    expect(backup.state).toBe("failed");
    expect(scene.cloud.machines.backups.begun).toEqual([]);
  });

  test("that is cancelled is stopped on its node, and is nowhere", async () => {
    await using scene = await open();
    const { machines } = scene.cloud;
    machines.backups.looksNeeded = 100_000;
    const operation = await scene.plane.writeBackup(scene.clusterId);
    let isAsked = false;
    scene.plane.hooks.afterCheckpoint = async () => {
      if (isAsked || machines.backups.taking.size === 0) return;
      isAsked = true;
      await scene.plane.requestCancel(operation);
    };
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "cancelled" });
    expect(await scene.backupOf(operation)).toMatchObject({ state: "cancelled" });
    expect(machines.backups.taking.size).toBe(0);
    expect(scene.repository()).toEqual([]);
  });

  test("holds nobody up: the cluster can be changed meanwhile, and only another backup has to wait", async () => {
    await using scene = await open();
    const { clusterId, plane } = scene;
    const backup = await plane.writeBackup(clusterId);
    await expect(plane.writeBackup(clusterId)).rejects.toMatchObject({ code: "backup-in-progress" });
    const pause = await plane.write("pause-cluster", clusterId, {
      status: "available",
      request: { reason: "x", since: new Date().toISOString(), by: "test" },
    });
    expect(await scene.cloud.ports.store.getCluster(clusterId)).toMatchObject({
      activeOperationId: pause.id,
      backupOperationId: backup.id,
    });
    expect(await plane.carryOut(backup)).toMatchObject({ state: "succeeded" });
    expect(await scene.cloud.ports.store.getCluster(clusterId)).toMatchObject({
      activeOperationId: pause.id,
      backupOperationId: null,
    });
  });
});

describe("deleting a backup", () => {
  test("takes it out of the repository and off the record, and twice is once", async () => {
    await using scene = await open();
    const { backup: first } = await scene.take();
    const { backup: second } = await scene.take();
    const operation = await scene.plane.writeDeleteBackup(first);
    crashAlways(scene.plane, "after");
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(scene.repository()).toEqual([second.id]);
    const left = await scene.cloud.ports.store.allBackups(scene.clusterId);
    expect(left.map(({ id }) => id)).toEqual([second.id]);
  });

  test("that the repository refuses leaves the backup as it was", async () => {
    await using scene = await open();
    const { backup } = await scene.take();
    const operation = await scene.plane.carryOut(await scene.plane.writeDeleteBackup(backup));
    expect(operation).toMatchObject({
      state: "failed",
      error: { message: expect.stringContaining("the last full one") },
    });
    expect(await scene.cloud.ports.store.getBackup(scene.clusterId, backup.id)).toMatchObject({
      state: "succeeded",
    });
    expect(scene.repository()).toEqual([backup.id]);
  });

  test("that never got into the repository is a matter of the record", async () => {
    await using scene = await open();
    scene.cloud.machines.backups.objection = () => "no";
    const { backup } = await scene.take();
    const deleted = await scene.plane.carryOut(await scene.plane.writeDeleteBackup(backup));
    expect(deleted.state).toBe("succeeded");
    expect(await scene.cloud.ports.store.allBackups(scene.clusterId)).toEqual([]);
  });
});

describe("a cluster that is deleted", () => {
  const pass = (clusterId: string) => cipherPassParameter("test", clusterId);

  test("leaves its backups and the pass that opens them, and nothing else", async () => {
    await using scene = await open();
    const { backup } = await scene.take();
    await scene.plane.delete(scene.clusterId);
    expect(await inventory(scene.cloud)).toEqual({ parameter: 1 });
    expect(await scene.cloud.ports.secrets.find(pass(scene.clusterId))).not.toBeNull();
    expect(await scene.cloud.ports.store.getBackup(scene.clusterId, backup.id)).toMatchObject({
      state: "succeeded",
    });
  });

  test("without a backup leaves no pass either", async () => {
    await using scene = await open();
    await scene.plane.delete(scene.clusterId);
    expect(await inventory(scene.cloud)).toEqual({});
  });
});
