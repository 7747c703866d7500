import { ServiceError } from "../../endpoints/service.ts";
import type { OperationRecord, OperationStatus, OperationType, OperationUpdate } from "./types.ts";

/** The checks that AWS makes of a checkpoint's updates, with its messages. */

type Action = NonNullable<OperationUpdate["Action"]>;

const errorBytesMax = 32_768;
const payloadBytesMax = 256 * 1024;

const actionsByType: Readonly<Record<OperationType, readonly Action[]>> = {
  STEP: ["START", "FAIL", "RETRY", "SUCCEED"],
  CONTEXT: ["START", "FAIL", "SUCCEED"],
  WAIT: ["START", "CANCEL"],
  CALLBACK: ["START", "CANCEL"],
  CHAINED_INVOKE: ["START", "CANCEL"],
  EXECUTION: ["SUCCEED", "FAIL"],
};

/** Checks what concerns the updates together. */
export function validateUpdates(
  operations: ReadonlyMap<string, OperationRecord>,
  updates: readonly OperationUpdate[],
): void {
  const executionUpdates = updates.filter((update) => update.Type === "EXECUTION");
  if (executionUpdates.length > 1) throw invalid("Cannot checkpoint multiple EXECUTION updates.");
  if (executionUpdates.length === 1 && updates.at(-1)?.Type !== "EXECUTION") {
    throw invalid("EXECUTION checkpoint must be the last update.");
  }
  const seen = new Map<string, OperationUpdate>();
  const startedContexts = new Set<string>();
  for (const update of updates) {
    if (update.Id === undefined || update.Id === "") throw invalid("Operation update must have an Id.");
    const before = seen.get(update.Id);
    if (before !== undefined && !mayFollow(before, update)) {
      throw invalid("Cannot update the same operation twice in a single request.");
    }
    if (update.ParentId !== undefined) {
      const isContext =
        operations.get(update.ParentId)?.type === "CONTEXT" || startedContexts.has(update.ParentId);
      if (!isContext) throw invalid("Invalid parent operation id.");
    }
    if (update.Type === "CONTEXT" && update.Action === "START") startedContexts.add(update.Id);
    seen.set(update.Id, update);
  }
}

/** Checks one update against the operation's present state. */
export function validateUpdate(update: OperationUpdate, operation: OperationRecord | undefined): void {
  const type = update.Type;
  if (type === undefined || !Object.hasOwn(actionsByType, type)) throw invalid("Unknown operation type.");
  if (update.Action === undefined || !actionsByType[type].includes(update.Action)) {
    throw invalid("Invalid action for the given operation type.");
  }
  if (operation !== undefined && operation.type !== type) {
    throw invalid(`Operation ${operation.id} is of type ${operation.type}, not ${type}.`);
  }
  validateSizes(update);
  validateOutcome(update);
  switch (type) {
    case "STEP":
      validateStep(update.Action, update, operation?.status);
      return;
    case "CONTEXT":
      if (update.Action === "START" && operation !== undefined) {
        throw invalid("Cannot start a CONTEXT that already exists.");
      }
      if (update.Action !== "START" && operation !== undefined && operation.status !== "STARTED") {
        throw invalid("Invalid current CONTEXT state to close.");
      }
      return;
    case "EXECUTION":
      return;
    default:
      if (update.Action === "START" && operation !== undefined) {
        throw invalid(`Cannot start a ${type} that already exists.`);
      }
      if (update.Action === "CANCEL" && operation?.status !== "STARTED") {
        throw invalid(`Cannot cancel a ${type} that does not exist or has already completed.`);
      }
  }
}

function validateStep(action: Action, update: OperationUpdate, status: OperationStatus | undefined): void {
  const open = status === undefined || status === "STARTED" || status === "READY";
  if (action === "START" && status !== undefined && status !== "READY") {
    throw invalid("Invalid current STEP state to start.");
  }
  if ((action === "SUCCEED" || action === "FAIL") && !open)
    throw invalid("Invalid current STEP state to close.");
  if (action === "RETRY") {
    if (!open) throw invalid("Invalid current STEP state to re-attempt.");
    if (update.StepOptions === undefined) throw invalid("Invalid StepOptions for the given action.");
    if (update.Error !== undefined && update.Payload !== undefined) {
      throw invalid("Cannot provide both error and payload to RETRY a STEP.");
    }
  }
}

function validateOutcome(update: OperationUpdate): void {
  if (update.Action === "FAIL" && update.Payload !== undefined) {
    throw invalid("Cannot provide a Payload for FAIL action.");
  }
  if (update.Action === "SUCCEED" && update.Error !== undefined) {
    throw invalid("Cannot provide an Error for SUCCEED action.");
  }
}

function validateSizes(update: OperationUpdate): void {
  if (update.Error !== undefined && Buffer.byteLength(JSON.stringify(update.Error)) > errorBytesMax) {
    throw invalid(`Error object size must be less than ${errorBytesMax} bytes.`);
  }
  if (
    update.Type !== "EXECUTION" &&
    update.Payload !== undefined &&
    Buffer.byteLength(update.Payload) > payloadBytesMax
  ) {
    throw invalid(
      `${update.Type} output payload size must be less than or equal to ${payloadBytesMax} bytes.`,
    );
  }
}

function mayFollow(before: OperationUpdate, update: OperationUpdate): boolean {
  const type = before.Type;
  return (type === "STEP" || type === "CONTEXT") && before.Action === "START" && update.Action !== "START";
}

function invalid(message: string): ServiceError {
  return new ServiceError("InvalidParameterValueException", message);
}
