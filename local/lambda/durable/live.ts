import { ServiceError } from "../../endpoints/service.ts";
import { operationOfCallback } from "./callback-id.ts";
import { isEnded } from "./machine.ts";
import { nameOfArn } from "./records.ts";
import type { ExecutionStore } from "./store.ts";
import type { ExecutionRecord, OperationRecord } from "./types.ts";
import { encodeOperation, type TimeFormat } from "./wire.ts";

/** An execution that has not ended, as the engine holds it; the store has the same. */
export interface LiveExecution {
  record: ExecutionRecord;
  readonly operations: Map<string, OperationRecord>;
  /** Operations that changed without the function having been told. */
  readonly unseen: Set<string>;
  invoking: boolean;
  crashes: number;
  timer: NodeJS.Timeout | undefined;
  readonly ended: PromiseWithResolvers<ExecutionRecord>;
}

/** The running executions in memory, before the store that has all of them. */
export class LiveExecutions {
  readonly #store: ExecutionStore;
  readonly #live = new Map<string, LiveExecution>();

  constructor(store: ExecutionStore) {
    this.#store = store;
  }

  all(): Iterable<LiveExecution> {
    return this.#live.values();
  }

  add(record: ExecutionRecord, operations: Map<string, OperationRecord>): LiveExecution {
    const live: LiveExecution = {
      record,
      operations,
      unseen: new Set(),
      invoking: false,
      crashes: 0,
      timer: undefined,
      ended: Promise.withResolvers(),
    };
    this.#live.set(record.name, live);
    return live;
  }

  remove(live: LiveExecution): void {
    clearTimeout(live.timer);
    this.#live.delete(live.record.name);
  }

  /** Writes the execution and what changed of it. */
  apply(live: LiveExecution, changed: readonly OperationRecord[]): void {
    this.#store.save(live.record, changed);
    for (const operation of changed) live.operations.set(operation.id, operation);
  }

  /** The running execution; undefined when it has ended. @throws {ServiceError} ResourceNotFoundException */
  find(arn: string): LiveExecution | undefined {
    return this.#live.get(this.record(arn).name);
  }

  /** @throws {ServiceError} ResourceNotFoundException */
  record(arn: string): ExecutionRecord {
    const name = nameOfArn(arn);
    const record = this.#live.get(name)?.record ?? this.#store.get(name);
    if (record?.arn === arn) return record;
    throw new ServiceError("ResourceNotFoundException", `Durable execution ${arn} does not exist.`, 404);
  }

  operations(arn: string): readonly OperationRecord[] {
    const live = this.find(arn);
    return [...(live?.operations ?? this.#store.operationsOf(nameOfArn(arn))).values()];
  }

  /** @throws {ServiceError} when the token is not the newest. */
  byToken(arn: string, token: string): LiveExecution {
    const live = this.find(arn);
    if (live !== undefined && live.record.token === token) return live;
    // The SDK knows a fenced invocation by how this message begins.
    throw new ServiceError(
      "InvalidParameterValueException",
      "Invalid Checkpoint Token: it is not the newest.",
    );
  }

  /** @throws {ServiceError} CallbackTimeoutException when the callback waits no more. */
  byCallback(callbackId: string): { live: LiveExecution; operation: OperationRecord } {
    const { executionName, operationId } = operationOfCallback(callbackId);
    const live = this.#live.get(executionName);
    const operation = live?.operations.get(operationId);
    if (live !== undefined && operation?.callbackId === callbackId && !isEnded(operation.status)) {
      return { live, operation };
    }
    throw new ServiceError("CallbackTimeoutException", "The callback does not exist or has ended.");
  }
}

export function checkpointAnswer(
  live: LiveExecution,
  ids: readonly string[],
  format: TimeFormat,
): Record<string, unknown> {
  const operations = ids.flatMap((id) => live.operations.get(id) ?? []);
  return {
    ...(live.record.token === null ? {} : { CheckpointToken: live.record.token }),
    NewExecutionState: { Operations: operations.map((operation) => encodeOperation(operation, format)) },
  };
}
