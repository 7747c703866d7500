import { defineRoute, noBody, pageQuery, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams, eventList } from "../schemas.ts";
import { findCluster } from "./find.ts";

export function listEvents(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/events",
      operationId: "listEvents",
      tag: "clusters",
      summary: "List a cluster's audit trail",
      description:
        "Who did what, when and from where, newest first: every mutation that was accepted, and every operation's end. It stays when the cluster is deleted.",
      role: "viewer",
      isMutation: false,
      params: clusterParams,
      query: z.strictObject(pageQuery),
      body: noBody,
      responses: { 200: { description: "A page of events.", schema: eventList } },
      problems: ["not-found"],
    },
    async ({ params: { clusterId }, query }) => {
      const page = await context.store.listAuditEntries({
        clusterId,
        limit: query.limit,
        cursor: query.cursor ?? null,
      });
      if (page.items.length === 0) await findCluster(context, clusterId);
      return { status: 200, body: page };
    },
  );
}
