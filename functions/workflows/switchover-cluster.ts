import { switchoverRequestSchema } from "@pgherd/layers/domain";
import { step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import type { ClusterScope } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { moveLeader } from "./role-change.ts";

/** A role change that failed is not tried again by itself: whoever asked for it looks at the reason first. */
const attemptsMax = 3;
/** The call has looked a moment ago; only what comes and goes within seconds is waited for. */
const patienceSeconds = 10;

/** One planned role change. Nothing is undone: whoever leads, leads, and the poolers go on by themselves. */
export const switchoverWorkflow: Workflow<ClusterPorts> = {
  kind: "switchover-cluster",
  attemptsMax,
  isForwardOnly: true,
  chapters: [step("switchover", switchover)],
  statusAt: (ending) =>
    ending.state === "succeeded"
      ? { status: "available", statusReason: "Every member runs and answers its clients." }
      : { status: "degraded", statusReason: `The switchover did not take place. ${ending.message}` },
};

async function switchover(scope: ClusterScope): Promise<string> {
  const { candidate, force, from, shard } = switchoverRequestSchema.parse(scope.request);
  const moved = await moveLeader(scope, {
    shard,
    candidate,
    avoid: [from],
    force,
    step: "switchover",
    patienceSeconds,
  });
  const { pauseMs, to } = moved;
  await scope.ports.store.putOperationResult(scope.operationId, { from, to, pauseMs });
  return pauseMs === null
    ? `${to} leads.`
    : `${to} leads; clients of the poolers were held for ${pauseMs} ms.`;
}

export const handler = workflowHandler(switchoverWorkflow, openPorts);
