import type { Cluster, ClusterNode } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
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
  nodesSay(members());
});

const id = (index: number): string => nodes[index]?.id ?? "";
const code = (reply: Reply) => [reply.status, reply.body["code"]];

function members(): Observation["members"] {
  return nodes.map((node, index) => ({
    nodeId: node.id,
    role: index === 0 ? "leader" : index === 1 ? "sync-standby" : "replica",
    state: index === 0 ? "running" : "streaming",
    timeline: 3,
    lagBytes: 0,
    pendingRestart: false,
  }));
}

function nodesSay(seen: Observation["members"]): void {
  const observation: Observation = { members: seen, dcs: { quorum: true, members: [] } };
  for (const node of nodes) world.nodes.observations.set(node.instanceId ?? "", observation);
}

const restart = (body: unknown, query = "") =>
  world.call("POST", `/v1/clusters/${cluster.id}/restart${query}`, { role: "operator", body });
const reinitialize = (nodeId: string, query = "") =>
  world.call("POST", `/v1/clusters/${cluster.id}/nodes/${nodeId}/reinitialize${query}`, { role: "operator" });

async function expectNothingChanged(): Promise<void> {
  expect(world.executions.started).toEqual([]);
  expect(await world.store.getCluster(cluster.id)).toEqual(cluster);
}

describe("POST …/restart", () => {
  test("means every member where none is named, also without a body", async () => {
    const reply = await restart(undefined);
    expect(reply.status).toBe(202);
    expect(reply.body["cluster"]).toMatchObject({ status: "updating", generation: 1 });
    expect(reply.body["operation"]).toMatchObject({
      kind: "restart-cluster",
      request: { nodeIds: null, onlyPendingRestart: false, force: false },
    });
    expect(world.executions.started).toMatchObject([{ kind: "restart-cluster" }]);
  });

  test("takes a member that is named twice once", async () => {
    const reply = await restart({ nodeIds: [id(1), id(1)] }, "?force=true");
    expect(reply.body["operation"]).toMatchObject({ request: { nodeIds: [id(1)], force: true } });
  });

  test("as a dry run says who would be restarted, in which order, and changes nothing", async () => {
    const reply = await restart({}, "?dryRun=true");
    expect(reply.status).toBe(200);
    expect(reply.body["changes"]).toEqual([
      `Restart ${id(2)}.`,
      `Restart ${id(1)}.`,
      `Another member takes over from ${id(0)}.`,
      `Restart ${id(0)}.`,
    ]);
    await expectNothingChanged();
  });

  test("as a dry run says when nothing waits for a restart", async () => {
    const reply = await restart({ onlyPendingRestart: true }, "?dryRun=true");
    expect(reply.body).toMatchObject({ changes: [], warnings: [expect.stringContaining("nothing")] });
  });

  test.each([
    ["no node at all", () => ({ nodeIds: [] }), "invalid-request"],
    ["what is no id", () => ({ nodeIds: ["pg1"] }), "invalid-request"],
    ["a field that it does not know", () => ({ nodes: [id(0)] }), "invalid-request"],
    ["a node that no cluster has", () => ({ nodeIds: [id(0), makeNode().id] }), "node-unknown"],
  ])("refuses %s, and changes nothing", async (_what, body, expected) => {
    expect(code(await restart(body()))).toEqual([422, expected]);
    await expectNothingChanged();
  });

  test("says which of the nodes is not one of this cluster", async () => {
    const other = await world.makeAvailable("other");
    const reply = await restart({ nodeIds: [id(0), other.nodes[0]?.id] });
    expect(code(reply)).toEqual([422, "node-unknown"]);
    expect(reply.body["errors"]).toMatchObject([{ path: "/nodeIds/1" }]);
  });
});

describe("POST …/nodes/{nodeId}/reinitialize", () => {
  test("starts the operation for a replica", async () => {
    const reply = await reinitialize(id(2));
    expect(reply.status).toBe(202);
    expect(reply.body["operation"]).toMatchObject({
      kind: "reinitialize-node",
      request: { nodeId: id(2) },
    });
  });

  test("as a dry run says what it interrupts, warns where there is no other standby, and changes nothing", async () => {
    nodesSay(members().filter((one) => one.nodeId !== id(2)));
    const reply = await reinitialize(id(1), "?dryRun=true");
    expect(reply.body).toMatchObject({
      kind: "reinitialize-node",
      warnings: [expect.stringContaining("no other standby")],
    });
    await expectNothingChanged();
  });

  test("refuses the leader, and changes nothing", async () => {
    const reply = await reinitialize(id(0));
    expect(code(reply)).toEqual([409, "node-is-leader"]);
    expect(reply.body["detail"]).toContain("switchover");
    await expectNothingChanged();
  });

  test("needs a leader to clone from", async () => {
    nodesSay(members().filter((one) => one.role !== "leader"));
    expect(code(await reinitialize(id(1)))).toEqual([409, "no-leader"]);
    await expectNothingChanged();
  });

  test("knows only nodes of this cluster", async () => {
    expect(code(await reinitialize(makeNode().id))).toEqual([404, "not-found"]);
    expect(code(await reinitialize("pg1"))).toEqual([404, "not-found"]);
    await expectNothingChanged();
  });

  test("says so when no node answers", async () => {
    world.nodes.observations.clear();
    expect(code(await reinitialize(id(1)))).toEqual([503, "cluster-unreachable"]);
    await expectNothingChanged();
  });
});
