import {
  eachNode,
  pointOfNoReturn,
  step,
  type Workflow,
  workflowHandler,
} from "@pgherd/layers/runtime/workflow";
import type { ClusterScope } from "./create-cluster/records.ts";
import * as acts from "./in-place/acts.ts";
import { type InPlaceDeadlines, inPlaceDeadlines } from "./in-place/deadlines.ts";
import { sayStatus, statusAtEnd } from "./maintenance-mode.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { isSilence } from "./shards.ts";

/** What is dropped is gone, so it is patient. */
const attemptsMax = 8;

/** First from the record: what is half gone is nothing to go back to. */
export function confirmRestoreWorkflow(
  deadlines: InPlaceDeadlines = inPlaceDeadlines,
): Workflow<ClusterPorts> {
  return {
    kind: "confirm-restore",
    attemptsMax,
    chapters: [
      pointOfNoReturn,
      step("forget-way-back", forget),
      eachNode("drop", (scope, node) => drop(scope, node, deadlines)),
      step("status", sayStatus),
    ],
    statusAt: statusAtEnd,
  };
}

async function forget({ clusterId, operationId, ports }: ClusterScope): Promise<void> {
  await ports.store.recordOnCluster(clusterId, operationId, { kept: null });
}

/** What is on a node that does not answer goes with the next restore in place. */
async function drop(
  scope: ClusterScope,
  nodeId: string,
  deadlines: InPlaceDeadlines,
): Promise<string | undefined> {
  try {
    await acts.dropAside(scope, nodeId, deadlines);
    return undefined;
  } catch (error) {
    if (!isSilence(error)) throw error;
    return `${nodeId} does not answer, and keeps it for now`;
  }
}

export const handler = workflowHandler(confirmRestoreWorkflow(), openPorts);
