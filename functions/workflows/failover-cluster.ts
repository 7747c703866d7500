import { failoverRequestSchema } from "@pgherd/layers/domain";
import { step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { changeRole } from "./role-change.ts";

/** Whoever forces a failover looks at the reason before trying again. */
const attemptsMax = 3;

/** Appoints a leader. The call has asked for everything that had to be acknowledged; nothing can be undone. */
export const failoverWorkflow: Workflow<ClusterPorts> = {
  kind: "failover-cluster",
  attemptsMax,
  isForwardOnly: true,
  chapters: [step("failover", failover)],
  statusAt: (ending) =>
    ending.state === "succeeded"
      ? { status: "degraded", statusReason: "A leader was appointed; the other members are catching up." }
      : { status: "degraded", statusReason: `The failover did not take place. ${ending.message}` },
};

/** The candidate conducts: the leader may be the reason for all this. */
async function failover(scope: ClusterScope): Promise<string> {
  const { candidate: to, from, shard } = failoverRequestSchema.parse(scope.request);
  const cluster = await readCluster(scope);
  const move = { cluster, conductor: to, shard, from, to, force: true, step: "failover" };
  const { pauseMs } = await changeRole(scope, move);
  await scope.ports.store.putOperationResult(scope.operationId, { from, to, pauseMs });
  return `${to} leads.`;
}

export const handler = workflowHandler(failoverWorkflow, openPorts);
