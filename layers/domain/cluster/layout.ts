import type { ClusterNode, NodeService } from "./cluster.ts";
import type { ClusterSpec } from "./spec.ts";

/** How many replicas must be synchronous before a cluster keeps its promise of durability. */
export function synchronousStandbys(spec: ClusterSpec): number {
  return spec.durability === "async" || spec.members === 1 ? 0 : 1;
}

/** Where each node of a new cluster goes and what runs on it: zones in turn, the DCS on the first nodes. */
export function layoutNodes(
  spec: ClusterSpec,
  zones: readonly string[],
  nodeIds: readonly string[],
): ClusterNode[] {
  if (zones.length === 0) throw new Error("the environment has no zone to put nodes into");
  if (nodeIds.length !== spec.members) {
    throw new Error(`the cluster has ${spec.members} members, but there are ${nodeIds.length} ids for them`);
  }
  return nodeIds.map((id, index) => ({
    id,
    zone: zones[index % zones.length] ?? "",
    shard: 0,
    services: servicesOf(spec, index),
    state: "pending",
    instanceId: null,
    networkInterfaceId: null,
    address: null,
    volumeId: null,
  }));
}

function servicesOf(spec: ClusterSpec, index: number): NodeService[] {
  const services: NodeService[] = ["postgres"];
  if (index < spec.dcs.members) services.push("etcd");
  services.push("haproxy");
  if (spec.pooler.enabled) services.push("pgbouncer");
  return services;
}

/**
 * The zones that a node may go to, its own first. A node that moved because a zone had no room goes on from the zone
 * that it is in: the ones before were tried.
 */
export function zonesToTry(zones: readonly string[], home: string, current: string): string[] {
  const start = Math.max(zones.indexOf(home), 0);
  const order = [...zones.slice(start), ...zones.slice(0, start)];
  return order.slice(Math.max(order.indexOf(current), 0));
}
