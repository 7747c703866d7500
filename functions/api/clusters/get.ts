import { withUpcoming } from "@pgherd/layers/domain";
import { defineRoute, entityTag, noBody, noQuery, type Route } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterAnswer, clusterParams } from "../schemas.ts";
import { findCluster } from "./find.ts";

export function getCluster(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}",
      operationId: "getCluster",
      tag: "clusters",
      summary: "Get a cluster",
      description:
        "Spec, status and nodes as they are known, and the next times at which backups are taken. `topology` has what is true on the nodes now.",
      role: "viewer",
      isMutation: false,
      params: clusterParams,
      query: noQuery,
      body: noBody,
      responses: {
        200: {
          description: "The cluster.",
          schema: clusterAnswer,
          headers: { ETag: "Generation of the cluster's spec, for `If-Match`." },
        },
      },
      problems: ["not-found"],
    },
    async ({ params }) => {
      const cluster = await findCluster(context, params.clusterId);
      const schedules =
        cluster.schedules === null ? null : withUpcoming(cluster.schedules, new Date().toISOString());
      return {
        status: 200,
        body: { ...cluster, schedules },
        headers: { etag: entityTag(cluster.generation) },
      };
    },
  );
}
