import type { Cluster } from "../cluster.ts";
import type { HealthRecord } from "../health-record.ts";
import { healthLimits } from "./limits.ts";
import type { InstanceLife, SeenInstance } from "./observed.ts";

/** A node that is to be brought back, and how. */
export interface Healing {
  readonly nodeId: string;
  /** The instance that runs and says nothing: another takes its place. Null: there is none that runs. */
  readonly replaces: string | null;
  /** A clause for people. */
  readonly because: string;
}

/** Instances that are on their way somewhere: what they come to is judged when they are there. */
const passing: readonly InstanceLife[] = ["pending", "stopping", "shutting-down"];

/**
 * The node that is to be healed now, or none. An operator's wish comes first: a paused cluster, or one whose spec says
 * no, is left as it is. One node at a time, the longest silent first; an operation holds the cluster until it is back.
 * @param secondsSince how long ago a moment was
 */
export function nodeToHeal(
  cluster: Pick<Cluster, "nodes" | "spec" | "paused">,
  record: HealthRecord,
  instances: ReadonlyMap<string, SeenInstance>,
  secondsSince: (at: string) => number,
): Healing | null {
  if (!cluster.spec.selfHealing || cluster.paused !== null) return null;
  const silent = cluster.nodes
    .flatMap((node) => {
      const since = record.silentSince[node.id];
      return since === undefined ? [] : [{ node, seconds: secondsSince(since) }];
    })
    .toSorted((left, right) => right.seconds - left.seconds);
  for (const { node, seconds } of silent) {
    const instance = instances.get(node.id);
    if (instance !== undefined && passing.includes(instance.life)) continue;
    if (instance?.life === "running") {
      if (seconds < healthLimits.silentSecondsMax) continue;
      const because = `node ${node.id} has given no sign of life for ${Math.floor(seconds)} s, although its instance ${instance.instanceId} runs`;
      return { nodeId: node.id, replaces: instance.instanceId, because };
    }
    if (seconds < healthLimits.lifelessSecondsMax) continue;
    const what = instance === undefined ? "has no instance" : `has an instance that is ${instance.life}`;
    return { nodeId: node.id, replaces: null, because: `node ${node.id} ${what}` };
  }
  return null;
}
