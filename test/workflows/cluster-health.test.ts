import { describe, expect, test } from "vitest";
import { ClusterWatch } from "../../functions/reconcilers/cluster-health/watch.ts";
import { wellSentence } from "../../layers/domain/index.ts";
import type { PublishMetrics } from "../../layers/runtime/metrics.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { actions, last, log, make, minuteMs, Nodes, read, stopMachine } from "./support/seen-clusters.ts";

const dynamodb = useDynamoDB();

/** A metric as CloudWatch would have it: what it is about, its name and its value. */
type Published = [about: string, name: string, value: number];

function watchOf(cloud: Cloud, nodes: Nodes, published: Published[] = []): ClusterWatch {
  const { store, compute } = cloud.ports;
  const publish: PublishMetrics = (dimensions, metrics) => {
    const about = Object.values(dimensions).join(" ");
    for (const { name, value } of metrics) published.push([about, name, value]);
  };
  const world = { environment: "test", store, compute, commands: nodes, now: () => new Date(), log, publish };
  return new ClusterWatch(world, { confirmMs: 0 });
}

describe("the health of clusters", () => {
  test("a stopped machine makes the cluster degraded with the node's name, and it is well again by itself", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const nodes = new Nodes(cloud);
    const watch = watchOf(cloud, nodes);
    await watch.round();
    expect(await read(cloud, cluster)).toMatchObject({ status: "available", statusReason: wellSentence });
    const lost = last(cluster.nodes);
    await stopMachine(cloud, lost.instanceId);
    await watch.round();
    const degraded = await read(cloud, cluster);
    expect(degraded.status).toBe("degraded");
    expect(degraded.statusReason).toContain(
      `Node ${lost.id} in ${lost.zone} gives no sign of life: its instance is stopped`,
    );
    const { silentSince } = await cloud.ports.store.readHealth(cluster.id);
    expect(Object.keys(silentSince)).toEqual([lost.id]);
    await cloud.ports.compute.startInstance({ clusterId: cluster.id, nodeId: lost.id, zone: lost.zone }, 10);
    await watch.round();
    expect(await read(cloud, cluster)).toMatchObject({ status: "available", statusReason: wellSentence });
    expect((await cloud.ports.store.readHealth(cluster.id)).silentSince).toEqual({});
    expect(await actions(cloud, cluster)).toEqual(["cluster-degraded", "cluster-recovered"]);
  });

  test("the loss of the node that is asked is found through the others, and told with the new leader", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const watch = watchOf(cloud, new Nodes(cloud));
    await watch.round();
    const [leader] = cluster.nodes;
    await stopMachine(cloud, leader?.instanceId ?? null);
    for (let round = 0; round < 3; round++) await watch.round();
    expect((await read(cloud, cluster)).statusReason).toContain(`Node ${leader?.id}`);
    expect(await actions(cloud, cluster)).toEqual(
      expect.arrayContaining(["leader-changed", "cluster-degraded"]),
    );
    expect((await actions(cloud, cluster)).filter((action) => action === "cluster-degraded")).toHaveLength(1);
  });

  test("a cluster that is well costs one command a look", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const nodes = new Nodes(cloud);
    const watch = watchOf(cloud, nodes);
    await watch.round();
    nodes.sent.length = 0;
    for (let round = 0; round < 6; round++) await watch.round();
    expect(nodes.sent).toHaveLength(6);
    for (const { id } of cluster.nodes)
      expect(nodes.sent.filter((one) => one === `survey ${id}`)).toHaveLength(2);
  });

  test("a cluster that an operation holds is left alone", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const cluster = await make(cloud);
    const nodes = new Nodes(cloud);
    await plane.writeDelete(cluster.id);
    await watchOf(cloud, nodes).round();
    expect(nodes.sent).toEqual([]);
    expect((await read(cloud, cluster)).status).toBe("deleting");
  });

  test("is counted for alarms: nothing but that somebody looks while all is well, then each kind of trouble", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const published: Published[] = [];
    const watch = watchOf(cloud, new Nodes(cloud), published);
    await watch.round();
    await watch.tell(0);
    expect(published).toEqual([
      ["test", "ClustersWatched", 1],
      ["test", "DiskUsedShareMax", 0.1],
      [`test ${cluster.id}`, "ReplicationLagBytes", 0],
      [`test ${cluster.id}`, "WalArchiveAgeSeconds", 0],
      [`test ${cluster.id}`, "DiskUsedShare", 0.1],
      [`test ${cluster.id}`, "ConnectionsUsedShare", 0.5],
    ]);
    published.length = 0;
    await stopMachine(cloud, last(cluster.nodes).instanceId);
    await watch.round();
    await watch.tell(performance.now());
    expect(published).toEqual([
      ["test", "ClustersWatched", 0],
      ["test node-silent", "Findings", 1],
    ]);
  });

  test("is kept in numbers, the newest ones, until the cluster is gone", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const watch = watchOf(cloud, new Nodes(cloud));
    const { store } = cloud.ports;
    expect(await store.readMetrics(cluster.id)).toBeNull();
    await watch.round();
    await watch.tell(0);
    const metrics = await store.readMetrics(cluster.id);
    expect(metrics).toMatchObject({ hasLeader: true, synchronousStandbys: 1, connectionsUsedShare: 0.5 });
    expect(metrics?.nodes.map(({ nodeId }) => nodeId)).toEqual(cluster.nodes.map(({ id }) => id));
    await store.removeCluster(cluster.id);
    expect(await store.readMetrics(cluster.id)).toBeNull();
  });

  test("a cluster that cannot be judged is counted until it can be", async () => {
    await using cloud = await openCloud(dynamodb);
    await make(cloud);
    const published: Published[] = [];
    const nodes = new Nodes(cloud);
    const watch = watchOf(cloud, nodes, published);
    nodes.certificateNotAfter = "no time";
    await watch.round();
    await watch.tell(0);
    expect(published).toEqual([
      ["test", "ClustersWatched", 0],
      ["test", "ClustersNotJudged", 1],
    ]);
    nodes.certificateNotAfter = new Date(Date.now() + 300 * 24 * 60 * minuteMs).toISOString();
    published.length = 0;
    await watch.round();
    await watch.tell(0);
    expect(published[0]).toEqual(["test", "ClustersWatched", 1]);
    expect(published.map(([, name]) => name)).not.toContain("ClustersNotJudged");
  });

  test("what is not as it was configured is drift, and goes when it is repaired", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const nodes = new Nodes(cloud);
    nodes.drift = [{ path: "/etc/pgherd/haproxy.cfg" }];
    const watch = watchOf(cloud, nodes);
    await watch.round();
    const { status, drift } = await read(cloud, cluster);
    expect(status).toBe("available");
    expect(drift.map((one) => `${one.nodeId} ${one.path}`).toSorted()).toEqual(
      cluster.nodes.map(({ id }) => `${id} /etc/pgherd/haproxy.cfg`).toSorted(),
    );
    nodes.drift = [];
    for (let round = 0; round < 3; round++) await watch.round();
    expect((await read(cloud, cluster)).drift).toEqual([]);
  });
});
