import type { ClusterNode, NodeService } from "./cluster.ts";
import type { ClusterSpec } from "./spec.ts";

/** What a node is for: PostgreSQL (with whatever stands beside it), the DCS alone, or proxies alone. */
export type NodeRole = "data" | "dcs" | "proxy";

export const nodeRoles: readonly NodeRole[] = ["data", "dcs", "proxy"];

/** A node without services is one whose etcd has not come yet, or has gone already. */
export function nodeRole({ services }: Pick<ClusterNode, "services">): NodeRole {
  if (services.includes("postgres")) return "data";
  return services.includes("haproxy") ? "proxy" : "dcs";
}

/** etcd keeps a few megabytes; a larger volume only makes its disk faster. */
const dcsVolumeGiB = 8;
/** Proxies keep nothing but their configuration. */
const proxyVolumeGiB = 1;

/** How many nodes of a role the spec asks for. */
export function nodeCount(spec: ClusterSpec, role: NodeRole): number {
  switch (role) {
    case "data":
      return spec.members;
    case "dcs":
      return spec.dcs.placement === "dedicated" ? spec.dcs.members : 0;
    case "proxy":
      return spec.proxy.placement === "dedicated" ? spec.proxy.count : 0;
  }
}

export function nodeTotal(spec: ClusterSpec): number {
  return nodeRoles.reduce((total, role) => total + nodeCount(spec, role), 0);
}

/** The machine that a node of a role wants. */
export function nodeSize(spec: ClusterSpec, role: NodeRole): { instanceType: string; volumeGiB: number } {
  switch (role) {
    case "data":
      return { instanceType: spec.instanceType, volumeGiB: spec.storage.sizeGiB };
    case "dcs":
      return { instanceType: spec.dcs.instanceType ?? spec.instanceType, volumeGiB: dcsVolumeGiB };
    case "proxy":
      return { instanceType: spec.proxy.instanceType ?? spec.instanceType, volumeGiB: proxyVolumeGiB };
  }
}

/** What a node of a role runs, etcd aside: which nodes that is on follows from more than the role. */
export function roleServices(spec: ClusterSpec, role: NodeRole): NodeService[] {
  if (role === "dcs") return [];
  const proxies: NodeService[] = spec.pooler.enabled ? ["haproxy", "pgbouncer"] : ["haproxy"];
  if (role === "proxy") return proxies;
  return spec.proxy.placement === "dedicated" ? ["postgres"] : ["postgres", ...proxies];
}

/** In the order in which they start. */
export function withEtcd(services: readonly NodeService[]): NodeService[] {
  const others = services.filter((service) => service !== "etcd");
  return others.includes("postgres")
    ? ["postgres", "etcd", ...others.filter((service) => service !== "postgres")]
    : ["etcd", ...others];
}

/** How many replicas must be synchronous before a cluster keeps its promise of durability. */
export function synchronousStandbys(spec: ClusterSpec): number {
  return spec.durability === "async" || spec.members === 1 ? 0 : 1;
}

/** Where each node of a new cluster goes and what runs on it: each role takes the zones in turn. */
export function layoutNodes(
  spec: ClusterSpec,
  zones: readonly string[],
  nodeIds: readonly string[],
): ClusterNode[] {
  if (zones.length === 0) throw new Error("the environment has no zone to put nodes into");
  if (nodeIds.length !== nodeTotal(spec)) {
    throw new Error(`the cluster has ${nodeTotal(spec)} nodes, but there are ${nodeIds.length} ids for them`);
  }
  const places = nodeRoles.flatMap((role) =>
    Array.from({ length: nodeCount(spec, role) }, (_, index) => ({
      zone: zones[index % zones.length] ?? "",
      services: hasEtcd(spec, role, index) ? withEtcd(roleServices(spec, role)) : roleServices(spec, role),
    })),
  );
  return nodeIds.flatMap((id, index) => {
    const place = places[index];
    return place === undefined ? [] : [emptyNode(id, place)];
  });
}

/** A place with nothing in it yet. */
export function emptyNode(
  id: string,
  place: { zone: string; services: readonly NodeService[]; shard?: number },
): ClusterNode {
  return {
    id,
    zone: place.zone,
    shard: place.shard ?? 0,
    services: [...place.services],
    state: "pending",
    instanceId: null,
    networkInterfaceId: null,
    address: null,
    volumeId: null,
  };
}

/** Of a new cluster: the DCS is on nodes of its own, or on the first PostgreSQL nodes. */
function hasEtcd(spec: ClusterSpec, role: NodeRole, index: number): boolean {
  if (spec.dcs.placement === "dedicated") return role === "dcs";
  return role === "data" && index < spec.dcs.members;
}

/** The nodes that clients connect to. */
export function proxyNodes<N extends Pick<ClusterNode, "services">>(nodes: readonly N[]): N[] {
  return nodes.filter((node) => node.services.includes("haproxy"));
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
