import type { Protocol, WireRequest } from "../protocols.ts";
import { ServiceError, serviceError } from "../service.ts";
import { splitUrl } from "../signature.ts";

/** EventBridge Scheduler's REST protocol: the paths of exactly the calls that the product makes. */
const routes: readonly { readonly method: string; readonly path: RegExp; readonly action: string }[] = [
  { method: "POST", path: /^\/schedules\/([^/]+)\/?$/, action: "CreateSchedule" },
  { method: "PUT", path: /^\/schedules\/([^/]+)\/?$/, action: "UpdateSchedule" },
  { method: "GET", path: /^\/schedules\/([^/]+)\/?$/, action: "GetSchedule" },
  { method: "DELETE", path: /^\/schedules\/([^/]+)\/?$/, action: "DeleteSchedule" },
  { method: "GET", path: /^\/schedules\/?$/, action: "ListSchedules" },
];

/** What a member of the input is called in the query. */
const queryNames: Readonly<Record<string, string>> = {
  groupName: "GroupName",
  ScheduleGroup: "GroupName",
  clientToken: "ClientToken",
};

const jsonType = { "content-type": "application/json" };

export const schedulerRest: Protocol = {
  decode: (request) => {
    const { path, query } = splitUrl(request.url);
    for (const route of routes) {
      const match = route.method === request.method ? route.path.exec(path) : null;
      if (match === null) continue;
      const name = match[1] === undefined ? {} : { Name: decodeURIComponent(match[1]) };
      return { action: route.action, input: { ...bodyOf(request), ...parametersOf(query), ...name } };
    }
    throw new ServiceError("UnknownOperationException", `There is no ${request.method} ${path} here.`, 404);
  },
  encodeAnswer: (_action, output) => ({ statusCode: 200, headers: jsonType, body: JSON.stringify(output) }),
  encodeError: (error) => ({
    statusCode: error.statusCode,
    headers: { ...jsonType, "x-amzn-errortype": error.code },
    body: JSON.stringify({ Message: error.message }),
  }),
};

function parametersOf(query: string): Record<string, string> {
  const parameters = [...new URLSearchParams(query)];
  return Object.fromEntries(parameters.map(([name, value]) => [queryNames[name] ?? name, value]));
}

function bodyOf(request: WireRequest): Record<string, unknown> {
  if (request.body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(request.body.toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (error) {
    throw serviceError({ code: "ValidationException", message: "The body is not JSON.", cause: error });
  }
  throw new ServiceError("ValidationException", "The body is not a JSON object.");
}
