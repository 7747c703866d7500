import { type Cluster, type ClusterStatus, Problem } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const statuses: readonly ClusterStatus[] = ["available", "degraded"];
/** Shorter than a reconciler's minute makes no sense; who needs longer than a month wants no end. */
const pauseSeconds = { min: 60, max: 31 * 24 * 3600 } as const;

const body = z
  .strictObject({
    untilSeconds: z.int().min(pauseSeconds.min).max(pauseSeconds.max).optional().meta({
      description: "The pause ends by itself after so many seconds. Default: only when someone resumes.",
    }),
  })
  .optional();

export function pauseCluster(context: ApiContext): Route {
  return defineRoute(
    {
      method: "post",
      path: "/v1/clusters/{clusterId}/pause",
      operationId: "pauseCluster",
      tag: "clusters",
      summary: "Pause failover",
      description:
        "Patroni's maintenance mode: clients go on, but nothing fails over and nothing is restarted by itself until the cluster is resumed. `statusReason` reminds of it.",
      role: "operator",
      isMutation: true,
      isConditional: true,
      params: clusterParams,
      query: z.strictObject(dryRunQuery),
      body: named("PauseCluster", body),
      example: { untilSeconds: 3600 },
      responses: operationResponses,
      problems: operationProblems,
    },
    async (call) => {
      const cluster = await findCluster(context, call.params.clusterId);
      checkReady(call, cluster, "be paused", statuses);
      refuseTwice(cluster);
      const now = Date.now();
      const seconds = call.body?.untilSeconds;
      const until = seconds === undefined ? null : new Date(now + seconds * 1000).toISOString();
      return startOperation(context, call, cluster, {
        kind: "pause-cluster",
        status: cluster.status,
        summary: `Pause failover of cluster "${cluster.name}"${until === null ? "" : ` until ${until}`}.`,
        interrupts: ["Automatic failover and repair, as long as the pause lasts."],
        request: { since: new Date(now).toISOString(), until },
      });
    },
  );
}

function refuseTwice({ id, paused }: Cluster): void {
  if (paused === null) return;
  const end = paused.until === null ? "until someone resumes it" : `until ${paused.until}`;
  throw new Problem("wrong-status", `Cluster ${id} has been paused since ${paused.since} ${end} already.`);
}
