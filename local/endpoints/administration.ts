import type { FaultRule, Faults } from "./faults.ts";
import type { Recorder } from "./recorder.ts";
import { splitUrl } from "./signature.ts";

/** Paths that no AWS service has: what tests in other processes use, with the administration token as bearer. */
export const administrationPrefix = "/_pgherd/";

/**
 * `GET|POST|DELETE /_pgherd/faults` (a {@link FaultRule} as JSON; `DELETE …/faults/{id}` removes one) and
 * `GET|DELETE /_pgherd/calls?service=&action=`.
 */
export function answerAdministration(
  request: { method: string; url: string; body: Buffer },
  tools: { faults: Faults; recorder: Recorder },
): { statusCode: number; body: string } {
  const { path, query } = splitUrl(request.url);
  const [resource, id] = path.slice(administrationPrefix.length).split("/");
  const parameters = new URLSearchParams(query);
  switch (`${request.method} ${resource}`) {
    case "GET faults":
      return json(200, tools.faults.list());
    case "POST faults":
      return json(201, { id: tools.faults.add(JSON.parse(request.body.toString("utf8")) as FaultRule) });
    case "DELETE faults":
      if (id === undefined) tools.faults.clear();
      else tools.faults.remove(id);
      return json(200, {});
    case "GET calls": {
      const service = parameters.get("service");
      const action = parameters.get("action");
      return json(
        200,
        tools.recorder.list({
          ...(service === null ? {} : { service }),
          ...(action === null ? {} : { action }),
        }),
      );
    }
    case "DELETE calls":
      tools.recorder.clear();
      return json(200, {});
    default:
      return json(404, { message: `no ${request.method} ${path} here` });
  }
}

function json(statusCode: number, value: unknown): { statusCode: number; body: string } {
  return { statusCode, body: JSON.stringify(value) };
}
