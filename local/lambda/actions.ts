import {
  objectList,
  optionalNumber,
  optionalObject,
  optionalText,
  requiredText,
  textList,
} from "../endpoints/input.ts";
import { ServiceError } from "../endpoints/service.ts";
import type { DurableEngine } from "./durable/engine.ts";
import type { ErrorObject, ExecutionRecord, OperationUpdate } from "./durable/types.ts";
import type { FunctionConfiguration, ResolvedFunction } from "./functions.ts";

type Input = Readonly<Record<string, unknown>>;
type Output = Record<string, unknown>;

export type InvocationType = "RequestResponse" | "Event" | "DryRun";

export interface Invocation {
  /** Name, `name:qualifier` or ARN. */
  readonly reference: string;
  readonly qualifier?: string | null;
  /** JSON text. */
  readonly payload: string;
  readonly type?: InvocationType;
  readonly durableExecutionName?: string | null;
  /** X-Ray's header of whoever invokes. */
  readonly trace?: string;
}

export interface InvocationAnswer {
  readonly statusCode: number;
  /** JSON text; null where the caller does not wait. */
  readonly payload: string | null;
  readonly functionError: string | null;
  readonly executedVersion: string;
  readonly durableExecutionArn: string | null;
}

/** What Lambda's API calls need of the service. */
export interface LambdaFunctions {
  readonly durable: DurableEngine;
  invoke(invocation: Invocation): Promise<InvocationAnswer>;
  resolve(reference: string, qualifier: string | null): ResolvedFunction;
  listFunctions(): readonly FunctionConfiguration[];
  versionsOf(functionName: string): readonly string[];
  publishedAt(functionName: string, version: string): string | null;
  aliasesOf(functionName: string): Readonly<Record<string, string>>;
  deleteVersion(functionName: string, version: string): Promise<void>;
  arnOf(functionName: string, version: string): string;
}

/** Lambda's API: one function per action, input and output as on the wire. */
export async function callLambda(lambda: LambdaFunctions, action: string, input: Input): Promise<Output> {
  const act = actions[action];
  if (act === undefined) {
    throw new ServiceError("UnknownOperationException", `The operation ${action} does not exist here.`, 404);
  }
  return act(lambda, input);
}

const actions: Readonly<Record<string, (lambda: LambdaFunctions, input: Input) => Promise<Output> | Output>> =
  {
    Invoke: (lambda, input) => callInvoke(lambda, input),
    ListFunctions: (lambda) => ({
      Functions: lambda.listFunctions().map((item) => describeFunction(lambda, item, "$LATEST")),
    }),
    GetFunctionConfiguration: (lambda, input) => {
      const resolved = lambda.resolve(requiredText(input, "FunctionName"), optionalText(input, "Qualifier"));
      return describeFunction(lambda, resolved.configuration, resolved.version);
    },
    ListVersionsByFunction: (lambda, input) => listVersions(lambda, input),
    ListAliases: (lambda, input) => listAliases(lambda, input),
    // A function as a whole is the template's.
    DeleteFunction: async (lambda, input) => {
      const { configuration } = lambda.resolve(requiredText(input, "FunctionName"), null);
      await lambda.deleteVersion(configuration.functionName, requiredText(input, "Qualifier"));
      return {};
    },
    CheckpointDurableExecution: (lambda, input) =>
      lambda.durable.checkpoint(
        {
          arn: requiredText(input, "DurableExecutionArn"),
          token: requiredText(input, "CheckpointToken"),
          clientToken: optionalText(input, "ClientToken"),
          updates: objectList(input, "Updates") as readonly OperationUpdate[],
        },
        "epoch-seconds",
      ),
    GetDurableExecutionState: (lambda, input) =>
      lambda.durable.state(
        {
          arn: requiredText(input, "DurableExecutionArn"),
          token: requiredText(input, "CheckpointToken"),
          marker: optionalText(input, "Marker"),
          itemsMax: optionalNumber(input, "MaxItems", { min: 0, max: 1000 }),
        },
        "epoch-seconds",
      ),
    GetDurableExecution: (lambda, input) =>
      describeExecution(lambda.durable.get(requiredText(input, "DurableExecutionArn"))),
    ListDurableExecutionsByFunction: (lambda, input) => listExecutions(lambda, input),
    StopDurableExecution: (lambda, input) => {
      const error = optionalObject(input, "Error") as ErrorObject;
      return { StopTimestamp: lambda.durable.stop(requiredText(input, "DurableExecutionArn"), error) / 1000 };
    },
    SendDurableExecutionCallbackSuccess: (lambda, input) => {
      const result = optionalText(input, "Result") ?? "";
      lambda.durable.completeCallback(requiredText(input, "CallbackId"), { result });
      return {};
    },
    SendDurableExecutionCallbackFailure: (lambda, input) => {
      const error = optionalObject(input, "Error") as ErrorObject;
      lambda.durable.completeCallback(requiredText(input, "CallbackId"), { error });
      return {};
    },
    SendDurableExecutionCallbackHeartbeat: (lambda, input) => {
      lambda.durable.heartbeat(requiredText(input, "CallbackId"));
      return {};
    },
  };

async function callInvoke(lambda: LambdaFunctions, input: Input): Promise<Output> {
  const type = optionalText(input, "InvocationType") ?? "RequestResponse";
  if (type !== "RequestResponse" && type !== "Event" && type !== "DryRun") {
    throw new ServiceError("InvalidParameterValueException", `The invocation type ${type} does not exist.`);
  }
  const answer = await lambda.invoke({
    reference: requiredText(input, "FunctionName"),
    qualifier: optionalText(input, "Qualifier"),
    payload: optionalText(input, "Payload") ?? "",
    type,
    durableExecutionName: optionalText(input, "DurableExecutionName"),
  });
  return {
    StatusCode: answer.statusCode,
    ExecutedVersion: answer.executedVersion,
    ...(answer.payload === null ? {} : { Payload: answer.payload }),
    ...(answer.functionError === null ? {} : { FunctionError: answer.functionError }),
    ...(answer.durableExecutionArn === null ? {} : { DurableExecutionArn: answer.durableExecutionArn }),
  };
}

function listVersions(lambda: LambdaFunctions, input: Input): Output {
  const { functionName } = lambda.resolve(requiredText(input, "FunctionName"), null).configuration;
  const published = lambda.versionsOf(functionName).map((version) => ({
    ...describeFunction(lambda, lambda.resolve(functionName, version).configuration, version),
    LastModified: lambda.publishedAt(functionName, version)?.replace("Z", "+0000"),
  }));
  const latest = describeFunction(lambda, lambda.resolve(functionName, null).configuration, "$LATEST");
  const { items, more } = pageOf([latest, ...published], input, { default: 50, max: 50 });
  return { Versions: items, ...more };
}

function listAliases(lambda: LambdaFunctions, input: Input): Output {
  const { functionName } = lambda.resolve(requiredText(input, "FunctionName"), null).configuration;
  const aliases = Object.entries(lambda.aliasesOf(functionName)).map(([Name, FunctionVersion]) => ({
    AliasArn: lambda.arnOf(functionName, Name),
    Name,
    FunctionVersion,
  }));
  const { items, more } = pageOf(aliases, input, { default: 50, max: 50 });
  return { Aliases: items, ...more };
}

function listExecutions(lambda: LambdaFunctions, input: Input): Output {
  const qualifier = optionalText(input, "Qualifier");
  const { configuration, version } = lambda.resolve(requiredText(input, "FunctionName"), qualifier);
  const statuses = textList(input, "Statuses");
  const name = optionalText(input, "DurableExecutionName");
  const matching = lambda.durable
    .list(configuration.functionName)
    .filter((record) => qualifier === null || record.version === version)
    .filter((record) => statuses.length === 0 || statuses.includes(record.status))
    .filter((record) => name === null || record.name === name)
    .sort((a, b) => a.startedAt - b.startedAt);
  if (optionalText(input, "ReverseOrder") === "true") matching.reverse();
  const { items, more } = pageOf(matching, input, { default: 100, max: 1000 });
  return { DurableExecutions: items.map(summarizeExecution), ...more };
}

/** The marker is the place in the list. However many are asked for, a page has no more than the most. */
function pageOf<T>(
  all: readonly T[],
  input: Input,
  size: { readonly default: number; readonly max: number },
): { items: readonly T[]; more: { NextMarker?: string } } {
  const start = Number(optionalText(input, "Marker") ?? "0");
  const asked = optionalNumber(input, "MaxItems", { min: 0, max: 10_000 }) ?? size.default;
  const end = start + Math.min(asked, size.max);
  return { items: all.slice(start, end), more: end < all.length ? { NextMarker: String(end) } : {} };
}

function describeFunction(
  lambda: LambdaFunctions,
  configuration: FunctionConfiguration,
  version: string,
): Output {
  return {
    FunctionName: configuration.functionName,
    FunctionArn: lambda.arnOf(configuration.functionName, version),
    Version: version,
    Runtime: "nodejs24.x",
    Handler: configuration.handler,
    Role: configuration.roleName,
    Timeout: configuration.timeoutSeconds,
    MemorySize: configuration.memoryMiB,
    State: "Active",
  };
}

function summarizeExecution(record: ExecutionRecord): Output {
  return {
    DurableExecutionArn: record.arn,
    DurableExecutionName: record.name,
    FunctionArn: record.arn.split("/durable-execution/")[0],
    Status: record.status,
    StartTimestamp: record.startedAt / 1000,
    ...(record.endedAt === null ? {} : { EndTimestamp: record.endedAt / 1000 }),
  };
}

function describeExecution(record: ExecutionRecord): Output {
  return {
    ...summarizeExecution(record),
    Version: record.version,
    InputPayload: record.inputPayload,
    ...(record.result === null ? {} : { Result: record.result }),
    ...(record.error === null ? {} : { Error: record.error }),
  };
}
