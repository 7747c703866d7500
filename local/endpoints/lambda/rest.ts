import type { Protocol, WireAnswer, WireRequest } from "../protocols.ts";
import { ServiceError, serviceError } from "../service.ts";
import { splitUrl } from "../signature.ts";

/** Lambda's REST protocol: the paths of exactly the calls that the product and its users make. */
interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly action: string;
  /** Name of the path's one parameter. */
  readonly parameter: string;
  /** Query parameters that lists are read from. */
  readonly listParameters?: readonly string[];
}

const routes: readonly Route[] = [
  route("POST", /^\/2015-03-31\/functions\/([^/]+)\/invocations\/?$/, "Invoke", "FunctionName"),
  route("GET", /^\/2015-03-31\/functions\/([^/]+)\/versions\/?$/, "ListVersionsByFunction", "FunctionName"),
  route("GET", /^\/2015-03-31\/functions\/([^/]+)\/aliases\/?$/, "ListAliases", "FunctionName"),
  route("DELETE", /^\/2015-03-31\/functions\/([^/]+)\/?$/, "DeleteFunction", "FunctionName"),
  route(
    "GET",
    /^\/2015-03-31\/functions\/([^/]+)\/configuration\/?$/,
    "GetFunctionConfiguration",
    "FunctionName",
  ),
  route("GET", /^\/2015-03-31\/functions()\/?$/, "ListFunctions", "FunctionName"),
  route(
    "POST",
    /^\/2025-12-01\/durable-executions\/([^/]+)\/checkpoint\/?$/,
    "CheckpointDurableExecution",
    "DurableExecutionArn",
  ),
  route(
    "GET",
    /^\/2025-12-01\/durable-executions\/([^/]+)\/state\/?$/,
    "GetDurableExecutionState",
    "DurableExecutionArn",
  ),
  route(
    "POST",
    /^\/2025-12-01\/durable-executions\/([^/]+)\/stop\/?$/,
    "StopDurableExecution",
    "DurableExecutionArn",
  ),
  route(
    "GET",
    /^\/2025-12-01\/durable-executions\/([^/]+)\/?$/,
    "GetDurableExecution",
    "DurableExecutionArn",
  ),
  {
    ...route(
      "GET",
      /^\/2025-12-01\/functions\/([^/]+)\/durable-executions\/?$/,
      "ListDurableExecutionsByFunction",
      "FunctionName",
    ),
    listParameters: ["Statuses"],
  },
  route(
    "POST",
    /^\/2025-12-01\/durable-execution-callbacks\/([^/]+)\/succeed\/?$/,
    "SendDurableExecutionCallbackSuccess",
    "CallbackId",
  ),
  route(
    "POST",
    /^\/2025-12-01\/durable-execution-callbacks\/([^/]+)\/fail\/?$/,
    "SendDurableExecutionCallbackFailure",
    "CallbackId",
  ),
  route(
    "POST",
    /^\/2025-12-01\/durable-execution-callbacks\/([^/]+)\/heartbeat\/?$/,
    "SendDurableExecutionCallbackHeartbeat",
    "CallbackId",
  ),
];

export const lambdaRest: Protocol = {
  decode: (request) => {
    const { path, query } = splitUrl(request.url);
    for (const candidate of routes) {
      const match = candidate.method === request.method ? candidate.path.exec(path) : null;
      if (match === null) continue;
      const parameter = decodeURIComponent(match[1] ?? "");
      return {
        action: candidate.action,
        input: {
          ...decodeBody(candidate.action, request),
          ...decodeQuery(query, candidate.listParameters ?? []),
          ...(parameter === "" ? {} : { [candidate.parameter]: parameter }),
        },
      };
    }
    throw new ServiceError("UnknownOperationException", `There is no ${request.method} ${path} here.`, 404);
  },
  encodeAnswer: (action, output) => {
    switch (action) {
      case "Invoke":
        return encodeInvocation(output);
      case "DeleteFunction":
        return { statusCode: 204, headers: {}, body: "" };
      default:
        return {
          statusCode: 200,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(output),
        };
    }
  },
  encodeError: (error) => ({
    statusCode: error.statusCode,
    headers: { "content-type": "application/json", "x-amzn-errortype": error.code },
    body: JSON.stringify({ Type: "User", message: error.message, Message: error.message }),
  }),
};

function route(method: string, path: RegExp, action: string, parameter: string): Route {
  return { method, path, action, parameter };
}

function decodeBody(action: string, request: WireRequest): Record<string, unknown> {
  const text = request.body.toString("utf8");
  switch (action) {
    case "Invoke":
      return {
        Payload: text,
        ...headerField(request, "x-amz-invocation-type", "InvocationType"),
        ...headerField(request, "x-amz-durable-execution-name", "DurableExecutionName"),
        ...headerField(request, "x-amz-log-type", "LogType"),
      };
    case "SendDurableExecutionCallbackSuccess":
      return { Result: text };
    case "SendDurableExecutionCallbackFailure":
    case "StopDurableExecution":
      return text === "" ? {} : { Error: parseJson(text) };
    default:
      return text === "" ? {} : (parseJson(text) as Record<string, unknown>);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw serviceError({
      code: "InvalidRequestContentException",
      message: "Could not parse request body into json.",
      cause: error,
    });
  }
}

function decodeQuery(query: string, listParameters: readonly string[]): Record<string, unknown> {
  const parameters = new URLSearchParams(query);
  return Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => [
      name,
      listParameters.includes(name) ? parameters.getAll(name) : parameters.get(name),
    ]),
  );
}

function headerField(request: WireRequest, header: string, field: string): Record<string, string> {
  const value = request.headers[header];
  return typeof value === "string" ? { [field]: value } : {};
}

function encodeInvocation(output: Readonly<Record<string, unknown>>): WireAnswer {
  const headers: Record<string, string> = { "content-type": "application/json" };
  const add = (header: string, field: string) => {
    const value = output[field];
    if (typeof value === "string") headers[header] = value;
  };
  add("x-amz-function-error", "FunctionError");
  add("x-amz-executed-version", "ExecutedVersion");
  add("x-amz-durable-execution-arn", "DurableExecutionArn");
  const statusCode = typeof output["StatusCode"] === "number" ? output["StatusCode"] : 200;
  return { statusCode, headers, body: typeof output["Payload"] === "string" ? output["Payload"] : "" };
}
