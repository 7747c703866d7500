import type { Cluster } from "./cluster.ts";
import { isOfBackups } from "./names.ts";

/** Something that says whose it is. */
export interface Claimed {
  readonly kind: string;
  readonly id: string;
  readonly nodeId: string | null;
}

/**
 * Whether a cluster's item owns the thing. While an operation holds the cluster, everything of the cluster may be
 * about to be recorded or removed by it; otherwise a node owns exactly the instance, interface and volume on record.
 * Backups outlive their cluster, and own what opens them.
 */
export function isOwned(
  thing: Claimed,
  cluster: Pick<Cluster, "activeOperationId" | "nodes"> | null,
  hasBackups: boolean,
): boolean {
  if (cluster === null) return hasBackups && thing.kind === "parameter" && isOfBackups(thing.id);
  if (cluster.activeOperationId !== null || thing.nodeId === null) return true;
  const node = cluster.nodes.find((one) => one.id === thing.nodeId);
  if (node === undefined) return false;
  return [node.instanceId, node.networkInterfaceId, node.volumeId].includes(thing.id);
}
