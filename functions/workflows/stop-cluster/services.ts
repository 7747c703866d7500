import { type ClusterNode, type NodeService, shardsOf } from "@pgherd/layers/domain";
import {
  type ClusterAct,
  type ClusterNodeAct,
  type ClusterScope,
  readCluster,
} from "../create-cluster/records.ts";
import { findLeader, isSilence, runningNodes, runOn } from "../shards.ts";
import type { StopDeadlines } from "./deadlines.ts";

/** Who leads each shard: these are stopped last. A cluster of which no node answers is stopped all the same. */
export const leaders: ClusterAct = async (scope) => {
  const { nodes } = await readCluster(scope);
  const found: string[] = [];
  for (const shard of shardsOf(nodes)) {
    const leader = await findLeader(scope, shard).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "cluster-unreachable") return null;
      throw error;
    });
    if (leader !== null) found.push(leader.id);
  }
  return found.join(" ");
};

/** From here on nobody new comes in, and what is written is written. */
export const clients = (scope: ClusterScope, nodeId: string, deadlines: StopDeadlines) =>
  stopServices(scope, nodeId, ["pgbouncer", "haproxy"], "clients", deadlines.clientsSeconds);

export const replicas = (scope: ClusterScope, nodeId: string, deadlines: StopDeadlines) =>
  leads(scope, nodeId)
    ? Promise.resolve("leads, and follows")
    : stopServices(scope, nodeId, ["postgres"], "replicas", deadlines.postgresSeconds);

export const lastOnes = (scope: ClusterScope, nodeId: string, deadlines: StopDeadlines) =>
  leads(scope, nodeId)
    ? stopServices(scope, nodeId, ["postgres"], "leader", deadlines.postgresSeconds)
    : Promise.resolve(undefined);

const leads = (scope: ClusterScope, nodeId: string): boolean =>
  (scope.said("find-leader") ?? "").split(" ").includes(nodeId);

async function stopServices(
  scope: ClusterScope,
  nodeId: string,
  services: NodeService[],
  step: string,
  deadlineSeconds: number,
): Promise<string | undefined> {
  const node = await running(scope, nodeId);
  if (node === null) return "does not run";
  if (!services.some((service) => node.services.includes(service))) return undefined;
  const input = { clusterId: scope.clusterId, nodeId, services, deadlineSeconds };
  try {
    const { checkpoint } = await runOn(scope, node, "shut-down", step, deadlineSeconds, input);
    return checkpoint === null ? undefined : `last checkpoint ${checkpoint}`;
  } catch (error) {
    // Its operating system shuts everything down in order when the instance is stopped.
    if (isSilence(error)) return "does not answer, and is stopped as it is";
    throw error;
  }
}

/** The node, if EC2 runs its instance now. */
async function running(scope: ClusterScope, nodeId: string): Promise<ClusterNode | null> {
  const [{ nodes }, instances] = await Promise.all([
    readCluster(scope),
    scope.ports.compute.listInstances(scope.clusterId),
  ]);
  const node = runningNodes(nodes).find((one) => one.id === nodeId);
  const instance = instances.find((one) => one.instanceId === node?.instanceId);
  return node !== undefined && instance?.state === "running" ? node : null;
}

export const instance = async (
  ...[scope, nodeId, deadlines]: [...Parameters<ClusterNodeAct>, StopDeadlines]
): Promise<void> => {
  const { nodes } = await readCluster(scope);
  const node = nodes.find((one) => one.id === nodeId);
  if (node === undefined || node.instanceId === null) return;
  await scope.ports.compute.stopInstance(node.instanceId, deadlines.instanceSeconds);
  await scope.ports.store.putNode(scope.clusterId, { ...node, state: "stopped" });
};
