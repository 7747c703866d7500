import type { IncomingHttpHeaders } from "node:http";
import { lambdaRest } from "./lambda/rest.ts";
import {
  decodeForm,
  encodeEc2Answer,
  encodeEc2Error,
  encodeQueryAnswer,
  encodeQueryError,
  type QueryService,
} from "./query-protocol.ts";
import { schedulerRest } from "./scheduler/rest.ts";
import { ServiceError, serviceError } from "./service.ts";
import { splitUrl } from "./signature.ts";

export interface WireRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface WireAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** How one service's calls travel over HTTP. */
export interface Protocol {
  decode(request: WireRequest): { action: string; input: Record<string, unknown> };
  encodeAnswer(action: string, output: Readonly<Record<string, unknown>>, requestId: string): WireAnswer;
  encodeError(error: ServiceError, requestId: string): WireAnswer;
}

const xmlType = { "content-type": "text/xml;charset=UTF-8" };
const jsonType = { "content-type": "application/x-amz-json-1.1" };

const ec2Query: Protocol = {
  decode: decodeQuery,
  encodeAnswer: (action, output, requestId) => ({
    statusCode: 200,
    headers: xmlType,
    body: encodeEc2Answer(action, output, requestId),
  }),
  encodeError: (error, requestId) => ({
    statusCode: error.statusCode,
    headers: xmlType,
    body: encodeEc2Error(error.code, error.message, requestId),
  }),
};

const query = (service: QueryService): Protocol => ({
  decode: decodeQuery,
  encodeAnswer: (action, output, requestId) => ({
    statusCode: 200,
    headers: xmlType,
    body: encodeQueryAnswer(service, action, output, requestId),
  }),
  encodeError: (error, requestId) => ({
    statusCode: error.statusCode,
    headers: xmlType,
    body: encodeQueryError(service, error.code, error.message, requestId),
  }),
});

const awsJson: Protocol = {
  decode: (request) => {
    const target = request.headers["x-amz-target"];
    const action = typeof target === "string" ? target.split(".").at(-1) : undefined;
    if (action === undefined || action === "") {
      throw new ServiceError("UnknownOperationException", "The request names no operation.", 404);
    }
    return { action, input: parseObject(request.body) };
  },
  encodeAnswer: (_action, output) => ({ statusCode: 200, headers: jsonType, body: JSON.stringify(output) }),
  encodeError: (error) => ({
    statusCode: error.statusCode,
    headers: { ...jsonType, "x-amzn-errortype": error.code },
    body: JSON.stringify({ __type: error.code, message: error.message, Message: error.message }),
  }),
};

/** By the service's name in the credential scope. */
export const protocols: Readonly<Record<string, Protocol>> = {
  ec2: ec2Query,
  iam: query("iam"),
  sts: query("sts"),
  ssm: awsJson,
  lambda: lambdaRest,
  scheduler: schedulerRest,
};

/** For a service that nobody here speaks, and for requests that nobody signed. */
export const fallbackProtocol: Protocol = awsJson;

function decodeQuery(request: WireRequest): { action: string; input: Record<string, unknown> } {
  const { query } = splitUrl(request.url);
  const decoded = decodeForm(request.body.length > 0 ? request.body.toString("utf8") : query);
  if (decoded.action === "") throw new ServiceError("MissingAction", "The request names no action.", 400);
  return decoded;
}

/** @throws {ServiceError} when the body is not a JSON object. */
function parseObject(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (error) {
    throw serviceError({ code: "SerializationException", message: "The body is not JSON.", cause: error });
  }
  throw new ServiceError("SerializationException", "The body is not a JSON object.", 400);
}
