import type { Cluster, ClusterNode } from "@pgherd/layers/domain";
import type { Assessment } from "@pgherd/layers/domain/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeNode } from "./support/fixtures.ts";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let nodes: readonly ClusterNode[];

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  nodes = cluster.nodes;
  for (const node of nodes) world.nodes.assessments.set(node.instanceId ?? "", assessment());
});

const id = (index: number): string => nodes[index]?.id ?? "";
const code = (reply: Reply) => [reply.status, reply.body["code"]];

function assessment(change: Partial<Assessment> = {}): Assessment {
  return {
    leader: id(0),
    candidate: id(1),
    timeline: 3,
    members: nodes.map((node, index) => ({
      nodeId: node.id,
      role: index === 0 ? "leader" : index === 1 ? "sync-standby" : "replica",
      state: index === 0 ? "running" : "streaming",
      timeline: 3,
      replayLagBytes: index === 0 ? null : 0,
      isSynchronous: index === 1,
      noFailover: false,
    })),
    synchronousMode: "on",
    paused: false,
    scheduled: false,
    oldestTransactionSeconds: 0,
    archiveQueueLength: 0,
    dcs: { quorum: true, leader: id(1) },
    ...change,
  };
}

function nodesSay(change: Partial<Assessment>): void {
  for (const node of nodes) world.nodes.assessments.set(node.instanceId ?? "", assessment(change));
}

const post = (verb: "switchover" | "failover", body: unknown, query = "") =>
  world.call("POST", `/v1/clusters/${cluster.id}/${verb}${query}`, { role: "operator", body });

async function expectNothingChanged(): Promise<void> {
  expect(world.executions.started).toEqual([]);
  expect(await world.store.getCluster(cluster.id)).toEqual(cluster);
}

describe("POST …/switchover", () => {
  test("writes who led and starts the operation", async () => {
    const reply = await post("switchover", {});
    expect(reply.status).toBe(202);
    expect(reply.body["cluster"]).toMatchObject({ status: "updating", generation: 1 });
    expect(reply.body["operation"]).toMatchObject({
      kind: "switchover-cluster",
      request: { from: id(0), candidate: null, force: false, shard: 0 },
    });
    expect(world.executions.started).toMatchObject([{ kind: "switchover-cluster" }]);
  });

  test("takes no body at all for an empty one", async () => {
    expect((await post("switchover", undefined)).status).toBe(202);
  });

  test("as a dry run answers what the nodes say and changes nothing", async () => {
    const reply = await post("switchover", {}, "?dryRun=true");
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      kind: "switchover-cluster",
      preflight: { leader: id(0), candidate: id(1), archiveQueueLength: 0 },
    });
    await expectNothingChanged();
  });

  test.each([
    ["a candidate that is no id", () => ({ candidate: "pg1" }), [422, "invalid-request"]],
    ["a field that it does not know", () => ({ kandidat: id(1) }), [422, "invalid-request"]],
    ["the leader as candidate", () => ({ candidate: id(0) }), [409, "candidate-is-leader"]],
    ["a candidate that no cluster has", () => ({ candidate: makeNode().id }), [422, "candidate-unknown"]],
  ])("refuses %s, and changes nothing", async (_what, body, expected) => {
    expect(code(await post("switchover", body()))).toEqual(expected);
    await expectNothingChanged();
  });

  test.each([
    ["no-candidate", { candidate: null }],
    ["no-leader", { leader: null }],
    ["long-transaction", { oldestTransactionSeconds: 900 }],
    ["archive-queue", { archiveQueueLength: 900 }],
    ["role-change-in-progress", { scheduled: true }],
    ["dcs-without-quorum", { dcs: { quorum: false, leader: null } }],
  ] satisfies [string, Partial<Assessment>][])(
    "answers %s with the reason, and changes nothing",
    async (expected, change) => {
      nodesSay(change);
      const reply = await post("switchover", {});
      expect(code(reply)).toEqual([409, expected]);
      expect(reply.body["detail"]).toMatch(/\.$/);
      await expectNothingChanged();
    },
  );

  test("that is forced does not wait for a long transaction", async () => {
    nodesSay({ oldestTransactionSeconds: 900 });
    expect((await post("switchover", {}, "?force=true")).status).toBe(202);
  });

  test("believes a node that sees a majority of etcd rather than one that is cut off", async () => {
    const cutOff = assessment({ leader: id(2), dcs: { quorum: false, leader: null } });
    world.nodes.assessments.set(nodes[0]?.instanceId ?? "", cutOff);
    const reply = await post("switchover", {});
    expect(reply.body["operation"]).toMatchObject({ request: { from: id(0) } });
  });

  test("says so when no node answers", async () => {
    world.nodes.assessments.clear();
    expect(code(await post("switchover", {}))).toEqual([503, "cluster-unreachable"]);
    await expectNothingChanged();
  });
});

describe("POST …/failover", () => {
  const behind = () =>
    assessment().members.map((member) => ({ ...member, isSynchronous: false, replayLagBytes: null }));

  test("appoints a synchronous standby without a question", async () => {
    nodesSay({ leader: null });
    const reply = await post("failover", {});
    expect(reply.status).toBe(202);
    expect(reply.body["operation"]).toMatchObject({
      kind: "failover-cluster",
      request: { from: null, candidate: id(1) },
    });
  });

  test("asks for an acknowledgement where something may be lost, and changes nothing without it", async () => {
    nodesSay({ leader: null, members: behind() });
    const reply = await post("failover", {});
    expect(code(reply)).toEqual([409, "data-loss-not-acknowledged"]);
    expect(reply.body["detail"]).toContain("acknowledgeDataLoss: true");
    await expectNothingChanged();
    expect((await post("failover", { acknowledgeDataLoss: true })).status).toBe(202);
  });

  test("as a dry run says what may be lost", async () => {
    nodesSay({ leader: null, members: behind() });
    const reply = await post("failover", {}, "?dryRun=true");
    expect(reply.body["warnings"]).toEqual([expect.stringContaining("are lost")]);
    await expectNothingChanged();
  });

  test("needs a majority of etcd and somebody to appoint", async () => {
    nodesSay({ dcs: { quorum: false, leader: null } });
    expect(code(await post("failover", {}))).toEqual([409, "dcs-without-quorum"]);
    nodesSay({ leader: null, candidate: null });
    expect(code(await post("failover", {}))).toEqual([409, "no-candidate"]);
    await expectNothingChanged();
  });
});

test.each(["switchover", "failover"] as const)(
  "%s refuses a member of another cluster, and a node without PostgreSQL, as candidate",
  async (verb) => {
    const other = await world.makeAvailable("other");
    await world.store.putNode(cluster.id, makeNode("local-1a", { id: id(2), services: ["haproxy"] }));
    for (const candidate of [other.nodes[0]?.id, id(2)]) {
      const reply = await post(verb, { candidate });
      expect(code(reply)).toEqual([422, "candidate-unknown"]);
      expect(reply.body["errors"]).toMatchObject([{ path: "/candidate" }]);
    }
    expect(world.executions.started).toEqual([]);
  },
);
