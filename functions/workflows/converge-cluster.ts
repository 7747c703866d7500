import { type Change, convergeRequestSchema, isInForce, planNext, timersOf } from "@pgherd/layers/domain";
import { type Loop, loopHandler } from "@pgherd/layers/runtime/workflow";
import { carryOut, nameOf } from "./converge-cluster/carry-out.ts";
import { changeRefused, checkNothingRefused } from "./converge-cluster/contents.ts";
import { type ConvergeDeadlines, convergeDeadlines } from "./converge-cluster/deadlines.ts";
import { observeCluster } from "./converge-cluster/observe.ts";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";

/** Tries of a change that fails for a reason which passes. */
const attemptsMax = 4;
/** Nine nodes made, grown, replaced and restarted take less than 200; a clone is looked at every few minutes. */
const roundsMax = 500;

type ConvergeLoop = Loop<ClusterPorts, Change>;

/** From what is to what the spec says, one change at a time. */
export function convergeClusterLoop(deadlines: ConvergeDeadlines = convergeDeadlines): ConvergeLoop {
  return {
    kind: "converge-cluster",
    attemptsMax,
    roundsMax,
    next: async (scope, round) => {
      const request = convergeRequestSchema.parse(scope.request);
      if (round === 1 && !(await hasSchedulesOfSpec(scope))) return { kind: "apply-schedules" };
      if (request.isRecordOnly) return null;
      const { cluster, observed } = await observeCluster(scope, round);
      const plan = planNext({ spec: cluster.spec, request }, observed);
      if (plan === null) {
        // A change that was refused took the spec back.
        if (!isInForce(timersOf(cluster.spec.backup), cluster.schedules)) return { kind: "apply-schedules" };
        await checkNothingRefused(scope);
        return null;
      }
      if ("blocked" in plan) throw new BlockedError(plan.blocked);
      return plan.change;
    },
    nameOf,
    carryOut: (scope, change, step) =>
      carryOut({ ...scope, deadlines, step: step.replaceAll(/[^A-Za-z0-9._-]+/g, "-") }, change),
    takenBack: [changeRefused],
    statusAt,
  };
}

async function hasSchedulesOfSpec(scope: ClusterScope): Promise<boolean> {
  const { id, schedules, spec } = await readCluster(scope);
  const wanted = timersOf(spec.backup);
  return isInForce(wanted, schedules) && (await scope.ports.schedules.isCurrent(id, wanted));
}

const statusAt: ConvergeLoop["statusAt"] = (ending) => {
  if (ending.state === "succeeded") {
    return { status: "available", statusReason: "Every member runs and answers its clients." };
  }
  if (ending.code === changeRefused) {
    return { status: "available", statusReason: `A change was refused. ${ending.message}` };
  }
  return {
    status: "degraded",
    statusReason: `The cluster is not yet what its spec says. ${ending.message}`,
  };
};

/** Somebody has to do something first, or say that something may be lost. */
class BlockedError extends Error {
  readonly code = "blocked";
}

export const handler = loopHandler(convergeClusterLoop(), openPorts);
