import type { OperationKind } from "../domain/operation/operation.ts";

export interface Executions {
  /** Starts the durable execution of an operation, named by the operation's id: starting twice is starting once. */
  start(kind: OperationKind, input: { operationId: string; clusterId: string }): Promise<void>;
}
