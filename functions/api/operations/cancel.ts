import { cancellations, endedStates, isCancellable, type Operation, Problem } from "@pgherd/layers/domain";
import {
  type Answer,
  type Call,
  defineRoute,
  dryRunQuery,
  noBody,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { accepted, auditEntry, wouldDo } from "../mutation.ts";
import { cancelAnswer, dryRunAnswer, operationParams } from "../schemas.ts";
import { findOperation } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/operations/{operationId}/cancel",
  operationId: "cancelOperation",
  tag: "operations",
  summary: "Cancel an operation",
  description:
    "Asks the operation to stop where it can; it then ends as `cancelled`. A create undoes what it did; every other one leaves what is done done, and `dryRun=true` says what that is. An operation that is past the point where it could stop ends as if nobody had asked. The delete of a backup cannot be cancelled (`wrong-status`), nor can that of a cluster once its final backup is taken: what was removed does not come back.",
  role: "operator",
  isMutation: true,
  params: operationParams,
  query: z.strictObject(dryRunQuery),
  body: noBody,
  responses: {
    200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
    202: {
      description: "The operation has been asked to stop.",
      schema: cancelAnswer,
      headers: { Location: "Where to watch the operation." },
    },
  },
  problems: ["not-found", "operation-ended", "wrong-status"],
} as const;

export function cancelOperation(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const operation = await findOperation(context, call.params.operationId);
    checkCancellable(operation);
    if (call.query.dryRun) return dryRun(operation);
    return cancel(context, call, operation);
  });
}

function checkCancellable(operation: Operation): void {
  if (endedStates.includes(operation.state)) {
    throw new Problem("operation-ended", `Operation ${operation.id} has already ended: ${operation.state}.`);
  }
  if (!isCancellable(operation)) {
    const { leaves } = cancellations[operation.kind];
    throw new Problem("wrong-status", `This ${operation.kind} cannot be cancelled. ${leaves}`);
  }
}

async function cancel(context: ApiContext, call: Call, operation: Operation): Promise<Answer> {
  const answer = accepted({ ...operation, cancelRequested: true }, {});
  const idempotency = call.remember(answer);
  if (operation.cancelRequested) {
    if (idempotency !== null) await context.store.putIdempotencyRecord(idempotency);
    return answer;
  }
  const audit = auditEntry(call, {
    action: "cancel-operation",
    clusterId: operation.clusterId,
    operationId: operation.id,
    at: new Date().toISOString(),
    detail: `Cancel ${operation.kind}.`,
  });
  await context.store.requestCancel(operation.id, audit, idempotency);
  return answer;
}

function dryRun({ id, kind }: Operation): Answer {
  const { heeded, leaves } = cancellations[kind];
  return wouldDo("cancel-operation", `Cancel ${kind} ${id}. Heeded: ${heeded} What it leaves: ${leaves}`);
}
