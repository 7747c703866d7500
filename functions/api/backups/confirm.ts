import { defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { restoreParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { requireKept } from "./kept.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/restore/{operationId}/confirm",
  operationId: "confirmRestore",
  tag: "backups",
  summary: "Drop the data from before a restore in place",
  description:
    "Frees its room on the volumes. There is no way back to it then but another restore: the archive has it as long as backups do. It is done by itself when the time is over for which it is kept.",
  role: "admin",
  isMutation: true,
  isConditional: true,
  params: restoreParams,
  query: z.strictObject(dryRunQuery),
  body: noBody,
  responses: operationResponses,
  problems: [...operationProblems, "nothing-kept"],
} as const;

export function confirmRestore(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkReady(call, cluster, "have a restore confirmed", ["available", "degraded"]);
    const { operationId } = await requireKept(context, cluster, call.params.operationId);
    return startOperation(context, call, cluster, {
      kind: "confirm-restore",
      status: cluster.status,
      summary: `Drop the data of cluster "${cluster.name}" from before restore ${operationId}.`,
      interrupts: [],
      request: { operationId },
    });
  });
}
