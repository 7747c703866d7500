import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { deleteRequestSchema } from "@pgherd/layers/domain";
import {
  eachNode,
  longStep,
  pointOfNoReturn,
  step,
  together,
  type Workflow,
  workflowHandler,
} from "@pgherd/layers/runtime/workflow";
import { type DeleteDeadlines, deleteDeadlines } from "./delete-cluster/deadlines.ts";
import { type DeletePorts, finalBackup } from "./delete-cluster/final-backup.ts";
import { closeClients, lastWal } from "./delete-cluster/last-wal.ts";
import { openPorts } from "./ports.ts";
import * as remove from "./removals.ts";

/** A delete has no way back, so it is patient: with growing pauses these tries span some three minutes. */
const attemptsMax = 10;
/** Each waits some minutes for the final backup: together they wait for longer than a backup may take. */
const backupAttemptsMax = 200;

/**
 * The end of a cluster. Until the final backup is taken nothing is touched, and the cluster is what it was where that
 * fails. Then it goes forward only, and every removal takes "already gone" for success: where one fails for good the
 * cluster is `failed`, keeps what is left on record, and deleting it again goes on from there.
 */
export function deleteClusterWorkflow(deadlines: DeleteDeadlines = deleteDeadlines): Workflow<DeletePorts> {
  return {
    kind: "delete-cluster",
    attemptsMax,
    isForwardOnly: true,
    chapters: [
      longStep("final-backup", backupAttemptsMax, (scope) => finalBackup(scope, deadlines)),
      pointOfNoReturn,
      step("schedules", remove.schedules),
      eachNode("clients", (scope, node) => closeClients(scope, node, deadlines)),
      step("last-wal", (scope) => lastWal(scope, deadlines)),
      eachNode("instances", remove.instance),
      together(
        eachNode("network-interfaces", remove.networkInterface),
        eachNode("volumes", remove.volume),
        step("identity", remove.identity),
        step("parameters", remove.parameters),
      ),
      step("security-group", (scope) => remove.securityGroup(scope, [])),
      step("cluster", remove.cluster),
    ],
    statusAt: (ending, request) => {
      if (ending.state === "succeeded") return null;
      const { before } = deleteRequestSchema.parse(request);
      if (!ending.isPastReturn && before !== null) return before;
      return { status: "failed", statusReason: `The delete did not end. ${ending.message}` };
    },
  };
}

export function openDeletePorts(): DeletePorts {
  const ports = openPorts();
  return { ...ports, executions: new LambdaExecutions(ports.settings) };
}

export const handler = workflowHandler(deleteClusterWorkflow(), openDeletePorts);
