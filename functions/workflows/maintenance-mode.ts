import { type Pause, shardsOf, wellSentence, withPauseReminder } from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import type { Workflow } from "@pgherd/layers/runtime/workflow";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";
import type { ClusterPorts } from "./ports.ts";
import { runningNodes, runOn } from "./shards.ts";

/** A leader's key may be waited for; then Patroni notices within one loop, ten seconds in the slowest profile. */
const noticeSeconds = 60;
/** What every other member would say, too. */
const noKey = "leader-without-key";

/** Switches Patroni's maintenance mode in every shard, and says so on the cluster. */
export async function setMaintenanceMode(scope: ClusterScope, paused: Pause | null): Promise<void> {
  const { nodes } = await readCluster(scope);
  for (const shard of shardsOf(nodes)) await switchShard(scope, shard, paused !== null);
  const { store } = scope.ports;
  await store.recordOnCluster(scope.clusterId, scope.operationId, { paused });
  await sayStatus(scope);
}

/** A cluster that was degraded still is, until the next look; what its status says was the operation's own. */
export async function sayStatus(scope: ClusterScope): Promise<void> {
  const cluster = await readCluster(scope);
  const status = cluster.status === "degraded" ? "degraded" : "available";
  const sentence = status === "available" ? wellSentence : "What is wrong is said again at the next look.";
  const reason = withPauseReminder(sentence, cluster.paused);
  await scope.ports.store.updateClusterStatus(cluster.id, status, reason);
}

/** The last act has said how the cluster is; one that did not come to its end leaves somebody something to do. */
export const statusAtEnd: Workflow<ClusterPorts>["statusAt"] = (ending) =>
  ending.state === "succeeded" ? null : { status: "degraded", statusReason: ending.message };

/** Any member can tell Patroni. */
export async function switchShard(scope: ClusterScope, shard: number, paused: boolean): Promise<void> {
  const { nodes } = await readCluster(scope);
  const members = runningNodes(nodes).filter(
    (node) => node.shard === shard && node.services.includes("postgres"),
  );
  const failures: unknown[] = [];
  for (const node of members) {
    try {
      await runOn(scope, node, "set-pause", `pause-${shard}`, noticeSeconds, {
        environment: scope.ports.settings.environment,
        clusterId: scope.clusterId,
        nodeId: node.id,
        shard,
        paused,
        deadlineSeconds: noticeSeconds,
      });
      return;
    } catch (error) {
      if (error instanceof CommandError && error.code === noKey) throw error;
      failures.push(error);
    }
  }
  const last = failures.at(-1);
  throw last instanceof Error ? last : new Error(`shard ${shard} has no running member`);
}
