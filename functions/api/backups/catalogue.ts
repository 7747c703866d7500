import { type Backup, clusterIdSchema } from "@pgherd/layers/domain";
import { defineRoute, noBody, noParams, pageQuery, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { backupCatalogue } from "../schemas.ts";

export function listAllBackups(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/backups",
      operationId: "listAllBackups",
      tag: "backups",
      summary: "List the backups of all clusters",
      description:
        "Newest first, also those of clusters that were deleted, with the cluster's name and until when they are kept. `clusterId` narrows it down to one cluster. Without it, a backup that was just begun can be missing for a moment.",
      role: "viewer",
      isMutation: false,
      params: noParams,
      query: z.strictObject({
        ...pageQuery,
        clusterId: clusterIdSchema
          .optional()
          .meta({ description: "Of this cluster alone, whether it is there or was deleted." }),
      }),
      body: noBody,
      responses: { 200: { description: "A page of backups.", schema: backupCatalogue } },
      problems: ["not-found"],
    },
    async ({ query: { clusterId, cursor, limit } }) => {
      const { store } = context;
      const asked = { clusterId: clusterId ?? null, limit, cursor: cursor ?? null };
      const { items, nextCursor } = await store.listBackups(asked);
      if (items.length === 0 && clusterId !== undefined) await checkKnown(context, clusterId);
      return { status: 200, body: { items: await withClusters(context, items), nextCursor } };
    },
  );
}

/** @throws {Problem} `not-found` */
async function checkKnown(context: ApiContext, clusterId: string): Promise<void> {
  if ((await context.store.getDeletedCluster(clusterId)) === null) await findCluster(context, clusterId);
}

async function withClusters({ store }: ApiContext, backups: readonly Backup[]) {
  const ids = [...new Set(backups.map(({ clusterId }) => clusterId))];
  const clusters = new Map(
    await Promise.all(
      ids.map(async (id) => {
        const cluster = await store.getCluster(id);
        const deleted = cluster === null ? await store.getDeletedCluster(id) : null;
        const clusterName = cluster?.name ?? deleted?.name ?? null;
        return [id, { clusterName, keptUntil: deleted?.keptUntil ?? null }] as const;
      }),
    ),
  );
  return backups.map((backup) => ({
    ...backup,
    ...(clusters.get(backup.clusterId) ?? { clusterName: null, keptUntil: null }),
  }));
}
