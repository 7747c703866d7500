import {
  CreateNetworkInterfaceCommand,
  CreateVolumeCommand,
  DescribeVolumesCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renewCertificates } from "../../functions/reconcilers/certificates/reconcile.ts";
import { ClusterWatch } from "../../functions/reconcilers/cluster-health/watch.ts";
import { reconcileOrphans } from "../../functions/reconcilers/orphans/reconcile.ts";
import { healNodes } from "../../functions/reconcilers/self-healing/reconcile.ts";
import { AwsInventory } from "../../layers/aws/inventory.ts";
import { type Cluster, tagNames, unknownHealth, wellSentence } from "../../layers/domain/index.ts";
import { CommandError, type Executions, type NodeCommandPort } from "../../layers/ports/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import type { PublishMetrics } from "../../layers/runtime/metrics.ts";
import { type Cloud, openCloud, zones } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";

let dynamodb: DynamoDB;
beforeAll(async () => {
  dynamodb = openDynamoDB();
});
afterAll(async () => {
  await dynamodb[Symbol.asyncDispose]();
});

const minuteMs = 60_000;
const log = (): void => undefined;

async function make(cloud: Cloud): Promise<Cluster> {
  const { cluster } = await new ControlPlane(cloud).create({ name: "orders", members: 3 });
  if (cluster === null) throw new Error("the cluster was not made");
  return cluster;
}

async function read(cloud: Cloud, { id }: Cluster): Promise<Cluster> {
  const cluster = await cloud.ports.store.getCluster(id);
  if (cluster === null) throw new Error(`there is no cluster ${id}`);
  return cluster;
}

async function actions(cloud: Cloud, { id: clusterId }: Cluster): Promise<string[]> {
  const { items } = await cloud.ports.store.listAuditEntries({ clusterId, limit: 50, cursor: null });
  const all = items.map((entry) => entry.action).toReversed();
  return all.filter((action) => !action.startsWith("create-cluster"));
}

/** A node that is well is seen by the others, as long as its machine runs. */
class Nodes {
  readonly sent: string[] = [];
  /** Instances that run and say nothing. */
  readonly deaf = new Set<string>();
  certificateNotAfter = new Date(Date.now() + 300 * 24 * 60 * minuteMs).toISOString();
  drift: { path: string }[] = [];
  readonly #cloud: Cloud;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  run: NodeCommandPort["run"] = async (target, verb, input) => {
    const { clusterId, nodeId } = input as { clusterId: string; nodeId: string };
    this.sent.push(`${verb} ${nodeId}`);
    if (!(await this.#lives(target.instanceId))) {
      throw new CommandError("command-deadline", target.instanceId, "it says nothing");
    }
    const self = this.#inspection();
    const answer = verb === "inspect" ? self : { ...(await this.#view(clusterId, nodeId)), self };
    // The verbs that get here are these two; TypeScript does not narrow V by the verb.
    return answer as never;
  };

  async #lives(instanceId: string | null): Promise<boolean> {
    if (instanceId === null || this.deaf.has(instanceId)) return false;
    return this.#cloud.machines.isRunning(instanceId);
  }

  async #view(clusterId: string, by: string) {
    const nodes = (await this.#cloud.ports.store.getCluster(clusterId))?.nodes ?? [];
    const lives = await Promise.all(nodes.map((node) => this.#lives(node.instanceId)));
    const first = lives.indexOf(true);
    return {
      observation: {
        members: nodes.map((node, index) => ({
          nodeId: node.id,
          role: index === first ? "leader" : index === first + 1 ? "sync-standby" : "replica",
          state: index === first ? "running" : "streaming",
          timeline: first + 1,
          lagBytes: 0,
          pendingRestart: false,
        })),
        dcs: {
          quorum: lives.filter(Boolean).length > 1,
          members: nodes.map((node, index) => ({
            nodeId: node.id,
            healthy: lives[index] ?? false,
            leader: false,
          })),
        },
      },
      neighbours: nodes
        .map((node, index) => {
          const isThere = lives[index] ?? false;
          return { nodeId: node.id, patroni: isThere, haproxy: isThere, pgbouncer: isThere };
        })
        .filter((one) => one.nodeId !== by),
    };
  }

  #inspection() {
    return {
      revision: null,
      services: { "patroni.service": "active" },
      disk: { totalBytes: 100, usedBytes: 10 },
      wal: { bytes: 1, readyCount: 0, oldestReadySeconds: null },
      connections: { used: 47, max: 94 },
      certificateNotAfter: this.certificateNotAfter,
      nowMs: Date.now(),
      drift: this.drift,
      patroniVersion: "4.0.7",
      wrapper: true,
    };
  }
}

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

const last = <T>(items: readonly T[]): T => {
  const item = items.at(-1);
  if (item === undefined) throw new Error("there is nothing");
  return item;
};

async function stopMachine(cloud: Cloud, instanceId: string | null): Promise<void> {
  if (instanceId === null) throw new Error("the node has no instance");
  await cloud.ports.compute.stopInstance(instanceId, 10);
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

interface Started {
  readonly kind: string;
  readonly operationId: string;
}

class Starts implements Pick<Executions, "start"> {
  readonly started: Started[] = [];
  start: Executions["start"] = async (kind, { operationId }) => {
    this.started.push({ kind, operationId });
  };
}

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

describe("certificates", () => {
  async function renew(cloud: Cloud, cluster: Cluster, daysLeft: number, afterMs = 0) {
    const executions = new Starts();
    const until = new Date(Date.now() + daysLeft * 24 * 60 * minuteMs).toISOString();
    await cloud.ports.store.updateHealth(cluster.id, {
      status: "available",
      statusReason: wellSentence,
      drift: [],
      record: { ...unknownHealth, certificatesUntil: until },
      events: [],
    });
    const now = () => new Date(Date.now() + afterMs);
    await renewCertificates({ store: cloud.ports.store, executions, now, log });
    return executions.started;
  }

  test("are renewed long before the first one ends, and after a failure again the next day", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    expect(await renew(cloud, cluster, 40)).toEqual([]);
    const [started, ...more] = await renew(cloud, cluster, 20);
    expect(more).toEqual([]);
    expect(started?.kind).toBe("rotate-certificates");
    await cloud.ports.store.endOperation(started?.operationId ?? "", {
      state: "failed",
      endedAt: new Date().toISOString(),
      cluster: { status: "available", statusReason: wellSentence },
    });
    expect(await renew(cloud, cluster, 20)).toEqual([]);
    expect(await renew(cloud, cluster, 20, 25 * 60 * minuteMs)).toHaveLength(1);
  });
});

describe("orphans", () => {
  const graceMs = 2 * minuteMs;

  async function reconcile(cloud: Cloud, afterMs = 0): Promise<void> {
    const inventoryOfCloud = new AwsInventory(cloud.ports, cloud.operator);
    const now = () => new Date(Date.now() + afterMs);
    await reconcileOrphans({ store: cloud.ports.store, inventory: inventoryOfCloud, graceMs, now, log });
  }

  function tags(clusterId: string, nodeId: string) {
    return [
      { Key: tagNames.environment, Value: "test" },
      { Key: tagNames.cluster, Value: clusterId },
      { Key: tagNames.node, Value: nodeId },
    ];
  }

  test("of a cluster that is as it should be there is none", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    await reconcile(cloud);
    await reconcile(cloud, 10 * graceMs);
    expect(await inventory(cloud)).toEqual(inventoryOf(3));
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
    expect(await actions(cloud, cluster)).toEqual([]);
  });

  test("a second volume of a node is reported once and removed after its time", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const ec2 = new EC2Client(cloud.operator);
    const { VolumeId } = await ec2.send(
      new CreateVolumeCommand({
        AvailabilityZone: zones[0],
        Size: 1,
        TagSpecifications: [{ ResourceType: "volume", Tags: tags(cluster.id, last(cluster.nodes).id) }],
      }),
    );
    await reconcile(cloud);
    await reconcile(cloud, graceMs / 2);
    expect(await actions(cloud, cluster)).toEqual(["orphan-found"]);
    expect((await inventory(cloud))["volume"]).toBe(4);
    await reconcile(cloud, graceMs + minuteMs);
    expect(await inventory(cloud)).toEqual(inventoryOf(3));
    expect(await actions(cloud, cluster)).toEqual(["orphan-found", "orphan-removed"]);
    const { Volumes } = await ec2.send(new DescribeVolumesCommand({}));
    expect(Volumes?.map((one) => one.VolumeId)).not.toContain(VolumeId);
    ec2.destroy();
  });

  test("what is left of a cluster that nobody knows goes, whatever its kind", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    await cloud.ports.store.removeCluster(cluster.id);
    await reconcile(cloud);
    expect(await cloud.ports.store.listOrphans()).toHaveLength(3 * 3 + 1 + 8 + 4 + 1);
    // What something else still holds goes in a later run.
    for (let run = 1; run <= 4; run++) await reconcile(cloud, graceMs + run * minuteMs);
    expect(await cloud.leftovers()).toEqual([]);
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
  });

  test("what opens the backups of a cluster that is gone is none, as long as there is one", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const cluster = await make(cloud);
    const { request } = await plane.carryOut(await plane.writeBackup(cluster.id));
    await plane.delete(cluster.id);
    await reconcile(cloud);
    await reconcile(cloud, 2 * graceMs);
    expect(await inventory(cloud)).toEqual({ parameter: 1 });
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
    await cloud.ports.store.removeBackup(cluster.id, String(request?.["backupId"]));
    await reconcile(cloud);
    await reconcile(cloud, 2 * graceMs);
    expect(await inventory(cloud)).toEqual({});
  });

  test("nothing of a cluster is an orphan while an operation holds it, and what is on record in time stays", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const node = last(cluster.nodes);
    const ec2 = new EC2Client(cloud.operator);
    const made = await ec2.send(
      new CreateNetworkInterfaceCommand({
        SubnetId: cloud.ports.settings.subnets[node.zone],
        TagSpecifications: [{ ResourceType: "network-interface", Tags: tags(cluster.id, node.id) }],
      }),
    );
    const networkInterfaceId = made.NetworkInterface?.NetworkInterfaceId ?? "";
    await reconcile(cloud);
    expect(await cloud.ports.store.listOrphans()).toEqual([
      { name: `network-interface ${networkInterfaceId}`, firstSeenAt: expect.any(String) },
    ]);
    await new ControlPlane(cloud).writeDelete(cluster.id);
    await reconcile(cloud, 2 * graceMs);
    expect((await inventory(cloud))["interface"]).toBe(4);
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
    ec2.destroy();
  });

  test("what is another environment's is not looked at", async () => {
    await using cloud = await openCloud(dynamodb);
    const ec2 = new EC2Client(cloud.operator);
    const [environment, ...others] = tags(newId("cluster"), newId("node"));
    await ec2.send(
      new CreateVolumeCommand({
        AvailabilityZone: zones[0],
        Size: 1,
        TagSpecifications: [
          { ResourceType: "volume", Tags: [{ ...environment, Value: "other" }, ...others] },
        ],
      }),
    );
    await reconcile(cloud);
    await reconcile(cloud, 2 * graceMs);
    expect((await inventory(cloud))["volume"]).toBe(1);
    ec2.destroy();
  });
});
