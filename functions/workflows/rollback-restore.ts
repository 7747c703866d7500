import {
  eachNode,
  pointOfNoReturn,
  step,
  type Workflow,
  workflowHandler,
} from "@pgherd/layers/runtime/workflow";
import * as acts from "./in-place/acts.ts";
import { backInService, dataSetAside } from "./in-place/chapters.ts";
import { checkRollback } from "./in-place/checks.ts";
import { type InPlaceDeadlines, inPlaceDeadlines } from "./in-place/deadlines.ts";
import { forgetWayBack } from "./in-place/records.ts";
import { statusAtEnd, unwound } from "./in-place/status.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";

/** As of a restore: replicas that have to be cloned are waited for. */
const attemptsMax = 150;

/**
 * The data from before a restore in place, in the place of what it has brought. Until that is in service again and
 * proven, whatever goes wrong leaves the restored data where it is.
 */
export function rollbackRestoreWorkflow(
  deadlines: InPlaceDeadlines = inPlaceDeadlines,
): Workflow<ClusterPorts> {
  return {
    kind: "rollback-restore",
    attemptsMax,
    unwound,
    chapters: [
      step("check", (scope) => checkRollback(scope, deadlines)),
      ...dataSetAside(deadlines),
      eachNode("take-kept", (scope, node) => acts.takeKept(scope, node, deadlines)),
      step("recover", (scope) => acts.recoverKept(scope, "recover", deadlines)),
      step("lead", (scope) => acts.lead(scope, deadlines)),
      step("prove", (scope) => acts.prove(scope, deadlines)),
      pointOfNoReturn,
      step("forget-way-back", forgetWayBack),
      ...backInService(deadlines),
      eachNode("drop-restored", (scope, node) => acts.dropAside(scope, node, deadlines)),
    ],
    statusAt: statusAtEnd("return to the data of before"),
  };
}

export const handler = workflowHandler(rollbackRestoreWorkflow(), openPorts);
