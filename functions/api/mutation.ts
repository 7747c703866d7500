import {
  type ClusterNode,
  type Operation,
  type OperationKind,
  pendingOperation,
} from "@pgherd/layers/domain";
import type { AuditEntry } from "@pgherd/layers/ports";
import { errorFields, newId } from "@pgherd/layers/runtime";
import type { Answer, Call } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "./context.ts";
import type { DryRun } from "./schemas.ts";

/** Asynchronous invokes answer in tens of milliseconds; nobody waits longer, because a reconciler starts what was lost. */
const startTimeoutMs = 2_000;

export function newOperation(kind: OperationKind, clusterId: string, startedBy: string): Operation {
  return pendingOperation({
    id: newId("operation"),
    clusterId,
    kind,
    startedBy,
    createdAt: new Date().toISOString(),
  });
}

export function auditEntry(
  { caller, requestId }: Pick<Call, "caller" | "requestId">,
  what: { action: string; clusterId: string; operationId: string; at: string; detail: string },
): AuditEntry {
  const { principal, role, sourceAddress } = caller;
  return { id: newId("audit"), ...what, principal, role, sourceAddress, requestId };
}

/** That the call has started the operation. */
export const startEntry = (
  call: Pick<Call, "caller" | "requestId">,
  { clusterId, createdAt: at, id: operationId, kind: action }: Operation,
  detail: string,
): AuditEntry => auditEntry(call, { action, clusterId, operationId, at, detail });

/** 200 with what would happen; nothing is written. */
export function wouldDo(
  kind: DryRun["kind"],
  summary: string,
  more: Partial<Omit<DryRun, "dryRun" | "kind" | "summary">> = {},
): Answer {
  const body: DryRun = {
    dryRun: true,
    kind,
    summary,
    nodesPerZone: {},
    interrupts: [],
    warnings: [],
    ...more,
  };
  return { status: 200, body };
}

/** 202 with where to watch. */
export function accepted(operation: Operation, body: Record<string, unknown>): Answer {
  return {
    status: 202,
    body: { ...body, operation },
    headers: { location: `/v1/operations/${operation.id}`, "retry-after": "1" },
  };
}

/** The operation is written: not being able to start it now is for the log and the reconciler, not for the caller. */
export async function startExecution(context: ApiContext, operation: Operation): Promise<void> {
  const { id: operationId, clusterId, kind } = operation;
  const timer = Promise.withResolvers<never>();
  const handle = setTimeout(
    () => timer.reject(new Error(`no answer within ${startTimeoutMs} ms`)),
    startTimeoutMs,
  );
  try {
    await Promise.race([context.executions.start(kind, { operationId, clusterId }), timer.promise]);
  } catch (error) {
    context.log("error", "the execution could not be started", { operationId, kind, ...errorFields(error) });
  } finally {
    clearTimeout(handle);
  }
}

export function countPerZone(nodes: readonly ClusterNode[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { zone } of nodes) counts[zone] = (counts[zone] ?? 0) + 1;
  return counts;
}
