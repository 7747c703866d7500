import type { Cluster } from "../domain/cluster/cluster.ts";
import type { Assessment } from "../domain/node/role-change-verbs.ts";
import { Problem } from "../domain/problems.ts";
import type { NodeCommandPort } from "../ports/commands.ts";
import { newId } from "./ids.ts";

/** A healthy node answers within a second, a busy one later; the API has to answer before its gateway gives up (29 s). */
const commandDeadlineSeconds = 20;

/**
 * Asks every running member of the shard what it knows for a role change, and believes the first that sees a majority
 * of etcd: one that is cut off still believes what it saw last.
 * @throws {Problem} `cluster-unreachable` when none answers.
 */
export async function assessRoleChange(
  commands: Pick<NodeCommandPort, "run">,
  cluster: Cluster,
  wish: { readonly shard: number; readonly candidate: string | null },
): Promise<Assessment> {
  const members = cluster.nodes.filter(
    (node) => node.shard === wish.shard && node.services.includes("postgres") && node.state === "running",
  );
  const answers = members.map((node) => assessOn(commands, cluster.id, node, wish));
  const withQuorum = answers.map(async (answer) => {
    const assessment = await answer;
    if (!assessment.dcs.quorum) throw new Error("the node sees no majority of etcd");
    return assessment;
  });
  try {
    return await Promise.any(withQuorum);
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
  }
  return Promise.any(answers).catch((error: unknown) => {
    throw silence(cluster.id, members.length, error);
  });
}

const silence = (clusterId: string, members: number, cause: unknown): Problem =>
  new Problem(
    "cluster-unreachable",
    `None of the ${members} running members of cluster ${clusterId} answered within ${commandDeadlineSeconds} s.`,
    { cause },
  );

async function assessOn(
  commands: Pick<NodeCommandPort, "run">,
  clusterId: string,
  node: { readonly id: string; readonly instanceId: string | null },
  { shard, candidate }: { readonly shard: number; readonly candidate: string | null },
): Promise<Assessment> {
  if (node.instanceId === null) throw new Error(`node ${node.id} has no instance`);
  return commands.run(
    {
      instanceId: node.instanceId,
      // An id of its own: a node answers a command that it knows without carrying it out again.
      operationId: newId("operation"),
      step: "assess",
      deadlineSeconds: commandDeadlineSeconds,
    },
    "assess-role-change",
    { clusterId, nodeId: node.id, shard, candidate },
  );
}
