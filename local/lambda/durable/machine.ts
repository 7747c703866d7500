import { ServiceError } from "../../endpoints/service.ts";
import type { ErrorObject, OperationRecord, OperationStatus, OperationUpdate } from "./types.ts";
import { validateUpdate, validateUpdates } from "./validation.ts";

/**
 * The state machine of a durable execution's operations: pure, time comes in as an argument. Every function answers
 * the operations that it changed.
 */
export type Operations = ReadonlyMap<string, OperationRecord>;

/** AWS's limit per execution. */
const operationsMax = 3_000;
/**
 * A client's timer may fire this much before the time it waits for; then its question must not come too early,
 * because the SDK asks again only after a whole second.
 */
const earlyTimerMs = 10;

const ended: readonly OperationStatus[] = ["SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"];

/** What one checkpoint's updates make of the operations. @throws {ServiceError} as AWS refuses updates. */
export function applyUpdates(
  operations: Operations,
  updates: readonly OperationUpdate[],
  now: number,
  newCallbackId: (operationId: string) => string,
): readonly OperationRecord[] {
  validateUpdates(operations, updates);
  const changed = new Map<string, OperationRecord>();
  let sequence = operations.size;
  for (const update of updates) {
    if (update.Type === "EXECUTION") continue;
    const id = update.Id ?? "";
    const current = changed.get(id) ?? operations.get(id);
    validateUpdate(update, current);
    const started = current ?? startOperation(update, id, sequence++, now, newCallbackId);
    changed.set(id, advanceOperation(started, update, now));
  }
  if (sequence > operationsMax) {
    throw new ServiceError(
      "InvalidParameterValueException",
      `An execution has at most ${operationsMax} operations.`,
    );
  }
  return [...changed.values()];
}

/** Operations whose time has come: waits that end, retries that may run, callbacks that nobody answered. */
export function advanceTime(operations: Operations, now: number): readonly OperationRecord[] {
  const changed: OperationRecord[] = [];
  for (const operation of operations.values()) {
    const due = dueAt(operation);
    if (due === null || due > now + earlyTimerMs) continue;
    changed.push(elapse(operation, Math.max(now, due)));
  }
  return changed;
}

/** When the next operation is due; null: none waits for time. */
export function nextDueAt(operations: Operations): number | null {
  let next: number | null = null;
  for (const operation of operations.values()) {
    const due = dueAt(operation);
    if (due !== null && (next === null || due < next)) next = due;
  }
  return next;
}

/** True while something outside of the function will go on: time, a callback, another function. */
export function isWaiting(operations: Operations): boolean {
  for (const operation of operations.values()) {
    if (operation.status === "PENDING") return true;
    const outside =
      operation.type === "WAIT" || operation.type === "CALLBACK" || operation.type === "CHAINED_INVOKE";
    if (outside && operation.status === "STARTED") return true;
  }
  return false;
}

/** Ends an operation from outside of the function: a callback's answer, a chained function's result. */
export function endOperation(
  operation: OperationRecord,
  status: "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "STOPPED",
  outcome: { result?: string | undefined; error?: ErrorObject | undefined },
  now: number,
): OperationRecord {
  return { ...operation, status, endedAt: now, result: outcome.result, error: outcome.error };
}

export function isEnded(status: OperationStatus): boolean {
  return ended.includes(status);
}

function dueAt(operation: OperationRecord): number | null {
  if (operation.type === "STEP") {
    return operation.status === "PENDING" ? (operation.nextAttemptAt ?? operation.startedAt) : null;
  }
  if (operation.status !== "STARTED") return null;
  if (operation.type === "WAIT") return operation.scheduledEndAt ?? operation.startedAt;
  if (operation.type === "CALLBACK") {
    const heartbeat =
      operation.heartbeatTimeoutMs === undefined
        ? Number.POSITIVE_INFINITY
        : (operation.heartbeatAt ?? operation.startedAt) + operation.heartbeatTimeoutMs;
    const due = Math.min(operation.timeoutAt ?? Number.POSITIVE_INFINITY, heartbeat);
    return Number.isFinite(due) ? due : null;
  }
  return null;
}

function elapse(operation: OperationRecord, now: number): OperationRecord {
  switch (operation.type) {
    case "STEP":
      return { ...operation, status: "READY", nextAttemptAt: undefined };
    case "WAIT":
      return { ...operation, status: "SUCCEEDED", endedAt: now };
    default:
      return endOperation(
        operation,
        "TIMED_OUT",
        { error: { ErrorType: "Callback.Timeout", ErrorMessage: "Callback timed out" } },
        now,
      );
  }
}

function startOperation(
  update: OperationUpdate,
  id: string,
  sequence: number,
  now: number,
  newCallbackId: (operationId: string) => string,
): OperationRecord {
  const operation: OperationRecord = {
    id,
    sequence,
    parentId: update.ParentId,
    name: update.Name,
    type: update.Type ?? "STEP",
    subType: update.SubType,
    status: "STARTED",
    startedAt: now,
  };
  switch (operation.type) {
    case "WAIT":
      return { ...operation, scheduledEndAt: now + secondsToMs(update.WaitOptions?.WaitSeconds ?? 0) };
    case "CONTEXT":
      return { ...operation, replayChildren: update.ContextOptions?.ReplayChildren };
    case "CHAINED_INVOKE":
      return {
        ...operation,
        functionName: update.ChainedInvokeOptions?.FunctionName ?? "",
        inputPayload: update.Payload,
      };
    case "CALLBACK": {
      const timeout = update.CallbackOptions?.TimeoutSeconds ?? 0;
      const heartbeat = update.CallbackOptions?.HeartbeatTimeoutSeconds ?? 0;
      return {
        ...operation,
        callbackId: newCallbackId(id),
        timeoutAt: timeout > 0 ? now + secondsToMs(timeout) : undefined,
        heartbeatTimeoutMs: heartbeat > 0 ? secondsToMs(heartbeat) : undefined,
      };
    }
    default:
      return operation;
  }
}

function advanceOperation(operation: OperationRecord, update: OperationUpdate, now: number): OperationRecord {
  switch (update.Action) {
    case "SUCCEED":
    case "FAIL":
      return {
        ...operation,
        status: update.Action === "SUCCEED" ? "SUCCEEDED" : "FAILED",
        endedAt: now,
        result: update.Payload,
        error: update.Error,
        replayChildren: update.ContextOptions?.ReplayChildren ?? operation.replayChildren,
        attempt: operation.type === "STEP" ? (operation.attempt ?? 0) + 1 : undefined,
        nextAttemptAt: undefined,
      };
    case "RETRY":
      return {
        ...operation,
        status: "PENDING",
        result: update.Payload,
        error: update.Error,
        attempt: (operation.attempt ?? 0) + 1,
        nextAttemptAt: now + secondsToMs(update.StepOptions?.NextAttemptDelaySeconds ?? 0),
      };
    case "CANCEL":
      return { ...operation, status: "CANCELLED", endedAt: now };
    default:
      // A further attempt keeps what the last one left: waitForCondition reads its state from there.
      return { ...operation, status: "STARTED" };
  }
}

function secondsToMs(seconds: number): number {
  return seconds * 1000;
}
