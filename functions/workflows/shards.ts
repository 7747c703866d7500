import type { ClusterNode } from "@pgherd/layers/domain";
import type { NodeCommands, NodeVerb, Observation } from "@pgherd/layers/domain/node";
import { CommandError } from "@pgherd/layers/ports";
import { type ClusterScope, known, readCluster } from "./create-cluster/records.ts";

/** A node that is well answers within a second or two. */
const observeSeconds = 15;
/** A command's answer travels after the node's own deadline passed. */
const commandGraceSeconds = 15;

/** Codes that say that a node did not answer, rather than that it refused. */
const silentCodes: readonly string[] = ["command-deadline", "node-not-online", "no-answer"];

export const isSilence = (error: unknown): boolean =>
  error instanceof CommandError && silentCodes.includes(error.code);

/** Runs a verb on a node; `seconds` is what the verb itself may take. */
export function runOn<V extends NodeVerb>(
  scope: ClusterScope,
  node: ClusterNode,
  verb: V,
  step: string,
  seconds: number,
  input: NodeCommands[V]["input"],
): Promise<NodeCommands[V]["output"]> {
  const instanceId = known(node.instanceId, "instance", node.id);
  const deadlineSeconds = seconds + commandGraceSeconds;
  return scope.ports.commands.run(
    { instanceId, operationId: scope.operationId, step, deadlineSeconds },
    verb,
    input,
  );
}

export function runningNodes(nodes: readonly ClusterNode[]): ClusterNode[] {
  return nodes.filter((node) => node.state === "running" && node.instanceId !== null);
}

/** Members of a shard first, as they know their shard; nodes that do not answer are passed over. */
async function observeAny(scope: ClusterScope, nodes: readonly ClusterNode[]): Promise<Observation> {
  const failures: unknown[] = [];
  for (const node of nodes) {
    try {
      const input = { clusterId: scope.clusterId, nodeId: node.id };
      return await runOn(scope, node, "observe", "observe", observeSeconds, input);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new NoAnswerError("no node of the shard says who leads it", { cause: new AggregateError(failures) });
}

class NoAnswerError extends Error {
  readonly code = "cluster-unreachable";
}

/** What the nodes say, or that they say nothing: it is about them and not about us. */
export const isOfNodes = (error: unknown): error is Error =>
  error instanceof CommandError || error instanceof NoLeaderError || error instanceof NoAnswerError;

/** A leader that changes, or a repository that is away for a moment, is no reason to fail. */
export async function patiently<T>(forMs: number, everyMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + forMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isOfNodes(error) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
}

export class NoLeaderError extends Error {
  readonly code = "no-leader";
}

/** What Patroni and etcd say of a shard. @throws where no node answers. */
export async function observeShard(scope: ClusterScope, shard: number): Promise<Observation> {
  const { nodes } = await readCluster(scope);
  const members = runningNodes(nodes).filter(
    (node) => node.shard === shard && node.services.includes("postgres"),
  );
  return observeAny(scope, members);
}

/** The node that leads, and null where the shard has no leader. @throws where no node answers. */
export async function findLeader(scope: ClusterScope, shard: number): Promise<ClusterNode | null> {
  const [{ nodes }, observation] = await Promise.all([readCluster(scope), observeShard(scope, shard)]);
  const leader = observation.members.find((member) => member.role === "leader");
  return nodes.find((node) => node.id === leader?.nodeId) ?? null;
}

export async function requireLeader(scope: ClusterScope, shard: number): Promise<ClusterNode> {
  const leader = await findLeader(scope, shard);
  if (leader === null) throw new NoLeaderError(`shard ${shard} has no leader`);
  return leader;
}
