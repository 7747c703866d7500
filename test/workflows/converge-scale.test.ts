import { describe, expect, test } from "vitest";
import type { ClusterSpec } from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import {
  type Converging,
  everythingTwice,
  expectConverged,
  failOnce,
  openConverging,
} from "../world/converging.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { onStep } from "../world/steps.ts";

const dynamodb = useDynamoDB();

const sized = (members: number, dcs: ClusterSpec["dcs"]["members"]): Partial<ClusterSpec> => ({
  members,
  dcs: { members: dcs, placement: "colocated" },
});

async function expectScaled(world: Converging, spec: Partial<ClusterSpec>) {
  const ended = await world.converge(spec);
  expect({ state: ended.state, error: ended.error }).toEqual({ state: "succeeded" });
  return expectConverged(world);
}

test("a cluster grows 1→3→5 and shrinks 5→3→1, and the first node is the one that stays", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 1 });
  const first = (await world.read()).nodes[0];
  for (const spec of [sized(3, 3), sized(5, 5)]) {
    const { nodes } = await expectScaled(world, spec);
    const zones = Map.groupBy(nodes, (node) => node.zone);
    const counts = [...zones.values()].map((inZone) => inZone.length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
  expect(world.paper.patroni.moves).toEqual([]);
  for (const spec of [sized(3, 3), sized(1, 1)]) await expectScaled(world, spec);
  expect((await world.read()).nodes).toMatchObject([{ id: first?.id, address: first?.address }]);
  expect(world.paper.patroni.moves).toEqual([]);
});

test("a leader and its synchronous standby that both leave hand over to one that stays, once", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 5 }, 4);
  const { nodes } = await world.read();
  const [leader, standby] = [nodes[4]?.id ?? "", nodes[3]?.id ?? ""];
  expect(world.paper.patroni.synchronous).toEqual([standby]);
  const after = await expectScaled(world, { members: 3 });
  expect(after.nodes.map((node) => node.id)).toEqual(nodes.slice(0, 3).map((node) => node.id));
  expect(world.paper.patroni.moves).toEqual([expect.stringMatching(new RegExp(`^${leader} `))]);
  expect(world.paper.patroni.configuration).toMatchObject({ synchronous_node_count: 1 });
});

test("every change carried out twice comes to the same", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 1 }, 0, everythingTwice);
  await expectScaled(world, sized(3, 3));
  await expectScaled(world, sized(1, 1));
});

describe.each(sides)("a control plane that dies %s every checkpoint", (side) => {
  test("grows a cluster and shrinks it again all the same", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1 });
    const count = crashAlways(world.plane, side);
    await expectScaled(world, sized(3, 3));
    await expectScaled(world, sized(1, 1));
    expect(count.crashes).toBeGreaterThan(30);
  });
});

/** Growing uses each of them, in this order. */
const verbs = [
  "prepare",
  "configure",
  "await-member",
  "add-dcs-learner",
  "await-dcs",
  "promote-dcs-learner",
] as const;

test("a change that fails ends the operation and leaves what was done; the next converge goes on", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 1 });
  for (const verb of verbs) {
    const failed = failOnce(world.paper, verb);
    await expectFailed(world, sized(3, 3), `${verb} is broken`);
    expect(failed.count).toBe(1);
  }
  await expectScaled(world, sized(3, 3));
  for (const verb of ["remove-dcs-member", "forget-dcs", "drain-pooler", "shut-down"] as const) {
    const failed = failOnce(world.paper, verb);
    await expectFailed(world, sized(1, 1), `${verb} is broken`);
    expect(failed.count).toBe(1);
  }
  await expectScaled(world, sized(1, 1));
});

test("a node whose etcd could not be emptied when it left gets a member again", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 3 });
  failOnce(world.paper, "forget-dcs");
  await expectFailed(world, sized(1, 1), "forget-dcs is broken");
  await expectScaled(world, sized(3, 3));
});

async function expectFailed(world: Converging, spec: Partial<ClusterSpec>, message: string) {
  const ended = await world.converge(spec);
  expect(ended).toMatchObject({
    state: "failed",
    error: { code: "broken", message: expect.stringContaining(message) },
  });
  expect(await world.read()).toMatchObject({
    status: "degraded",
    statusReason: expect.stringContaining(message),
    activeOperationId: null,
  });
  expect(world.paper.faults).toEqual([]);
}

test("a cancel takes effect between two changes and leaves what is done", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 1 });
  const operation = await world.write(sized(3, 3));
  await cancelAt(cloud, world, operation.id, 3);
  const ended = await world.plane.carryOut(operation);
  expect(ended).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
  expect(ended.steps.filter((step) => step.state === "succeeded")).toHaveLength(3);
  expect(await world.read()).toMatchObject({ status: "degraded", activeOperationId: null });
  expect((await world.read()).nodes).toHaveLength(2);
  await expectScaled(world, sized(3, 3));
});

/** Somebody asks while the `number`th change is at work. */
async function cancelAt(cloud: Cloud, world: Converging, operationId: string, number: number) {
  const { store } = cloud.ports;
  const begun = new Set<string>();
  onStep(store, async (step, id) => {
    if (id !== operationId || step.state !== "running") return;
    const isNew = !begun.has(step.name);
    begun.add(step.name);
    const operation = await store.getOperation(id);
    if (isNew && begun.size === number && operation !== null) await world.plane.requestCancel(operation);
  });
}
