import { randomUUID } from "node:crypto";
import { ServiceError } from "../../endpoints/service.ts";
import type { ErrorObject, ExecutionRecord, OperationRecord } from "./types.ts";

export interface StartRequest {
  readonly functionName: string;
  readonly version: string;
  /** Null: a name is made. */
  readonly name: string | null;
  readonly payload: string;
  readonly executionTimeoutSeconds: number;
  readonly retentionDays: number;
}

const namePattern = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws {ServiceError} for a name that Lambda does not take. */
export function checkName(name: string): string {
  if (namePattern.test(name)) return name;
  throw new ServiceError(
    "InvalidParameterValueException",
    `Durable execution name ${name} does not match ${namePattern.source}.`,
  );
}

/** A new execution and the operation that stands for it. */
export function newExecution(
  request: StartRequest,
  name: string,
  place: { region: string; account: string },
  now: number,
): { record: ExecutionRecord; execution: OperationRecord } {
  const functionArn = `arn:aws:lambda:${place.region}:${place.account}:function:${request.functionName}:${request.version}`;
  const record: ExecutionRecord = {
    arn: `${functionArn}/durable-execution/${name}/${randomUUID()}`,
    name,
    functionName: request.functionName,
    version: request.version,
    inputPayload: request.payload,
    status: "RUNNING",
    startedAt: now,
    endedAt: null,
    timeoutAt: now + request.executionTimeoutSeconds * 1000,
    retentionDays: request.retentionDays,
    result: null,
    error: null,
    token: null,
    lastCheckpoint: null,
  };
  const execution: OperationRecord = {
    id: randomUUID(),
    sequence: 0,
    name,
    type: "EXECUTION",
    status: "STARTED",
    startedAt: now,
    inputPayload: request.payload,
  };
  return { record, execution };
}

export function nameOfArn(arn: string): string {
  return arn.split("/durable-execution/")[1]?.split("/")[0] ?? "";
}

export const nothingPending: ErrorObject = {
  ErrorType: "InvalidParameterValueException",
  ErrorMessage: "Cannot return PENDING status with no pending operations.",
};
export const invalidOutput: ErrorObject = {
  ErrorType: "InvalidParameterValueException",
  ErrorMessage: "Invalid Status in invocation output.",
};
export const executionTimedOut: ErrorObject = {
  ErrorType: "ExecutionTimedOut",
  ErrorMessage: "The durable execution timed out.",
};

export function errorObjectOf(error: unknown): ErrorObject {
  if (error instanceof ServiceError) return { ErrorType: error.code, ErrorMessage: error.message };
  if (error instanceof Error) return { ErrorType: error.name, ErrorMessage: error.message };
  return { ErrorType: "Error", ErrorMessage: String(error) };
}
