import { eachNode, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type CreateDeadlines, createDeadlines } from "./create-cluster/deadlines.ts";
import * as schedules from "./create-cluster/schedules.ts";
import * as software from "./create-cluster/software.ts";
import { ensureIdentity } from "./identity.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import * as machines from "./start-cluster/machines.ts";

/** With growing pauses these tries span about a minute. */
const attemptsMax = 6;

/**
 * Instances, or others in the place of those that are gone, and a fresh certificate for each node; its services come
 * up with the machine. It is done when every member streams.
 */
export function startClusterWorkflow(deadlines: CreateDeadlines = createDeadlines): Workflow<ClusterPorts> {
  return {
    kind: "start-cluster",
    attemptsMax,
    isForwardOnly: true,
    chapters: [
      step("identity", ensureIdentity),
      eachNode("instances", (scope, node) => machines.instance(scope, node, deadlines)),
      eachNode("agents", (scope, node) => software.agent(scope, node, deadlines)),
      eachNode("configure", (scope, node) => software.configure(scope, node, deadlines, "existing")),
      step("members", (scope) => software.members(scope, deadlines)),
      step("schedules", schedules.beginAnew),
    ],
    statusAt: (ending) =>
      ending.state === "succeeded"
        ? { status: "available", statusReason: "Every member runs and answers its clients." }
        : {
            status: "degraded",
            statusReason: `The start did not come to its end: some nodes may not run. Start goes on from there. ${ending.message}`,
          },
  };
}

export const handler = workflowHandler(startClusterWorkflow(), openPorts);
