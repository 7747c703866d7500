import { type CreateClusterBody, completeSpec } from "../../../layers/domain/cluster/create-body.ts";
import type { ClusterSpec } from "../../../layers/domain/cluster/spec.ts";
import type { NodeIntent, Peer } from "../../../layers/domain/node/protocol.ts";

export function specOf(body: Partial<CreateClusterBody> = {}): ClusterSpec {
  return completeSpec({ name: "shop", ...body }, { instanceType: "t4g.medium", deletionProtection: false });
}

export const clusterId = "clu_01ARZ3NDEKTSV4RRFFQ69G5FAV";

export function nodeIdOf(index: number): string {
  return `nod_01ARZ3NDEKTSV4RRFFQ69G5FA${index}`;
}

/** The first `dcs` of `count` peers run etcd. */
export function peersOf(count: number, dcs = 3): Peer[] {
  return Array.from({ length: count }, (_, index) => ({
    nodeId: nodeIdOf(index),
    address: `198.18.0.1${index}`,
    zone: `local-1${"abc"[index % 3]}`,
    shard: 0,
    services:
      index < dcs ? ["postgres", "etcd", "haproxy", "pgbouncer"] : ["postgres", "haproxy", "pgbouncer"],
  }));
}

export function intentOf(
  body: Partial<CreateClusterBody> = {},
  peers: Peer[] = peersOf(3),
): Pick<NodeIntent, "clusterId" | "spec" | "peers" | "dcsState" | "backups" | "restore"> {
  const backups = { bucket: "backups", region: "local-1", prefix: `/clusters/${clusterId}/0` };
  return { clusterId, spec: specOf(body), peers, dcsState: "new", backups, restore: null };
}

export function peerAt(peers: readonly Peer[], index: number): Peer {
  const peer = peers[index];
  if (peer === undefined) throw new Error(`there is no peer ${index}`);
  return peer;
}
