import { switchoverRequestSchema } from "@pgherd/layers/domain";
import { step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { awaitReady, type LeaderMove, moveLeader } from "./role-change.ts";

/** A role change that failed is not tried again by itself: whoever asked for it looks at the reason first. */
const attemptsMax = 3;
/** The call has looked a moment ago; only what comes and goes within seconds is waited for. */
const patienceSeconds = 10;

const statusAt: Workflow<ClusterPorts>["statusAt"] = (ending) => {
  switch (ending.state) {
    case "succeeded":
      return { status: "available", statusReason: "Every member runs and answers its clients." };
    case "cancelled":
      return {
        status: "available",
        statusReason: "A switchover was cancelled before it began: who led before leads.",
      };
    case "failed":
      return { status: "degraded", statusReason: `The switchover did not take place. ${ending.message}` };
  }
};

/** One planned role change. Nothing is undone: whoever leads, leads, and the poolers go on by themselves. */
export const switchoverWorkflow: Workflow<ClusterPorts> = {
  kind: "switchover-cluster",
  attemptsMax,
  isForwardOnly: true,
  chapters: [step("preflight", preflight), step("switchover", switchover)],
  statusAt,
};

function moveOf(scope: ClusterScope): LeaderMove {
  const { candidate, force, from, shard } = switchoverRequestSchema.parse(scope.request);
  return { shard, candidate, avoid: [from], force, step: "switchover", patienceSeconds };
}

/** A step of its own: until it is over, a cancel keeps the leader where it is. */
async function preflight(scope: ClusterScope): Promise<void> {
  await awaitReady(scope, await readCluster(scope), moveOf(scope));
}

async function switchover(scope: ClusterScope): Promise<string> {
  const { from } = switchoverRequestSchema.parse(scope.request);
  const { pauseMs, to } = await moveLeader(scope, moveOf(scope));
  await scope.ports.store.putOperationResult(scope.operationId, { from, to, pauseMs });
  return pauseMs === null
    ? `${to} leads.`
    : `${to} leads; clients of the poolers were held for ${pauseMs} ms.`;
}

export const handler = workflowHandler(switchoverWorkflow, openPorts);
