import { step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { setMaintenanceMode, statusAtEnd } from "./maintenance-mode.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";

const attemptsMax = 4;

/** Patroni's maintenance mode ends. */
export const resumeClusterWorkflow: Workflow<ClusterPorts> = {
  kind: "resume-cluster",
  attemptsMax,
  isForwardOnly: true,
  chapters: [step("resume", (scope) => setMaintenanceMode(scope, null))],
  statusAt: statusAtEnd,
};

export const handler = workflowHandler(resumeClusterWorkflow, openPorts);
