import type { DurableContext } from "@aws/durable-execution-sdk-js";
import { metricNames } from "../../domain/metrics.ts";
import {
  healthTells,
  type OperationKind,
  type OperationState,
  type OperationStep,
} from "../../domain/operation/operation.ts";
import { systemEntry } from "../audit.ts";
import { newId } from "../ids.ts";
import { publishMetrics } from "../metrics.ts";
import type { Ending, Scope, Workflow } from "./declaration.ts";
import { isPassing } from "./failure.ts";
import type { WorkflowPorts } from "./run.ts";
import type { Mark } from "./turn.ts";

/** What the end of an operation needs to know of it. */
interface Ended<Ports> extends Pick<Workflow<Ports>, "kind" | "statusAt" | "atEnd"> {
  readonly context: DurableContext;
  readonly scope: Scope<Ports>;
}

/** Steps outside the acts (opening, planning, end) are tried this often. */
const attemptsMax = 8;
/** Pauses between those tries grow to this. */
const pauseSecondsMax = 20;

export const patient = {
  retryStrategy: (error: Error, attempts: number) => ({
    shouldRetry: isPassing(error) && attempts < attemptsMax,
    delay: { seconds: Math.min(2 ** (attempts - 1), pauseSecondsMax) },
  }),
};

export const sentence = (message: string): string => (/[.!?]$/.test(message) ? message : `${message}.`);

/** Writes the end once: time and id of the audit entry are decided in a step of their own. */
export async function end<Ports extends WorkflowPorts>(
  run: Ended<Ports>,
  ending: Ending,
  marks: readonly Mark[],
): Promise<{ state: OperationState }> {
  const { atEnd, context, kind, scope, statusAt } = run;
  const { store } = scope.ports;
  const { endedAt, auditId } = await context.step(
    "decide the end",
    async () => ({ endedAt: new Date().toISOString(), auditId: newId("audit") }),
    patient,
  );
  await context.step(
    "end",
    async () => {
      const operation = await store.getOperation(scope.operationId);
      const steps = operation?.steps ?? [];
      const left = steps.filter((step) => marks.every((mark) => mark.name !== step.name)).flatMap(leftOver);
      const ended = [...marks, ...left].map(({ detail: said, endedAt, name, state }): OperationStep => {
        const known = steps.find((step) => step.name === name);
        const detail = said ?? known?.detail;
        const startedAt = known?.startedAt ?? null;
        return { name, state, startedAt, endedAt, ...(detail === undefined ? {} : { detail }) };
      });
      await store.updateSteps(scope.operationId, ended);
      await atEnd?.(scope, ending);
      const entry = systemEntry({
        id: auditId,
        clusterId: scope.clusterId,
        at: endedAt,
        action: `${kind}-${ending.state}`,
        operationId: scope.operationId,
        detail: ending.state === "succeeded" ? "" : ending.message,
      });
      await store.putAuditEntry(entry);
      const cluster = statusAt(ending, scope.request);
      await store.endOperation(scope.operationId, {
        state: ending.state,
        endedAt,
        ...(ending.state === "succeeded" ? {} : { error: { code: ending.code, message: ending.message } }),
        ...(cluster === null ? {} : { cluster }),
      });
      if (ending.state === "failed" && !healthTells(kind)) countFailure(kind, scope, ending.code);
    },
    patient,
  );
  return { state: ending.state };
}

function countFailure<Ports extends WorkflowPorts>(
  kind: OperationKind,
  { clusterId, operationId, ports }: Scope<Ports>,
  code: string,
): void {
  publishMetrics(
    { Environment: ports.settings.environment },
    [{ name: metricNames.operationsFailed, unit: "Count", value: 1 }],
    { clusterId, operationId, kind, code },
  );
}

/** Steps that nobody came to, and those that an execution was at when it was lost. */
function leftOver(step: OperationStep): Mark[] {
  const mark = { name: step.name, endedAt: null, detail: null };
  switch (step.state) {
    case "pending":
      return [{ ...mark, state: "skipped" }];
    case "running":
      return [{ ...mark, state: "failed", detail: "It was lost with its execution." }];
    case "undoing":
      return [{ ...mark, state: "undo-failed" }];
    case "succeeded":
    case "failed":
    case "undone":
    case "undo-failed":
    case "skipped":
      return [];
  }
}
