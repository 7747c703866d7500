import type { Cluster, ClusterNode } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeNode, newNodeId } from "./support/fixtures.ts";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let node: ClusterNode;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error("the cluster has no node");
  node = first;
});

const replace = (nodeId: string, body: unknown = {}, query = "", of = cluster): Promise<Reply> =>
  world.call("POST", `/v1/clusters/${of.id}/nodes/${nodeId}/replace${query}`, { role: "operator", body });
const recover = (body: unknown, query = "", options: CallOptions = {}): Promise<Reply> =>
  world.call("POST", `/v1/clusters/${cluster.id}/recover${query}`, { role: "admin", body, ...options });
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const replaceOf = (reply: Reply) =>
  (reply.body["operation"] as { request: Record<string, unknown> }).request["replace"];

async function expectNothingChanged(): Promise<void> {
  expect(world.executions.started).toEqual([]);
  expect(await world.store.getCluster(cluster.id)).toEqual(cluster);
}

function dcsHas(quorum: boolean): void {
  const observation: Observation = { members: [], dcs: { quorum, members: [] } };
  for (const { instanceId } of cluster.nodes) world.nodes.observations.set(instanceId ?? "", observation);
}

describe("replacing a node", () => {
  test("names the instance that goes, and keeps the rest", async () => {
    const reply = await replace(node.id);
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body["operation"]).toMatchObject({ kind: "converge-cluster" });
    expect(replaceOf(reply)).toEqual({
      nodeId: node.id,
      instanceId: node.instanceId,
      volumeId: null,
      zone: null,
    });
    expect(reply.body["cluster"]).toMatchObject({ generation: 1, status: "updating" });
  });

  test("fresh names the volume as well, and another zone gives it up too", async () => {
    expect(replaceOf(await replace(node.id, { fresh: true }))).toMatchObject({ volumeId: node.volumeId });
    const other = await world.makeAvailable("other");
    const [moving] = other.nodes;
    const reply = await replace(moving?.id ?? "", { zone: "local-1b" }, "", other);
    expect(replaceOf(reply)).toMatchObject({ zone: "local-1b", volumeId: moving?.volumeId });
    expect(reply.body["warnings"]).toContainEqual(expect.stringMatching(/new address/));
  });

  test("as a dry run answers the plan", async () => {
    const reply = await replace(node.id, { fresh: true }, "?dryRun=true");
    const changes = reply.body["changes"] as string[];
    expect(changes[0]).toBe(`Move the leader away from node ${node.id}.`);
    expect(changes.at(-1)).toBe(`Remove what node ${node.id} gave up.`);
    await expectNothingChanged();
  });

  test("during a replace is refused, and names the operation", async () => {
    const first = await replace(node.id);
    const second = await replace(node.id);
    expect(code(second)).toEqual([409, "operation-in-progress"]);
    expect(second.body["detail"]).toContain((first.body["operation"] as { id: string }).id);
    expect(world.executions.started).toHaveLength(1);
  });

  test("that the cluster does not have is refused, another cluster's included", async () => {
    const other = await world.makeAvailable("other");
    for (const id of [newNodeId(), other.nodes[0]?.id ?? "", "nod_1"]) {
      expect(code(await replace(id))).toEqual([404, "not-found"]);
    }
    await expectNothingChanged();
  });

  test.each([
    ["mars-1a", /not a zone of this environment/],
    ["local-1a", /is in already|is already/],
  ])("to zone %s is refused with those that there are", async (zone, detail) => {
    const reply = await replace(node.id, { zone });
    expect(code(reply)).toEqual([422, "zone-unknown"]);
    expect(reply.body["detail"]).toMatch(detail);
    expect(reply.body["detail"]).toMatch(/local-1b or local-1c/);
    await expectNothingChanged();
  });

  test.each([{ fresh: true }, { zone: "local-1b" }])(
    "with %j where it has the only copy is refused; its machine alone is not",
    async (body) => {
      const nodes = [makeNode("local-1a")];
      const single = await world.makeAvailable("single", { nodes, spec: { ...cluster.spec, members: 1 } });
      const [alone] = single.nodes;
      expect(code(await replace(alone?.id ?? "", body, "", single))).toEqual([409, "only-copy"]);
      expect((await replace(alone?.id ?? "", {}, "", single)).status).toBe(202);
    },
  );

  test.each([{ fresh: "yes" }, { zone: 1 }, { volume: "new" }])("with %j is refused", async (body) => {
    expect(code(await replace(node.id, body))).toEqual([422, "invalid-request"]);
    await expectNothingChanged();
  });
});

describe("recovering a cluster", () => {
  test("starts the operation with the survivor, once etcd's majority is lost and the loss acknowledged", async () => {
    dcsHas(false);
    const reply = await recover({ acknowledgeDataLoss: true, survivor: node.id });
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body["operation"]).toMatchObject({
      kind: "recover-cluster",
      request: { survivor: node.id },
    });
  });

  test("without the acknowledgement is refused, and a dry run says what is lost", async () => {
    dcsHas(false);
    expect(code(await recover({}))).toEqual([409, "data-loss-not-acknowledged"]);
    const dry = await recover({}, "?dryRun=true");
    expect(dry.body["warnings"]).toContainEqual(expect.stringMatching(/are lost/));
    await expectNothingChanged();
  });

  test("while etcd has its majority is refused", async () => {
    dcsHas(true);
    expect(code(await recover({ acknowledgeDataLoss: true }))).toEqual([409, "dcs-has-quorum"]);
    await expectNothingChanged();
  });

  test("from a node that is not the cluster's is refused with those that are", async () => {
    dcsHas(false);
    const reply = await recover({ acknowledgeDataLoss: true, survivor: newNodeId() });
    expect(code(reply)).toEqual([422, "survivor-unknown"]);
    expect(reply.body["detail"]).toContain(node.id);
    await expectNothingChanged();
  });

  test("where nobody answers is refused", async () => {
    expect(code(await recover({ acknowledgeDataLoss: true }))).toEqual([503, "cluster-unreachable"]);
    await expectNothingChanged();
  });

  test("needs an admin", async () => {
    expect(code(await recover({ acknowledgeDataLoss: true }, "", { role: "operator" }))).toEqual([
      403,
      "forbidden",
    ]);
  });
});
