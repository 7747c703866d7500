import { randomUUID } from "node:crypto";
import { ServiceError } from "../../endpoints/service.ts";
import type { Documents } from "../../state/documents.ts";
import { newCallbackId } from "./callback-id.ts";
import { checkpointAnswer, type LiveExecution, LiveExecutions } from "./live.ts";
import { advanceTime, applyUpdates, endOperation, isEnded, isWaiting, nextDueAt } from "./machine.ts";
import { executionPage, initialState } from "./pages.ts";
import {
  checkName,
  errorObjectOf,
  executionTimedOut,
  invalidOutput,
  newExecution,
  nothingPending,
  type StartRequest,
} from "./records.ts";
import { ExecutionStore } from "./store.ts";
import type {
  ErrorObject,
  ExecutionRecord,
  ExecutionStatus,
  OperationRecord,
  OperationUpdate,
} from "./types.ts";
import type { DurableAnswer, DurableEvent, TimeFormat } from "./wire.ts";

/** What a checkpoint hook sees; it may throw or wait, so that a test crashes or delays exactly there. */
export interface CheckpointInfo {
  readonly executionArn: string;
  /** Counted over the life of this engine, from 1. */
  readonly number: number;
  readonly updates: readonly OperationUpdate[];
}

export interface DurableEngineOptions {
  readonly documents: Documents;
  readonly region: string;
  readonly account: string;
  /**
   * Runs one invocation of a function's version and answers what the handler returned.
   * Rejects when the function crashed, threw or timed out: it is invoked again then.
   */
  readonly invoke: (invocation: {
    readonly functionName: string;
    readonly version: string;
    readonly event: DurableEvent;
  }) => Promise<DurableAnswer>;
  /** Runs another function for `context.invoke`. Rejects with what the caller shall see. */
  readonly invokeChained?: (chained: {
    readonly functionName: string;
    readonly payload: string;
    readonly executionName: string;
  }) => Promise<string>;
  readonly hooks?: {
    readonly beforeCheckpoint?: (info: CheckpointInfo) => Promise<void> | void;
    readonly afterCheckpoint?: (info: CheckpointInfo) => Promise<void> | void;
  };
  /** How long to wait before a crashed function is invoked again, by the number of crashes so far. */
  readonly crashDelayMs?: (crashes: number) => number;
  readonly onError?: (error: unknown) => void;
}

/** `setTimeout` takes no longer delays. */
const timerMsMax = 2 ** 31 - 1;
const dayMs = 24 * 60 * 60 * 1000;

function backOff(crashes: number): number {
  return Math.min(100 * 2 ** (crashes - 1), 10_000);
}

/**
 * The service side of durable functions: keeps executions, invokes the function whenever one can go on, and answers
 * its checkpoints. Everything that was answered is in the database before the answer leaves.
 */
export class DurableEngine {
  readonly #options: DurableEngineOptions;
  readonly #store: ExecutionStore;
  readonly #executions: LiveExecutions;
  #checkpoints = 0;
  #closed = false;

  constructor(options: DurableEngineOptions) {
    this.#options = options;
    this.#store = new ExecutionStore(options.documents);
    this.#executions = new LiveExecutions(this.#store);
  }

  /** Goes on with everything that ran when the last control plane ended; forgets what is past its retention. */
  recover(): void {
    for (const record of this.#store.list()) {
      if (record.status === "RUNNING") {
        const live = this.#executions.add(record, this.#store.operationsOf(record.name));
        for (const operation of live.operations.values()) this.#startChained(live, operation);
        this.#schedule(live);
        void this.#invoke(live);
      } else if ((record.endedAt ?? 0) + record.retentionDays * dayMs < Date.now()) {
        this.#store.delete(record.name);
      }
    }
  }

  /** Stops timers and starts nothing more; running executions stay as they are stored. */
  close(): void {
    this.#closed = true;
    for (const live of this.#executions.all()) clearTimeout(live.timer);
  }

  /**
   * Starts an execution; the same name with the same payload is the same execution.
   * @throws {ServiceError} DurableExecutionAlreadyStartedException for the same name with another payload.
   */
  start(request: StartRequest): ExecutionRecord {
    const name = checkName(request.name ?? randomUUID());
    const existing = this.#store.get(name);
    if (existing !== undefined) {
      if (existing.functionName === request.functionName && existing.inputPayload === request.payload) {
        return existing;
      }
      throw new ServiceError(
        "DurableExecutionAlreadyStartedException",
        `Durable execution ${name} was started with another payload.`,
        409,
      );
    }
    const { record, execution } = newExecution(request, name, this.#options, Date.now());
    this.#store.save(record, [execution]);
    const live = this.#executions.add(record, new Map([[execution.id, execution]]));
    this.#schedule(live);
    void this.#invoke(live);
    return record;
  }

  /** @throws {ServiceError} ResourceNotFoundException */
  get(arn: string): ExecutionRecord {
    return this.#executions.record(arn);
  }

  list(functionName: string): readonly ExecutionRecord[] {
    return this.#store.list().filter((record) => record.functionName === functionName);
  }

  /** Operations of an execution, in the order of their starts. */
  operations(arn: string): readonly OperationRecord[] {
    return this.#executions.operations(arn);
  }

  /** Resolves with the execution when it has ended. */
  async ended(arn: string): Promise<ExecutionRecord> {
    return this.#executions.find(arn)?.ended.promise ?? this.get(arn);
  }

  /** `CheckpointDurableExecution`. */
  async checkpoint(
    request: { arn: string; token: string; clientToken: string | null; updates: readonly OperationUpdate[] },
    format: TimeFormat,
  ): Promise<Record<string, unknown>> {
    this.#checkpoints += 1;
    const info = { executionArn: request.arn, number: this.#checkpoints, updates: request.updates };
    await this.#options.hooks?.beforeCheckpoint?.(info);
    const answer = this.#checkpointNow(request, format);
    await this.#options.hooks?.afterCheckpoint?.(info);
    return answer;
  }

  /** `GetDurableExecutionState`. */
  state(
    request: { arn: string; token: string; marker: string | null; itemsMax: number | null },
    format: TimeFormat,
  ): Record<string, unknown> {
    const live = this.#executions.byToken(request.arn, request.token);
    return executionPage(live.operations, request.marker, request.itemsMax, format);
  }

  stop(arn: string, error: ErrorObject | null): number {
    const live = this.#executions.find(arn);
    if (live !== undefined) this.#end(live, "STOPPED", { error: error ?? { ErrorType: "StoppedByUser" } });
    return this.get(arn).endedAt ?? Date.now();
  }

  /** Answers a callback. @throws {ServiceError} CallbackTimeoutException when it has ended already. */
  completeCallback(callbackId: string, outcome: { result?: string; error?: ErrorObject }): void {
    const { live, operation } = this.#executions.byCallback(callbackId);
    const status = outcome.error === undefined ? "SUCCEEDED" : "FAILED";
    this.#changeFromOutside(live, endOperation(operation, status, outcome, Date.now()));
  }

  heartbeat(callbackId: string): void {
    const { live, operation } = this.#executions.byCallback(callbackId);
    const alive = { ...operation, heartbeatAt: Date.now() };
    this.#executions.apply(live, [alive]);
    this.#schedule(live);
  }

  #checkpointNow(
    request: { arn: string; token: string; clientToken: string | null; updates: readonly OperationUpdate[] },
    format: TimeFormat,
  ): Record<string, unknown> {
    const repeated = this.#repeatedAnswer(request, format);
    if (repeated !== null) return repeated;
    const live = this.#executions.byToken(request.arn, request.token);
    const now = Date.now();
    const elapsed = advanceTime(live.operations, now);
    const merged = new Map(live.operations);
    for (const operation of elapsed) merged.set(operation.id, operation);
    const updated = applyUpdates(merged, request.updates, now, (id) => newCallbackId(live.record.name, id));
    const changed = new Map([...elapsed, ...updated].map((operation) => [operation.id, operation]));
    const answeredIds = [...new Set([...live.unseen, ...changed.keys()])];
    live.record = {
      ...live.record,
      token: randomUUID(),
      lastCheckpoint:
        request.clientToken === null
          ? null
          : { clientToken: request.clientToken, givenToken: request.token, answeredIds },
    };
    this.#executions.apply(live, [...changed.values()]);
    live.unseen.clear();
    for (const operation of updated) this.#startChained(live, operation);
    const execution = request.updates.find((update) => update.Type === "EXECUTION");
    if (execution !== undefined) this.#endByUpdate(live, execution);
    return checkpointAnswer(live, answeredIds, format);
  }

  /** The answer to a request that was answered before and is sent again, because the answer was lost. */
  #repeatedAnswer(
    request: { arn: string; token: string; clientToken: string | null },
    format: TimeFormat,
  ): Record<string, unknown> | null {
    const live = this.#executions.find(request.arn);
    const last = live?.record.lastCheckpoint ?? null;
    if (live === undefined || last === null || request.clientToken === null) return null;
    if (last.clientToken !== request.clientToken || last.givenToken !== request.token) return null;
    return checkpointAnswer(live, last.answeredIds, format);
  }

  async #invoke(live: LiveExecution): Promise<void> {
    if (live.invoking || this.#closed || live.record.status !== "RUNNING") return;
    live.invoking = true;
    clearTimeout(live.timer);
    const token = randomUUID();
    live.record = { ...live.record, token, lastCheckpoint: null };
    this.#executions.apply(live, advanceTime(live.operations, Date.now()));
    live.unseen.clear();
    this.#schedule(live);
    try {
      const answer = await this.#options.invoke({
        functionName: live.record.functionName,
        version: live.record.version,
        event: {
          DurableExecutionArn: live.record.arn,
          CheckpointToken: token,
          InitialExecutionState: initialState(live.operations),
        },
      });
      live.crashes = 0;
      live.invoking = false;
      this.#settle(live, answer);
    } catch (error) {
      live.invoking = false;
      live.crashes += 1;
      if (!this.#closed) this.#options.onError?.(error);
      this.#schedule(live, (this.#options.crashDelayMs ?? backOff)(live.crashes));
    }
  }

  /** Decides how an execution goes on after an invocation that answered. */
  #settle(live: LiveExecution, answer: DurableAnswer): void {
    if (this.#closed || live.record.status !== "RUNNING") return;
    switch (answer.Status) {
      case "SUCCEEDED":
        this.#end(live, "SUCCEEDED", { result: answer.Result ?? null });
        return;
      case "FAILED":
        this.#end(live, "FAILED", { error: answer.Error ?? {} });
        return;
      case "PENDING": {
        const elapsed = advanceTime(live.operations, Date.now());
        if (elapsed.length > 0) this.#executions.apply(live, elapsed);
        if (elapsed.length > 0 || live.unseen.size > 0) void this.#invoke(live);
        else if (isWaiting(live.operations)) this.#schedule(live);
        else this.#end(live, "FAILED", { error: nothingPending });
        return;
      }
      default:
        this.#end(live, "FAILED", { error: invalidOutput });
    }
  }

  /** Arms the one timer of an execution: its own deadline, its next operation, or the retry after a crash. */
  #schedule(live: LiveExecution, retryInMs?: number): void {
    clearTimeout(live.timer);
    if (this.#closed || live.record.status !== "RUNNING") return;
    const now = Date.now();
    const due = live.invoking ? null : retryInMs === undefined ? nextDueAt(live.operations) : now + retryInMs;
    const at = Math.min(live.record.timeoutAt, due ?? Number.POSITIVE_INFINITY);
    live.timer = setTimeout(() => this.#wake(live), Math.min(Math.max(at - now, 0), timerMsMax));
  }

  #wake(live: LiveExecution): void {
    if (this.#closed || live.record.status !== "RUNNING") return;
    if (Date.now() >= live.record.timeoutAt) {
      this.#end(live, "TIMED_OUT", { error: executionTimedOut });
    } else if (live.crashes > 0 || advanceTime(live.operations, Date.now()).length > 0) {
      void this.#invoke(live);
    } else {
      this.#schedule(live);
    }
  }

  #end(
    live: LiveExecution,
    status: Exclude<ExecutionStatus, "RUNNING">,
    outcome: { result?: string | null; error?: ErrorObject },
  ): void {
    clearTimeout(live.timer);
    const now = Date.now();
    live.record = {
      ...live.record,
      status,
      endedAt: now,
      result: outcome.result ?? null,
      error: outcome.error ?? null,
      token: null,
    };
    const execution = [...live.operations.values()].find((operation) => operation.type === "EXECUTION");
    this.#executions.apply(live, execution === undefined ? [] : [{ ...execution, status, endedAt: now }]);
    this.#executions.remove(live);
    live.ended.resolve(live.record);
  }

  #endByUpdate(live: LiveExecution, update: OperationUpdate): void {
    if (update.Action === "SUCCEED") this.#end(live, "SUCCEEDED", { result: update.Payload ?? null });
    else this.#end(live, "FAILED", { error: update.Error ?? {} });
  }

  #startChained(live: LiveExecution, operation: OperationRecord): void {
    if (operation.type !== "CHAINED_INVOKE" || operation.status !== "STARTED") return;
    const { invokeChained } = this.#options;
    const chained =
      invokeChained === undefined
        ? Promise.reject(new Error("chained invokes are not available"))
        : invokeChained({
            functionName: operation.functionName ?? "",
            payload: operation.inputPayload ?? "",
            executionName: operation.id.slice(0, 64),
          });
    chained.then(
      (result) => this.#endChained(live, operation.id, { result }),
      (error: unknown) => this.#endChained(live, operation.id, { error: errorObjectOf(error) }),
    );
  }

  #endChained(live: LiveExecution, id: string, outcome: { result?: string; error?: ErrorObject }): void {
    const operation = live.operations.get(id);
    if (operation === undefined || isEnded(operation.status) || this.#closed) return;
    const status = outcome.error === undefined ? "SUCCEEDED" : "FAILED";
    this.#changeFromOutside(live, endOperation(operation, status, outcome, Date.now()));
  }

  #changeFromOutside(live: LiveExecution, operation: OperationRecord): void {
    if (live.record.status !== "RUNNING") return;
    this.#executions.apply(live, [operation]);
    live.unseen.add(operation.id);
    void this.#invoke(live);
  }
}
