import { defineRoute, noBody, noQuery, type Route } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { backupAnswer, backupParams } from "../schemas.ts";
import { findBackup } from "./find.ts";

export function getBackup(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/backups/{backupId}",
      operationId: "getBackup",
      tag: "backups",
      summary: "Get a backup",
      description:
        "Its type, size, WAL and who started it; while it runs, how much of it is copied. It stays when its cluster is deleted.",
      role: "viewer",
      isMutation: false,
      params: backupParams,
      query: noQuery,
      body: noBody,
      responses: { 200: { description: "The backup.", schema: backupAnswer } },
      problems: ["not-found"],
    },
    async ({ params }) => ({ status: 200, body: await findBackup(context, params) }),
  );
}
