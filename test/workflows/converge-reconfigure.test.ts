import { describe, expect, test } from "vitest";
import type { ClusterSpec } from "../../layers/domain/index.ts";
import { openCloud } from "../world/cloud.ts";
import {
  type Converging,
  everythingTwice,
  expectConverged,
  failOnce,
  openConverging,
} from "../world/converging.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";

const dynamodb = useDynamoDB();

type Request = Parameters<Converging["converge"]>[1];

async function expectReconfigured(world: Converging, spec: Partial<ClusterSpec>, request?: Request) {
  const ended = await world.converge(spec, request);
  expect({ state: ended.state, error: ended.error }).toEqual({ state: "succeeded" });
  await expectConverged(world);
  return ended;
}

const pending = (world: Converging): string[] =>
  world.paper.patroni
    .observe()
    .filter((member) => member.pendingRestart)
    .map((member) => member.nodeId);

const runningEverywhere = (world: Converging, name: string): (string | undefined)[] => [
  ...new Set(world.paper.patroni.observe().map(({ nodeId }) => world.paper.patroni.runningOf(nodeId, name))),
];

describe("storage", () => {
  test("grows on every node while everything goes on", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    const before = await world.read();
    await expectReconfigured(world, { storage: { sizeGiB: 40 } });
    const after = await world.read();
    expect(after.nodes.map((node) => node.volumeId)).toEqual(before.nodes.map((node) => node.volumeId));
    expect(world.paper.done.filter((one) => /^(restart|change-role|shut)/.test(one))).toEqual([]);
  });

  test("that has grown without its file system is grown on by the next converge", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1 });
    failOnce(world.paper, "grow-filesystem");
    expect(await world.converge({ storage: { sizeGiB: 40 } })).toMatchObject({ state: "failed" });
    await expectReconfigured(world, {});
  });
});

describe("parameters", () => {
  test("that are reloaded apply at once on every member", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    await expectReconfigured(world, { parameters: { work_mem: "17MB" } });
    expect(runningEverywhere(world, "work_mem")).toEqual(["17MB"]);
    expect(pending(world)).toEqual([]);
  });

  test("that take a restart wait for one, and get it rolling where it is asked for", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    await expectReconfigured(world, { parameters: { max_connections: 290 } });
    expect(pending(world)).toHaveLength(3);
    expect(world.paper.done.filter((one) => one.startsWith("restart-member"))).toEqual([]);
    await expectReconfigured(world, {}, { apply: "restart" });
    expect(pending(world)).toEqual([]);
    expect(runningEverywhere(world, "max_connections")).toEqual(["290"]);
    expect(world.paper.done.filter((one) => one.startsWith("restart-member"))).toHaveLength(3);
    expect(world.paper.patroni.moves).toHaveLength(1);
  });

  test("that no standby may have less of than its leader go down on the leader first, where it is", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    await expectReconfigured(world, { parameters: { max_connections: 60 } }, { apply: "restart" });
    expect(pending(world)).toEqual([]);
    expect(runningEverywhere(world, "max_connections")).toEqual(["60"]);
    expect(world.paper.patroni.moves).toEqual([]);
  });

  test("that PostgreSQL refuses go back on the first replica, with its own words, and nothing is left waiting", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    const { spec } = await world.read();
    const words = "FATAL:  could not map anonymous shared memory";
    world.paper.patroni.objection = ({ max_connections }) => (Number(max_connections) > 300 ? words : null);
    const ended = await world.converge({ parameters: { max_connections: 400 } }, { apply: "restart" });
    expect(ended).toMatchObject({
      state: "failed",
      error: {
        code: "change-refused",
        message: expect.stringMatching(/could not map anonymous shared memory.*is as it was before\.$/),
      },
    });
    expect((await expectConverged(world)).spec).toEqual(spec);
    expect((await world.read()).statusReason).toContain(words);
    expect(pending(world)).toEqual([]);
    expect(world.paper.patroni.moves).toEqual([]);
    expect(world.paper.done.filter((one) => one.startsWith("change-role"))).toEqual([]);
  });
});

test("extensions come and go; one that is used stays, and the spec with it", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 1 });
  await expectReconfigured(world, { extensions: ["vector", "hstore"] });
  expect([...world.paper.extensions]).toEqual(["vector", "hstore"]);
  await expectReconfigured(world, { extensions: ["vector"] });
  expect([...world.paper.extensions]).toEqual(["vector"]);
  world.paper.usedExtensions.add("vector");
  expect(await world.converge({ extensions: [] })).toMatchObject({
    state: "failed",
    error: { code: "change-refused", message: expect.stringContaining("depend on extension vector") },
  });
  expect((await expectConverged(world)).spec.extensions).toEqual(["vector"]);
});

const dedicated: Partial<ClusterSpec> = {
  dcs: { members: 3, placement: "dedicated" },
  proxy: { placement: "dedicated", count: 2 },
};
const colocated: Partial<ClusterSpec> = {
  dcs: { members: 3, placement: "colocated" },
  proxy: { placement: "colocated", count: 2 },
};

async function thereAndBack(world: Converging) {
  await expectReconfigured(world, dedicated);
  const { nodes } = await world.read();
  expect(nodes.map((node) => node.services.join(" ")).toSorted()).toEqual([
    "etcd",
    "etcd",
    "etcd",
    "haproxy pgbouncer",
    "haproxy pgbouncer",
    "postgres",
    "postgres",
    "postgres",
  ]);
  await expectReconfigured(world, colocated);
  expect(world.paper.patroni.moves).toEqual([]);
}

describe("etcd and proxies on nodes of their own", () => {
  test("come and go, and the leader stays where it is", async () => {
    await using cloud = await openCloud(dynamodb);
    await thereAndBack(await openConverging(cloud, { members: 3 }));
  });

  test.each(sides)("come and go where the control plane dies %s every checkpoint", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    crashAlways(world.plane, side);
    await thereAndBack(world);
  });
});

/** Everything that is changed in place, in one go. */
const everything: Partial<ClusterSpec> = {
  storage: { sizeGiB: 40 },
  parameters: { work_mem: "17MB", max_connections: 290 },
  extensions: ["vector"],
  durability: "strict",
  access: { cidrs: ["203.0.113.0/24"], securityGroupIds: [] },
};

test("every change in place carried out twice comes to the same", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 3 }, 0, everythingTwice);
  await expectReconfigured(world, everything, { apply: "restart" });
  expect(pending(world)).toEqual([]);
  expect(world.paper.patroni.moves).toHaveLength(1);
});

test.each(sides)(
  "every change in place survives a control plane that dies %s every checkpoint",
  async (side) => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 3 });
    crashAlways(world.plane, side);
    await expectReconfigured(world, everything, { apply: "restart" });
    expect(pending(world)).toEqual([]);
  },
);

test("a change in place that fails, whichever, is gone on with by the next converge", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 3 });
  const verbs = [
    "configure",
    "apply-dynamic-configuration",
    "grow-filesystem",
    "change-extensions",
    "restart-member",
    "change-role",
  ] as const;
  for (const verb of verbs) {
    failOnce(world.paper, verb);
    const ended = await world.converge(everything, { apply: "restart" });
    expect(ended).toMatchObject({ state: "failed", error: { code: "broken" } });
    expect(await world.read()).toMatchObject({ status: "degraded", activeOperationId: null });
  }
  await expectReconfigured(world, everything, { apply: "restart" });
});
