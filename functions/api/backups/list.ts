import { restoreWindow } from "@pgherd/layers/domain";
import { defineRoute, noBody, pageQuery, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { backupList, clusterParams } from "../schemas.ts";

export function listBackups(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/backups",
      operationId: "listBackups",
      tag: "backups",
      summary: "List a cluster's backups",
      description:
        "Newest first, with those that failed. `restoreWindow` is what can be restored to: every moment from the end of the first backup to the last WAL that is known to be archived, which is looked at about once a minute. Backups stay when their cluster is deleted, for as long as `keptUntil` says.",
      role: "viewer",
      isMutation: false,
      params: clusterParams,
      query: z.strictObject(pageQuery),
      body: noBody,
      responses: { 200: { description: "A page of backups.", schema: backupList } },
      problems: ["not-found"],
    },
    async ({ params: { clusterId }, query: { cursor, limit } }) => {
      const { store } = context;
      const [page, all, health, cluster, deleted] = await Promise.all([
        store.listBackups({ clusterId, limit, cursor: cursor ?? null }),
        store.allBackups(clusterId),
        store.readHealth(clusterId),
        store.getCluster(clusterId),
        store.getDeletedCluster(clusterId),
      ]);
      if (all.length === 0) await findCluster(context, clusterId);
      const kept = cluster === null ? deleted : null;
      const archivedUntil = kept === null ? health.archivedUntil : kept.archivedUntil;
      const body = {
        ...page,
        restoreWindow: restoreWindow(all, archivedUntil),
        keptUntil: kept?.keptUntil ?? null,
      };
      return { status: 200, body };
    },
  );
}
