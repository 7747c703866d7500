import {
  type Cluster,
  type ClusterNode,
  type ClusterSpec,
  type ClusterStatus,
  type Operation,
  type OperationKind,
  Problem,
} from "@pgherd/layers/domain";
import { type Answer, type Call, checkIfMatch, entityTag } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "./context.ts";
import { accepted, countPerZone, newOperation, startEntry, startExecution, wouldDo } from "./mutation.ts";
import { acceptedAnswer, type DryRun, dryRunAnswer } from "./schemas.ts";

/** What a call wants done with a cluster that is there. */
export interface Undertaking {
  readonly kind: OperationKind;
  /** The cluster's status while the operation runs. */
  readonly status: ClusterStatus;
  /** One sentence in the imperative, for the audit trail and for `dryRun`. */
  readonly summary: string;
  readonly interrupts: readonly string[];
  readonly warnings?: readonly string[];
  /** What the workflow must know beside the spec. */
  readonly request?: Operation["request"];
  /** The spec from now on. */
  readonly spec?: ClusterSpec;
  /** New or changed nodes. */
  readonly nodes?: readonly ClusterNode[];
  /** More for the answer of `dryRun`. */
  readonly preview?: Partial<Pick<DryRun, "spec" | "nodesPerZone" | "preflight" | "changes">>;
}

/** Answers of every call that starts an operation on a cluster. */
export const operationResponses = {
  200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
  202: {
    description: "The cluster as it is meant to be, and the operation that makes it so.",
    schema: acceptedAnswer,
    headers: { Location: "Where to watch the operation.", ETag: "Generation of the cluster's spec." },
  },
} as const;

export const operationProblems = [
  "not-found",
  "wrong-status",
  "operation-in-progress",
  "precondition-failed",
] as const;

/**
 * Whether the verb makes sense now, before anybody is asked anything.
 * @throws {Problem} `precondition-failed`, `operation-in-progress`, `wrong-status`
 */
export function checkReady(
  call: Pick<Call, "ifMatch">,
  cluster: Cluster,
  verb: string,
  statuses: readonly ClusterStatus[],
): void {
  checkIfMatch(call.ifMatch, cluster.generation);
  if (cluster.activeOperationId !== null) {
    throw new Problem(
      "operation-in-progress",
      `Cluster ${cluster.id} runs operation ${cluster.activeOperationId}. Wait until it has ended, or cancel it.`,
    );
  }
  checkStatus(cluster, verb, statuses);
}

/** @throws {Problem} `wrong-status` */
export function checkStatus(cluster: Cluster, verb: string, statuses: readonly ClusterStatus[]): void {
  if (statuses.includes(cluster.status)) return;
  throw new Problem(
    "wrong-status",
    `A cluster can ${verb} while it is ${listed(statuses)}; cluster ${cluster.id} is ${cluster.status}. ${cluster.statusReason}`,
  );
}

/** "available", "available or degraded", "available, degraded or failed" */
function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
}

/** Writes the intent and starts the workflow, or with `dryRun` only says what would happen. */
export async function startOperation(
  context: ApiContext,
  call: Call<unknown, { dryRun: boolean }>,
  cluster: Cluster,
  undertaking: Undertaking,
): Promise<Answer> {
  if (call.query.dryRun) return dryRunOf(cluster, undertaking);
  const { kind, request, spec, status } = undertaking;
  const operation: Operation = {
    ...newOperation(kind, cluster.id, call.caller.principal),
    ...(request === undefined ? {} : { request }),
  };
  const { createdAt: at } = operation;
  const statusReason = `Operation ${operation.id} (${kind}) is at work.`;
  const audit = startEntry(call, operation, undertaking.summary);
  const after: Cluster = {
    ...cluster,
    ...(spec === undefined ? {} : { spec, generation: cluster.generation + 1 }),
    status,
    statusReason,
    activeOperationId: operation.id,
    updatedAt: at,
    nodes: nodesAfter(cluster, undertaking.nodes ?? []),
  };
  const answer = accepted(operation, { cluster: after, warnings: undertaking.warnings ?? [] });
  const tagged = { ...answer, headers: { ...answer.headers, etag: entityTag(after.generation) } };
  const claim = {
    status,
    statusReason,
    expectedGeneration: cluster.generation,
    ...(undertaking.nodes === undefined ? {} : { nodes: undertaking.nodes }),
  };
  await context.store.startOperation(
    { operation, audit, idempotency: call.remember(tagged) },
    spec === undefined ? claim : { ...claim, spec },
  );
  await startExecution(context, operation);
  return tagged;
}

function nodesAfter(cluster: Cluster, changed: readonly ClusterNode[]): ClusterNode[] {
  const byId = new Map([...cluster.nodes, ...changed].map((node) => [node.id, node]));
  return [...byId.values()];
}

function dryRunOf(cluster: Cluster, undertaking: Undertaking): Answer {
  return wouldDo(undertaking.kind, undertaking.summary, {
    nodesPerZone: countPerZone(undertaking.nodes ?? cluster.nodes),
    interrupts: [...undertaking.interrupts],
    warnings: [...(undertaking.warnings ?? [])],
    ...undertaking.preview,
  });
}
