import type { CreateDeadlines } from "../create-cluster/deadlines.ts";
import { type ClusterScope, known, readNode } from "../create-cluster/records.ts";

/** The stopped instance, or another one on the node's interface and volume where it is gone. */
export async function instance(
  scope: ClusterScope,
  nodeId: string,
  deadlines: CreateDeadlines,
): Promise<string> {
  const { compute, store } = scope.ports;
  const { cluster, node } = await readNode(scope, nodeId);
  const place = { clusterId: cluster.id, nodeId, zone: node.zone, generation: scope.operationId };
  const found = await compute.startInstance(place, deadlines.instanceSeconds);
  const { instanceId } =
    found ??
    (await compute.ensureInstance(place, {
      instanceType: cluster.spec.instanceType,
      networkInterfaceId: known(node.networkInterfaceId, "network interface", nodeId),
      volumeId: known(node.volumeId, "volume", nodeId),
      deadlineSeconds: deadlines.instanceSeconds,
    }));
  await store.putNode(cluster.id, { ...node, instanceId, state: "running" });
  return found === null ? `${instanceId}, as the one before is gone` : instanceId;
}
