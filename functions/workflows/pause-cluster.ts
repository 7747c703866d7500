import { step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { z } from "zod";
import { setMaintenanceMode } from "./maintenance-mode.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";

const attemptsMax = 4;

/** What the API wrote into the operation. */
const requestSchema = z.object({ since: z.iso.datetime(), until: z.iso.datetime().nullable() });

/** Patroni's maintenance mode begins: nothing fails over by itself. */
export const pauseClusterWorkflow: Workflow<ClusterPorts> = {
  kind: "pause-cluster",
  attemptsMax,
  isForwardOnly: true,
  chapters: [step("pause", (scope) => setMaintenanceMode(scope, requestSchema.parse(scope.request)))],
  statusAt: () => null,
};

export const handler = workflowHandler(pauseClusterWorkflow, openPorts);
