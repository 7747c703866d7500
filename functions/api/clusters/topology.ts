import { defineRoute, noBody, noQuery, type Route } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams, topologyAnswer } from "../schemas.ts";
import { findCluster } from "./find.ts";

export function getTopology(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/topology",
      operationId: "getTopology",
      tag: "clusters",
      summary: "Get the live topology",
      description:
        "What Patroni and etcd say on the nodes: members, roles, lag, timelines, quorum. A node that no other sees is `unreachable`. `wrong-status` as long as no node runs.",
      role: "viewer",
      isMutation: false,
      params: clusterParams,
      query: noQuery,
      body: noBody,
      responses: { 200: { description: "At most two seconds old.", schema: topologyAnswer } },
      problems: ["not-found", "wrong-status", "cluster-unreachable"],
    },
    async ({ params }) => {
      const cluster = await findCluster(context, params.clusterId);
      return { status: 200, body: await context.observer.observe(cluster) };
    },
  );
}
