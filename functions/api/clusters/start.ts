import { type Cluster, Problem } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

export function startCluster(context: ApiContext): Route {
  return defineRoute(
    {
      method: "post",
      path: "/v1/clusters/{clusterId}/start",
      operationId: "startCluster",
      tag: "clusters",
      summary: "Start a stopped cluster",
      description:
        "Starts every instance again, or another one on the node's address and volume where it is gone, renews the certificates and waits until every member streams. Also goes on with a start or a stop that did not come to its end.",
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
      checkReady(call, cluster, "be started", ["stopped", "degraded"]);
      refuseRunning(cluster);
      return startOperation(context, call, cluster, {
        kind: "start-cluster",
        status: "starting",
        summary: `Start cluster "${cluster.name}".`,
        interrupts: [],
      });
    },
  );
}

/** A degraded cluster whose nodes all run has nothing to be started. */
function refuseRunning(cluster: Cluster): void {
  if (cluster.status === "stopped" || cluster.nodes.some((node) => node.state === "stopped")) return;
  throw new Problem(
    "wrong-status",
    `A cluster can be started while it is stopped, or degraded with stopped nodes; every node of cluster ${cluster.id} runs. ${cluster.statusReason}`,
  );
}
