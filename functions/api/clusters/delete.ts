import { type Cluster, type Operation, Problem } from "@pgherd/layers/domain";
import {
  type Answer,
  type Call,
  checkIfMatch,
  defineRoute,
  dryRunQuery,
  noBody,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { accepted, auditEntry, countPerZone, newOperation, startExecution } from "../mutation.ts";
import { acceptedAnswer, clusterParams, type DryRun, dryRunAnswer } from "../schemas.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "delete",
  path: "/v1/clusters/{clusterId}",
  operationId: "deleteCluster",
  tag: "clusters",
  summary: "Delete a cluster",
  description:
    "Removes everything but the audit trail and the operations. There is no way back and no final backup. Deleting a cluster that is being deleted answers the operation that does it.",
  role: "admin",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: noBody,
  responses: {
    200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
    202: {
      description: "The cluster, and the operation that removes it.",
      schema: acceptedAnswer,
      headers: { Location: "Where to watch the operation." },
    },
  },
  problems: ["not-found", "deletion-protected", "operation-in-progress", "precondition-failed"],
} as const;

export function deleteCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkIfMatch(call.ifMatch, cluster.generation);
    if (cluster.spec.deletionProtection && hasSomethingToLose(cluster)) {
      throw new Problem(
        "deletion-protected",
        `Cluster ${cluster.id} ("${cluster.name}") has deletionProtection: it is not deleted as long as that is on.`,
      );
    }
    const active = await findActive(context, cluster);
    if (call.query.dryRun) return dryRun(cluster, active);
    if (active?.kind === "delete-cluster") return again(context, call, cluster, active);
    try {
      return await start(context, call, cluster);
    } catch (error) {
      const winner = isBusy(error) ? await findDelete(context, cluster.id) : null;
      if (winner === null) throw error;
      return again(context, call, winner.cluster, winner.operation);
    }
  });
}

async function start(context: ApiContext, call: Call, cluster: Cluster): Promise<Answer> {
  const operation = newOperation("delete-cluster", cluster.id, call.caller.principal);
  const { createdAt: at } = operation;
  const change = {
    status: "deleting",
    statusReason: `Operation ${operation.id} deletes the cluster.`,
  } as const;
  const audit = auditEntry(call, {
    action: "delete-cluster",
    clusterId: cluster.id,
    operationId: operation.id,
    at,
    detail: `Delete cluster "${cluster.name}".`,
  });
  const after = { ...cluster, ...change, activeOperationId: operation.id, updatedAt: at };
  const answer = accepted(operation, { cluster: after, warnings: [] });
  await context.store.startOperation(
    { operation, audit, idempotency: call.remember(answer) },
    { ...change, expectedGeneration: cluster.generation },
  );
  await startExecution(context, operation);
  return answer;
}

/** Nothing to write but the answer itself, where the caller wants it remembered. */
async function again(
  context: ApiContext,
  call: Call,
  cluster: Cluster,
  operation: Operation,
): Promise<Answer> {
  const answer = accepted(operation, { cluster, warnings: [] });
  const record = call.remember(answer);
  if (record !== null) await context.store.putIdempotencyRecord(record);
  return answer;
}

function dryRun(cluster: Cluster, active: Operation | null): Answer {
  if (active !== null && active.kind !== "delete-cluster") {
    throw new Problem("operation-in-progress", `Cluster ${cluster.id} runs operation ${active.id}.`);
  }
  const body: DryRun = {
    dryRun: true,
    kind: "delete-cluster",
    summary: `Delete cluster "${cluster.name}" with its data, passwords and certificates.`,
    nodesPerZone: countPerZone(cluster.nodes),
    interrupts: [`Every connection to cluster "${cluster.name}", for good.`],
    warnings: ["The data is gone afterwards: there is no final backup."],
  };
  return { status: 200, body };
}

async function findActive(context: ApiContext, cluster: Cluster): Promise<Operation | null> {
  if (cluster.activeOperationId === null) return null;
  return context.store.getOperation(cluster.activeOperationId);
}

/** Another call may have started a delete since this one looked. */
async function findDelete(
  context: ApiContext,
  clusterId: string,
): Promise<{ cluster: Cluster; operation: Operation } | null> {
  const cluster = await findCluster(context, clusterId);
  const operation = await findActive(context, cluster);
  return operation?.kind === "delete-cluster" ? { cluster, operation } : null;
}

/** A create that failed left nothing behind but its record, which protection must not keep for ever. */
const hasSomethingToLose = (cluster: Cluster): boolean =>
  cluster.status !== "failed" || cluster.nodes.length > 0;

const isBusy = (error: unknown): boolean =>
  error instanceof Problem && error.code === "operation-in-progress";
