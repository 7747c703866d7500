import { pointOfNoReturn, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type CreateDeadlines, createDeadlines } from "./create-cluster/deadlines.ts";
import { configuredNodes, newCipherPass } from "./create-cluster/nodes.ts";
import { type MakingPorts, openMakingPorts } from "./create-cluster/ports.ts";
import * as schedules from "./create-cluster/schedules.ts";
import * as software from "./create-cluster/software.ts";
import * as remove from "./removals.ts";

/** How often an act is tried that fails for a reason which passes. */
const attemptsMax = 4;

/**
 * The life of a new cluster. When any part of it fails, or someone cancels it, what stands on the right removes what
 * stands on the left, from the bottom up; the cluster's item stays, `failed` and with its name free, to say why.
 */
export function createClusterWorkflow(deadlines: CreateDeadlines = createDeadlines): Workflow<MakingPorts> {
  return {
    kind: "create-cluster",
    attemptsMax,
    chapters: [
      ...configuredNodes(deadlines, newCipherPass),
      step("members", (scope) => software.members(scope, deadlines)),
      step("database", (scope) => software.database(scope, deadlines)),
      step("archive", (scope) => software.archive(scope, deadlines)),
      step("verify", (scope) => software.verify(scope, deadlines)),
      step("schedules", schedules.apply, remove.schedules),
      /** A cluster that was verified is the user's: it is not taken away again. */
      pointOfNoReturn,
    ],
    statusAt: (ending) =>
      ending.state === "succeeded"
        ? { status: "available", statusReason: "Every member runs and answers its clients." }
        : {
            status: "failed",
            statusReason: `The create ${ending.state === "failed" ? "failed" : "was cancelled"}. ${ending.message}`,
          },
  };
}

export const handler = workflowHandler(createClusterWorkflow(), openMakingPorts);
