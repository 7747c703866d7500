import { type ClusterStatus, Problem } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const statuses: readonly ClusterStatus[] = ["available", "degraded"];

export function resumeCluster(context: ApiContext): Route {
  return defineRoute(
    {
      method: "post",
      path: "/v1/clusters/{clusterId}/resume",
      operationId: "resumeCluster",
      tag: "clusters",
      summary: "Resume failover",
      description: "Ends the pause: from then on Patroni fails over and repairs by itself again.",
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
      checkReady(call, cluster, "be resumed", statuses);
      if (cluster.paused === null) {
        throw new Problem("wrong-status", `Cluster ${cluster.id} is not paused: there is nothing to resume.`);
      }
      return startOperation(context, call, cluster, {
        kind: "resume-cluster",
        status: cluster.status,
        summary: `Resume failover of cluster "${cluster.name}".`,
        interrupts: [],
      });
    },
  );
}
