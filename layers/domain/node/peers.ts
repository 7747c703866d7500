import type { Peer } from "./protocol.ts";

/** The node itself before its neighbours: it is the nearest, and knows best how it is. */
export function ownFirst(nodeId: string, peers: readonly Peer[]): Peer[] {
  return peers.toSorted((left, right) => Number(right.nodeId === nodeId) - Number(left.nodeId === nodeId));
}
