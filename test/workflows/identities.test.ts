import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backup, LoadRequest, Operation } from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";

let dynamodb: DynamoDB;
beforeAll(async () => {
  dynamodb = openDynamoDB();
});
afterAll(async () => {
  await dynamodb[Symbol.asyncDispose]();
});

/** Carries it out, and says whether the cluster's nodes could read the source's backups meanwhile, in the order of it. */
async function watched(
  { cloud, plane }: { cloud: Cloud; plane: ControlPlane },
  operation: Operation,
  source: string,
): Promise<{ operation: Operation; could: readonly boolean[] }> {
  const could: boolean[] = [];
  plane.hooks.afterCheckpoint = () => {
    const can = cloud.machines.mayRead(operation.clusterId, source);
    if (could.at(-1) !== can) could.push(can);
  };
  const ended = await plane.carryOut(operation);
  could.push(cloud.machines.mayRead(operation.clusterId, source));
  return { operation: ended, could: could.filter((can, index) => can !== could[index - 1]) };
}

/** Two clusters, and a logical backup of the first. */
async function open(cloud: Cloud) {
  const plane = new ControlPlane(cloud);
  const [source, target] = [
    (await plane.create({ name: "orders", members: 1 })).operation.clusterId,
    (await plane.create({ name: "copies", members: 1 })).operation.clusterId,
  ];
  await plane.carryOut(await plane.writeBackup(source, "logical"));
  const [backup] = await cloud.ports.store.allBackups(source);
  if (backup === undefined) throw new Error("there is no backup");
  return { plane, source, target, backup };
}

const loadOf = ({ clusterId, id: backupId }: Backup): LoadRequest => ({
  source: { clusterId, shard: 0, backupId, database: "app" },
  name: "copy",
});

describe("nodes may read another cluster's backups", () => {
  test("while they are restored into a new cluster, and no longer", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { clusterId } = (await plane.create({ name: "orders", members: 1 })).operation;
    await plane.carryOut(await plane.writeBackup(clusterId));
    const [{ id: backupId, label } = { id: "", label: null }] = await cloud.ports.store.allBackups(clusterId);
    const target = { lsn: "0/900000" };
    const request = { clusterId, shard: 0, backupId, label: label ?? "", target, exclusive: false };
    const writing = plane.writeCreate({ name: "before", members: 1 }, { kind: "restore-cluster", request });
    const { operation, could } = await watched({ cloud, plane }, await writing, clusterId);
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(could).toEqual([false, true, false]);
    expect(cloud.machines.mayRead(clusterId, operation.clusterId)).toBe(false);
    expect(cloud.machines.mayRead(operation.clusterId, operation.clusterId)).toBe(true);
  });

  test("while a database of them is loaded, and no longer", async () => {
    await using cloud = await openCloud(dynamodb);
    const { backup, plane, source, target } = await open(cloud);
    const load = await plane.writeLoad(target, loadOf(backup));
    const { operation, could } = await watched({ cloud, plane }, load, source);
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(could).toEqual([false, true, false]);
  });

  test("no longer where the load has failed, or was cancelled", async () => {
    await using cloud = await openCloud(dynamodb);
    const { backup, plane, source, target } = await open(cloud);
    const { logical } = cloud.machines;
    logical.loadFailure = { message: "there is no such role", isFinal: true };
    const failing = await watched({ cloud, plane }, await plane.writeLoad(target, loadOf(backup)), source);
    expect(failing.operation.state).toBe("failed");
    expect(failing.could).toEqual([false, true, false]);
    logical.loadFailure = null;
    logical.looksNeeded = 100_000;
    const load = await plane.writeLoad(target, loadOf(backup));
    let isAsked = false;
    plane.hooks.afterCheckpoint = async () => {
      if (isAsked || logical.loading.size === 0) return;
      isAsked = true;
      await plane.requestCancel(load);
    };
    expect(await plane.carryOut(load)).toMatchObject({ state: "cancelled" });
    expect(cloud.machines.mayRead(target, source)).toBe(false);
  });
});

test("a cluster of before nodes had roles of their own gets one when it is started", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { clusterId } = (await plane.create({ name: "orders", members: 1 })).operation;
  await cloud.ports.identities.remove(clusterId);
  for (const kind of ["stop-cluster", "start-cluster"] as const) {
    const status = kind === "stop-cluster" ? "stopping" : "starting";
    const operation = await plane.write(kind, clusterId, { status });
    expect(await plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
  }
  expect(await inventory(cloud)).toEqual(inventoryOf(1));
});
