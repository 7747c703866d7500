import { type Cluster, type ClusterStatus, Problem } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const statuses: readonly ClusterStatus[] = ["available", "degraded"];

export function stopCluster(context: ApiContext): Route {
  return defineRoute(
    {
      method: "post",
      path: "/v1/clusters/{clusterId}/stop",
      operationId: "stopCluster",
      tag: "clusters",
      summary: "Stop a cluster",
      description:
        "Shuts every instance down in order: clients are let go, then replicas, then the leader with its last checkpoint. Data, addresses and volumes stay, and cost what volumes cost. A cluster that is paused has to be resumed first. A cancel leaves what is stopped stopped: start brings it back, stop goes on.",
      role: "operator",
      isMutation: true,
      isConditional: true,
      params: clusterParams,
      query: z.strictObject(dryRunQuery),
      body: noBody,
      responses: operationResponses,
      problems: operationProblems,
    },
    async (call) => {
      const cluster = await findCluster(context, call.params.clusterId);
      checkReady(call, cluster, "be stopped", statuses);
      refusePaused(cluster, "be stopped");
      return startOperation(context, call, cluster, {
        kind: "stop-cluster",
        status: "stopping",
        summary: `Stop cluster "${cluster.name}".`,
        interrupts: [`Every connection to cluster "${cluster.name}", until it is started.`],
      });
    },
  );
}

/** In maintenance mode Patroni neither stops nor starts PostgreSQL. */
export function refusePaused(cluster: Cluster, verb: string): void {
  if (cluster.paused === null) return;
  throw new Problem(
    "wrong-status",
    `Cluster ${cluster.id} has been paused since ${cluster.paused.since}: resume it, then it can ${verb}.`,
  );
}
