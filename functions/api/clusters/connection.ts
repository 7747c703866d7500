import { describeConnection, Problem } from "@pgherd/layers/domain";
import { defineRoute, noBody, noQuery, type Route } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams, connectionAnswer } from "../schemas.ts";
import { findCluster } from "./find.ts";

export function getConnection(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/connection",
      operationId: "getConnection",
      tag: "clusters",
      summary: "Get how to connect",
      description:
        "Hosts and port per purpose, the CA certificate and the names of the parameters that hold the passwords. No password passes through the API. `wrong-status` as long as the cluster has no addresses or no certificate.",
      role: "viewer",
      isMutation: false,
      params: clusterParams,
      query: noQuery,
      body: noBody,
      responses: { 200: { description: "How to connect.", schema: connectionAnswer } },
      problems: ["not-found", "wrong-status"],
    },
    async ({ params }) => {
      const [cluster, certificate] = await Promise.all([
        findCluster(context, params.clusterId),
        context.store.getAuthorityCertificate(params.clusterId),
      ]);
      const connection =
        certificate === null ? null : describeConnection(cluster, context.settings.environment, certificate);
      if (connection === null) {
        throw new Problem(
          "wrong-status",
          `Cluster ${cluster.id} cannot be connected to yet: it is ${cluster.status}. ${cluster.statusReason}`,
        );
      }
      return { status: 200, body: connection };
    },
  );
}
