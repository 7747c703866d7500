import type { ClusterNode } from "../cluster.ts";
import type { ObservedHealth } from "./observed.ts";

/** Instances in these states run nothing, whatever a node said a moment ago. */
const lifeless: readonly (string | undefined)[] = [undefined, "stopped", "terminated", "shutting-down"];

/** EC2 knows of no instance that runs, or is about to run, in the node's place. */
export function isLifeless(node: ClusterNode, observed: ObservedHealth): boolean {
  return observed.instances !== null && lifeless.includes(observed.instances.get(node.id)?.life);
}

/**
 * A node whose instance is gone, or of which a neighbour within the majority hears nothing at all. What a node that
 * has no majority says of others counts for nothing: it may be the one that is cut off.
 */
export function isSilent(node: ClusterNode, observed: ObservedHealth): boolean {
  if (isLifeless(node, observed)) return true;
  const { survey } = observed;
  if (survey === null || !survey.observation.dcs.quorum || survey.by === node.id) return false;
  const seen = survey.neighbours.find((one) => one.nodeId === node.id);
  if (seen === undefined) return false;
  const ports = [seen.patroni, seen.haproxy, seen.pgbouncer];
  const isDcsHealthy = survey.observation.dcs.members.some(
    (member) => member.nodeId === node.id && member.healthy,
  );
  return !ports.includes(true) && !isDcsHealthy;
}
