import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { BatchWriteCommand, DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { backupToItem, clusterToItem, type Item, nodeToItem } from "../../../layers/aws/store/items.ts";
import { healthKey } from "../../../layers/aws/store/keys.ts";
import {
  type Cluster,
  eachTimer,
  newBackup,
  scheduleDefaults,
  unknownHealth,
} from "../../../layers/domain/index.ts";
import type { Belonging, Inventory, NodeCommandPort, Versions } from "../../../layers/ports/index.ts";
import { newId } from "../../../layers/runtime/ids.ts";
import { makeCluster, makeNode } from "../../api/support/fixtures.ts";
import type { Calls } from "./calls.ts";

export const nodesPerCluster = 4;
/** Full ones and what builds on them: about as many as the default retention keeps. */
const backupsPerCluster = 8;
/** Passwords, the CA's key and the like. */
export const parametersPerCluster = 12;
/** Full, differential and incremental backups, and what proves them. */
export const schedulesPerCluster = 4;

/** DynamoDB's own limit. */
const batchMax = 25;
const batchesAtOnce = 4;
const zones = ["local-1a", "local-1b", "local-1c"] as const;

const started = new Date(Date.now() - 60 * 60 * 1000).toISOString();
const now = new Date().toISOString();

/** Clusters that have been up for long, are well, and have nothing to do. */
export function makeClusters(count: number): Cluster[] {
  return Array.from({ length: count }, (_, index) => {
    const nodes = Array.from({ length: nodesPerCluster }, (_each, at) =>
      makeNode(zones[at % zones.length], {
        state: "running",
        services:
          at < 3 ? ["postgres", "etcd", "haproxy", "pgbouncer"] : ["postgres", "haproxy", "pgbouncer"],
        instanceId: `i-${index}-${at}`,
        networkInterfaceId: `eni-${index}-${at}`,
        volumeId: `vol-${index}-${at}`,
        address: `10.${index >> 6}.${index & 63}.${at + 10}`,
      }),
    );
    const cluster = makeCluster(`cluster-${index}`, { status: "available", statusReason: "well", nodes });
    const since = { since: now };
    const schedules = eachTimer(() => null);
    return {
      ...cluster,
      spec: { ...cluster.spec, members: nodesPerCluster },
      schedules: {
        ...schedules,
        full: { cron: scheduleDefaults.full, ...since },
        diff: { cron: scheduleDefaults.diff, ...since },
        incr: { cron: scheduleDefaults.incr, ...since },
      },
    };
  });
}

function itemsOf(cluster: Cluster): Item[] {
  const backups = Array.from({ length: backupsPerCluster }, () => ({
    ...newBackup({
      id: newId("backup"),
      clusterId: cluster.id,
      shard: 0,
      type: "full",
      operationId: newId("operation"),
      startedBy: `schedule:${cluster.id}-full`,
      startedAt: started,
    }),
    state: "succeeded" as const,
    label: "20260101-000000F",
    endedAt: started,
    sizeBytes: 1024 ** 3,
    repositoryBytes: 1024 ** 2,
  }));
  return [
    clusterToItem(cluster),
    ...cluster.nodes.map((node) => nodeToItem(cluster.id, node)),
    { ...healthKey(cluster.id), ...unknownHealth, certificatesUntil: "2099-01-01T00:00:00.000Z" },
    ...backups.map(backupToItem),
  ];
}

/** Writes them as they would be after months; the way there would take hours. */
export async function fill(
  table: string,
  config: DynamoDBClientConfig,
  clusters: readonly Cluster[],
): Promise<void> {
  const client = DynamoDBDocumentClient.from(new DynamoDBClient(config));
  const items = clusters.flatMap(itemsOf);
  const batches = Array.from({ length: Math.ceil(items.length / batchMax) }, (_, index) =>
    items.slice(index * batchMax, (index + 1) * batchMax),
  );
  const lane = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      const requests = batch.map((Item) => ({ PutRequest: { Item } }));
      const answer = await client.send(new BatchWriteCommand({ RequestItems: { [table]: requests } }));
      if (Object.keys(answer.UnprocessedItems ?? {}).length > 0)
        throw new Error("DynamoDB has left items out");
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, lane));
  client.destroy();
}

/** Nodes that are all well, and answer at once. */
export function wellNodes(clusters: readonly Cluster[], calls: Calls): Pick<NodeCommandPort, "run"> {
  const byId = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  return {
    run: async (_target, verb, input) => {
      calls.count("ssm:SendCommand");
      const { clusterId, nodeId } = input as { clusterId: string; nodeId: string };
      const nodes = byId.get(clusterId)?.nodes ?? [];
      const self = {
        revision: null,
        services: { "patroni.service": "active" },
        disk: { totalBytes: 100, usedBytes: 10 },
        wal: { bytes: 1, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
        connections: { used: 10, max: 94 },
        certificateNotAfter: "2099-01-01T00:00:00.000Z",
        nowMs: Date.now(),
        drift: [],
        patroniVersion: "4.0.7",
        wrapper: true,
      };
      const members = nodes.map(({ id }, index) => ({
        nodeId: id,
        role: index === 0 ? "leader" : index === 1 ? "sync-standby" : "replica",
        state: index === 0 ? "running" : "streaming",
        timeline: 1,
        lagBytes: 0,
        pendingRestart: false,
      }));
      const dcs = {
        quorum: true,
        members: nodes
          .slice(0, 3)
          .map(({ id }) => ({ nodeId: id, healthy: true, leader: false, dbBytes: 1 })),
      };
      const neighbours = nodes
        .filter(({ id }) => id !== nodeId)
        .map(({ id }) => ({ nodeId: id, patroni: true, haproxy: true, pgbouncer: true }));
      // The verbs that get here are these two; TypeScript does not narrow V by the verb.
      return (verb === "inspect" ? self : { observation: { members, dcs }, neighbours, self }) as never;
    },
  };
}

/** Everything that the clusters have, listed in pages as AWS would. */
export function inventoryOf(clusters: readonly Cluster[], calls: Calls): Inventory {
  const list = (action: string, pageSize: number, things: readonly Belonging[]): readonly Belonging[] => {
    calls.count(action, Math.ceil(things.length / pageSize));
    return things;
  };
  const ofNodes = (kind: Belonging["kind"], idOf: (node: Cluster["nodes"][number]) => string | null) =>
    clusters.flatMap(({ id: clusterId, nodes }) =>
      nodes.map((node) => ({ kind, id: idOf(node) ?? "", clusterId, nodeId: node.id })),
    );
  const ofClusters = (kind: Belonging["kind"], count: number) =>
    clusters.flatMap(({ id: clusterId }) =>
      Array.from({ length: count }, (_, at) => ({ kind, id: `${clusterId}/${at}`, clusterId, nodeId: null })),
    );
  return {
    list: async () => [
      ...list(
        "ec2:DescribeInstances",
        200,
        ofNodes("instance", (node) => node.instanceId),
      ),
      ...list(
        "ec2:DescribeNetworkInterfaces",
        200,
        ofNodes("network-interface", (node) => node.networkInterfaceId),
      ),
      ...list(
        "ec2:DescribeVolumes",
        200,
        ofNodes("volume", (node) => node.volumeId),
      ),
      ...list("ec2:DescribeSecurityGroups", 200, ofClusters("security-group", 1)),
      ...list("ssm:GetParametersByPath", 10, ofClusters("parameter", parametersPerCluster)),
      ...list("iam:ListRoles", 100, ofClusters("role", 1)),
      ...list("scheduler:ListSchedules", 100, ofClusters("schedule", schedulesPerCluster)),
    ],
    remove: () => Promise.reject(new Error("nothing is to be removed")),
  };
}

/** As many as are kept after a quiet night, and all of them needed. */
export function versionsOf(calls: Calls): Versions {
  const no = (what: string) => () => Promise.reject(new Error(`${what}: nothing is to be removed`));
  return {
    list: async () => {
      calls.count("lambda:ListVersionsByFunction");
      calls.count("lambda:ListAliases");
      const published = [1, 2, 3, 4].map((version) => ({ version, publishedMs: 0 }));
      return { published, live: 4, aliased: [4] };
    },
    running: no("executions"),
    remove: no("a version"),
  };
}

export const instancesOf = (clusters: readonly Cluster[], calls: Calls) => ({
  listInstances: async (clusterId: string) => {
    calls.count("ec2:DescribeInstances");
    const nodes = clusters.find(({ id }) => id === clusterId)?.nodes ?? [];
    return nodes.map(({ id, instanceId }) => ({
      nodeId: id,
      instanceId: instanceId ?? "",
      instanceType: "t4g.micro",
      state: "running" as const,
    }));
  },
});
