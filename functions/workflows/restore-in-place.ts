import { pointOfNoReturn, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import * as acts from "./in-place/acts.ts";
import { backInService, dataSetAside } from "./in-place/chapters.ts";
import { checkRestore } from "./in-place/checks.ts";
import { type InPlaceDeadlines, inPlaceDeadlines } from "./in-place/deadlines.ts";
import { keepWayBack } from "./in-place/records.ts";
import { statusAtEnd, unwound } from "./in-place/status.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";

/** Each try of waiting for the data takes minutes: together they wait for half a day. */
const attemptsMax = 150;

/**
 * The cluster's data as it was at an earlier moment, in the place of what it is now. Until the restored data is in
 * service and proven, whatever goes wrong puts back what there was; then that is kept for a time.
 */
export function restoreInPlaceWorkflow(
  deadlines: InPlaceDeadlines = inPlaceDeadlines,
): Workflow<ClusterPorts> {
  return {
    kind: "restore-in-place",
    attemptsMax,
    unwound,
    chapters: [
      step("check", (scope) => checkRestore(scope, deadlines)),
      ...dataSetAside(deadlines),
      step("restore", (scope) => acts.restoreBackup(scope, "restore", deadlines)),
      step("lead", (scope) => acts.lead(scope, deadlines)),
      step("prove", (scope) => acts.prove(scope, deadlines)),
      /** What clients commit from here on is not taken back by itself. */
      pointOfNoReturn,
      step("keep-way-back", keepWayBack),
      ...backInService(deadlines),
    ],
    statusAt: statusAtEnd("restore"),
  };
}

export const handler = workflowHandler(restoreInPlaceWorkflow(), openPorts);
