import { clusterIdSchema } from "@pgherd/layers/domain";
import { defineRoute, noBody, noParams, pageQuery, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { operationList } from "../schemas.ts";

export function listOperations({ store }: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/operations",
      operationId: "listOperations",
      tag: "operations",
      summary: "List operations",
      description: "Newest first, of all clusters or of one, deleted ones too.",
      role: "viewer",
      isMutation: false,
      params: noParams,
      query: z.strictObject({
        ...pageQuery,
        clusterId: clusterIdSchema.optional().meta({ description: "Only operations of this cluster." }),
      }),
      body: noBody,
      responses: { 200: { description: "A page of operations.", schema: operationList } },
      problems: [],
    },
    async ({ query: { limit, cursor, clusterId } }) => ({
      status: 200,
      body: await store.listOperations({ limit, cursor: cursor ?? null, clusterId: clusterId ?? null }),
    }),
  );
}
