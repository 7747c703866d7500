import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../../layers/domain/cluster/cluster.ts";
import { endedStates, type Operation, type OperationStep } from "../../layers/domain/operation/operation.ts";
import type { ApiClient } from "./api-client.ts";
import { progress, UserError } from "./terminal.ts";

const demoName = "demo";
/** A create takes some twenty seconds; several times that means that it hangs. */
const operationTimeoutMs = 300_000;
const pollMs = 250;

/** The cluster `demo` where it is meant to take connections. */
export function demoCluster(clusters: readonly Cluster[]): Cluster | undefined {
  return clusters.find(
    ({ name, status }) => name === demoName && (status === "available" || status === "degraded"),
  );
}

/** Creates the cluster `demo` where the environment has no cluster; shows what is under way with one that it has. */
export async function ensureDemo(api: ApiClient): Promise<void> {
  const clusters = await api.clusters();
  const busy = clusters.find(
    ({ name, activeOperationId }) => name === demoName && activeOperationId !== null,
  );
  const operationId = busy?.activeOperationId ?? (hasCluster(clusters) ? null : await create(api));
  if (operationId === null) return;
  const ended = await follow(api, operationId);
  if (ended.state !== "succeeded")
    throw new UserError(
      `the cluster ${demoName}: ${ended.kind} ${ended.state}: ${ended.error?.message ?? "it was cancelled"}; npm start tries again, npm run logs says more`,
    );
}

/** What failed to be created is a record of that and no cluster. */
function hasCluster(clusters: readonly Cluster[]): boolean {
  return clusters.some(({ status }) => status !== "failed");
}

async function create(api: ApiClient): Promise<string> {
  const { operation } = await api.call<{ operation: Operation }>("POST", "/v1/clusters", { name: demoName });
  return operation.id;
}

/** Shows every step as it begins and ends, until the operation has ended. */
async function follow(api: ApiClient, operationId: string): Promise<Operation> {
  const shown = new Map<string, OperationStep["state"]>();
  const deadline = Date.now() + operationTimeoutMs;
  progress(`the cluster ${demoName}: operation ${operationId}`);
  while (Date.now() < deadline) {
    const operation = await api.call<Operation>("GET", `/v1/operations/${operationId}`);
    for (const step of operation.steps) {
      if (shown.get(step.name) === step.state) continue;
      shown.set(step.name, step.state);
      if (step.state !== "pending") progress(describe(operation, step));
    }
    if (endedStates.includes(operation.state)) return operation;
    await delay(pollMs);
  }
  throw new UserError(
    `operation ${operationId} has not ended after ${operationTimeoutMs / 1000} s: npm run status and npm run logs say more`,
  );
}

function describe(operation: Operation, step: OperationStep): string {
  const percent = String(Math.round(operation.progress * 100)).padStart(3);
  return `${percent} %  ${step.name}: ${step.state}${step.detail === undefined ? "" : ` (${step.detail})`}`;
}
