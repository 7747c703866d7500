/**
 * Durable executions as they are stored. Operations have the wire's own member names; times are epoch milliseconds
 * here and become epoch seconds in API answers and ISO 8601 in the event of an invocation.
 */
export type OperationStatus =
  | "STARTED"
  | "PENDING"
  | "READY"
  | "SUCCEEDED"
  | "FAILED"
  | "CANCELLED"
  | "TIMED_OUT"
  | "STOPPED";

export type OperationType = "EXECUTION" | "STEP" | "WAIT" | "CONTEXT" | "CALLBACK" | "CHAINED_INVOKE";

export interface ErrorObject {
  readonly ErrorMessage?: string;
  readonly ErrorType?: string;
  readonly ErrorData?: string;
  readonly StackTrace?: readonly string[];
}

export interface OperationRecord {
  readonly id: string;
  /** Order of the operations' starts; the execution itself is 0. */
  readonly sequence: number;
  readonly parentId?: string | undefined;
  readonly name?: string | undefined;
  readonly type: OperationType;
  readonly subType?: string | undefined;
  readonly status: OperationStatus;
  readonly startedAt: number;
  readonly endedAt?: number | undefined;
  readonly inputPayload?: string | undefined;
  readonly result?: string | undefined;
  readonly error?: ErrorObject | undefined;
  /** STEP: attempts that have ended. */
  readonly attempt?: number | undefined;
  /** STEP that is PENDING. */
  readonly nextAttemptAt?: number | undefined;
  /** WAIT. */
  readonly scheduledEndAt?: number | undefined;
  /** CONTEXT. */
  readonly replayChildren?: boolean | undefined;
  /** CALLBACK. */
  readonly callbackId?: string | undefined;
  readonly timeoutAt?: number | undefined;
  readonly heartbeatTimeoutMs?: number | undefined;
  readonly heartbeatAt?: number | undefined;
  /** CHAINED_INVOKE. */
  readonly functionName?: string | undefined;
}

export type ExecutionStatus = "RUNNING" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "STOPPED";

export interface ExecutionRecord {
  readonly arn: string;
  readonly name: string;
  readonly functionName: string;
  /** The version that every invocation of it runs. */
  readonly version: string;
  readonly inputPayload: string;
  readonly status: ExecutionStatus;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** The whole execution's deadline, across all its invocations. */
  readonly timeoutAt: number;
  readonly retentionDays: number;
  readonly result: string | null;
  readonly error: ErrorObject | null;
  /** The only token that may checkpoint next; null while no invocation has begun. */
  readonly token: string | null;
  /** The last checkpoint, so that a client that lost its answer gets it again. */
  readonly lastCheckpoint: LastCheckpoint | null;
}

export interface LastCheckpoint {
  readonly clientToken: string;
  readonly givenToken: string;
  readonly answeredIds: readonly string[];
}

/** As the SDK sends it. */
export interface OperationUpdate {
  readonly Id?: string;
  readonly ParentId?: string;
  readonly Name?: string;
  readonly Type?: OperationType;
  readonly SubType?: string;
  readonly Action?: "START" | "SUCCEED" | "FAIL" | "RETRY" | "CANCEL";
  readonly Payload?: string;
  readonly Error?: ErrorObject;
  readonly ContextOptions?: { readonly ReplayChildren?: boolean };
  readonly StepOptions?: { readonly NextAttemptDelaySeconds?: number };
  readonly WaitOptions?: { readonly WaitSeconds?: number };
  readonly CallbackOptions?: { readonly TimeoutSeconds?: number; readonly HeartbeatTimeoutSeconds?: number };
  readonly ChainedInvokeOptions?: { readonly FunctionName?: string };
}
