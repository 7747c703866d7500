import { expect, test } from "vitest";
import { convergeDeadlines } from "../../functions/workflows/converge-cluster/deadlines.ts";
import type { ClusterPorts } from "../../functions/workflows/ports.ts";
import { recoverClusterLoop } from "../../functions/workflows/recover-cluster.ts";
import type { Change, Cluster } from "../../layers/domain/index.ts";
import { type Loop, loopHandler } from "../../layers/runtime/workflow.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";

const dynamodb = useDynamoDB();

/** Nodes that never answer must not hold a test for minutes. */
const deadlines = {
  ...convergeDeadlines,
  shortSeconds: 1,
  shutDownSeconds: 1,
  dcsSeconds: 1,
  agentSeconds: 1,
};

const stopSeconds = 2;

/** What comes after the recovery's own part has promises of its own; here there is nothing left to be done. */
const nothingLeft: Loop<ClusterPorts, Change> = {
  kind: "converge-cluster",
  attemptsMax: 2,
  roundsMax: 20,
  next: async () => null,
  nameOf: (change) => change.kind,
  carryOut: async () => undefined,
  statusAt: ({ state }) => ({ status: "available", statusReason: state }),
};

/** Five members, of which the second, the third (both with etcd) and the last, which leads, are lost for good. */
async function open(cloud: Cloud) {
  const recover = loopHandler(recoverClusterLoop(deadlines, nothingLeft), () => cloud.ports);
  const plane = new ControlPlane(cloud, cloud.ports, { "recover-cluster": recover as never });
  const { cluster, operation } = await plane.create({ name: "orders", members: 5 });
  expect(operation).toMatchObject({ state: "succeeded" });
  if (cluster === null) throw new Error("there is no cluster");
  const [first, second, third, fourth, last] = cluster.nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (!first || !second || !third || !fourth || !last) throw new Error("there are no five nodes");
  for (const { instanceId } of [second, third, last]) {
    await cloud.ports.compute.removeInstanceById(instanceId ?? "");
  }
  cloud.machines.dcs.reached.set(first.id, { timeline: 3, bytes: "900" });
  cloud.machines.dcs.reached.set(fourth.id, { timeline: 3, bytes: "1000" });
  return { plane, cluster, nodes: { first, second, third, fourth, last } };
}

async function recover(plane: ControlPlane, cluster: Cluster, survivor: string | null) {
  return plane.carryOut(await plane.writeStart("recover-cluster", cluster.id, { survivor }));
}

async function expectRecovered(cloud: Cloud, { id: clusterId }: Cluster, survivor: string) {
  const after = await cloud.ports.store.getCluster(clusterId);
  const withEtcd = after?.nodes.filter((node) => node.services.includes("etcd")).map((node) => node.id);
  expect(withEtcd).toEqual([survivor]);
  expect(cloud.machines.dcs.holders.get(survivor)).toBe(survivor);
  expect(after).toMatchObject({ status: "available", activeOperationId: null });
}

test("the copy that has the most founds an etcd of its own, after everybody else was set aside", async () => {
  await using cloud = await openCloud(dynamodb);
  const { plane, cluster, nodes } = await open(cloud);
  const ended = await recover(plane, cluster, null);
  expect(ended).toMatchObject({ state: "succeeded", progress: 1 });
  expect(ended.steps.map((step) => step.name).at(0)).toBe(`name survivor ${nodes.fourth.id}`);
  expect(ended.steps.map((step) => step.name).at(-1)).toBe(`found dcs ${nodes.fourth.id}`);
  expect(ended.steps).toHaveLength(6);
  await expectRecovered(cloud, cluster, nodes.fourth.id);
});

test("a node that answers keeps its copy; one that does not loses its instance and gives up what it had", async () => {
  await using cloud = await openCloud(dynamodb);
  const { plane, cluster, nodes } = await open(cloud);
  await recover(plane, cluster, null);
  const after = await cloud.ports.store.getCluster(cluster.id);
  const placeOf = (nodeId: string) => after?.nodes.find((node) => node.id === nodeId);
  const { instanceId, volumeId } = nodes.first;
  expect(placeOf(nodes.first.id)).toMatchObject({ instanceId, volumeId });
  for (const { address, id, networkInterfaceId } of [nodes.second, nodes.third, nodes.last]) {
    expect(placeOf(id)).toMatchObject({ instanceId: null, volumeId: null, address, networkInterfaceId });
  }
  const instances = await cloud.ports.compute.listInstances(cluster.id);
  const running = instances.filter((one) => one.state !== "terminated").map((one) => one.nodeId);
  expect(running.toSorted()).toEqual([nodes.first.id, nodes.fourth.id].toSorted());
});

test("a machine that runs and is silent is taken away like one that is down", async () => {
  await using cloud = await openCloud(dynamodb);
  const { plane, cluster, nodes } = await open(cloud);
  await cloud.machines.kill(nodes.first.instanceId ?? "");
  expect(await recover(plane, cluster, null)).toMatchObject({ state: "succeeded" });
  const after = await cloud.ports.store.getCluster(cluster.id);
  const first = after?.nodes.find((node) => node.id === nodes.first.id);
  expect(first).toMatchObject({ instanceId: null, volumeId: null });
  await expectRecovered(cloud, cluster, nodes.fourth.id);
});

test("whoever is named survives, and nothing has changed where that one does not answer", async () => {
  await using cloud = await openCloud(dynamodb);
  const { plane, cluster, nodes } = await open(cloud);
  const refused = await recover(plane, cluster, nodes.second.id);
  expect(refused).toMatchObject({ state: "failed", error: { code: "no-survivor" } });
  expect((await cloud.ports.store.getCluster(cluster.id))?.nodes).toEqual(cluster.nodes);
  expect(await recover(plane, cluster, nodes.first.id)).toMatchObject({ state: "succeeded" });
  await expectRecovered(cloud, cluster, nodes.first.id);
});

test("machines that are only stopped are started, and where etcd then decides nobody loses anything", async () => {
  await using cloud = await openCloud(dynamodb);
  const { plane, cluster } = await openStopped(cloud, []);
  expect(await recover(plane, cluster, null)).toMatchObject({ state: "succeeded" });
  const after = await cloud.ports.store.getCluster(cluster.id);
  expect(after?.nodes).toEqual(cluster.nodes);
  expect(cloud.machines.done.filter((one) => one.startsWith("forget-dcs"))).toEqual([]);
});

test("a stopped machine with the best copy survives, where others are lost for good", async () => {
  await using cloud = await openCloud(dynamodb);
  const { plane, cluster, nodes } = await openStopped(cloud, [1, 2]);
  expect(await recover(plane, cluster, null)).toMatchObject({ state: "succeeded" });
  await expectRecovered(cloud, cluster, nodes[0]?.id ?? "");
  const kept = (await cloud.ports.store.getCluster(cluster.id))?.nodes[0];
  expect(kept).toMatchObject({ volumeId: nodes[0]?.volumeId, instanceId: nodes[0]?.instanceId });
});

/** Four members with etcd on three, of which the first two are stopped, and some then lost for good. */
async function openStopped(cloud: Cloud, lost: readonly number[]) {
  const handler = loopHandler(recoverClusterLoop(deadlines, nothingLeft), () => cloud.ports);
  const plane = new ControlPlane(cloud, cloud.ports, { "recover-cluster": handler as never });
  const { cluster } = await plane.create({ name: "orders", members: 4 });
  if (cluster === null) throw new Error("there is no cluster");
  const nodes = cluster.nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  for (const { instanceId } of nodes.slice(0, 2)) {
    await cloud.ports.compute.stopInstance(instanceId ?? "", stopSeconds);
  }
  for (const index of lost) await cloud.ports.compute.removeInstanceById(nodes[index]?.instanceId ?? "");
  for (const [index, { id }] of nodes.entries()) {
    cloud.machines.dcs.reached.set(id, { timeline: 3, bytes: String(1000 - index) });
  }
  return { plane, cluster, nodes };
}

test.each(sides)("the control plane dies %s every checkpoint: etcd is founded once", async (side) => {
  await using cloud = await openCloud(dynamodb);
  const { plane, cluster, nodes } = await open(cloud);
  const operation = await plane.writeStart("recover-cluster", cluster.id, { survivor: null });
  const count = crashAlways(plane, side);
  const ended = await plane.carryOut(operation);
  expect(count.crashes).toBeGreaterThan(5);
  expect(ended).toMatchObject({ state: "succeeded" });
  const founded = cloud.machines.done.filter((one) => one === `forget-dcs ${nodes.fourth.id}`);
  expect(founded).toHaveLength(1);
  await expectRecovered(cloud, cluster, nodes.fourth.id);
});
