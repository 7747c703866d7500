import { defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { restoreParams } from "../schemas.ts";
import { operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { requireKept } from "./kept.ts";
import { checkExchange } from "./restore-in-place.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/restore/{operationId}/rollback",
  operationId: "rollbackRestore",
  tag: "backups",
  summary: "Return to the data from before a restore in place",
  description:
    "As long as it is kept (`kept` of the cluster says until when). The cluster is stopped for it as for the restore, and what was committed since the restore is dropped; it stays in the archive. Where that fails, the restored data stays in service.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: restoreParams,
  query: z.strictObject(dryRunQuery),
  body: noBody,
  responses: operationResponses,
  problems: [...operationProblems, "backup-in-progress", "nothing-kept"],
} as const;

export function rollbackRestore(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkExchange(call, cluster, "return to what was before a restore");
    const { operationId, since } = await requireKept(context, cluster, call.params.operationId);
    return startOperation(context, call, cluster, {
      kind: "rollback-restore",
      status: "restoring",
      summary: `Return cluster "${cluster.name}" to its data from before restore ${operationId}.`,
      interrupts: [
        "Every connection to PostgreSQL, for about half a minute: clients of port 6432 wait, all others are refused.",
      ],
      warnings: [`What was committed since ${since} is in the database no more.`],
      request: { operationId },
    });
  });
}
