import { type Cluster, type ClusterNode, type Operation, Problem } from "@pgherd/layers/domain";
import type { Act, NodeAct, Scope } from "@pgherd/layers/runtime/workflow";
import type { ClusterPorts } from "../ports.ts";

export type ClusterScope = Scope<ClusterPorts>;
export type ClusterAct = Act<ClusterPorts>;
export type ClusterNodeAct = NodeAct<ClusterPorts>;

export async function readCluster({ ports, clusterId }: ClusterScope): Promise<Cluster> {
  const cluster = await ports.store.getCluster(clusterId);
  if (cluster === null) throw new Problem("not-found", `There is no cluster ${clusterId} any more.`);
  return cluster;
}

export async function readNode(
  scope: ClusterScope,
  nodeId: string,
): Promise<{ cluster: Cluster; node: ClusterNode }> {
  const cluster = await readCluster(scope);
  const node = cluster.nodes.find((one) => one.id === nodeId);
  return { cluster, node: known(node ?? null, "record", nodeId) };
}

export async function readOperation({ operationId, ports }: ClusterScope): Promise<Operation> {
  return known(await ports.store.getOperation(operationId), "operation", operationId);
}

export function known<T>(value: T | null, what: string, of: string): T {
  if (value === null) throw new Error(`no ${what} of ${of} is on record`);
  return value;
}
