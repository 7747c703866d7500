import type { Cluster } from "@pgherd/layers/domain";
import { errorFields, log, newId } from "@pgherd/layers/runtime";
import type { ClusterScope } from "./create-cluster/records.ts";
import { runningNodes, runOn } from "./shards.ts";

/** A look at Patroni's configuration and a write into etcd. */
const applySeconds = 15;

/**
 * Where only members that must not lead are synchronous, all become so for a while: commits then wait for every
 * member, and any of them can take over without a loss. Patroni itself says who is synchronous, so that a failover
 * in the middle is as safe as at any time.
 */
export async function widenSynchronous(
  scope: ClusterScope,
  cluster: Cluster,
  shard: number,
  synchronousNodes: number,
): Promise<void> {
  await apply(scope, cluster, shard, synchronousNodes);
}

/** Back to what the spec asks for. Where nobody hears it, the next converge finds it as drift and does the same. */
export async function narrowSynchronous(scope: ClusterScope, cluster: Cluster, shard: number): Promise<void> {
  try {
    await apply(scope, cluster, shard, null);
  } catch (error) {
    const { clusterId } = scope;
    log("warn", "more standbys than the spec asks for stay synchronous", {
      clusterId,
      ...errorFields(error),
    });
  }
}

/** Any member can tell Patroni. */
async function apply(
  scope: ClusterScope,
  cluster: Cluster,
  shard: number,
  synchronousNodes: number | null,
): Promise<void> {
  const members = runningNodes(cluster.nodes).filter(
    (node) => node.shard === shard && node.services.includes("postgres"),
  );
  const { environment } = scope.ports.settings;
  // An id of its own: a node that knows the command would not carry it out again, and in between it was taken back.
  const own: ClusterScope = { ...scope, operationId: newId("operation") };
  const failures: unknown[] = [];
  for (const node of members) {
    const input = { environment, clusterId: cluster.id, nodeId: node.id, synchronousNodes };
    try {
      await runOn(own, node, "apply-dynamic-configuration", "synchronous", applySeconds, input);
      return;
    } catch (error) {
      failures.push(error);
    }
  }
  const last = failures.at(-1);
  throw last instanceof Error ? last : new Error(`shard ${shard} has no running member`);
}
