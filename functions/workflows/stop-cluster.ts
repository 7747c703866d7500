import { eachNode, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { type StopDeadlines, stopDeadlines } from "./stop-cluster/deadlines.ts";
import * as stop from "./stop-cluster/services.ts";

/** With growing pauses these tries span about a minute. */
const attemptsMax = 6;

/**
 * Clients first, then replicas, then leaders, so that nothing is written that a replica does not have; then the
 * instances. Data, interfaces, volumes and root file systems stay.
 */
export function stopClusterWorkflow(deadlines: StopDeadlines = stopDeadlines): Workflow<ClusterPorts> {
  return {
    kind: "stop-cluster",
    attemptsMax,
    isForwardOnly: true,
    chapters: [
      step("find-leader", stop.leaders),
      eachNode("clients", (scope, node) => stop.clients(scope, node, deadlines)),
      eachNode("replicas", (scope, node) => stop.replicas(scope, node, deadlines)),
      eachNode("leader", (scope, node) => stop.lastOnes(scope, node, deadlines)),
      eachNode("instances", (scope, node) => stop.instance(scope, node, deadlines)),
    ],
    statusAt: (ending) =>
      ending.state === "succeeded"
        ? {
            status: "stopped",
            statusReason:
              "Every instance is stopped. Data, addresses and volumes stay; start brings it back.",
          }
        : {
            status: "degraded",
            statusReason: `The stop did not come to its end: some nodes are stopped. Start brings them back, stop goes on. ${ending.message}`,
          },
  };
}

export const handler = workflowHandler(stopClusterWorkflow(), openPorts);
