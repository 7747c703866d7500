import { EC2Client, StopInstancesCommand, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { useDynamoDB } from "../world/dynamodb.ts";

const dynamodb = useDynamoDB();

/** What can have happened to a cluster before someone deletes it. */
const pasts: Record<string, (cloud: Cloud, clusterId: string) => Promise<unknown>> = {
  "is available": async () => undefined,
  "has an instance that someone terminated": async (cloud, clusterId) =>
    ec2Of(cloud).send(
      new TerminateInstancesCommand({ InstanceIds: [await firstInstance(cloud, clusterId)] }),
    ),
  "has a stopped instance": async (cloud, clusterId) =>
    ec2Of(cloud).send(new StopInstancesCommand({ InstanceIds: [await firstInstance(cloud, clusterId)] })),
  "has lost a volume and its parameters": async (cloud, clusterId) => {
    const cluster = await cloud.ports.store.getCluster(clusterId);
    const node = cluster?.nodes[0]?.id ?? "";
    await cloud.ports.compute.removeInstance(clusterId, node);
    await cloud.ports.compute.removeVolume(clusterId, node);
    await cloud.ports.secrets.removeAll(`/pgherd/test/${clusterId}`);
  },
};

describe("a delete leaves nothing but the history of a cluster that", () => {
  test.each(Object.keys(pasts))("%s", async (past) => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 3 });
    const { clusterId } = operation;
    await pasts[past]?.(cloud, clusterId);
    const deleted = await plane.delete(clusterId);
    expect(deleted).toMatchObject({ state: "succeeded", progress: 1 });
    expect(deleted.steps.every((step) => step.state === "succeeded")).toBe(true);
    expect(await cloud.leftovers()).toEqual([]);
    expect(await cloud.ports.store.getCluster(clusterId)).toBeNull();
    const trail = await cloud.ports.store.listAuditEntries({ clusterId, limit: 10, cursor: null });
    expect(trail.items.map((entry) => entry.action)).toEqual([
      "delete-cluster-succeeded",
      "delete-cluster",
      "create-cluster-succeeded",
      "create-cluster",
    ]);
    expect((await plane.read(operation.id)).state).toBe("succeeded");
  });

  test("failed to be created", async () => {
    await using cloud = await openCloud(dynamodb);
    cloud.machines.behaviours.set("verify", { kind: "fails", code: "broken", message: "broken" });
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 2 });
    cloud.machines.behaviours.clear();
    const again = await plane.create({ name: "orders", members: 1 });
    expect(again.operation.state).toBe("succeeded");
    const deleted = await plane.delete(operation.clusterId);
    expect(deleted.state).toBe("succeeded");
    expect(await cloud.ports.store.getCluster(operation.clusterId)).toBeNull();
    expect(await cloud.ports.store.findClusterByName("orders")).toBe(again.operation.clusterId);
    expect((await cloud.ports.store.getCluster(again.operation.clusterId))?.status).toBe("available");
  });
});

test("a delete that is carried out twice is carried out once", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 1 });
  const written = await plane.writeDelete(operation.clusterId);
  const first = await plane.carryOut(written);
  const second = await plane.carryOut(written, { attempt: 1, reason: "a test" });
  expect(second).toEqual(first);
  expect(await cloud.leftovers()).toEqual([]);
});

test("a cancel does not stop a delete that has begun: what it removed does not come back", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 1 });
  const written = await plane.writeDelete(operation.clusterId);
  let isAsked = false;
  plane.hooks.afterCheckpoint = async () => {
    const { steps } = await plane.read(written.id);
    if (isAsked || !steps.some(({ name, state }) => name === "instances" && state === "running")) return;
    isAsked = true;
    await plane.requestCancel(written);
  };
  expect((await plane.carryOut(written)).state).toBe("succeeded");
  expect(isAsked).toBe(true);
  expect(await cloud.leftovers()).toEqual([]);
});

test("an execution that takes another's place in a delete that has begun heeds no cancel either", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 1 });
  const written = await plane.writeDelete(operation.clusterId);
  await cloud.ports.store.markOperationRunning(written.id);
  const at = new Date().toISOString();
  const step = { startedAt: at, endedAt: null };
  await cloud.ports.store.updateStep(written.id, { ...step, name: "final-backup", state: "succeeded" });
  await cloud.ports.store.updateStep(written.id, { ...step, name: "instances", state: "running" });
  await plane.requestCancel(written);
  expect((await plane.carryOut(written, { attempt: 1, reason: "a test" })).state).toBe("succeeded");
  expect(await cloud.leftovers()).toEqual([]);
});

test("a delete that cannot remove something fails, says what, and can be repeated", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 2 });
  cloud.faults.add({
    service: "ec2",
    action: "DeleteVolume",
    times: 50,
    effect: { kind: "error", code: "UnauthorizedOperation" },
  });
  const failed = await plane.delete(operation.clusterId);
  expect(failed).toMatchObject({ state: "failed", error: { code: "unauthorized-operation" } });
  expect(failed.error?.message).toMatch(/"volumes" failed on node nod_.*starting the same again/);
  expect(await cloud.ports.store.getCluster(operation.clusterId)).toMatchObject({
    status: "failed",
    activeOperationId: null,
    nodes: [{}, {}],
  });
  cloud.faults.clear();
  expect((await plane.delete(operation.clusterId)).state).toBe("succeeded");
  expect(await cloud.leftovers()).toEqual([]);
});

const ec2Of = (cloud: Cloud): EC2Client => new EC2Client(cloud.operator);

async function firstInstance(cloud: Cloud, clusterId: string): Promise<string> {
  const cluster = await cloud.ports.store.getCluster(clusterId);
  return cluster?.nodes[0]?.instanceId ?? "";
}
