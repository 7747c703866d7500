import { describe, expect, test } from "vitest";
import { healNodes } from "../../functions/reconcilers/self-healing/reconcile.ts";
import { type Cluster, unknownHealth } from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import {
  last,
  log,
  make,
  minuteMs,
  Nodes,
  read,
  type Started,
  Starts,
  stopMachine,
} from "./support/seen-clusters.ts";

const dynamodb = useDynamoDB();

/** A cluster whose last node has been silent for some time. */
async function withSilence(cloud: Cloud, silentMs: number): Promise<{ cluster: Cluster; nodeId: string }> {
  const cluster = await make(cloud);
  const { id: nodeId } = last(cluster.nodes);
  await cloud.ports.store.updateHealth(cluster.id, {
    status: "degraded",
    statusReason: "A node is silent.",
    drift: [],
    record: { ...unknownHealth, silentSince: { [nodeId]: new Date(Date.now() - silentMs).toISOString() } },
    events: [],
  });
  return { cluster, nodeId };
}

async function heal(cloud: Cloud, nodes = new Nodes(cloud), afterMs = 0): Promise<readonly Started[]> {
  const executions = new Starts();
  const { store, compute } = cloud.ports;
  await healNodes({
    store,
    compute,
    commands: nodes,
    executions,
    now: () => new Date(Date.now() + afterMs),
    log,
  });
  return executions.started;
}

describe("self-healing", () => {
  test("a node whose instance is stopped is brought back by a converge, once", async () => {
    await using cloud = await openCloud(dynamodb);
    const { cluster, nodeId } = await withSilence(cloud, minuteMs);
    await stopMachine(cloud, last(cluster.nodes).instanceId);
    const [started, ...more] = await heal(cloud);
    expect(more).toEqual([]);
    expect(started?.kind).toBe("converge-cluster");
    const operation = await cloud.ports.store.getOperation(started?.operationId ?? "");
    expect(operation).toMatchObject({ state: "pending", startedBy: "pgherd" });
    expect(operation?.request).toBeUndefined();
    expect(await read(cloud, cluster)).toMatchObject({
      status: "updating",
      activeOperationId: started?.operationId,
      statusReason: expect.stringContaining(`Self-healing: node ${nodeId} has an instance that is stopped`),
    });
    expect(await heal(cloud)).toEqual([]);
  });

  test("a node whose running instance says nothing for long gets another instance", async () => {
    await using cloud = await openCloud(dynamodb);
    const { cluster, nodeId } = await withSilence(cloud, 4 * minuteMs);
    const { instanceId } = last(cluster.nodes);
    const nodes = new Nodes(cloud);
    nodes.deaf.add(instanceId ?? "");
    const [started] = await heal(cloud, nodes);
    expect((await cloud.ports.store.getOperation(started?.operationId ?? ""))?.request).toEqual({
      replace: { nodeId, instanceId, volumeId: null, zone: null },
    });
  });

  test("a node that answers a last call, or has not been silent for long, is left alone", async () => {
    await using cloud = await openCloud(dynamodb);
    const { cluster } = await withSilence(cloud, 4 * minuteMs);
    expect(await heal(cloud)).toEqual([]);
    const nodes = new Nodes(cloud);
    nodes.deaf.add(last(cluster.nodes).instanceId ?? "");
    expect(await heal(cloud, nodes, -2 * minuteMs)).toEqual([]);
    expect((await read(cloud, cluster)).activeOperationId).toBeNull();
  });

  test("a healing that failed is tried again after some minutes, not at once", async () => {
    await using cloud = await openCloud(dynamodb);
    const { cluster } = await withSilence(cloud, minuteMs);
    await stopMachine(cloud, last(cluster.nodes).instanceId);
    const [started] = await heal(cloud);
    await cloud.ports.store.endOperation(started?.operationId ?? "", {
      state: "failed",
      endedAt: new Date().toISOString(),
      error: { code: "no-capacity", message: "no zone has room" },
      cluster: { status: "degraded", statusReason: "no zone has room" },
    });
    expect(await heal(cloud, new Nodes(cloud), 2 * minuteMs)).toEqual([]);
    expect(await heal(cloud, new Nodes(cloud), 11 * minuteMs)).toHaveLength(1);
  });
});
