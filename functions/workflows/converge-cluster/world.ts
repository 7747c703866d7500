import { type Cluster, type ClusterNode, nodeRole, nodeSize, securityRules } from "@pgherd/layers/domain";
import type { NodeCommands, NodeVerb } from "@pgherd/layers/domain/node";
import { type ClusterScope, known } from "../create-cluster/records.ts";
import { isSilence, runningNodes, runOn } from "../shards.ts";
import type { ConvergeDeadlines } from "./deadlines.ts";

/** What every change is carried out with. */
export interface ChangeScope extends ClusterScope {
  readonly deadlines: ConvergeDeadlines;
  /** One word, unique in the operation: the nodes know a repeated command by it. */
  readonly step: string;
}

export function nodeOf(cluster: Cluster, nodeId: string): ClusterNode {
  return known(cluster.nodes.find((node) => node.id === nodeId) ?? null, "record", nodeId);
}

export function isReachable(node: ClusterNode): boolean {
  return node.state === "running" && node.instanceId !== null;
}

/** The first of the nodes that answers carries it out; one that refuses has answered. */
export async function runOnAny<V extends NodeVerb>(
  scope: ChangeScope,
  nodes: readonly ClusterNode[],
  verb: V,
  seconds: number,
  input: (node: ClusterNode) => NodeCommands[V]["input"],
): Promise<NodeCommands[V]["output"]> {
  const silent: unknown[] = [];
  for (const node of runningNodes(nodes)) {
    try {
      return await runOn(scope, node, verb, scope.step, seconds, input(node));
    } catch (error) {
      if (!isSilence(error)) throw error;
      silent.push(error);
    }
  }
  throw new NobodyAnswersError(`no node answered to ${verb}`, { cause: new AggregateError(silent) });
}

class NobodyAnswersError extends Error {
  readonly code = "cluster-unreachable";
}

/** The machine that fills the node now, or the one that the spec gives it. */
export async function instanceTypes(
  scope: ClusterScope,
  cluster: Cluster,
): Promise<(node: ClusterNode) => string> {
  const { compute, settings } = scope.ports;
  const survey = await compute.survey(cluster.id, securityRules(cluster.spec, settings));
  return (node) =>
    survey.instances.find((one) => one.instanceId === node.instanceId)?.instanceType ??
    nodeSize(cluster.spec, nodeRole(node)).instanceType;
}
