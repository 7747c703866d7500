import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "./environment.ts";

/** What goes wrong at the AWS endpoints, as local/endpoints/faults.ts describes it. */
export interface Fault {
  readonly service: string;
  readonly action: string;
  readonly inputContains?: string;
  readonly times?: number;
  readonly effect: { readonly kind: string; readonly code?: string; readonly statusCode?: number };
}

async function administer(environment: Environment, method: string, body?: Fault): Promise<void> {
  const variables = await environment.awsVariables();
  const token = await readFile(join(environment.stateDirectory, "keys", "administration-token"), "utf8");
  const response = await fetch(`${variables["AWS_ENDPOINT_URL"]}/_pgherd/faults`, {
    method,
    headers: { authorization: `Bearer ${token.trim()}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} faults: ${response.status} ${await response.text()}`);
}

export function addFault(environment: Environment, fault: Fault): Promise<void> {
  return administer(environment, "POST", fault);
}

export function clearFaults(environment: Environment): Promise<void> {
  return administer(environment, "DELETE");
}
