import { step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type CreateDeadlines, createDeadlines } from "./create-cluster/deadlines.ts";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";
import { orderOf } from "./create-cluster/software.ts";
import { sayStatus, statusAtEnd } from "./maintenance-mode.ts";
import { configureWith } from "./node-configuration.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { runningNodes, runOn } from "./shards.ts";

const attemptsMax = 4;
const renewSeconds = 30;

/** One node after the other: where something is wrong with the new ones, it is wrong on one node. */
async function certificates(scope: ClusterScope, deadlines: CreateDeadlines): Promise<string> {
  const { nodes } = await readCluster(scope);
  const running = runningNodes(nodes);
  for (const node of running) {
    const input = { clusterId: scope.clusterId, nodeId: node.id };
    const { certificateRequest } = await runOn(scope, node, "renew-key", "key", renewSeconds, input);
    await configureWith(scope, certificateRequest, await orderOf(scope, node.id, deadlines));
  }
  return running.length === 1 ? "1 node" : `${running.length} nodes`;
}

/** New keys and certificates for every node; the authority stays. */
export function rotateCertificatesWorkflow(
  deadlines: CreateDeadlines = createDeadlines,
): Workflow<ClusterPorts> {
  return {
    kind: "rotate-certificates",
    attemptsMax,
    isForwardOnly: true,
    chapters: [step("certificates", (scope) => certificates(scope, deadlines)), step("record", sayStatus)],
    statusAt: statusAtEnd,
  };
}

export const handler = workflowHandler(rotateCertificatesWorkflow(), openPorts);
