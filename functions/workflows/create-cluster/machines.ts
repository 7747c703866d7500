import {
  type Cluster,
  type ClusterNode,
  nodeRole,
  nodeSize,
  Problem,
  securityRules,
  zonesToTry,
} from "@pgherd/layers/domain";
import { CapacityError } from "@pgherd/layers/ports";
import type { CreateDeadlines } from "./deadlines.ts";
import {
  type ClusterAct,
  type ClusterNodeAct,
  type ClusterScope,
  known,
  readCluster,
  readNode,
} from "./records.ts";

/** Name and nodes were written with the operation; from here on they are this workflow's to give back. */
export const checkClaim: ClusterAct = async (scope) => {
  const cluster = await readCluster(scope);
  if (cluster.activeOperationId !== scope.operationId) {
    throw new Problem("operation-in-progress", `Cluster ${cluster.id} is not held by this operation.`);
  }
  return `"${cluster.name}", ${cluster.nodes.length === 1 ? "1 node" : `${cluster.nodes.length} nodes`}`;
};

export const securityGroup: ClusterAct = async ({ ports, ...scope }) => {
  const { spec } = await readCluster({ ports, ...scope });
  await ports.compute.ensureSecurityGroup(scope.clusterId, securityRules(spec, ports.settings));
};

export const volume: ClusterNodeAct = async (scope, nodeId) => {
  const { cluster, node } = await readNode(scope, nodeId);
  const place = { clusterId: cluster.id, nodeId, zone: node.zone };
  const { volumeId } = await scope.ports.compute.ensureVolume(place, sizeOf(cluster, node).volumeGiB);
  await scope.ports.store.putNode(cluster.id, { ...node, volumeId });
};

export const networkInterface: ClusterNodeAct = async (scope, nodeId) => {
  const { cluster, node } = await readNode(scope, nodeId);
  const { compute, settings, store } = scope.ports;
  const group = await compute.ensureSecurityGroup(cluster.id, securityRules(cluster.spec, settings));
  const place = { clusterId: cluster.id, nodeId, zone: node.zone };
  const { networkInterfaceId, address } = await compute.ensureNetworkInterface(place, group.securityGroupId);
  await store.putNode(cluster.id, { ...node, networkInterfaceId, address });
};

/** Where a zone has no room the node moves to the next, with its interface and its (blank) volume. */
export async function instance(
  scope: ClusterScope,
  nodeId: string,
  deadlines: CreateDeadlines,
): Promise<string> {
  const { cluster, node } = await readNode(scope, nodeId);
  const zones = Object.keys(scope.ports.settings.subnets).toSorted();
  const home = scope.nodes.find((one) => one.id === nodeId)?.zone ?? node.zone;
  const full: CapacityError[] = [];
  let placed = node;
  for (const zone of zonesToTry(zones, home, node.zone)) {
    if (!isSettled(placed, zone)) placed = await move(scope, cluster, placed, zone);
    try {
      const { instanceId } = await start(scope, cluster, placed, deadlines);
      await scope.ports.store.putNode(cluster.id, { ...placed, instanceId, state: "running" });
      return zone === home ? `${instanceId} in ${zone}` : `${instanceId} in ${zone}, as ${home} had no room`;
    } catch (error) {
      if (!(error instanceof CapacityError)) throw error;
      full.push(error);
    }
  }
  const names = zonesToTry(zones, home, home).join(", ");
  throw new NoCapacityError(
    `no zone has room for a ${sizeOf(cluster, node).instanceType}: ${names} refused`,
    {
      cause: full.at(-1),
    },
  );
}

const sizeOf = (cluster: Cluster, node: ClusterNode) => nodeSize(cluster.spec, nodeRole(node));

class NoCapacityError extends Error {
  readonly code = "no-capacity";
}

async function start(
  scope: ClusterScope,
  cluster: Cluster,
  node: ClusterNode,
  deadlines: CreateDeadlines,
): Promise<{ instanceId: string }> {
  return scope.ports.compute.ensureInstance(
    { clusterId: cluster.id, nodeId: node.id, zone: node.zone },
    {
      instanceType: sizeOf(cluster, node).instanceType,
      networkInterfaceId: known(node.networkInterfaceId, "network interface", node.id),
      volumeId: known(node.volumeId, "volume", node.id),
      deadlineSeconds: deadlines.instanceSeconds,
    },
  );
}

/** A move that a crash interrupted has left the node without interface or volume. */
function isSettled(node: ClusterNode, zone: string): boolean {
  return node.zone === zone && node.networkInterfaceId !== null && node.volumeId !== null;
}

/** The zone is written first: after a crash the next try goes on there, and removes what is left elsewhere again. */
async function move(
  scope: ClusterScope,
  cluster: Cluster,
  node: ClusterNode,
  zone: string,
): Promise<ClusterNode> {
  const { compute, settings, store } = scope.ports;
  const place = { clusterId: cluster.id, nodeId: node.id, zone };
  const leaving = { ...node, zone, networkInterfaceId: null, address: null, volumeId: null };
  await store.putNode(cluster.id, leaving);
  await compute.removeInstance(cluster.id, node.id);
  await Promise.all([
    compute.removeNetworkInterface(cluster.id, node.id),
    compute.removeVolume(cluster.id, node.id),
  ]);
  const group = await compute.ensureSecurityGroup(cluster.id, securityRules(cluster.spec, settings));
  const [made, { volumeId }] = await Promise.all([
    compute.ensureNetworkInterface(place, group.securityGroupId),
    compute.ensureVolume(place, sizeOf(cluster, node).volumeGiB),
  ]);
  const { networkInterfaceId, address } = made;
  const moved = { ...leaving, networkInterfaceId, address, volumeId };
  await store.putNode(cluster.id, moved);
  return moved;
}
