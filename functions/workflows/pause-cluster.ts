import { pauseSchema } from "@pgherd/layers/domain";
import { step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { setMaintenanceMode, statusAtEnd } from "./maintenance-mode.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";

const attemptsMax = 4;

/** Patroni's maintenance mode begins: nothing fails over by itself. */
export const pauseClusterWorkflow: Workflow<ClusterPorts> = {
  kind: "pause-cluster",
  attemptsMax,
  isForwardOnly: true,
  chapters: [step("pause", (scope) => setMaintenanceMode(scope, pauseSchema.parse(scope.request)))],
  statusAt: statusAtEnd,
};

export const handler = workflowHandler(pauseClusterWorkflow, openPorts);
