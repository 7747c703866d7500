import type { OperationKind } from "../domain/operation/operation.ts";

/** What an execution is given. */
export interface ExecutionInput {
  readonly operationId: string;
  readonly clusterId: string;
  /**
   * Set where an execution takes the place of one that ended without ending its operation: it brings the operation
   * to an end (a saga unwinds, a workflow that only goes forward goes on). Counts from 1.
   */
  readonly recovery?: { readonly attempt: number; readonly reason: string };
  /** X-Ray's header of what started it: all that the execution does is a part of that trace. */
  readonly trace?: string;
}

/** `absent`: never started. `ended`: whatever way; it will not run again. */
export type ExecutionState =
  | { readonly state: "absent" }
  | { readonly state: "running"; readonly startedAt: Date }
  | { readonly state: "ended"; readonly outcome: string; readonly endedAt: Date };

export interface Executions {
  /**
   * Starts the durable execution of an operation, named by the operation's id (and the attempt of its recovery):
   * starting twice is starting once.
   */
  start(kind: OperationKind, input: ExecutionInput): Promise<void>;
  /** @param attempt 0 is the execution that the operation started with, 1 and up are its recoveries. */
  find(kind: OperationKind, operationId: string, attempt: number): Promise<ExecutionState>;
  /** Stops the execution wherever it is; one that has ended, or never was, is left as it is. */
  stop(kind: OperationKind, operationId: string, attempt: number): Promise<void>;
}
