import { defineRoute, noBody, noParams, pageQuery, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterList } from "../schemas.ts";

export function listClusters({ store }: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters",
      operationId: "listClusters",
      tag: "clusters",
      summary: "List clusters",
      description: "Newest first. A cluster that was just created can be missing for a moment.",
      role: "viewer",
      isMutation: false,
      params: noParams,
      query: z.strictObject(pageQuery),
      body: noBody,
      responses: { 200: { description: "A page of clusters.", schema: clusterList } },
      problems: [],
    },
    async ({ query }) => ({
      status: 200,
      body: await store.listClusters({ limit: query.limit, cursor: query.cursor ?? null }),
    }),
  );
}
