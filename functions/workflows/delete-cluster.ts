import {
  eachNode,
  pointOfNoReturn,
  step,
  together,
  type Workflow,
  workflowHandler,
} from "@pgherd/layers/runtime/workflow";
import { type ClusterPorts, openPorts } from "./ports.ts";
import * as remove from "./removals.ts";

/** A delete has no way back, so it is patient: with growing pauses these tries span some three minutes. */
const attemptsMax = 10;

/**
 * The end of a cluster: forward only, and every removal takes "already gone" for success. Where one fails for good the
 * cluster is `failed`, keeps what is left on record, and deleting it again goes on from there.
 */
export const deleteClusterWorkflow: Workflow<ClusterPorts> = {
  kind: "delete-cluster",
  attemptsMax,
  chapters: [
    pointOfNoReturn,
    eachNode("instances", remove.instance),
    together(
      eachNode("network-interfaces", remove.networkInterface),
      eachNode("volumes", remove.volume),
      step("parameters", remove.parameters),
    ),
    step("security-group", (scope) => remove.securityGroup(scope, [])),
    step("cluster", remove.cluster),
  ],
  statusAt: (ending) =>
    ending.state === "succeeded"
      ? null
      : { status: "failed", statusReason: `The delete did not end. ${ending.message}` },
};

export const handler = workflowHandler(deleteClusterWorkflow, openPorts);
