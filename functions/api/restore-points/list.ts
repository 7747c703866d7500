import { defineRoute, noBody, pageQuery, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { clusterParams, restorePointList } from "../schemas.ts";

export function listRestorePoints(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/restore-points",
      operationId: "listRestorePoints",
      tag: "backups",
      summary: "List a cluster's restore points",
      description:
        "Newest first, with time, LSN and timeline. They stay as long as the cluster's backups do, also when the cluster is deleted.",
      role: "viewer",
      isMutation: false,
      params: clusterParams,
      query: z.strictObject(pageQuery),
      body: noBody,
      responses: { 200: { description: "A page of restore points.", schema: restorePointList } },
      problems: ["not-found"],
    },
    async ({ params: { clusterId }, query: { cursor, limit } }) => {
      const page = await context.store.listRestorePoints({ clusterId, limit, cursor: cursor ?? null });
      if (page.items.length === 0) await findCluster(context, clusterId);
      return { status: 200, body: page };
    },
  );
}
