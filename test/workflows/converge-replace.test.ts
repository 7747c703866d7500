import { describe, expect, test } from "vitest";
import { convergeDeadlines } from "../../functions/workflows/converge-cluster/deadlines.ts";
import { makePlace, vacatePlace } from "../../functions/workflows/converge-cluster/places.ts";
import type { ClusterNode, ConvergeRequest } from "../../layers/domain/index.ts";
import { openCloud } from "../world/cloud.ts";
import { type Converging, everythingTwice, expectConverged, openConverging } from "../world/converging.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";

const dynamodb = useDynamoDB();

type Kind = "kept" | "fresh" | "moved";
const kinds: readonly Kind[] = ["kept", "fresh", "moved"];

/** As `POST …/nodes/{nodeId}/replace` asks for it; a node that moves cannot take its volume with it. */
function directive({ id, instanceId, volumeId, zone }: ClusterNode, kind: Kind): Partial<ConvergeRequest> {
  const elsewhere = zone === "local-1a" ? "local-1b" : "local-1a";
  return {
    previousSpec: null,
    replace: {
      nodeId: id as NonNullable<ConvergeRequest["replace"]>["nodeId"],
      instanceId,
      volumeId: kind === "kept" ? null : volumeId,
      zone: kind === "moved" ? elsewhere : null,
    },
  };
}

/** Replaces the node and looks at what became of its place. */
async function replace(world: Converging, index: number, kind: Kind) {
  const before = (await world.read()).nodes[index];
  if (before === undefined) throw new Error("there is no such node");
  const memberIds = world.paper.etcd.members.map((member) => member.memberId);
  const ended = await world.converge({}, directive(before, kind));
  expect({ state: ended.state, error: ended.error }).toEqual({ state: "succeeded" });
  const after = (await expectConverged(world)).nodes.find((node) => node.id === before.id);
  expect(after?.instanceId).not.toBe(before.instanceId);
  expect(after?.volumeId === before.volumeId).toBe(kind === "kept");
  expect(after?.address === before.address).toBe(kind !== "moved");
  expect(after?.zone === before.zone).toBe(kind !== "moved");
  const isSame = world.paper.etcd.members.every((member) => memberIds.includes(member.memberId));
  expect(isSame).toBe(kind === "kept");
}

describe.each(kinds)("a replaced node whose volume is %s", (kind) => {
  test("comes back as what it was, and the others never notice", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    await replace(world, 1, kind);
    expect(world.paper.patroni.moves).toEqual([]);
  });

  test("hands over first if it leads, once", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 }, 1);
    await replace(world, 1, kind);
    expect(world.paper.patroni.moves).toHaveLength(1);
  });

  test("comes to the same where every change is carried out twice", async () => {
    await using cloud = await openCloud(dynamodb);
    await replace(await openConverging(cloud, { members: 3 }, 1, everythingTwice), 1, kind);
  });

  test.each(sides)("comes to the same where the control plane dies %s every checkpoint", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 }, 1);
    crashAlways(world.plane, side);
    await replace(world, 1, kind);
  });
});

test("a machine that is gone is filled again on the node's address and volume", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 3 });
  const before = (await world.read()).nodes[2];
  await cloud.ports.compute.removeInstanceById(before?.instanceId ?? "");
  expect(await world.converge({})).toMatchObject({ state: "succeeded" });
  const { nodes } = await expectConverged(world);
  expect(nodes[2]).toMatchObject({ volumeId: before?.volumeId, address: before?.address });
});

test("another instance type comes node by node, the leader's last", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 3 });
  const before = await world.read();
  const ended = await world.converge({ instanceType: "t4g.large" });
  expect({ state: ended.state, error: ended.error }).toEqual({ state: "succeeded" });
  const { nodes } = await expectConverged(world);
  expect(world.paper.patroni.moves).toHaveLength(1);
  for (const [index, node] of nodes.entries()) {
    const { address, instanceId, volumeId } = before.nodes[index] ?? {};
    expect(node).toMatchObject({ address, volumeId });
    expect(node.instanceId).not.toBe(instanceId);
  }
  const removals = ended.steps.filter((step) => step.name.startsWith("remove instance"));
  expect(removals.at(-1)?.name).toBe(`remove instance ${before.nodes[0]?.id}`);
});

test("a place that one operation gives up twice is made of new things each time", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 1 });
  const { nodes } = await world.read();
  const { id: nodeId, zone } = nodes[0] ?? { id: "", zone: "" };
  const operation = await world.write({});
  const scope = (step: string) => ({
    operationId: operation.id,
    clusterId: world.clusterId,
    nodes: [],
    ports: cloud.ports,
    request: {},
    said: () => null,
    deadlines: convergeDeadlines,
    step,
  });
  const volumes: unknown[] = [nodes[0]?.volumeId];
  for (const step of ["make-place", "make-place-2-"]) {
    await vacatePlace(scope("vacate-place"), { kind: "vacate-place", nodeId, zone });
    // A process that died after it made the place and before it said so is at the same making.
    await makePlace(scope(step), { kind: "make-place", nodeId, volumeGiB: 20 });
    await makePlace(scope(step), { kind: "make-place", nodeId, volumeGiB: 20 });
    volumes.push((await world.read()).nodes[0]?.volumeId);
  }
  expect(new Set(volumes).size).toBe(3);
});
