import { EC2Client, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";

const dynamodb = useDynamoDB();

async function stop(plane: ControlPlane, clusterId: string) {
  return plane.carryOut(await plane.write("stop-cluster", clusterId, { status: "stopping" }));
}

async function start(plane: ControlPlane, clusterId: string) {
  return plane.carryOut(await plane.write("start-cluster", clusterId, { status: "starting" }));
}

async function states(cloud: Cloud, clusterId: string): Promise<string[]> {
  const instances = await cloud.ports.compute.listInstances(clusterId);
  return instances.map((instance) => instance.state);
}

/** Addresses, volumes and interfaces: what a client or the data would miss. */
async function places(cloud: Cloud, clusterId: string) {
  const cluster = await cloud.ports.store.getCluster(clusterId);
  return cluster?.nodes.map(({ id, address, volumeId, networkInterfaceId, zone }) => ({
    id,
    address,
    volumeId,
    networkInterfaceId,
    zone,
  }));
}

test("a stop lets clients go, stops replicas before their leader, and keeps every place; a start brings all of it back", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 3 });
  const { clusterId } = operation;
  const before = await places(cloud, clusterId);

  expect(await stop(plane, clusterId)).toMatchObject({ state: "succeeded" });

  expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({
    status: "stopped",
    activeOperationId: null,
    nodes: [{ state: "stopped" }, { state: "stopped" }, { state: "stopped" }],
  });
  expect(await states(cloud, clusterId)).toEqual(["stopped", "stopped", "stopped"]);
  expect(await places(cloud, clusterId)).toEqual(before);

  expect(await start(plane, clusterId)).toMatchObject({ state: "succeeded" });

  expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({
    status: "available",
    nodes: [{ state: "running" }, { state: "running" }, { state: "running" }],
  });
  expect(await places(cloud, clusterId)).toEqual(before);
  expect(await inventory(cloud)).toEqual(inventoryOf(3));
});

test("a start puts another instance into the place of one that is gone", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation, cluster } = await plane.create({ name: "orders", members: 2 });
  const { clusterId } = operation;
  const before = await places(cloud, clusterId);
  await stop(plane, clusterId);
  const gone = cluster?.nodes[0]?.instanceId ?? "";
  const ec2 = new EC2Client(cloud.operator);
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone] }));
  await cloud.ports.compute.removeInstance(clusterId, cluster?.nodes[0]?.id ?? "");

  expect(await start(plane, clusterId)).toMatchObject({ state: "succeeded" });

  expect(await places(cloud, clusterId)).toEqual(before);
  expect(await states(cloud, clusterId)).toEqual(["running", "running"]);
  const after = await cloud.ports.store.getCluster(clusterId);
  expect(after?.nodes.map((node) => node.instanceId)).not.toContain(gone);
  ec2.destroy();
});

test("a stopped cluster can be deleted", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 2 });
  await stop(plane, operation.clusterId);
  expect((await plane.delete(operation.clusterId)).state).toBe("succeeded");
  expect(await cloud.leftovers()).toEqual([]);
});

test("a stop that fails leaves the cluster degraded, and both stopping and starting it go on from there", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 2 });
  const { clusterId } = operation;
  const refusal = { kind: "error", code: "UnauthorizedOperation" } as const;
  cloud.faults.add({ service: "ec2", action: "StopInstances", times: 50, effect: refusal });
  expect(await stop(plane, clusterId)).toMatchObject({
    state: "failed",
    error: { code: "unauthorized-operation" },
  });
  expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({
    status: "degraded",
    activeOperationId: null,
  });
  cloud.faults.clear();
  expect((await stop(plane, clusterId)).state).toBe("succeeded");
  expect((await start(plane, clusterId)).state).toBe("succeeded");
  expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({ status: "available" });
});

test("a start that finds no room says so, and can be repeated", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 1 });
  const { clusterId } = operation;
  await stop(plane, clusterId);
  const refusal = { kind: "error", code: "InsufficientInstanceCapacity" } as const;
  cloud.faults.add({ service: "ec2", action: "StartInstances", times: 50, effect: refusal });
  const failed = await start(plane, clusterId);
  expect(failed.error?.message).toMatch(/no capacity/);
  cloud.faults.clear();
  expect((await start(plane, clusterId)).state).toBe("succeeded");
});

test("a node that does not answer is stopped all the same", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 2 });
  cloud.machines.behaviours.set("shut-down", { kind: "crashes", stderr: "out of memory" });
  expect((await stop(plane, operation.clusterId)).state).toBe("succeeded");
  expect(await states(cloud, operation.clusterId)).toEqual(["stopped", "stopped"]);
});

test("a cancel of a stop takes effect before its next part; what is stopped stays stopped", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 2 });
  const { clusterId } = operation;
  const stopping = await plane.write("stop-cluster", clusterId, { status: "stopping" });
  await plane.requestCancel(stopping);
  const ended = await plane.carryOut(stopping);
  expect(ended).toMatchObject({ state: "cancelled" });
  expect(ended.steps.map((step) => step.state)).toEqual(ended.steps.map(() => "skipped"));
  expect(await states(cloud, clusterId)).toEqual(["running", "running"]);
  expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({ status: "degraded" });
});

test("a stop and a start that are carried out twice are carried out once", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 2 });
  for (const kind of ["stop-cluster", "start-cluster"] as const) {
    const written = await plane.write(kind, operation.clusterId, { status: "stopping" });
    const first = await plane.carryOut(written);
    expect(first.state).toBe("succeeded");
    expect(await plane.carryOut(written, { attempt: 1, reason: "a test" })).toEqual(first);
  }
});

describe.each(sides)("a control plane that dies %s every checkpoint", (side) => {
  test("of a stop and of a start: the cluster is stopped, then available, with the places it had", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 3 });
    const { clusterId } = operation;
    const before = await places(cloud, clusterId);
    const count = crashAlways(plane, side);
    expect((await stop(plane, clusterId)).state).toBe("succeeded");
    expect(await states(cloud, clusterId)).toEqual(["stopped", "stopped", "stopped"]);
    expect((await start(plane, clusterId)).state).toBe("succeeded");
    expect(await states(cloud, clusterId)).toEqual(["running", "running", "running"]);
    expect(await places(cloud, clusterId)).toEqual(before);
    expect(count.crashes).toBeGreaterThan(8);
  });

  test("of a stop whose execution is lost on the way: the one that takes its place goes on", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 2 });
    const written = await plane.write("stop-cluster", operation.clusterId, { status: "stopping" });
    await cloud.ports.store.markOperationRunning(written.id, ["clients"]);
    crashAlways(plane, side);
    expect(await plane.carryOut(written, { attempt: 1, reason: "it was stopped" })).toMatchObject({
      state: "succeeded",
    });
    expect(await states(cloud, operation.clusterId)).toEqual(["stopped", "stopped"]);
  });
});
