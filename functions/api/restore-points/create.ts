import { type Cluster, newRestorePoint, Problem, pointNameSchema } from "@pgherd/layers/domain";
import { checkIfMatch, defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { accepted, newOperation, startEntry, startExecution, wouldDo } from "../mutation.ts";
import { clusterParams, dryRunAnswer, restorePointAcceptedAnswer } from "../schemas.ts";
import { checkStatus } from "../start-operation.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/restore-points",
  operationId: "createRestorePoint",
  tag: "backups",
  summary: "Make a restore point",
  description:
    "Writes a named point into the leader's WAL: `restore` gets to exactly there with `{\"name\"}`. It goes on beside everything else and takes a moment; the operation's result has the LSN. A name is used once in a cluster's life, because PostgreSQL ends a recovery at the first point of a name.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: named(
    "CreateRestorePoint",
    z.strictObject({
      name: pointNameSchema.meta({
        description:
          "1 to 63 characters: letters, digits, dots, underscores, colons and hyphens, a letter or digit first.",
      }),
    }),
  ),
  example: { name: "before-release-42" },
  responses: {
    200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
    202: {
      description: "The restore point as it is now, and the operation that makes it.",
      schema: restorePointAcceptedAnswer,
      headers: { Location: "Where to watch the operation." },
    },
  },
  problems: ["not-found", "wrong-status", "restore-point-exists", "precondition-failed"],
} as const;

export function createRestorePoint(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkIfMatch(call.ifMatch, cluster.generation);
    checkStatus(cluster, "have a restore point made", ["available", "degraded", "updating"]);
    const { name } = call.body;
    const summary = `Make restore point "${name}" in cluster "${cluster.name}".`;
    const warnings = await warningsOf(context, cluster);
    if (call.query.dryRun) {
      await checkFree(context, cluster, name);
      return wouldDo("create-restore-point", summary, { warnings });
    }
    const operation = {
      ...newOperation("create-restore-point", cluster.id, call.caller.principal),
      request: { name },
    };
    const { createdAt, id: operationId, startedBy } = operation;
    const point = newRestorePoint({
      name,
      clusterId: cluster.id,
      shard: 0,
      operationId,
      startedBy,
      startedAt: createdAt,
    });
    const audit = startEntry(call, operation, summary);
    const answer = accepted(operation, { restorePoint: point, warnings });
    const start = { operation, audit, idempotency: call.remember(answer) };
    await context.store.startRestorePoint(start, point);
    await startExecution(context, operation);
    return answer;
  });
}

/** A point is reached from a backup before it. */
async function warningsOf({ store }: ApiContext, { id }: Cluster): Promise<string[]> {
  return (await store.hasBackups(id))
    ? []
    : ["There is no backup yet: only from one that was taken before the point can it be reached."];
}

/** For dry runs: what is written claims the name itself. */
async function checkFree({ store }: ApiContext, { id }: Cluster, name: string): Promise<void> {
  if ((await store.findRestorePoint(id, name)) === null) return;
  throw new Problem(
    "restore-point-exists",
    `Cluster ${id} has a restore point "${name}" already: choose another name.`,
    { errors: [{ path: "/name", message: "must be unique among the cluster's restore points" }] },
  );
}
