import { rm } from "node:fs/promises";
import { type Caller, type Service, ServiceError } from "../endpoints/service.ts";
import type { Documents } from "../state/documents.ts";
import { callLambda, type Invocation, type InvocationAnswer, type InvocationType } from "./actions.ts";
import { DurableEngine, type DurableEngineOptions } from "./durable/engine.ts";
import type { ExecutionRecord } from "./durable/types.ts";
import type { DurableAnswer } from "./durable/wire.ts";
import { type FunctionConfiguration, FunctionRegistry, type ResolvedFunction } from "./functions.ts";
import { FunctionHost, type HostOptions } from "./host.ts";
import { FunctionError } from "./process.ts";
import { EventQueue } from "./queue.ts";

type Input = Readonly<Record<string, unknown>>;
type Output = Record<string, unknown>;

export interface LambdaServiceOptions extends HostOptions {
  readonly documents: Documents;
  /** Hooks of the durable engine, for tests that crash it. */
  readonly hooks?: NonNullable<DurableEngineOptions["hooks"]>;
  readonly onError?: (error: unknown) => void;
}

/** Lambda's limits, in bytes. */
const payloadBytesMax = { sync: 6 * 1024 * 1024, async: 1024 * 1024 } as const;

/** Lambda: functions in processes of their own, asynchronous invocations, durable executions. */
export class LambdaService implements Service {
  readonly name = "lambda";
  readonly durable: DurableEngine;
  readonly #registry: FunctionRegistry;
  readonly #host: FunctionHost;
  readonly #queue: EventQueue;

  constructor(options: LambdaServiceOptions) {
    const onError = options.onError ?? (() => undefined);
    this.#registry = new FunctionRegistry(options.documents);
    this.#host = new FunctionHost(options);
    this.#queue = new EventQueue({
      documents: options.documents,
      deliver: (reference, payload) => this.#deliver(reference, payload),
      onError,
    });
    this.durable = new DurableEngine({
      documents: options.documents,
      region: options.region,
      account: options.account,
      invoke: ({ functionName, version, event }) =>
        this.#invokeDurable(functionName, version, JSON.stringify(event)),
      invokeChained: (chained) => this.#invokeChained(chained),
      onError,
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
    });
  }

  /** Goes on with what the last control plane left: durable executions and undelivered events. */
  recover(): void {
    this.durable.recover();
    this.#queue.recover();
  }

  /** Ends every function's process; what runs is gone on with by `recover` of the next service. */
  async close(): Promise<void> {
    this.durable.close();
    this.#queue.close();
    await this.#host.close();
  }

  /** Creates the function or updates its `$LATEST`. @returns its unqualified ARN */
  createFunction(configuration: FunctionConfiguration): string {
    this.#registry.put(configuration);
    return this.#host.arnOf(configuration.functionName);
  }

  /** @returns the version's number; the same as before when nothing has changed. */
  publishVersion(functionName: string): string {
    return this.#registry.publish(functionName);
  }

  /** Creates or moves the alias. @returns its ARN */
  createAlias(functionName: string, alias: string, version: string): string {
    this.#registry.putAlias(functionName, alias, version);
    return this.#host.arnOf(functionName, alias);
  }

  deleteFunction(functionName: string): void {
    for (const version of ["$LATEST", ...this.#registry.versionsOf(functionName)]) {
      this.#host.retire(functionName, version);
    }
    this.#registry.delete(functionName);
  }

  /** Deletes a version and what only it was made of; in this order, so that one that was killed at it does it again. */
  async deleteVersion(functionName: string, version: string): Promise<void> {
    const directories = this.#registry.ownCodeOf(functionName, version);
    this.#host.retire(functionName, version);
    for (const directory of directories) await rm(directory, { recursive: true, force: true });
    this.#registry.deleteVersion(functionName, version);
  }

  /** Starts the processes that a function keeps, so that its first caller does not wait for them. */
  async warmUp(reference: string): Promise<void> {
    const { configuration, version } = this.#registry.resolve(reference, null);
    await this.#host.warmUp(configuration, version);
  }

  /** @throws {ServiceError} as Lambda refuses an invocation; what the function does is in the answer. */
  async invoke(invocation: Invocation): Promise<InvocationAnswer> {
    const { payload, durableExecutionName = null } = invocation;
    const type: InvocationType = invocation.type ?? "RequestResponse";
    const resolved = this.#registry.resolve(invocation.reference, invocation.qualifier ?? null);
    checkPayload(payload, type);
    if (resolved.configuration.durable !== null) {
      return this.#startDurable(resolved, payload, type, durableExecutionName);
    }
    if (durableExecutionName !== null) {
      throw new ServiceError(
        "InvalidParameterValueException",
        "DurableExecutionName is only supported for durable functions.",
      );
    }
    const answer = { executedVersion: resolved.version, durableExecutionArn: null, functionError: null };
    switch (type) {
      case "DryRun":
        return { ...answer, statusCode: 204, payload: null };
      case "Event":
        this.#queue.add(this.#host.arnOf(resolved.configuration.functionName, resolved.version), payload);
        return { ...answer, statusCode: 202, payload: null };
      case "RequestResponse":
        return { ...answer, statusCode: 200, ...(await this.#run(resolved, payload, invocation.trace)) };
    }
  }

  async call(action: string, input: Input, _caller: Caller): Promise<Output> {
    return callLambda(this, action, input);
  }

  /** @throws {ServiceError} ResourceNotFoundException */
  resolve(reference: string, qualifier: string | null): ResolvedFunction {
    return this.#registry.resolve(reference, qualifier);
  }

  listFunctions(): readonly FunctionConfiguration[] {
    return this.#registry.list();
  }

  /** Published versions, without `$LATEST`. */
  versionsOf(functionName: string): readonly string[] {
    return this.#registry.versionsOf(functionName);
  }

  publishedAt(functionName: string, version: string): string | null {
    return this.#registry.publishedAt(functionName, version);
  }

  /** Alias → version. */
  aliasesOf(functionName: string): Readonly<Record<string, string>> {
    return this.#registry.aliasesOf(functionName);
  }

  arnOf(functionName: string, version: string): string {
    return this.#host.arnOf(functionName, version);
  }

  async #run(
    resolved: ResolvedFunction,
    payload: string,
    trace?: string,
  ): Promise<{ payload: string; functionError: string | null }> {
    try {
      const result = await this.#host.invoke(resolved.configuration, resolved.version, payload, trace);
      return { payload: result, functionError: null };
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      return { payload: JSON.stringify(error.payload), functionError: "Unhandled" };
    }
  }

  async #deliver(reference: string, payload: string): Promise<void> {
    const { configuration, version } = this.#registry.resolve(reference, null);
    await this.#host.invoke(configuration, version, payload);
  }

  async #startDurable(
    resolved: ResolvedFunction,
    payload: string,
    type: InvocationType,
    name: string | null,
  ): Promise<InvocationAnswer> {
    const { configuration, version } = resolved;
    if (!resolved.qualified || configuration.durable === null) {
      throw new ServiceError(
        "InvalidParameterValueException",
        "You cannot invoke a durable function using an unqualified ARN.",
      );
    }
    const answer = { executedVersion: version, functionError: null, durableExecutionArn: null };
    if (type === "DryRun") return { ...answer, statusCode: 204, payload: null };
    const { arn } = this.durable.start({
      functionName: configuration.functionName,
      version,
      name,
      payload: payload === "" ? "{}" : payload,
      ...configuration.durable,
    });
    if (type === "Event") return { ...answer, statusCode: 202, payload: null, durableExecutionArn: arn };
    const ended = await this.durable.ended(arn);
    return {
      ...answer,
      statusCode: 200,
      durableExecutionArn: arn,
      ...(ended.status === "SUCCEEDED"
        ? { payload: ended.result ?? "null" }
        : { payload: JSON.stringify(errorDocument(ended)), functionError: "Unhandled" }),
    };
  }

  async #invokeDurable(functionName: string, version: string, event: string): Promise<DurableAnswer> {
    const { configuration } = this.#registry.resolve(functionName, version);
    const text = await this.#host.invoke(configuration, version, event);
    return (JSON.parse(text) ?? {}) as DurableAnswer;
  }

  async #invokeChained(chained: {
    functionName: string;
    payload: string;
    executionName: string;
  }): Promise<string> {
    const { configuration } = this.#registry.resolve(chained.functionName, null);
    const answer = await this.invoke({
      reference: chained.functionName,
      payload: chained.payload,
      durableExecutionName: configuration.durable === null ? null : chained.executionName,
    });
    if (answer.functionError === null) return answer.payload ?? "null";
    const error = JSON.parse(answer.payload ?? "{}") as { errorType?: string; errorMessage?: string };
    throw new ServiceError(error.errorType ?? "Error", error.errorMessage ?? "the function failed");
  }
}

function checkPayload(payload: string, type: InvocationType): void {
  const bytesMax = type === "Event" ? payloadBytesMax.async : payloadBytesMax.sync;
  if (Buffer.byteLength(payload) > bytesMax) {
    throw new ServiceError(
      "RequestTooLargeException",
      `Request must be smaller than ${bytesMax} bytes.`,
      413,
    );
  }
  if (payload === "") return;
  try {
    JSON.parse(payload);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidContent(reason);
  }
}

function invalidContent(reason: string): ServiceError {
  return new ServiceError(
    "InvalidRequestContentException",
    `Could not parse request body into json: ${reason}`,
  );
}

function errorDocument(record: ExecutionRecord): Output {
  return {
    errorType: record.error?.ErrorType ?? record.status,
    errorMessage: record.error?.ErrorMessage ?? `the execution ended as ${record.status}`,
  };
}
