import type { ErrorObject, OperationRecord } from "./types.ts";

/** What an invocation of a durable function gets. */
export interface DurableEvent {
  readonly DurableExecutionArn: string;
  readonly CheckpointToken: string;
  readonly InitialExecutionState: {
    readonly Operations: readonly Record<string, unknown>[];
    readonly NextMarker?: string;
  };
}

/** What it answers. */
export interface DurableAnswer {
  readonly Status?: string;
  readonly Result?: string;
  readonly Error?: ErrorObject;
}

/** API answers carry epoch seconds, the invocation's event ISO 8601. */
export type TimeFormat = "epoch-seconds" | "iso";

export function encodeOperation(operation: OperationRecord, format: TimeFormat): Record<string, unknown> {
  const time = (at: number) => (format === "iso" ? new Date(at).toISOString() : at / 1000);
  return withoutUndefined({
    Id: operation.id,
    ParentId: operation.parentId,
    Name: operation.name,
    Type: operation.type,
    SubType: operation.subType,
    Status: operation.status,
    StartTimestamp: time(operation.startedAt),
    EndTimestamp: operation.endedAt === undefined ? undefined : time(operation.endedAt),
    ...encodeDetails(operation, time),
  });
}

function encodeDetails(
  operation: OperationRecord,
  time: (at: number) => string | number,
): Record<string, unknown> {
  const outcome = { Result: operation.result, Error: operation.error };
  switch (operation.type) {
    case "EXECUTION":
      return { ExecutionDetails: withoutUndefined({ InputPayload: operation.inputPayload }) };
    case "STEP": {
      const next = operation.nextAttemptAt;
      return {
        StepDetails: withoutUndefined({
          ...outcome,
          Attempt: operation.attempt,
          NextAttemptTimestamp: next === undefined ? undefined : time(next),
        }),
      };
    }
    case "WAIT": {
      const end = operation.scheduledEndAt;
      return { WaitDetails: end === undefined ? {} : { ScheduledEndTimestamp: time(end) } };
    }
    case "CONTEXT":
      return { ContextDetails: withoutUndefined({ ...outcome, ReplayChildren: operation.replayChildren }) };
    case "CALLBACK":
      return { CallbackDetails: withoutUndefined({ ...outcome, CallbackId: operation.callbackId }) };
    case "CHAINED_INVOKE":
      return { ChainedInvokeDetails: withoutUndefined(outcome) };
  }
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
